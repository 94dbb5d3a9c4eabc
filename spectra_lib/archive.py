"""Records, and weights if asked for, in one archive: to carry them to another machine, or for a release."""

from __future__ import annotations

import tarfile
import tempfile
import warnings
from pathlib import Path

from spectra_lib.errors import StoreError
from spectra_lib.records import RunRecord, RunStore, read_record
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


def unpack_records(archive: Path, store: RunStore) -> tuple[int, int, int]:
    """Take the records of an archive into a store, and the weights that belong to them; none is replaced.

    Each record is checked first, and weights against the hash in their record. Nothing else in the archive is read.

    Returns
    -------
    (int, int, int)
        Records added, records passed over because the store has them, and runs whose weights were added.
    """
    added = skipped = n_weights = 0
    store.path.mkdir(parents=True, exist_ok=True)
    # Beside the store, so that weights need not be copied; the filter refuses paths that lead out of the folder.
    with (
        tempfile.TemporaryDirectory(prefix=".unpacked-", dir=store.path) as folder,
        tarfile.open(archive, "r:gz") as packed,
    ):
        packed.extractall(folder, filter="data")
        for path in sorted(Path(folder).glob("[!.]*/*.json")):
            record = read_record(path)
            faults = record.faults()
            if faults:
                warnings.warn(f"{path.name} is not taken: {'; '.join(faults)}", stacklevel=2)
                continue
            known = store.load(record.spec)
            if known is None:
                store.save(record)
                added += 1
            else:
                skipped += 1
            n_weights += _take_weights(Path(folder) / FOLDER / record.spec.run_id, known or record, store)
    return added, skipped, n_weights


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
