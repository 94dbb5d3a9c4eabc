"""Checkpoints: pairs of files that belong together, and what happens to damaged ones."""

import json
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from spectra_lib._base.errors import StoreError
from spectra_lib.training.checkpoints import CheckpointFolder


def arrays(value: float) -> list[np.ndarray]:
    return [np.full((2, 3), value, np.float32), np.array(value), np.full(4, value).astype(np.int64)]


@pytest.fixture
def folder(tmp_path):
    folder = CheckpointFolder(tmp_path / "run")
    yield folder
    folder.close()


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


def same(ours: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(ours, expected, strict=True))


def test_round_trip(folder):
    book = {"history": [1.0, None, float("nan")], "digest": "abc"}
    folder.write(7, book, arrays(1), (3, arrays(2)))
    folder.wait()
    checkpoint, damaged = CheckpointFolder(folder.path).read()
    assert damaged == []
    assert checkpoint.book["digest"] == "abc"
    assert checkpoint.book["history"][1] is None
    assert same(checkpoint.state, arrays(1))
    assert same(checkpoint.kept, arrays(2))


def test_nothing_there(folder):
    assert folder.read() == (None, [])
    folder.remove()
    assert not folder.path.exists()


def test_only_the_newest_pair_stays(folder):
    for epoch, kept in ((1, 0), (2, 1), (3, 1)):
        folder.write(epoch, {}, arrays(epoch), (kept, arrays(10 * kept)))
    folder.wait()
    assert names(folder) == ["kept-0001.npz", "state-0003.npz"]
    checkpoint, _ = folder.read()
    assert same(checkpoint.state, arrays(3))
    assert same(checkpoint.kept, arrays(10))


def test_kept_weights_are_written_once(folder):
    files = set()
    for epoch in (1, 2, 3):
        folder.write(epoch, {}, arrays(epoch), (0, arrays(0)))
        folder.wait()
        files.add((folder.path / "kept-0000.npz").stat().st_mtime_ns)
    assert len(files) == 1
    assert names(folder) == ["kept-0000.npz", "state-0003.npz"]


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.99])
def test_a_truncated_state_is_set_aside_and_named(folder, fraction):
    folder.write(4, {}, arrays(4), (0, arrays(0)))
    folder.wait()
    state = folder.path / "state-0004.npz"
    content = state.read_bytes()
    state.write_bytes(content[: int(fraction * len(content))])
    checkpoint, damaged = folder.read()
    assert checkpoint is None
    (message,) = damaged
    assert str(state) in message
    assert "cannot be used" in message
    assert (folder.path / "state-0004.damaged").exists()
    assert folder.read() == (None, [])


def test_an_older_state_serves_where_the_newest_is_damaged(folder):
    folder.write(4, {}, arrays(4), (0, arrays(0)))
    folder.wait()
    (folder.path / "state-0005.npz").write_bytes(b"PK half a file")
    checkpoint, damaged = folder.read()
    assert same(checkpoint.state, arrays(4))
    assert len(damaged) == 1


def test_a_state_without_its_kept_weights_is_not_used(folder):
    folder.write(4, {}, arrays(4), (2, arrays(2)))
    folder.wait()
    (folder.path / "kept-0002.npz").unlink()
    checkpoint, (message,) = folder.read()
    assert checkpoint is None
    assert "kept-0002.npz" in message


def test_a_state_that_names_a_file_elsewhere_is_not_used(folder, tmp_path):
    folder.write(4, {}, arrays(4), (2, arrays(2)))
    folder.wait()
    (folder.path / "kept-0002.npz").rename(tmp_path / "kept-0002.npz")
    book = json.dumps({"kept_file": "../kept-0002.npz", "n_arrays": 0})
    np.savez(folder.path / "state-0004.npz", book=np.array(book))
    checkpoint, (message,) = folder.read()
    assert checkpoint is None
    assert "'../kept-0002.npz' does not lie in the folder" in message
    assert (tmp_path / "kept-0002.npz").exists()


def test_a_changed_byte_is_noticed_or_does_no_harm(folder):
    folder.write(4, {"digest": "abc"}, arrays(4), (2, arrays(2)))
    folder.wait()
    state = folder.path / "state-0004.npz"
    content = state.read_bytes()
    noticed = 0
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= 0x81
        state.write_bytes(bytes(changed))
        checkpoint, damaged = folder.read()
        if checkpoint is None:
            noticed += len(damaged)
        else:  # a date, an attribute, or padding
            assert checkpoint.book["digest"] == "abc"
            assert same(checkpoint.state, arrays(4))
    assert noticed > 0.7 * len(content)


