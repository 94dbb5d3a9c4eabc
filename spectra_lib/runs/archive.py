"""Records, and weights if asked for, in one archive: to carry them to another machine, or for a release.

Whatever archive comes from elsewhere is unpacked here, that of a campaign (`spectra_lib.runs.campaign_archive`) too.
"""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError

from spectra_lib._base.errors import StoreError
from spectra_lib._base.names import NAME, path_inside
from spectra_lib._base.unpacking import Limits, extract, move_all
from spectra_lib.datasets.dataset import Dataset, make_dataset
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.specification import TRUSTED, RunSpec
from spectra_lib.runs.store import RunStore, read_record
from spectra_lib.runs.weights import (
    ARRAYS,
    CARD,
    FOLDER,
    ModelCard,
    check_weights,
    place_weights,
    read_card,
    weights_path,
)


def pack_records(store: RunStore, target: Path, *, weights: bool = False) -> tuple[int, int]:
    """Put all records of a store into one .tar.gz.

    Parameters
    ----------
    store : RunStore
        The store.
    target : Path
        The archive.
    weights : bool
        Put the kept weights of these runs in, too, where they are there.

    Returns
    -------
    (int, int)
        Number of records, and of runs with weights.
    """
    files = sorted(store.path.glob("[!.]*/*.json"))
    folders = [weights_path(store, file.stem) for file in files] if weights else []
    kept = [folder for folder in folders if (folder / CARD).is_file()]
    # Weights hardly get smaller, however long one tries.
    with tarfile.open(target, "w:gz", compresslevel=1 if kept else 9) as archive:
        for file in files:
            archive.add(file, arcname=str(file.relative_to(store.path)))
        for folder in kept:
            for name in (CARD, ARRAYS):
                archive.add(folder / name, arcname=f"{FOLDER}/{folder.name}/{name}")
    return len(files), len(kept)


RUN = r"[A-Za-z0-9_.-]+"
RECORD = rf"{NAME}/{RUN}\.json"
CHECKPOINT = rf"\.work/{RUN}/(state|kept)-[0-9]{{4,}}\.npz"
WEIGHTS = rf"\{FOLDER}/{RUN}/({re.escape(CARD)}|{re.escape(ARRAYS)})"
"""Names of the files that an archive may hold; no others are taken."""

LIMITS = Limits(file_bytes=1 << 33, all_bytes=1 << 38)
MOST_UNPACKED = 100
"""An archive that unpacks to more than so many times its own size is refused: ours never do."""
RECORD_BYTES = 1 << 25
LARGEST_CHECKED = 10_000_000
"""Points of a spectrum, and peaks of all spectra, up to which a dataset is made to check records from elsewhere."""


class Unpacked(NamedTuple):
    """What was taken from an archive.

    Attributes
    ----------
    records, known : int
        Records added, and passed over because the store has them.
    weights, checkpoints : int
        Runs whose weights, or checkpoint, were added.
    """

    records: int
    known: int
    weights: int
    checkpoints: int


def unpack_archive(archive: Path, store: RunStore, *, checkpoints: bool = False) -> Unpacked:
    """Take the records of an archive into a store, all or none, and the weights that belong to them; none is replaced.

    Each record is checked first, against its dataset too, and weights against the hash in their record. What is not
    sound, or belongs to a run that is being done here, is named in a warning and not taken.

    Parameters
    ----------
    archive : Path
        A .tar.gz or .tar as `pack_records` and `pack_campaign` make them.
    store : RunStore
        Where records and weights go.
    checkpoints : bool
        Take checkpoints, too, to go on with the runs; one is taken if the store has none that is as far.

    Returns
    -------
    Unpacked

    Raises
    ------
    StoreError
        If the archive is damaged, holds something else or too much (see `spectra_lib._base.unpacking`), or the store
        cannot be written; nothing is taken then.
    """
    try:
        limits = LIMITS.within(MOST_UNPACKED * archive.stat().st_size + (1 << 20))
    except OSError as error:
        raise StoreError(f"cannot read {archive}: {error.strerror or error}; name an archive that is there") from error
    try:
        store.path.mkdir(parents=True, exist_ok=True)
        # Beside the store, so that weights need not be copied.
        temporary = tempfile.TemporaryDirectory(prefix=".unpacked-", dir=store.path)
    except OSError as error:
        raise StoreError(f"cannot write to the store {store.path}: {error.strerror or error}") from error
    with temporary as name:
        folder = Path(name)
        taken = f"{RECORD}|{WEIGHTS}|{CHECKPOINT}" if checkpoints else f"{RECORD}|{WEIGHTS}"
        found = extract(archive, folder, taken, limits, passed_over=CHECKPOINT)
        paths = [path for path in found if re.fullmatch(RECORD, path.relative_to(folder).as_posix())]
        for path in paths:
            if path.stat().st_size > RECORD_BYTES:
                raise StoreError(
                    f"{archive}: {path.name} is larger than {RECORD_BYTES} bytes; nothing was taken from it"
                )
        records, moves = _sound_records(paths, folder, store)
        move_all(moves)
        n_weights = sum(_take_weights(folder / FOLDER / record.spec.run_id, record, store) for record in records)
        states = sorted(folder.glob(".work/*/state-*.npz"))
        return Unpacked(
            len(moves), len(records) - len(moves), n_weights, sum(_take_checkpoint(state, store) for state in states)
        )


