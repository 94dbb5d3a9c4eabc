"""One archive with all that a campaign needs to go on elsewhere: records, checkpoints, kept weights.

A lent machine is given back with all that is on it, and often only some megabytes may leave it. Records always go into
the archive; checkpoints of unfinished runs and weights of finished ones as far as they fit.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from spectra_lib.errors import SpectraError, StoreError
from spectra_lib.records import RunStore, read_record

RUN = r"[A-Za-z0-9_.]+-[A-Za-z0-9_.-]+-s\d+-[0-9a-f]{8}"
RECORD = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]*/{RUN}\.json")
CHECKPOINT = re.compile(rf"\.work/({RUN})/(?:state|kept)-(\d{{4,}})\.npz")
WEIGHTS = re.compile(rf"\.weights/({RUN})/[A-Za-z0-9_][A-Za-z0-9_.-]*\.(?:safetensors|json)")

MOST_FILES = 20_000
LARGEST_RECORD = 32 * 2**20
MOST_UNPACKED = 100
"""An archive that would unpack to more than so many times its own size is refused: ours never do."""
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
    return [path for path in every if RECORD.fullmatch(path.relative_to(store.path).as_posix())]


def _checkpoints(store: RunStore) -> Iterator[tuple[int, str, list[Path]]]:
    finished = {path.stem for path in _records(store)}
    for folder in sorted((store.path / ".work").glob("*")):
        if folder.name in finished or not re.fullmatch(RUN, folder.name):
            continue
        for state in sorted(folder.glob("state-*.npz"), reverse=True)[:1]:
            try:
                pair = [folder / _kept_file(state), state]
                yield sum(path.stat().st_size for path in pair), folder.name, pair
            except (OSError, ValueError, KeyError, zipfile.BadZipFile):
                continue  # replaced by a newer one just now, which the next archive gets; or damaged


def _kept_file(state: Path) -> str:
    with state.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return Path(json.loads(str(arrays["book"]))["kept_file"]).name


def _weights(store: RunStore) -> Iterator[tuple[int, str, list[Path]]]:
    for folder in sorted((store.path / ".weights").glob("*")):
        paths = sorted(folder.glob("*"))
        paths = [path for path in paths if WEIGHTS.fullmatch(path.relative_to(store.path).as_posix())]
        if paths:
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


@dataclass
class Unpacked:
    """What was taken from an archive: numbers of records, checkpoints and sets of weights."""

    records: int = 0
    checkpoints: int = 0
    weights: int = 0


def unpack_campaign(source: Path, store: RunStore) -> Unpacked:
    """Take an archive into a store, to go on from there.

    Records are checked, and none is replaced; a checkpoint is taken if the store has none that is as far. Nothing is
    taken from an archive that holds anything else.

    Raises
    ------
    SpectraError
        If it cannot be read, or holds what `pack_campaign` does not write.
    StoreError
        If the store cannot be written.
    """
    try:
        store.path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=store.path) as folder:
            _extract(source, Path(folder))
            return _take(Path(folder), store)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        raise SpectraError(
            f"{source} is no whole archive ({error}); fetch it again, or name the one that campaign-gpu wrote"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot unpack {source} into {store.path}: {error.strerror or error}") from error


def _extract(source: Path, folder: Path) -> None:
    allowed = MOST_UNPACKED * source.stat().st_size + 2**20
    seen: set[str] = set()
    with tarfile.open(source, "r:*") as archive:
        for entry in archive:
            name = entry.name
            allowed -= entry.size
            if not entry.isreg() or not any(kind.fullmatch(name) for kind in (RECORD, CHECKPOINT, WEIGHTS)):
                raise _foreign(source, f"{name!r} is neither a record nor a checkpoint nor weights")
            if name in seen or len(seen) >= MOST_FILES:
                raise _foreign(source, f"{name!r} is there twice" if name in seen else f"over {MOST_FILES} files")
            if allowed < 0 or (RECORD.fullmatch(name) and entry.size > LARGEST_RECORD):
                raise _foreign(source, f"{name!r} would take {entry.size:,} bytes")
            seen.add(name)
            archive.extract(entry, folder, filter="data")


def _foreign(source: Path, why: str) -> SpectraError:
    return SpectraError(f"{source} is not taken: {why}; expected an archive as campaign-gpu writes it")


def _take(folder: Path, store: RunStore) -> Unpacked:
    taken = Unpacked()
    for path in sorted(folder.glob("[!.]*/*.json")):
        try:
            record = read_record(path)
            faults = record.faults()
        except StoreError as error:
            faults = [str(error)]
        if faults:
            warnings.warn(f"{path.name} is not taken: {'; '.join(faults)}", stacklevel=3)
        elif not store.record_path(record.spec).exists():
            store.save(record)
            taken.records += 1
    finished = {path.stem for path in _records(store)}
    for state in sorted(folder.glob(".work/*/state-*.npz")):
        own = store.path / ".work" / state.parent.name
        if state.parent.name in finished or max((p.name for p in own.glob("state-*.npz")), default="") >= state.name:
            continue
        try:
            kept = state.with_name(_kept_file(state))
            if not kept.is_file():
                raise ValueError("the weights kept with it are missing")
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            warnings.warn(f"checkpoint of {state.parent.name} is not taken: {error}", stacklevel=3)
            continue
        own.mkdir(parents=True, exist_ok=True)
        for path in (kept, state):  # in the order in which a run writes them
            path.replace(own / path.name)
        taken.checkpoints += 1
    for weights in sorted(folder.glob(".weights/*")):
        own = store.path / ".weights" / weights.name
        if not own.exists():
            own.parent.mkdir(exist_ok=True)
            shutil.move(weights, own)
            taken.weights += 1
    return taken
