"""Run records: what a training run gave, complete enough to redo the analysis without weights.

A store is a folder of JSON files, one for each run, in a folder for each dataset. Records are written
atomically; a damaged one is set aside and named, never read as if it were whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from spectra_lib._base.errors import StoreError
from spectra_lib.runs.judgement import has_failed
from spectra_lib.runs.record import Metrics, RunRecord
from spectra_lib.runs.store import RunStore, read_record

if TYPE_CHECKING:
    import pandas as pd

    from spectra_lib.datasets.dataset import Dataset


def find_faults(store: RunStore) -> Iterator[tuple[Path, list[str]]]:
    """Check all records of a store, with their data and their file names.

    Parameters
    ----------
    store : RunStore
        Any store.

    Yields
    ------
    Path
        File of a record.
    list of str
        What is wrong with it; empty for a sound one.
    """
    from spectra_lib.datasets.dataset import make_dataset

    datasets: dict[str, Dataset] = {}
    for path in _record_files(store.path):
        try:
            record = read_record(path)
        except StoreError as error:
            yield path, [str(error)]
            continue
        spec = record.spec.dataset_spec
        if spec.digest not in datasets:
            datasets[spec.digest] = make_dataset(spec)
        faults = record.faults(datasets[spec.digest])
        expected = store.record_path(record.spec)
        if path != expected:
            faults.append(f"the file should be called {expected.relative_to(store.path)}")
        yield path, faults


def _record_files(store: Path) -> list[Path]:
    return sorted(store.glob("[!.]*/*.json"))


@dataclass(frozen=True)
class RunRecords(Sequence[RunRecord]):
    """The records of a store, sorted by dataset, network, activation, protocol and seed.

    Attributes
    ----------
    records : tuple of RunRecord
        In that order, if `load_records` made them.
    """

    records: tuple[RunRecord, ...]

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> RunRecord: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[RunRecord, ...]: ...

    def __getitem__(self, index: int | slice) -> RunRecord | tuple[RunRecord, ...]:
        return self.records[index]

    def select(self, **fields: Any) -> RunRecords:
        """Give the records whose specification has these values.

        Parameters
        ----------
        **fields
            Fields of `RunSpec` and the values that they must have.

        Returns
        -------
        RunRecords
            In the same order.

        Examples
        --------
        >>> from spectra_lib.runs.specification import RunSpec
        >>> specs = [RunSpec(dataset="smoke", model=model) for model in ("cnn2", "vgg")]
        >>> records = RunRecords(tuple(RunRecord.model_construct(spec=spec) for spec in specs))
        >>> [record.spec.model for record in records.select(model="vgg", protocol="paper")]
        ['vgg']
        """
        chosen = (r for r in self.records if all(getattr(r.spec, key) == value for key, value in fields.items()))
        return RunRecords(tuple(chosen))

    def table(self) -> pd.DataFrame:
        """One row for each run.

        Returns
        -------
        DataFrame
            Columns: those of the specification, epochs, kept_epoch, errors, number and accuracy of
            each split and of the fresh spectra (NaN in records that lack them), fresh_loss, val_loss,
            running_train_accuracy (with dropout on, at the kept epoch), failure (how the run failed to converge,
            empty if it did not), seconds, peak_memory_bytes, device, backend, execution.
        """
        import pandas as pd

        from spectra_lib.runs.judgement import failure_text

        rows = []
        for record in self.records:
            spec = record.spec
            row: dict[str, Any] = {
                "run_id": spec.run_id,
                "dataset": spec.dataset_spec.name,
                "model": spec.model,
                "hidden_activation": spec.hidden_activation,
                "options": json.dumps(spec.options, sort_keys=True) if spec.options else "",
                "protocol": spec.protocol,
                "precision": spec.precision,
                "seed": spec.seed,
                "max_epochs": spec.max_epochs,
                "epochs": len(record.history),
                "kept_epoch": record.kept_epoch,
            }
            for name in ("train", "validation", "test"):
                metrics: Metrics = getattr(record, name)
                row |= {f"{name}_errors": metrics.errors, f"{name}_n": metrics.n, f"{name}_accuracy": metrics.accuracy}
            fresh = record.fresh
            for what in ("errors", "n", "accuracy", "loss"):
                value = None if fresh is None else getattr(fresh, what)
                row[f"fresh_{what}"] = np.nan if value is None else value
            row |= {
                "val_loss": record.validation.loss,
                "running_train_accuracy": record.history.accuracy[record.kept_epoch],
                "failure": failure_text(record),
                "seconds": record.wall_seconds,
                "peak_memory_bytes": record.peak_memory_bytes,
                "device": record.sessions[-1].device,
                "backend": record.sessions[-1].backend,
                "execution": record.sessions[-1].execution,
            }
            rows.append(row)
        columns = _TABLE_COLUMNS if not rows else None
        return pd.DataFrame(rows, columns=columns)


_TABLE_COLUMNS = [
    *("run_id", "dataset", "model", "hidden_activation", "options", "protocol", "precision", "seed"),
    *("max_epochs", "epochs", "kept_epoch"),
    *(f"{split}_{what}" for split in ("train", "validation", "test") for what in ("errors", "n", "accuracy")),
    *("fresh_errors", "fresh_n", "fresh_accuracy", "fresh_loss"),
    *(
        "val_loss",
        "running_train_accuracy",
        "failure",
        "seconds",
        "peak_memory_bytes",
        "device",
        "backend",
        "execution",
    ),
]


def load_records(store: str | Path = "results") -> RunRecords:
    """Read all records of a store.

    Parameters
    ----------
    store : str or Path
        Its folder. A folder that does not exist holds no records.

    Returns
    -------
    RunRecords

    Raises
    ------
    StoreError
        If a record is damaged; it names the file.
    """
    records = [read_record(path) for path in _record_files(Path(store))]
    return RunRecords(tuple(sorted(records, key=_order)))


def _order(record: RunRecord) -> tuple:
    spec = record.spec
    return (
        spec.dataset_spec.name,
        spec.model,
        spec.hidden_activation or "",
        spec.protocol,
        spec.precision,
        spec.seed,
        spec.digest,
    )


def failed_runs(records: Iterable[RunRecord]) -> RunRecords:
    """Give the runs that failed to converge.

    Parameters
    ----------
    records : iterable of RunRecord
        Any runs.

    Returns
    -------
    RunRecords
        In the same order (see `spectra_lib.runs.judgement`).
    """
    return RunRecords(tuple(record for record in records if has_failed(record)))


def converged_runs(records: Iterable[RunRecord]) -> RunRecords:
    """Give the runs that did not fail.

    Parameters
    ----------
    records : iterable of RunRecord
        Any runs.

    Returns
    -------
    RunRecords
        In the same order (see `spectra_lib.runs.judgement`).
    """
    return RunRecords(tuple(record for record in records if not has_failed(record)))
