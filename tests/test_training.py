"""A run gives the same record whatever happens on the way, or says clearly why it gives none."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from spectra_lib._base import machine
from spectra_lib._base.errors import BudgetError, SpectraError, StoreError
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.networks import describe_model
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import BusyError, RunStore
from spectra_lib.training import backend
from spectra_lib.training import trainer as training
from spectra_lib.training.execution import SpectraBatches
from spectra_lib.training.trainer import epoch_order, train

# Dropout in the dense layers, a plateau within reach, and seconds of work.
FIELDS = {"dataset": "smoke", "model": "cnn2", "seed": 3, "max_epochs": 4, "options": {"hidden_units": [16]}}
SPEC = RunSpec(**FIELDS)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The run done in one go."""
    return train(SPEC, tmp_path_factory.mktemp("undisturbed"), quiet=True)


def train_in_own_process(
    store: Path,
    backend: str = "tensorflow",
    killed_after: int | None = None,
    no_room_after: tuple[int, int] | None = None,
    keep_weights: bool = True,
) -> subprocess.CompletedProcess:
    """Do the run in a fresh process, which may be killed on the way.

    Parameters
    ----------
    store : Path
        Store of the run.
    backend : str
        Backend.
    killed_after : int, optional
        The process kills itself after so many epochs.
    no_room_after : (int, int), optional
        Once the checkpoint of so many epochs is written, the system kills the process when it lets a file grow beyond
        so many bytes.
    keep_weights : bool
        Whether the weights are written, before the record.
    """
    script = (
        "import json, os, resource, signal, sys, time\n"
        "from pathlib import Path\n"
        "from spectra_lib.training import trainer as training\n"
        "from spectra_lib.datasets.dataset import make_dataset\n"
        "from spectra_lib.runs.store import RunStore\n"
        "from spectra_lib.runs.specification import RunSpec\n"
        "spec, store = RunSpec(**json.loads(sys.argv[1])), sys.argv[2]\n"
        "killed_after, no_room_after, keep_weights = json.loads(sys.argv[3])\n"
        "make_dataset('smoke').train.spectra()  # compiled, and that written\n"
        "def on_epoch(progress):\n"
        "    if killed_after == progress.epoch:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    if no_room_after is not None:\n"
        "        limit_from(progress.epoch)\n"
        "def limit_from(epoch):\n"
        "    state, end = RunStore(store).work_path(spec) / f'state-{epoch:04d}.npz', time.monotonic() + 60\n"
        "    while epoch and not state.exists() and time.monotonic() < end:\n"
        "        time.sleep(0.01)\n"
        "    if epoch == no_room_after[0]:\n"
        "        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (no_room_after[1], no_room_after[1]))\n"
        "if no_room_after is not None:\n"
        "    limit_from(0)\n"
        "training.train(spec, store, quiet=True, on_epoch=on_epoch, keep_weights=keep_weights)\n"
    )
    moment = json.dumps([killed_after, no_room_after, keep_weights])
    return subprocess.run(
        [sys.executable, "-c", script, json.dumps(FIELDS), str(store), moment],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_run_twice_gives_the_same_weights(undisturbed, tmp_path):
    again = train(SPEC, tmp_path, quiet=True)
    assert again.weights_sha256 == undisturbed.weights_sha256
    assert again.result() == undisturbed.result()


def test_another_seed_gives_other_weights(undisturbed, tmp_path):
    other = train(RunSpec(**FIELDS | {"seed": 4}), tmp_path, quiet=True)
    assert other.weights_sha256 != undisturbed.weights_sha256
    assert other.history.loss != undisturbed.history.loss


def test_the_record_is_sound_and_complete(undisturbed):
    dataset = make_dataset("smoke")
    assert undisturbed.faults(dataset) == []
    assert undisturbed.reevaluation_gap <= 1e-6
    assert len(undisturbed.history) == 4 and undisturbed.ended == "max_epochs"
    assert undisturbed.train.n == len(dataset.train)
    assert set(undisturbed.probes) == {"occlusion", "noise", "background"}
    (session,) = undisturbed.sessions
    assert session.backend == "tensorflow" and session.versions["keras"] and session.device
    assert undisturbed.peak_memory_bytes > 1e8


@pytest.fixture(scope="module")
def killed_store(tmp_path_factory):
    """A store with the checkpoints of a run that was killed; copied by each test that needs one."""
    folder = tmp_path_factory.mktemp("killed")
    assert train_in_own_process(folder, killed_after=2).returncode == -signal.SIGKILL
    return folder


def test_killed_after_an_epoch_and_started_again_it_ends_in_the_same_record(undisturbed, killed_store, tmp_path):
    shutil.copytree(killed_store, tmp_path, dirs_exist_ok=True)
    assert RunStore(tmp_path).load(SPEC) is None
    record = train(SPEC, tmp_path, quiet=True)
    assert record.result() == undisturbed.result()
    assert 1 <= record.sessions[-1].first_epoch <= 2  # the last checkpoint was under way
    assert not RunStore(tmp_path).work_path(SPEC).exists()
    assert [path.name for path in (tmp_path / ".weights").iterdir()] == [SPEC.run_id]


WEIGHTS = 4 * describe_model("cnn2", 256, 4, hidden_units=[16]).parameters
"""Bytes of the run's weights; a state holds them three times, with the moments of the optimizer."""


@pytest.mark.parametrize(
    ("no_room_after", "keep_weights", "complete", "half_written"),
    [
        ((2, 1000), True, "state-0002.npz", "*.partial"),
        ((0, 2 * WEIGHTS), True, "kept-0000.npz", "state-0001.partial"),
        ((4, 1000), True, "state-0004.npz", f".partial-{SPEC.run_id}"),
        ((4, 1000), False, "state-0004.npz", f".{SPEC.run_id}-*.partial"),
    ],
    ids=["while writing a checkpoint", "between its files", "while writing the weights", "while writing the record"],
)
def test_killed_in_mid_write_and_started_again_it_ends_in_the_same_record(
    no_room_after, keep_weights, complete, half_written, undisturbed, tmp_path
):
    killed = train_in_own_process(tmp_path, no_room_after=no_room_after, keep_weights=keep_weights)
    assert killed.returncode == -signal.SIGXFSZ, killed.stderr
    store = RunStore(tmp_path)
    assert store.load(SPEC) is None
    assert (store.work_path(SPEC) / complete).exists()
    assert len([*tmp_path.rglob(half_written)]) == 1
    record = train(SPEC, tmp_path, quiet=True)
    assert record.result() == undisturbed.result()
    assert record.sessions[-1].first_epoch == no_room_after[0]
    assert not store.work_path(SPEC).exists()
    assert [path.name for path in (tmp_path / ".weights").iterdir()] == [SPEC.run_id]


def test_a_deadline_stops_between_epochs_and_the_run_goes_on_later(undisturbed, tmp_path):
    with pytest.raises(BudgetError, match="start it again"):
        train(SPEC, tmp_path, deadline=time.monotonic() - 1, quiet=True)
    ends: list[float] = []

    def stop_after_two(progress):
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SPEC, tmp_path, quiet=True, on_epoch=stop_after_two)
    record = train(SPEC, tmp_path, quiet=True, on_epoch=lambda progress: ends.append(progress.epoch))
    assert ends == [3, 4]
    assert record.result() == undisturbed.result()


