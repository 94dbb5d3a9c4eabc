"""A store of run records: a folder of JSON files, one for each run, in a folder for each dataset."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout
from pydantic import ValidationError

from spectra_lib._base.atomic_file import write_whole
from spectra_lib._base.errors import StoreError, explain
from spectra_lib._base.names import path_inside
from spectra_lib.runs.lock import hold, is_held
from spectra_lib.runs.record import SCHEMA_VERSION, RunRecord
from spectra_lib.runs.specification import TRUSTED, RunSpec


class BusyError(StoreError):
    """Another process is working on the run."""


class NewerRecordError(StoreError):
    """A record that a newer version of the library wrote."""


class RunStore:
    """A folder of run records.

    Parameters
    ----------
    path : str or Path
        The folder; made when something is written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def record_path(self, spec: RunSpec) -> Path:
        """File of a run's record.

        Parameters
        ----------
        spec : RunSpec
            The run.

        Returns
        -------
        Path
            It need not exist.

        Raises
        ------
        StoreError
            If it would lie outside the store.
        """
        return path_inside(self.path, spec.dataset_spec.name, f"{spec.run_id}.json")

    def work_path(self, spec: RunSpec) -> Path:
        """Folder of a run's checkpoints.

        Parameters
        ----------
        spec : RunSpec
            The run.

        Returns
        -------
        Path
            It need not exist.

        Raises
        ------
        StoreError
            If it would lie outside the store.
        """
        return path_inside(self.path, ".work", spec.run_id)

    def load(self, spec: RunSpec) -> RunRecord | None:
        """Read a run's record if the store has it; a damaged one is set aside with a warning.

        Parameters
        ----------
        spec : RunSpec
            The run.

        Returns
        -------
        RunRecord or None
            None if there is no sound record of this run.

        Raises
        ------
        NewerRecordError
            If a newer version of the library wrote it; the file is left alone.
        """
        path = self.record_path(spec)
        if not path.exists():
            return None
        try:
            record = read_record(path)
            if record.spec.digest != spec.digest:
                raise StoreError(f"{path}: holds another run ({record.spec.run_id})")
        except NewerRecordError:
            raise  # it is whole, and stays where it is
        except StoreError as error:
            aside = self.path / ".work" / "set_aside" / f"{path.stem}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json"
            aside.parent.mkdir(parents=True, exist_ok=True)
            path.replace(aside)
            warnings.warn(f"{error}; set aside as {aside}, the run will be done again", stacklevel=2)
            return None
        return record

    def save(self, record: RunRecord) -> Path:
        """Write a record atomically; refuses to replace one.

        Parameters
        ----------
        record : RunRecord
            A finished run.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        StoreError
            If the store has a record of this run already, or the file cannot be written.
        """
        path = self.record_path(record.spec)
        if path.exists():
            raise StoreError(f"{path} exists; delete it first if the run is to be done again")
        try:
            write_whole(path, record_text(record))
        except OSError as error:
            raise StoreError(
                f"cannot write the record {path}: {error.strerror or error}; free some space or choose another "
                "store, then start the same command again"
            ) from error
        return path

    def _lock_path(self, run: RunSpec | str) -> Path:
        run_id = run if isinstance(run, str) else run.run_id
        return path_inside(self.path, ".work", "locks", f"{run_id}.lock")

    @contextmanager
    def lock(self, spec: RunSpec) -> Iterator[None]:
        """Hold a run for this process; the system releases it when the process ends, however it ends.

        Parameters
        ----------
        spec : RunSpec
            The run.

        Raises
        ------
        BusyError
            If another process holds it.
        StoreError
            If the store cannot be written.
        """
        path = self._lock_path(spec)
        with ExitStack() as held:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(hold(path))
            except Timeout:
                message = f"another process is working on {spec.run_id}; wait for it, or choose another run"
                raise BusyError(message) from None
            except OSError as error:
                raise StoreError(
                    f"cannot write to the store {self.path}: {error.strerror or error}; free some space or choose "
                    "another"
                ) from error
            yield

    def is_busy(self, run: RunSpec | str) -> bool:
        """Whether a process is working on a run, or that of an id; asking disturbs none (`spectra_lib.runs.lock`).

        Parameters
        ----------
        run : RunSpec or str
            The run, or its id.

        Returns
        -------
        bool
            False, too, where the system cannot tell.

        Raises
        ------
        StoreError
            If the id leads out of the store.
        """
        return is_held(self._lock_path(run))


def record_text(record: RunRecord) -> str:
    """Write a record as its file has it.

    Parameters
    ----------
    record : RunRecord
        Any record.

    Returns
    -------
    str
        One line of JSON.
    """
    return record.model_dump_json(exclude_defaults=False) + "\n"


def read_record(path: Path) -> RunRecord:
    """Read one record file.

    Parameters
    ----------
    path : Path
        A file that `RunStore.save` wrote.

    Returns
    -------
    RunRecord

    Raises
    ------
    StoreError
        If it is cut short, of another schema, or has missing or wrong fields; `NewerRecordError` if it is of a newer
        schema.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: not a complete record ({error})") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise NewerRecordError(
            f"{path}: a record of schema version {version}, written by a newer version of the library; this one reads "
            f"versions 1 to {SCHEMA_VERSION}. Update the library, or choose another store"
        )
    if not isinstance(version, int) or version < 1:
        raise StoreError(f"{path}: expected a record of schema version 1 to {SCHEMA_VERSION}, received {version!r}")
    try:
        return RunRecord.model_validate(data, context=TRUSTED)
    except ValidationError as error:
        raise StoreError(explain(error, str(path))) from None


def way_store(store: str | Path, way: str) -> RunStore:
    """Store for runs that were done again in another way, apart from the records that count.

    Parameters
    ----------
    store : str or Path
        Folder of the records that count.
    way : str
        What was different, as "another seed".

    Returns
    -------
    RunStore

    Raises
    ------
    StoreError
        If the name leads out of the folder.

    Examples
    --------
    >>> way_store("results", "another seed").path.as_posix()
    'results/ways/another_seed'
    """
    return RunStore(path_inside(Path(store) / "ways", way.replace(" ", "_")))


def way_stores(store: str | Path) -> list[RunStore]:
    """All such stores that there are.

    Parameters
    ----------
    store : str or Path
        Folder of the records that count.

    Returns
    -------
    list of RunStore
        Sorted by folder.
    """
    return [RunStore(path) for path in sorted((Path(store) / "ways").glob("[!.]*"))]
