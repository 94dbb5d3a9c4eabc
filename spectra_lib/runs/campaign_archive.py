"""One archive with all that a campaign needs to go on elsewhere: records, checkpoints, kept weights.

A lent machine is given back with all that is on it, and often only some megabytes may leave it. Records always go into
the archive; checkpoints of unfinished runs and weights of finished ones as far as they fit.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from spectra_lib._base.errors import SpectraError
from spectra_lib.runs.archive import kept_file
from spectra_lib.runs.store import RunStore
from spectra_lib.runs.weights import ARRAYS, CARD, FOLDER

RUN = re.compile(r"[A-Za-z0-9_.]+-[A-Za-z0-9_.-]+-s\d+-[0-9a-f]{8}")

SPARE = 64 * 2**10
"""Bytes that are left for headers and the end of the archive."""


@dataclass
class Packed:
    """What an archive holds.

    Attributes
    ----------
    records : int
        Number of records.
    checkpoints, weights : list of str
        Ids of the runs whose checkpoint, or weights, it holds.
    left_out : list of (str, int)
        What did not fit, with its size in bytes.
    size : int
        Size of the archive in bytes.
    """

    records: int = 0
    checkpoints: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    left_out: list[tuple[str, int]] = field(default_factory=list)
    size: int = 0


def pack_campaign(store: RunStore, target: Path, limit: int | None = None) -> Packed:
    """Pack a store; the archive that was there stays until the new one is whole.

    Parameters
    ----------
    store : RunStore
        Runs may be under way in it.
    target : Path
        A .tar.gz, or a .tar, which is quicker for gigabytes.
    limit : int, optional
        Size in bytes that the archive may have; records go in even beyond it.

    Returns
    -------
    Packed

    Raises
    ------
    SpectraError
        If the name ends otherwise, or the archive cannot be written.
    """
    if not target.name.endswith((".tar.gz", ".tar")):
        raise SpectraError(f"expected an archive named .tar.gz or .tar, received {target.name!r}; name it so")
    found, partial = Packed(), target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as raw:
            _fill(store, raw, found, limit, compressed=target.name.endswith(".gz"))
            raw.flush()
            os.fsync(raw.fileno())
        found.size = partial.stat().st_size
        partial.replace(target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise SpectraError(
            f"cannot write {target}: {error.strerror or error}; name another file, or free some space"
        ) from error
    return found


def _fill(store: RunStore, raw: IO[bytes], found: Packed, limit: int | None, *, compressed: bool) -> None:
    with ExitStack() as stack:
        stream = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=4)) if compressed else raw
        archive = stack.enter_context(tarfile.open(fileobj=stream, mode="w|"))
        for path in _records(store):
            _add(archive, path.relative_to(store.path).as_posix(), io.BytesIO(path.read_bytes()))
            found.records += 1
        kinds = ((_checkpoints(store), found.checkpoints), (_weights(store), found.weights))
        for candidates, packed in kinds:
            for size, run, paths in sorted(candidates):
                stream.flush()
                if limit is not None and raw.tell() + size + SPARE > limit:
                    kind = "checkpoint" if packed is found.checkpoints else "weights"
                    found.left_out.append((f"{kind} of {run}", size))
                elif _add_all(archive, store.path, paths):
                    packed.append(run)


def _records(store: RunStore) -> list[Path]:
    every = sorted(store.path.glob("[!.]*/*.json"))
    return [path for path in every if RUN.fullmatch(path.stem)]


def _checkpoints(store: RunStore) -> Iterator[tuple[int, str, list[Path]]]:
    finished = {path.stem for path in _records(store)}
    for folder in sorted((store.path / ".work").glob("*")):
        if folder.name in finished or not RUN.fullmatch(folder.name):
            continue
        for state in sorted(folder.glob("state-*.npz"), reverse=True)[:1]:
            try:
                pair = [folder / kept_file(state), state]
                yield sum(path.stat().st_size for path in pair), folder.name, pair
            except (OSError, ValueError, KeyError, zipfile.BadZipFile):
                continue  # replaced by a newer one just now, which the next archive gets; or damaged


def _weights(store: RunStore) -> Iterator[tuple[int, str, list[Path]]]:
    for folder in sorted((store.path / FOLDER).glob("*")):
        paths = [folder / name for name in (CARD, ARRAYS) if (folder / name).is_file()]
        if RUN.fullmatch(folder.name) and len(paths) == 2:
            yield sum(path.stat().st_size for path in paths), folder.name, paths


def _add_all(archive: tarfile.TarFile, root: Path, paths: list[Path]) -> bool:
    """Add files that belong together, or none; once open they stay readable, even if a run replaces them."""
    with ExitStack() as stack:
        try:
            streams = [stack.enter_context(path.open("rb")) for path in paths]
        except FileNotFoundError:
            return False
        for path, stream in zip(paths, streams, strict=True):
            _add(archive, path.relative_to(root).as_posix(), stream)
    return True


def _add(archive: tarfile.TarFile, name: str, stream: IO[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = stream.seek(0, os.SEEK_END)
    entry.mode = 0o644
    stream.seek(0)
    archive.addfile(entry, stream)
