"""Records: written and read whole, checked against their protocol and data, and never read when damaged."""

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from spectra_lib._base.errors import StoreError
from spectra_lib.datasets.dataset import Dataset, fresh_seed, make_dataset
from spectra_lib.runs.fresh import FreshPredictions
from spectra_lib.runs.protocol import Progress, protocol
from spectra_lib.runs.record import History, Metrics, Predictions, RunRecord, Session, data_digests
from spectra_lib.runs.records import RunRecords, find_faults, load_records
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import BusyError, NewerRecordError, RunStore, read_record

EPOCHS = 3


def fresh_predictions(dataset: Dataset) -> FreshPredictions:
    """Two errors, the second of them no answer."""
    labels = dataset.fresh.labels.copy()
    labels[:2] = 3, -1
    losses = np.full(len(labels), 0.25)
    return FreshPredictions.pack(
        fresh_seed(dataset.spec), dataset.spec.n_fresh, labels, np.full(len(labels), 0.9), losses
    )


def make_record(**fields) -> RunRecord:
    """A sound record of a short run, made by hand."""
    spec = RunSpec.read({"dataset": "smoke", "model": "vgg", "max_epochs": EPOCHS, **fields}, "spec")
    dataset = make_dataset(spec.dataset_spec)
    history = History(
        loss=(1.4, 1.2, 1.0),
        accuracy=(0.3, 0.5, 0.6),
        val_loss=(1.3, 1.1, 0.9),
        val_accuracy=(0.5, 0.9375, 0.875),
        learning_rate=(3e-4,) * 3,
        seconds=(0.1,) * 3,
    )
    answers = {}
    for name in ("validation", "test"):
        labels = dataset.split(name).labels.tolist()
        labels[0] = 3  # one error each
        answers[name] = Predictions(labels=tuple(labels), probabilities=(0.9,) * len(labels))
    session = Session(
        started="2026-01-01T00:00:00+00:00",
        first_epoch=0,
        machine="here",
        device="a processor",
        backend="tensorflow",
        execution="graph",
        versions={"python": "3.11"},
        commit="unknown",
        threads=2,
        instruction_set="avx2",
    )
    return RunRecord(
        spec=spec,
        digest=spec.digest,
        data_digests=data_digests(dataset, fresh=True),
        sessions=(session,),
        history=history,
        kept_epoch=1 if spec.protocol == "paper" else 2,
        ended="max_epochs",
        train=Metrics(n=48, errors=4, loss=0.8),
        validation=Metrics(n=16, errors=1, loss=0.9),
        test=Metrics(n=36, errors=1, loss=0.7),
        reevaluation_gap=0.0,
        validation_predictions=answers["validation"],
        test_predictions=answers["test"],
        fresh=fresh_predictions(dataset),
        probes={"noise": answers["test"]},
        weights_sha256="0" * 64,
        wall_seconds=1.5,
        peak_memory_bytes=10**9,
    )


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return make_record()


@pytest.fixture(scope="module")
def smoke():
    return make_dataset("smoke")


def altered(record: RunRecord, **changes) -> RunRecord:
    return RunRecord.model_validate({**record.model_dump(), **changes})


# Reading and writing


def test_round_trip(record, tmp_path):
    store = RunStore(tmp_path / "new" / "store")
    path = store.save(record)
    assert path == tmp_path / "new" / "store" / "smoke" / f"{record.spec.run_id}.json"
    assert read_record(path) == record
    assert store.load(record.spec) == record
    assert list(load_records(store.path)) == [record]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o644
    assert json.loads(path.read_text())["schema_version"] == 2


def test_a_record_of_schema_1_is_read_says_what_it_lacks_and_is_written_as_it_was(record, smoke, tmp_path):
    old = json.loads(record.model_dump_json())
    old["schema_version"] = 1
    del old["fresh"], old["data_digests"]["fresh"]
    for session in old["sessions"]:
        del session["threads"], session["instruction_set"]
    path = RunStore(tmp_path).record_path(record.spec)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(old))
    read = read_record(path)
    assert (read.schema_version, read.fresh, read.sessions[0].threads, read.sessions[0].instruction_set) == (
        *(1, None, None, None),
    )
    assert read.faults(smoke) == []
    assert json.loads(read.model_dump_json()) == old
    table = load_records(tmp_path).table()
    assert table[["fresh_errors", "fresh_n", "fresh_accuracy", "fresh_loss"]].isna().all(axis=None)