def test_a_long_epoch_always_gets_a_checkpoint_and_training_waits_for_it(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LONG_EPOCH", 0.0)
    work = RunStore(tmp_path).work_path(SPEC)
    found = []

    def look(progress):
        found.append([path.name for path in work.glob("state-*.npz")])
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SPEC, tmp_path, quiet=True, on_epoch=look)
    assert found == [["state-0001.npz"], ["state-0002.npz"]]
    assert train(SPEC, tmp_path, quiet=True).result() == undisturbed.result()


def test_on_a_gpu_training_stands_still_for_a_small_share_of_the_time(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(backend, "computes_on_cpu", lambda: False)
    monkeypatch.setattr(backend, "device_name", lambda: "GPU")
    monkeypatch.setattr(backend, "seed_everything", keras.utils.set_random_seed)
    monkeypatch.setattr(training, "STANDSTILL_SHARE", 1e-9)
    work = RunStore(tmp_path).work_path(SPEC)
    found = set()

    def look(_):
        found.update(path.name for path in work.glob("state-*.npz"))

    record = train(SPEC, tmp_path, quiet=True, on_epoch=look)
    assert found <= {"state-0001.npz"}  # the first one was free
    assert record.result() == undisturbed.result()


def test_a_truncated_checkpoint_is_named_and_an_older_or_new_start_used(undisturbed, killed_store, tmp_path):
    shutil.copytree(killed_store, tmp_path, dirs_exist_ok=True)
    (state,) = RunStore(tmp_path).work_path(SPEC).glob("state-*.npz")
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match=rf"{state.name} cannot be used"):
        record = train(SPEC, tmp_path, quiet=True)
    assert record.result() == undisturbed.result()


def test_a_checkpoint_with_a_changed_byte_is_not_used(undisturbed, killed_store, tmp_path):
    shutil.copytree(killed_store, tmp_path, dirs_exist_ok=True)
    (state,) = RunStore(tmp_path).work_path(SPEC).glob("state-*.npz")
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 1
    state.write_bytes(bytes(content))
    with pytest.warns(UserWarning, match="cannot be used"):
        record = train(SPEC, tmp_path, quiet=True)
    assert record.result() == undisturbed.result()


