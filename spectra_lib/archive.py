"""Records, and weights if asked for, in one archive: to carry them to another machine, or for a release."""

from __future__ import annotations

import re
import tarfile
import tempfile
import warnings
from pathlib import Path

from spectra_lib.dataset import Dataset, make_dataset
from spectra_lib.errors import StoreError
from spectra_lib.names import NAME
from spectra_lib.records import RunRecord, RunStore, read_record
from spectra_lib.unpacking import Limits, extract, move_all
from spectra_lib.weights import ARRAYS, CARD, FOLDER, ModelCard, check_weights, place_weights, read_card, weights_path


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


NAMES = rf"{NAME}/[A-Za-z0-9_.-]+\.json|\{FOLDER}/[A-Za-z0-9_.-]+/({re.escape(CARD)}|{re.escape(ARRAYS)})"
"""Files of an archive that are taken: records, and weights."""
CHECKPOINTS = r"\.work/[A-Za-z0-9_.-]+/(state|kept)-[0-9]+\.npz"
"""Files that an archive of a campaign has, too, and that are passed over."""
LIMITS = Limits(file_bytes=1 << 31, all_bytes=1 << 36)
RECORD_BYTES = 1 << 26


def unpack_records(archive: Path, store: RunStore) -> tuple[int, int, int]:
    """Take the records of an archive into a store, all or none, and the weights that belong to them; none is replaced.

    Each record is checked first, against its dataset too, and weights against the hash in their record. A record that
    is not sound, or whose run is being done here, is named in a warning and not taken.

    Parameters
    ----------
    archive : Path
        A .tar.gz as `pack_records` makes it; checkpoints in it are passed over.
    store : RunStore
        Where records and weights go.

    Returns
    -------
    (int, int, int)
        Records added, records passed over because the store has them, and runs whose weights were added.

    Raises
    ------
    StoreError
        If the archive is damaged, holds something else or too much (see `spectra_lib.unpacking`), a record in it
        cannot be read, or the store cannot be written; nothing is taken then.
    """
    moves: list[tuple[Path, Path]] = []
    records: list[RunRecord] = []
    datasets: dict[str, Dataset] = {}
    try:
        store.path.mkdir(parents=True, exist_ok=True)
        # Beside the store, so that weights need not be copied.
        temporary = tempfile.TemporaryDirectory(prefix=".unpacked-", dir=store.path)
    except OSError as error:
        raise StoreError(f"cannot write to the store {store.path}: {error.strerror or error}") from error
    with temporary as name:
        folder = Path(name)
        for path in extract(archive, folder, NAMES, LIMITS, passed_over=CHECKPOINTS):
            if path.relative_to(folder).parts[0] == FOLDER:
                continue
            if path.stat().st_size > RECORD_BYTES:
                raise StoreError(f"{archive}: {path.name} is larger than {RECORD_BYTES} bytes; nothing was taken")
            record = read_record(path)
            target = store.record_path(record.spec)
            faults = _faults_from_elsewhere(record, datasets)
            if path.relative_to(folder) != target.relative_to(store.path):
                faults.append(f"the file should be called {target.relative_to(store.path)}")
            elif store.is_busy(record.spec):
                faults.append("its run is being done here")
            if faults:
                warnings.warn(f"{path.name} is not taken: {'; '.join(faults)}", stacklevel=2)
                continue
            known = store.load(record.spec)
            if known is None:
                moves.append((path, target))
            records.append(known or record)
        move_all(moves)
        n_weights = sum(_take_weights(folder / FOLDER / record.spec.run_id, record, store) for record in records)
    return len(moves), len(records) - len(moves), n_weights


LARGEST_CHECKED = 10_000_000
"""Points of a spectrum, and peaks of all spectra, up to which a dataset is made to check records from elsewhere."""


def _faults_from_elsewhere(record: RunRecord, datasets: dict[str, Dataset]) -> list[str]:
    # What a record says of its dataset could fill the memory.
    spec = record.spec.dataset_spec
    patterns = (spec.test.points, *(change.points or () for change in spec.test.changes.values()))
    of_a_class = spec.n_train + spec.n_validation + max(map(len, patterns))
    drawn = int(100 * (1 + spec.gamma_shape) * spec.gamma_scale)  # peaks of one class before they are cut
    size = max(spec.n_points, drawn, spec.n_classes * of_a_class * spec.max_peaks)
    if size > LARGEST_CHECKED:
        return [f"its dataset has {size} points or peaks; at most {LARGEST_CHECKED} are checked"]
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