def test_a_record_of_a_newer_schema_is_refused_by_name_and_left_alone(record, tmp_path):
    store = RunStore(tmp_path)
    path = store.save(record)
    newer = path.read_text().replace('"schema_version":2', '"schema_version":3,"more":1')
    path.write_text(newer)
    for read in (lambda: store.load(record.spec), lambda: load_records(tmp_path)):
        with pytest.raises(NewerRecordError, match=f"{path.name}: a record of schema version 3, written by a newer"):
            read()
    assert path.read_text() == newer and not (tmp_path / ".work").exists()


def test_a_run_that_is_not_there(record, tmp_path):
    assert RunStore(tmp_path).load(record.spec) is None
    assert not list(tmp_path.iterdir())


def test_a_record_is_never_replaced(record, tmp_path):
    store = RunStore(tmp_path)
    before = store.save(record).read_bytes()
    with pytest.raises(StoreError, match="exists; delete it first"):
        store.save(altered(record, wall_seconds=2.0))
    assert store.record_path(record.spec).read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "not a complete record"),
        (lambda text: "", "not a complete record"),
        (lambda text: "\x00" * 100, "not a complete record"),
        (lambda text: "[]", "expected a record of schema version 1 to 2, received None"),
        (lambda text: text.replace('"schema_version":2', '"schema_version":0'), "schema version 1 to 2, received 0"),
        (lambda text: text.replace('"packed_labels":"', '"packed_labels":"!'), "fresh: the compressed predictions"),
        (lambda text: text.replace('"kept_epoch":1,', ""), "kept_epoch: Field required"),
        (lambda text: text.replace('"kept_epoch":1', '"kept_epoch":"first"'), "kept_epoch: .*received 'first'"),
        (lambda text: text.replace('"wall_seconds":1.5', '"wall_seconds":1.5,"x":1'), "x: Extra inputs"),
        (lambda text: text.replace('"seed":0', '"seed":1'), "holds another run .smoke-vgg-linear"),
    ],
)
def test_a_damaged_record_is_named_set_aside_and_not_read(damage, message, record, tmp_path):
    store = RunStore(tmp_path)
    path = store.save(record)
    damaged = damage(path.read_text())
    assert damaged != path.read_text()
    path.write_text(damaged)
    with pytest.warns(UserWarning, match=message) as caught:
        assert store.load(record.spec) is None
    assert str(path) in str(caught[0].message)
    assert not path.exists()
    (aside,) = (tmp_path / ".work" / "set_aside").iterdir()
    assert aside.read_text() == damaged
    assert len(load_records(tmp_path)) == 0


def test_loading_a_store_stops_at_a_damaged_record(record, tmp_path):
    path = RunStore(tmp_path).save(record)
    path.write_text(path.read_text()[:100])
    with pytest.raises(StoreError, match=path.name):
        load_records(tmp_path)