def test_a_truncated_record_is_set_aside_and_the_run_done_again(undisturbed, tmp_path):
    store = RunStore(tmp_path)
    path = store.save(undisturbed)
    path.write_text(path.read_text()[:500])
    with pytest.warns(UserWarning, match=path.name):
        record = train(SPEC, store, quiet=True)
    assert record.result() == undisturbed.result()
    assert len(list((tmp_path / ".work" / "set_aside").iterdir())) == 1


def test_a_full_disk_ends_with_a_clear_error_and_the_store_is_whole(undisturbed, tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array", full)
        with pytest.raises(StoreError, match=r"checkpoint of epoch 1 .*No space left on device; free some space"):
            train(SPEC, tmp_path, quiet=True)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", full)
        with pytest.raises(StoreError, match="cannot write the record"):
            train(SPEC, tmp_path, quiet=True)
    assert not list(tmp_path.glob("smoke/*"))
    record = train(SPEC, tmp_path, quiet=True)
    assert record.sessions[-1].first_epoch == 4  # all epochs were safe
    assert record.result() == undisturbed.result()


def hold_up_writing(monkeypatch, until: threading.Event) -> None:
    """Let no array of a checkpoint be written before an event."""

    class Held(np.ndarray):
        @property
        def shape(self):  # what is asked first of an array that is written
            assert until.wait(60)
            return super().shape

    real = backend.get_state
    monkeypatch.setattr(backend, "get_state", lambda variables: [array.view(Held) for array in real(variables)])


def test_while_a_checkpoint_is_being_written_short_epochs_go_without(undisturbed, tmp_path, monkeypatch):
    """So that the state of a large network does not hold up a fast machine."""
    third_epoch = threading.Event()
    hold_up_writing(monkeypatch, third_epoch)
    work, found = RunStore(tmp_path).work_path(SPEC), {}

    def look(progress):
        if progress.epoch == 3:
            found[3] = {path.name for path in work.glob("state-*.npz")}
            third_epoch.set()
            deadline = time.monotonic() + 60
            while not (work / "state-0001.npz").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
        found[progress.epoch] = found.get(progress.epoch, set()) | {path.name for path in work.glob("state-*.npz")}

    record = train(SPEC, tmp_path, quiet=True, on_epoch=look)
    assert record.result() == undisturbed.result()
    assert found[1] == found[2] == set()
    assert found[3] == {"state-0001.npz"}
    assert found[4] <= {"state-0001.npz", "state-0004.npz"}


def test_out_of_time_the_last_epoch_is_saved_even_if_its_turn_was_passed_over(undisturbed, tmp_path, monkeypatch):
    second_epoch = threading.Event()

    class Deadline:
        """A time that comes after the second epoch."""

        def __lt__(self, now):
            return second_epoch.is_set()

    hold_up_writing(monkeypatch, second_epoch)
    on_epoch = lambda progress: second_epoch.set() if progress.epoch == 2 else None  # noqa: E731
    with pytest.raises(BudgetError, match="after 2 epochs"):
        train(SPEC, tmp_path, quiet=True, deadline=Deadline(), on_epoch=on_epoch)
    monkeypatch.undo()
    record = train(SPEC, tmp_path, quiet=True)
    assert record.sessions[-1].first_epoch == 2
    assert record.result() == undisturbed.result()


def test_a_run_in_other_hands_is_refused(tmp_path):
    store = RunStore(tmp_path)
    with store.lock(SPEC), pytest.raises(BusyError, match="another process"):
        train(SPEC, store, quiet=True)


def test_two_processes_do_a_run_once(undisturbed, tmp_path):
    script = (
        "import json, sys\n"
        "from spectra_lib.runs.store import BusyError\n"
        "from spectra_lib.runs.specification import RunSpec\n"
        "from spectra_lib.training.trainer import train\n"
        "try:\n"
        "    print(len(train(RunSpec(**json.loads(sys.argv[1])), sys.argv[2], quiet=True).sessions))\n"
        "except BusyError:\n"
        "    print('busy')\n"
    )
    command = [sys.executable, "-c", script, json.dumps(FIELDS), str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate()[0].strip() for process in both)
    assert said in (["1", "busy"], ["1", "1"])  # the second found it busy, or came when it was done
    assert RunStore(tmp_path).load(SPEC).result() == undisturbed.result()


def test_a_checkpoint_of_other_data_is_refused(killed_store, tmp_path):
    shutil.copytree(killed_store, tmp_path, dirs_exist_ok=True)
    work = RunStore(tmp_path).work_path(SPEC)
    other = RunSpec(**FIELDS | {"seed": 5})
    RunStore(tmp_path).work_path(other).parent.mkdir(exist_ok=True)
    work.rename(RunStore(tmp_path).work_path(other))
    with pytest.raises(StoreError, match="checkpoint of another run"):
        train(other, tmp_path, quiet=True)


def test_jax_trains_the_same_specification(undisturbed, tmp_path):
    done = train_in_own_process(tmp_path, "jax")
    assert done.returncode == 0, done.stderr
    record = RunStore(tmp_path).load(SPEC)
    assert record.sessions[0].backend == "jax" and record.faults(make_dataset("smoke")) == []
    # the same initial weights and order; the masks of dropout differ between backends
    assert record.history.val_loss[0] == pytest.approx(undisturbed.history.val_loss[0], rel=0.1)
    assert record.history.loss[-1] < record.history.loss[0]


def test_an_unknown_way_of_execution_is_refused(tmp_path):
    with pytest.raises(SpectraError, match="expected 'auto' or one of graph, xla, sparse"):
        train(SPEC, tmp_path, execution="fast", quiet=True)


def test_mixed_precision_is_part_of_the_run(tmp_path):
    spec = RunSpec(**FIELDS | {"precision": "mixed_bfloat16", "max_epochs": 1})
    assert spec.digest != RunSpec(**FIELDS | {"max_epochs": 1}).digest
    assert train(spec, tmp_path, quiet=True).faults(make_dataset("smoke")) == []


def test_every_epoch_sees_every_spectrum_once():
    split = make_dataset("smoke").train
    batches = SpectraBatches(split, epoch_order(0, 0, len(split)), 10)
    seen = np.concatenate([batches[k][0][..., 0] for k in range(len(batches))])
    assert len(batches) == 5 and seen.shape == (48, 256)
    np.testing.assert_array_equal(np.sort(seen, axis=0), np.sort(split.spectra(), axis=0))


def test_the_backend_is_fed_the_same_batches_in_order():
    split = make_dataset("smoke").train
    batches = SpectraBatches(split, epoch_order(0, 0, len(split)), 10)
    pipeline = backend.feed(batches)
    # Its thread would hold up the end of an epoch for as long as it sleeps.
    assert pipeline.options().autotune.enabled is False
    assert int(pipeline.cardinality()) == 5
    for index, (spectra, labels) in enumerate(pipeline):
        np.testing.assert_array_equal(spectra, batches[index][0])
        np.testing.assert_array_equal(labels, batches[index][1])
    assert index == 4


def test_the_reported_progress_goes_to_a_log_file_as_lines(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "spectra_lib", "train", "--dataset", "smoke", "--model", "vgg"),
            *("--max-epochs", "2", "--execution", "xla", "--store", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "2/2 epochs" in done.stderr and "val_loss" in done.stderr and "\r" not in done.stderr
    (run_id,) = {line.partition(":")[0] for line in done.stderr.splitlines() if line}  # TensorFlow says nothing
    assert run_id.startswith("smoke-vgg-linear-paper-s0-")


def test_large_values_are_assigned_whole(monkeypatch):
    monkeypatch.setattr(backend, "ASSIGNED_AT_ONCE", 100)
    values = [np.arange(77, dtype=np.float32).reshape(11, 7), np.arange(3, dtype=np.float32), np.float32(5)]
    variables = [keras.Variable(np.zeros_like(value)) for value in values]
    backend.set_state(variables, values)
    assert all(np.array_equal(a, b) for a, b in zip(backend.get_state(variables), values, strict=True))
    with pytest.raises(ValueError, match="shape"):
        backend.set_state(variables[:1], [values[0].T])


def test_tensorflow_does_not_bring_jax_along_but_jax_can_be_had():
    lines = ("import sys", "import spectra_lib.training.trainer", "print('jax' in sys.modules)")
    script = "\n".join((*lines, "import jax; print(jax.numpy.ones(2).sum())"))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "2.0"]


def test_a_run_keeps_predictions_on_fresh_spectra_and_what_it_was_computed_with(undisturbed, tmp_path):
    data = make_dataset("smoke")
    assert undisturbed.fresh.n == len(data.fresh) == 800
    assert undisturbed.fresh.errors == np.count_nonzero(undisturbed.fresh.labels != data.fresh.labels)
    assert 0.2 < undisturbed.fresh.confidences.mean() <= 1.0
    assert undisturbed.data_digests["fresh"] == data.fresh.digest
    assert undisturbed.faults(data) == []
    session = undisturbed.sessions[-1]
    assert session.threads == backend.threads() >= 1 and session.instruction_set == machine.instruction_set()
    few = data.spec.model_copy(update={"n_fresh": 2})
    again = train(RunSpec(**FIELDS | {"dataset": few}), tmp_path, quiet=True)
    assert again.weights_sha256 == undisturbed.weights_sha256 and again.fresh.n == 8
