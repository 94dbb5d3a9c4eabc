"""Kept weights: whole, what the record says, and the same network on every backend."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from spectra_lib._base.errors import SpectraError, StoreError, UnknownNameError
from spectra_lib.cli.app import app
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.runs.archive import pack_records, unpack_archive
from spectra_lib.runs.record import best_classes
from spectra_lib.runs.records import load_records
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore, record_text
from spectra_lib.runs.weights import (
    ARRAYS,
    CARD,
    ModelCard,
    check_weights,
    each_weight,
    find_record,
    hash_weights,
    read_card,
    save_weights,
    weights_path,
)
from spectra_lib.training.prediction import load_model
from spectra_lib.training.trainer import train
from spectra_lib.training.verification import verify

BN = RunSpec(dataset="smoke", model="cnn_bn", max_epochs=2, options={"hidden_units": [8]})
PEAKNET = RunSpec(dataset="smoke", model="peaknet", max_epochs=2)
INCEPTION = RunSpec(dataset="smoke", model="inc3", max_epochs=1, options={"hidden_units": [8]})
SPECS = {"batch normalisation": BN, "peaknet": PEAKNET, "average pools": INCEPTION}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with three runs and their weights; copied by tests that change it."""
    found = RunStore(tmp_path_factory.mktemp("store"))
    for spec in SPECS.values():
        train(spec, found, quiet=True)
    return found


@pytest.fixture
def copied(store, tmp_path):
    shutil.copytree(store.path, tmp_path / "copy")
    return RunStore(tmp_path / "copy")


def command(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], terminal_width=200)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


# What training leaves


def test_training_keeps_weights_and_what_they_need(store):
    record = store.load(BN)
    folder = weights_path(store, BN.run_id)
    assert {path.name for path in folder.iterdir()} == {ARRAYS, CARD}
    assert [path.name for path in folder.parent.glob(".*")] == []
    card = read_card(folder)
    assert card == ModelCard.of(record)
    assert (card.model, card.options, card.n_points, card.n_classes) == ("cnn_bn", {"hidden_units": [8]}, 256, 4)
    assert (card.class_names, card.axis.unit, card.normalization) == (("0", "1", "2", "3"), "points", "maximum")
    assert card.spec_digest == BN.digest and card.weights_sha256 == record.weights_sha256
    check_weights(folder, record.weights_sha256)
    assert len(load_records(store.path)) == len(SPECS)  # nothing there is taken for a record


def test_git_ignores_them(project):
    for store in ("results", "results/ways/jax"):
        done = subprocess.run(["git", "check-ignore", f"{store}/.weights/run/{CARD}"], cwd=project, check=False)
        if done.returncode == 128:
            pytest.skip("not a git repository")
        assert done.returncode == 0


def test_training_without_keeping(tmp_path):
    printed = command(
        *("train", "--dataset", "smoke", "--model", "vgg", "--max-epochs", 1, "--store", tmp_path, "--no-weights")
    )
    assert "record: " in printed and not (tmp_path / ".weights").exists()
    (record,) = load_records(tmp_path)
    assert "are not there" in command("records", "verify", record.spec.run_id, "--store", tmp_path, code=2)
    assert "0 runs with weights" in command("records", "verify", "--all", "--store", tmp_path)


def test_arrays_in_any_order_are_written_as_they_are(store, tmp_path):
    """safetensors 0.8.0 writes the memory of an array as it lies, and a transposed one comes back scrambled."""
    arrays = [np.arange(6.0).reshape(2, 3).T, np.arange(24.0).reshape(2, 3, 4)[::2, :, ::-1], np.float32(3)]
    own = store.load(BN).model_copy(update={"weights_sha256": hash_weights([np.asarray(a) for a in arrays])})
    folder = save_weights(RunStore(tmp_path), own, ["a", "b", "c"], arrays)
    for found, array in zip(each_weight(folder), arrays, strict=True):
        np.testing.assert_array_equal(found, array)
        assert found.shape == np.shape(array)


def test_what_is_written_is_read_back(store, tmp_path, monkeypatch):
    def scrambled(tensors, path):
        save_file({name: np.ascontiguousarray(array[::-1]) for name, array in tensors.items()}, path)

    monkeypatch.setattr("safetensors.numpy.save_file", scrambled)
    own = store.load(BN).model_copy(update={"weights_sha256": hash_weights([np.arange(3.0)])})
    with pytest.raises(StoreError, match="damaged or of another run"):
        save_weights(RunStore(tmp_path), own, ["a"], [np.arange(3.0)])
    assert list((tmp_path / ".weights").iterdir()) == []