def test_a_file_half_written_is_not_taken_for_a_checkpoint(folder):
    folder.write(4, {}, arrays(4), (2, arrays(2)))
    folder.wait()
    (folder.path / "state-0005.partial").write_bytes(b"half")
    checkpoint, damaged = folder.read()
    assert same(checkpoint.state, arrays(4))
    assert damaged == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_and_the_last_checkpoint_stays(folder):
    folder.write(1, {}, arrays(1), (0, arrays(0)))
    folder.wait()
    (folder.path / "state-0002.partial").symlink_to("/dev/full")  # whatever is written there meets a full disk
    folder.write(2, {}, arrays(2), (0, arrays(0)))
    with pytest.raises(StoreError, match=r"checkpoint of epoch 2 .*No space left on device; free some space"):
        folder.wait()
    checkpoint, damaged = folder.read()
    assert same(checkpoint.state, arrays(1))
    assert damaged == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_the_error_of_a_write_comes_up_at_the_next_one(folder):
    folder.path.mkdir()
    (folder.path / "kept-0000.partial").symlink_to("/dev/full")
    folder.write(1, {}, arrays(1), (0, arrays(0)))
    with pytest.raises(StoreError, match="checkpoint of epoch 1"):
        folder.write(2, {}, arrays(2), (0, arrays(0)))


def test_writing_happens_in_the_background(folder):
    begun, proceed = threading.Event(), threading.Event()

    class Held(np.ndarray):
        @property
        def shape(self):  # what is asked first of an array that is written
            begun.set()
            assert proceed.wait(10)
            return super().shape

    folder.write(1, {}, arrays(1), (0, [array.view(Held) for array in arrays(0)]))
    assert begun.wait(10)
    assert folder.writing
    assert not list(folder.path.glob("*.npz"))
    proceed.set()
    folder.wait()
    assert names(folder) == ["kept-0000.npz", "state-0001.npz"]


def test_remove_leaves_nothing(folder):
    folder.write(1, {}, arrays(1), (0, arrays(0)))
    folder.remove()
    assert not folder.path.exists()


def test_writing_at_once_holds_one_variable_at_a_time(folder):
    alive: list[weakref.ref] = []

    def one_by_one():
        for array in arrays(3):
            alive[:] = [reference for reference in alive if reference() is not None]
            assert len(alive) <= 1  # the one that the loop has just let go of
            alive.append(weakref.ref(array := array.copy()))
            yield array

    folder.write_now(1, {"digest": "abc"}, one_by_one(), (0, arrays(0)))
    assert not folder.writing
    checkpoint, damaged = folder.read()
    assert same(checkpoint.state, arrays(3)) and damaged == []
    assert checkpoint.book["digest"] == "abc"


def test_kept_weights_can_be_read_alone_and_damaged_ones_are_named(folder):
    folder.write_now(4, {}, arrays(4), (2, arrays(2)))
    assert same(folder.read_kept(2), arrays(2))
    (folder.path / "kept-0002.npz").write_bytes(b"half")
    with pytest.raises(StoreError, match=r"kept-0002\.npz cannot be read .* start the same command again"):
        folder.read_kept(2)


def test_damaged_kept_weights_are_written_again(folder):
    folder.write_now(1, {}, arrays(1), (0, arrays(0)))
    (folder.path / "kept-0000.npz").write_bytes(b"half")
    checkpoint, (message,) = folder.read()
    assert checkpoint is None and "kept-0000.npz" in message
    folder.write_now(1, {}, arrays(1), (0, arrays(0)))
    checkpoint, damaged = folder.read()
    assert same(checkpoint.kept, arrays(0)) and damaged == []


def test_kept_weights_on_disk_are_not_asked_for_again(folder):
    def none_left():
        raise AssertionError("asked for")
        yield

    folder.write_now(1, {}, arrays(1), (0, arrays(0)))
    folder.write_now(2, {}, arrays(2), (0, none_left()))
    checkpoint, _ = folder.read()
    assert same(checkpoint.state, arrays(2)) and same(checkpoint.kept, arrays(0))