@pytest.mark.parametrize(("owner", "failing"), [(os, "fsync"), (Path, "replace"), (tempfile, "mkstemp")])
def test_a_full_disk_leaves_nothing_behind(owner, failing, record, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    store = RunStore(tmp_path)
    monkeypatch.setattr(owner, failing, full)
    with pytest.raises(StoreError, match=r"cannot write the record .*No space left on device; free some space"):
        store.save(record)
    assert not list((tmp_path / "smoke").iterdir())


def test_a_store_that_cannot_be_written(record, tmp_path):
    (tmp_path / "file").write_text("")
    store = RunStore(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot write to the store"), store.lock(record.spec):
        pass
    with pytest.raises(StoreError, match="cannot write the record"):
        store.save(record)


def test_only_one_holds_a_run(record, tmp_path):
    store = RunStore(tmp_path)
    assert not store.is_busy(record.spec)
    with store.lock(record.spec):
        assert store.is_busy(record.spec)
        outcomes = []

        def try_it():
            try:
                with RunStore(tmp_path).lock(record.spec):
                    outcomes.append("held")
            except BusyError as error:
                outcomes.append(str(error))

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
        assert outcomes == [f"another process is working on {record.spec.run_id}; wait for it, or choose another run"]
    assert not store.is_busy(record.spec)


def test_asking_about_a_run_never_keeps_it_from_starting(record, tmp_path):
    store, done = RunStore(tmp_path), threading.Event()
    asked = [0] * 4

    def ask(number):
        while not done.is_set():
            RunStore(tmp_path).is_busy(record.spec)
            asked[number] += 1

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
    for asker in askers:
        asker.start()
    try:
        for _ in range(500):
            with store.lock(record.spec):  # raises if it is taken
                assert store.is_busy(record.spec)
    finally:
        done.set()
        for asker in askers:
            asker.join()
    assert min(asked) > 0
    assert not store.is_busy(record.spec)


def test_asking_about_a_run_leaves_no_trace(record, tmp_path):
    store = RunStore(tmp_path / "store")
    assert not store.is_busy(record.spec)
    assert not store.path.exists()


def test_a_run_is_free_again_when_its_process_is_killed(record, tmp_path):
    script = (
        "import sys, time\n"
        "from spectra_lib.runs.store import RunStore\n"
        "from spectra_lib.runs.specification import TRUSTED, RunSpec\n"
        "with RunStore(sys.argv[1]).lock(RunSpec.model_validate_json(sys.argv[2], context=TRUSTED)):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(120)\n"
    )
    store, spec = RunStore(tmp_path), record.spec
    command = [sys.executable, "-c", script, str(tmp_path), spec.model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert store.is_busy(spec)
        with pytest.raises(BusyError), store.lock(spec):
            pass
        assert store.is_busy(spec)  # having been refused frees nothing
        holder.kill()
    assert not store.is_busy(spec)
    with store.lock(spec):
        pass


def test_an_error_inside_a_held_run_comes_out_as_it_is(record, tmp_path):
    with pytest.raises(OSError, match="inside"), RunStore(tmp_path).lock(record.spec):
        raise OSError("inside")
    assert not RunStore(tmp_path).is_busy(record.spec)


# Faults


def test_a_sound_record(record, smoke):
    assert record.faults() == []
    assert record.faults(smoke) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"digest": "f" * 64}, "digest ffffffff is not that of the specification"),
        ({"kept_epoch": 0}, "kept epoch 0, but the protocol demands 1"),
        ({"kept_epoch": 2}, "kept epoch 2, but the protocol demands 1"),
        ({"ended": "early_stopping"}, "ended by early_stopping, but the protocol says max_epochs"),
        ({"reevaluation_gap": None}, "re-evaluation differs"),
        ({"reevaluation_gap": 0.002}, "re-evaluation differs from the logged figures by 0.002"),
        ({"test": {"n": 35, "errors": 1, "loss": 1.0}}, "test: 36 predictions for 35 spectra"),
        ({"test": {"n": 36, "errors": 0, "loss": 1.0}}, "test: errors by the predictions: 1, by the metrics: 0"),
        ({"validation": {"n": 16, "errors": 2, "loss": 1.0}}, "validation: errors by the predictions: 1"),
        ({"data_digests": {"train": "", "validation": "", "test": ""}}, "the data are not those"),
        ({"data_digests": {}, "schema_version": 1, "fresh": None}, "the data are not those"),
    ],
)
def test_each_fault_is_found(changes, fault, record, smoke):
    (found,) = altered(record, **changes).faults(smoke)
    assert found.startswith(fault)


def test_faults_of_fresh_spectra_are_found(record, smoke):
    missing = altered(record, fresh=None, data_digests=data_digests(smoke))
    assert missing.faults(smoke) == ["a record of schema 2 needs predictions on fresh spectra"]
    fewer = altered(record, fresh=record.fresh.model_dump() | {"errors": 1})
    assert fewer.faults(smoke) == ["fresh: errors by the predictions: 2, by the record: 1"]
    other = altered(record, data_digests=record.data_digests | {"fresh": "0" * 64})
    assert other.faults(smoke) == ["the data are not those that the specification gives now"]


def test_columns_of_different_length(record):
    history = record.history.model_dump() | {"val_loss": (1.0,)}
    assert altered(record, history=history).faults() == ["the columns of the history differ in length"]


def test_too_few_epochs(record):
    history = {name: column[:2] for name, column in record.history.model_dump().items()}
    assert altered(record, history=history).faults() == ["2 epochs, but by the protocol training ended or goes on at 2"]