def test_a_full_disk_is_a_clear_error_and_the_run_goes_on_later(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    spec = RunSpec(dataset="smoke", model="vgg", max_epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr("safetensors.numpy.save_file", full)
        with pytest.raises(StoreError, match="cannot write the weights .*No space left on device; free some space"):
            train(spec, tmp_path, quiet=True)
    assert RunStore(tmp_path).load(spec) is None and list((tmp_path / ".weights").iterdir()) == []
    record = train(spec, tmp_path, quiet=True)
    assert record.sessions[-1].first_epoch == 1  # nothing was trained again
    assert verify(record, RunStore(tmp_path))[0].is_exact


# Opening


@pytest.mark.parametrize("name", SPECS)
def test_a_loaded_network_predicts_what_the_record_says(name, store):
    record, data = store.load(SPECS[name]), make_dataset("smoke")
    network = load_model(SPECS[name].run_id, store.path)
    probabilities = network.predict(data.test.spectra())
    assert probabilities.dtype == np.float64 and np.allclose(probabilities.sum(axis=1), 1)
    labels, confidences = best_classes(probabilities)
    assert labels.tolist() == list(record.test_predictions.labels)
    np.testing.assert_allclose(confidences, record.test_predictions.probabilities, atol=1.1e-4)
    np.testing.assert_allclose(network.predict(7.0 * data.test.spectra()), probabilities, atol=1e-5)
    folder = weights_path(store, SPECS[name].run_id)
    np.testing.assert_array_equal(load_model(folder).predict(data.test.spectra()), probabilities)


def test_spectra_that_do_not_fit_are_refused(store):
    network = load_model(BN.run_id, store.path)
    assert network.predict(np.zeros((0, 256))).shape == (0, 4)
    assert network.predict(np.zeros((1, 256))).shape == (1, 4)
    with pytest.raises(SpectraError, match=r"expected an array of shape .n_spectra, 256., received .256,."):
        network.predict(np.zeros(256))
    with pytest.raises(SpectraError, match="not finite"):
        network.predict(np.full((1, 256), np.nan))


def test_runs_are_found_by_the_beginning_of_their_id(store):
    assert find_record(store, "smoke-cnn_bn").spec == BN
    with pytest.raises(StoreError, match="3 runs begin with 'smoke'"):
        find_record(store, "smoke")
    with pytest.raises(UnknownNameError, match="run of this store"):
        find_record(store, "other")


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("name", SPECS)
def test_other_backends_give_the_same_classes_and_probabilities(name, backend, store, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed (make test-torch installs PyTorch)")
    script = (
        "import sys, numpy as np, keras\n"
        "from spectra_lib import load_model, make_dataset\n"
        "data = make_dataset('smoke')\n"
        "network = load_model(sys.argv[1])\n"
        "assert keras.backend.backend() == sys.argv[3]\n"
        "np.save(sys.argv[2], network.predict(np.concatenate([data.test.spectra(), data.fresh.spectra()])))\n"
    )
    target, folder = tmp_path / "found.npy", weights_path(store, SPECS[name].run_id)
    subprocess.run(
        [sys.executable, "-c", script, str(folder), str(target), backend],
        env=os.environ | {"KERAS_BACKEND": backend},
        check=True,
    )
    data = make_dataset("smoke")
    here = load_model(folder).predict(np.concatenate([data.test.spectra(), data.fresh.spectra()]))
    found = np.load(target)
    np.testing.assert_allclose(found, here, atol=1e-5)
    tied = np.abs(np.diff(np.sort(here, axis=1)[:, -2:], axis=1)[:, 0]) < 2e-5
    np.testing.assert_array_equal(found.argmax(axis=1)[~tied], here.argmax(axis=1)[~tied])
    assert tied.mean() < 0.05


# Verification


def test_where_it_was_made_a_record_is_verified_exactly(store):
    for spec in SPECS.values():
        found = verify(store.load(spec), store)
        assert [c.split for c in found] == ["train", "validation", "test", "fresh"]
        assert all(c.is_exact for c in found), found
    printed = command("records", "verify", "--all", "--store", store.path)
    assert (
        printed.count("exactly as recorded") == 3 and "3 runs with weights in" in printed and "0 that differ" in printed
    )


def rewrite(store: RunStore, spec: RunSpec, **changes) -> None:
    """Change a record, and let its weights belong to the changed one."""
    record = store.load(spec).model_copy(update=changes)
    store.record_path(spec).write_text(record_text(record))
    folder = weights_path(store, spec.run_id)
    (folder / CARD).write_text(ModelCard.of(record).model_dump_json())


def test_a_record_that_claims_something_else_is_found(copied):
    record = copied.load(BN)
    labels = [(label + 1) % 4 for label in record.test_predictions.labels[:2]] + list(
        record.test_predictions.labels[2:]
    )
    rewrite(
        copied,
        BN,
        test_predictions=record.test_predictions.model_copy(update={"labels": tuple(labels)}),
        validation=record.validation.model_copy(update={"loss": record.validation.loss + 0.1}),
        train=record.train.model_copy(update={"errors": record.train.errors + 40}),
    )
    printed = command("records", "verify", "smoke-cnn_bn", "--store", copied.path, code=1)
    assert "DIFFERS test: 2 predicted classes differ that are no ties" in printed
    assert "DIFFERS validation: the loss differs by -0.1" in printed
    assert "DIFFERS train: " in printed and "DIFFERS fresh" not in printed
    assert "1 that differ" in command("records", "verify", "--all", "--store", copied.path, code=1)


def test_a_changed_record_or_changed_weights_are_named(copied):
    path = copied.record_path(BN)
    path.write_text(path.read_text().replace('"wall_seconds":', '"wall_seconds":1'))
    with pytest.raises(StoreError, match="has changed since its weights were written"):
        verify(copied.load(BN), copied)
    file = weights_path(copied, PEAKNET.run_id) / ARRAYS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(StoreError, match="damaged or of another run"):
        verify(copied.load(PEAKNET), copied)
    with pytest.raises(StoreError, match="damaged or of another run"):
        load_model(PEAKNET.run_id, copied.path)
    file.write_bytes(content[:100])
    with pytest.raises(StoreError, match="cannot be read"):
        load_model(PEAKNET.run_id, copied.path)
    card = weights_path(copied, INCEPTION.run_id) / CARD
    card.write_text(json.dumps(json.loads(card.read_text()) | {"format_version": 9}))
    with pytest.raises(StoreError, match="expected format_version 1"):
        load_model(INCEPTION.run_id, copied.path)


# Archives


def test_weights_travel_in_an_archive(store, tmp_path):
    archive, target = tmp_path / "all.tar.gz", RunStore(tmp_path / "there")
    assert pack_records(store, archive) == (3, 0)
    assert unpack_archive(archive, target) == (3, 0, 0, 0)
    assert "3 records and the weights of 3 runs" in command(
        "campaign", "pack", archive, "--store", store.path, "--weights"
    )
    assert "weights of 3 runs added" in command("campaign", "unpack", archive, "--store", target.path)
    assert unpack_archive(archive, target) == (0, 3, 0, 0)
    assert all(c.is_exact for c in verify(target.load(PEAKNET), target))
    assert [path.name for path in target.path.glob(".unpacked*")] == []


def test_weights_that_are_not_those_of_the_record_are_not_taken(copied, tmp_path):
    file = weights_path(copied, BN.run_id) / ARRAYS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    card = weights_path(copied, PEAKNET.run_id) / CARD
    card.write_text(card.read_text().replace('"n_points": 256', '"n_points": 255'))
    pack_records(copied, tmp_path / "a.tar.gz", weights=True)
    target = RunStore(tmp_path / "there")
    with pytest.warns(UserWarning, match="are not taken") as caught:
        assert unpack_archive(tmp_path / "a.tar.gz", target) == (3, 0, 1, 0)
    assert len(caught) == 2
    assert [path.name for path in (target.path / ".weights").iterdir()] == [INCEPTION.run_id]


def test_an_archive_cannot_write_elsewhere(store, tmp_path):
    archive = tmp_path / "bad.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(store.record_path(BN), arcname="../../outside.json")
    with pytest.raises(StoreError, match="nothing was taken from it"):
        unpack_archive(archive, RunStore(tmp_path / "deep" / "there"))
    assert not list(tmp_path.rglob("outside.json"))