def _sound_records(paths: list[Path], folder: Path, store: RunStore) -> tuple[list[RunRecord], list[tuple[Path, Path]]]:
    """Records that are sound, as the store has them if it does, and the moves of those that are new."""
    records: list[RunRecord] = []
    moves: list[tuple[Path, Path]] = []
    datasets: dict[str, Dataset] = {}
    for path in paths:
        try:
            record = _read_bounded(path)
            target = store.record_path(record.spec)
            faults = _faults_from_elsewhere(record, datasets)
            if path.relative_to(folder) != target.relative_to(store.path):
                faults.append(f"the file should be called {target.relative_to(store.path)}")
            elif store.is_busy(record.spec):
                faults.append("its run is being done here")
        except StoreError as error:
            faults = [str(error).removeprefix(f"{path}: ")]
        if faults:
            warnings.warn(f"{path.name} is not taken: {'; '.join(faults)}", stacklevel=3)
            continue
        known = store.load(record.spec)
        if known is None:
            moves.append((path, target))
        records.append(known or record)
    return records, moves


def _read_bounded(path: Path) -> RunRecord:
    # What a record says of its dataset, and what it holds compressed, could fill the memory: looked at before decoding.
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        size = _size(RunSpec.model_validate(data["spec"], context=TRUSTED))
        fresh = (data.get("fresh") or {}).get("n", 0)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ValidationError, RecursionError):
        return read_record(path)  # which says what is wrong with it
    size = max(size, fresh if isinstance(fresh, int) else 0)
    if size > LARGEST_CHECKED:
        raise StoreError(f"its dataset has {size} points or peaks; at most {LARGEST_CHECKED} are checked")
    return read_record(path)


def _size(run: RunSpec) -> int:
    spec = run.dataset_spec
    patterns = (spec.test.points, *(change.points or () for change in spec.test.changes.values()))
    of_a_class = spec.n_train + spec.n_validation + max(map(len, patterns)) + spec.n_fresh
    drawn = int(100 * (1 + spec.gamma_shape) * spec.gamma_scale)  # peaks of one class before they are cut
    return max(spec.n_points, drawn, spec.n_classes * of_a_class * spec.max_peaks)


def _faults_from_elsewhere(record: RunRecord, datasets: dict[str, Dataset]) -> list[str]:
    spec = record.spec.dataset_spec
    if faults := record.faults():
        return faults
    try:
        if spec.digest not in datasets:
            datasets[spec.digest] = make_dataset(spec)
    except (ValueError, OverflowError) as error:
        return [f"its dataset cannot be made ({error})"]
    return record.faults(datasets[spec.digest])


def _take_weights(folder: Path, record: RunRecord, store: RunStore) -> bool:
    target = weights_path(store, record.spec.run_id)
    if target.exists() or not folder.is_dir() or folder.is_symlink():
        return False
    try:
        names = {path.name for path in folder.iterdir() if path.is_file() and not path.is_symlink()}
        if names != {CARD, ARRAYS}:
            raise StoreError(f"expected {CARD} and {ARRAYS}, received {', '.join(sorted(names)) or 'nothing'}")
        card = read_card(folder)
        if card != ModelCard.of(record):
            raise StoreError(f"{CARD} does not describe the network of the record that is in the store")
        check_weights(folder, record.weights_sha256)
    except StoreError as error:
        warnings.warn(f"the weights of {record.spec.run_id} are not taken: {error}", stacklevel=3)
        return False
    place_weights(folder, target)
    return True


def _take_checkpoint(state: Path, store: RunStore) -> bool:
    run = state.parent.name
    own = path_inside(store.path, ".work", run)
    known = max((path.name for path in own.glob("state-*.npz")), default="")
    if known >= state.name or any(path.stem == run for path in store.path.glob("[!.]*/*.json")):
        return False
    try:
        kept = state.with_name(kept_file(state))
        if not kept.is_file():
            raise ValueError("the weights kept with it are missing")
        if store.is_busy(run):
            raise ValueError("its run is being done here")
    except (ValueError, LookupError, TypeError, MemoryError, OSError, zipfile.BadZipFile) as error:
        warnings.warn(f"the checkpoint of {run} is not taken: {error}", stacklevel=3)
        return False
    own.mkdir(parents=True, exist_ok=True)
    for path in (kept, state):  # in the order in which a run writes them
        path.replace(own / path.name)
    return True


def kept_file(state: Path) -> str:
    """Name of the file with the best weights that belongs to a checkpoint.

    Parameters
    ----------
    state : Path
        A checkpoint, ``state-NNNN.npz``.

    Returns
    -------
    str
        File name without folder.

    Raises
    ------
    ValueError, KeyError, OSError, zipfile.BadZipFile
        If the checkpoint is damaged, or holds compressed arrays, as none of ours does.
    """
    with zipfile.ZipFile(state) as entries:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.infolist()):
            raise ValueError("its arrays are compressed")
    with state.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return Path(json.loads(str(arrays["book"]))["kept_file"]).name
