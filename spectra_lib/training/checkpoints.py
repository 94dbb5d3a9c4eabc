"""Checkpoints of a run: all that is needed to go on after the last finished epoch.

Two kinds of file: ``state-EPOCH.npz`` with every variable of network and optimizer and the run's
bookkeeping, and ``kept-EPOCH.npz`` with the weights of the epoch kept so far. A state names the
kept file it belongs to; files are written under another name and renamed, the kept file first,
so that at any moment the newest complete state has its kept file. The .npz format carries a
checksum for each array.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import StoreError
from spectra_lib._base.names import path_inside

DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile)
"""What reading a file raises in which bytes are missing or changed."""


@dataclass(frozen=True)
class Checkpoint:
    """State of a run after an epoch.

    Attributes
    ----------
    book : dict
        Bookkeeping as JSON values: progress, history, sessions.
    state : list of ndarray
        Variables of network and optimizer.
    kept : list of ndarray
        Weights of the kept epoch.
    """

    book: dict[str, Any]
    state: list[NDArray]
    kept: list[NDArray]


class CheckpointFolder:
    """The checkpoints of one run; written at once or in the background, one file at a time.

    Parameters
    ----------
    path : Path
        Folder of this run alone; made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None

    def write(
        self,
        epoch: int,
        book: dict[str, Any],
        state: Sequence[NDArray],
        kept: tuple[int, Sequence[NDArray]],
        patience: float = 0.0,
    ) -> None:
        """Write the state after `epoch` epochs in the background.

        Waits for the write before, and raises its error.

        Parameters
        ----------
        epoch : int
            Epochs finished.
        book : dict
            Bookkeeping, JSON values.
        state : sequence of ndarray
            Variables; the arrays must not change afterwards.
        kept : (int, sequence of ndarray)
            The epoch whose weights are kept, and the weights.
        patience : float
            Wait so many seconds for the write to end: memory for the state is then free again
            before it is needed for training.

        Raises
        ------
        StoreError
            If the write before this one failed, for example for a full disk.
        """
        self.wait()
        self._pending = self._writer.submit(self._write, epoch, book, list(state), kept[0], list(kept[1]))
        wait([self._pending], timeout=patience)

    def write_now(
        self, epoch: int, book: dict[str, Any], state: Iterable[NDArray], kept: tuple[int, Iterable[NDArray]]
    ) -> None:
        """Write the state after `epoch` epochs and wait for the end.

        Arrays are asked for one by one, so that there is never a second copy of them all; those of the kept epoch
        only if they have not been written before.

        Parameters
        ----------
        epoch : int
            Epochs finished.
        book : dict of str to object
            Bookkeeping, JSON values.
        state : iterable of ndarray
            Variables of network and optimizer.
        kept : (int, iterable of ndarray)
            The epoch whose weights are kept, and the weights.

        Raises
        ------
        StoreError
            If this write or the one before it failed.
        """
        self.wait()
        self._write(epoch, book, state, *kept)

    @property
    def writing(self) -> bool:
        """Whether a write is still going on."""
        return self._pending is not None and not self._pending.done()

    def wait(self) -> None:
        """Wait until everything is on disk."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def _write(
        self, epoch: int, book: dict[str, Any], state: Iterable[NDArray], kept_epoch: int, kept: Iterable[NDArray]
    ) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            kept_path = self._kept_path(kept_epoch)
            if not kept_path.exists():
                _write_arrays(kept_path, kept, {})
            state_path = self.path / f"state-{epoch:04d}.npz"
            _write_arrays(state_path, state, book | {"kept_file": kept_path.name})
            for old in self.path.iterdir():
                if old not in (kept_path, state_path):
                    old.unlink()
        except OSError as error:
            raise StoreError(
                f"cannot write the checkpoint of epoch {epoch} to {self.path}: {error.strerror or error}; free some "
                "space and start the same command again, it goes on from the last complete checkpoint"
            ) from error

    def read(self) -> tuple[Checkpoint | None, list[str]]:
        """Read the newest complete checkpoint.

        Returns
        -------
        Checkpoint or None
            None if there is none.
        list of str
            Damaged files that were passed over and set aside, each with what is wrong with it.
        """
        damaged: list[str] = []
        for state_path in sorted(self.path.glob("state-*.npz"), reverse=True):
            read = [state_path]
            try:
                state, book = _read_arrays(state_path)
                read.append(path_inside(self.path, book["kept_file"]))
                kept, _ = _read_arrays(read[-1])
                return Checkpoint(book, state, kept), damaged
            except DAMAGE as error:
                # Damaged kept weights, too: the run writes them again only where there are none.
                for path in filter(Path.exists, read):
                    path.replace(path.with_suffix(".damaged"))
                aside = state_path.with_suffix(".damaged").name
                damaged.append(f"{state_path} cannot be used ({read[-1].name}: {error}); set aside as {aside}")
        return None, damaged

    def read_kept(self, epoch: int) -> list[NDArray]:
        """Read the weights of the kept epoch.

        Parameters
        ----------
        epoch : int
            The epoch whose weights are kept.

        Returns
        -------
        list of ndarray
            Weights, in the order of the network's variables.

        Raises
        ------
        StoreError
            If they cannot be read.
        """
        self.wait()
        path = self._kept_path(epoch)
        try:
            return _read_arrays(path)[0]
        except DAMAGE as error:
            raise StoreError(
                f"the weights kept in {path} cannot be read ({error}); start the same command again, it repeats the run"
            ) from error

    def _kept_path(self, epoch: int) -> Path:
        return self.path / f"kept-{epoch:04d}.npz"

    def remove(self) -> None:
        """Delete the run's checkpoints."""
        self.wait()
        if self.path.is_dir():
            for file in self.path.iterdir():
                file.unlink()
            self.path.rmdir()

    def close(self) -> None:
        """Wait for the last write and end the background thread."""
        try:
            self.wait()
        finally:
            self._writer.shutdown()


def _write_arrays(path: Path, arrays: Iterable[NDArray], book: dict[str, Any]) -> None:
    # As np.savez does, which would hold all arrays at once.
    partial = path.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", allowZip64=True) as archive:
        count = 0
        for count, array in enumerate(arrays, start=1):
            _add_array(archive, f"{count - 1:04d}", array)
        _add_array(archive, "book", np.array(json.dumps(book | {"n_arrays": count})))
    partial.replace(path)


def _add_array(archive: zipfile.ZipFile, name: str, array: NDArray) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
        np.lib.format.write_array(stream, array, allow_pickle=False)


def _read_arrays(path: Path) -> tuple[list[NDArray], dict[str, Any]]:
    # opened here: np.load leaves a file open that turns out to be no archive
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        book = json.loads(str(archive["book"]))
        names = sorted(set(archive.files) - {"book"})
        if len(names) != book.pop("n_arrays", None):
            raise ValueError("arrays are missing from it, or another version of the library wrote it")
        return [archive[name] for name in names], book