def test_epochs_after_early_stopping():
    spec = RunSpec(dataset="smoke", model="vgg")
    flat = dict.fromkeys(History.model_fields, (1.0,) * 27)
    base = make_record()
    late = altered(base, spec=spec.model_dump(), digest=spec.digest, history=flat, kept_epoch=0, ended="early_stopping")
    assert late.faults() == ["27 epochs, but by the protocol training ended or goes on at 26"]
    flat = dict.fromkeys(History.model_fields, (1.0,) * 26)
    assert altered(late, history=flat).faults() == []


def test_replay_follows_the_protocol(record):
    state = Progress(learning_rate=3e-4)
    for loss, accuracy in ((1.3, 0.5), (1.1, 0.9375), (0.9, 0.875)):
        state = state.after_epoch(protocol("paper"), loss, accuracy)
    assert record.replay() == state


def test_a_whole_store_is_checked(record, tmp_path):
    store = RunStore(tmp_path)
    good = store.save(record)
    moved = good.with_name("renamed.json")
    moved.write_bytes(good.read_bytes())
    cut = good.with_name("cut.json")
    cut.write_text(good.read_text()[:50])
    wrong = store.save(altered(make_record(seed=1), kept_epoch=0))
    found = dict(find_faults(store))
    assert set(found) == {good, moved, cut, wrong}
    assert found[good] == []
    assert found[moved] == [f"the file should be called smoke/{good.name}"]
    assert "not a complete record" in found[cut][0]
    assert found[wrong] == ["kept epoch 0, but the protocol demands 1"]


# Tables and results


def test_result_leaves_out_time_and_place(record):
    elsewhere = record.sessions[0].model_copy(update={"machine": "there", "commit": "abc"})
    slower = record.history.model_dump() | {"seconds": (9.0,) * 3}
    other = altered(record, sessions=(elsewhere,), history=slower, wall_seconds=99.0, peak_memory_bytes=1)
    assert other != record
    assert other.result() == record.result()
    assert altered(record, weights_sha256="1" * 64).result() != record.result()


def test_table(record):
    other = make_record(model="cnn2", protocol="code", options={"hidden_units": [16]}, seed=1)
    records = RunRecords((record, other))
    table = records.table()
    assert table.model.tolist() == ["vgg", "cnn2"]
    assert table.test_errors.tolist() == [1, 1]
    assert table.test_accuracy[0] == pytest.approx(35 / 36)
    assert table.options.tolist() == ["", '{"hidden_units": [16]}']
    assert table.running_train_accuracy.tolist() == [0.5, 0.6]
    assert table.kept_epoch.tolist() == [1, 2]
    assert (table.fresh_errors.tolist(), table.fresh_n.tolist()) == ([2, 2], [800, 800])
    assert table.fresh_accuracy[0] == pytest.approx(798 / 800) and table.fresh_loss[0] == 0.25
    assert list(records.select(model="cnn2")) == [other]
    assert records[0] is record


def test_an_empty_table_has_the_same_columns(record):
    empty = RunRecords(()).table()
    assert len(empty) == 0
    assert list(empty.columns) == list(RunRecords((record,)).table().columns)


def test_records_are_sorted(tmp_path):
    store = RunStore(tmp_path)
    specs = [{"seed": 2}, {"seed": 0}, {"model": "cnn2"}, {"hidden_activation": "relu"}]
    for fields in specs:
        store.save(make_record(**fields))
    order = [(r.spec.model, r.spec.hidden_activation, r.spec.seed) for r in load_records(tmp_path)]
    assert order == [("cnn2", "linear", 0), ("vgg", "linear", 0), ("vgg", "linear", 2), ("vgg", "relu", 0)]


def test_predictions_of_a_network_that_gave_no_numbers():
    answer = Predictions.from_probabilities(np.array([[0.25, 0.75], [np.nan, np.nan], [1.0 + 1e-9, 0.0]]))
    assert answer.labels == (1, -1, 0)  # no answer, which is never right
    assert answer.probabilities == (0.75, 0.0, 1.0)


def test_reading_records_starts_no_backend(record, tmp_path):
    RunStore(tmp_path).save(record)
    script = (
        "import sys, spectra_lib as sl\n"
        "print(len(sl.load_records(sys.argv[1]).table()))\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["1", "[]"]


def test_the_records_of_this_project_are_sound(project):
    store = RunStore(project / "results")
    found = {path.name: faults for path, faults in find_faults(store)}
    if not found:
        pytest.skip("no records are committed yet")
    assert {name: faults for name, faults in found.items() if faults} == {}
