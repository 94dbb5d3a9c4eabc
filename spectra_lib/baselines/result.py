"""What a baseline achieved on a dataset, as a value that can be kept, checked and compared."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from spectra_lib._base import machine
from spectra_lib._base.errors import SpecificationError
from spectra_lib._base.names import Name
from spectra_lib._base.values import Value
from spectra_lib.baselines.registry import fit_baseline
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.datasets.named import DatasetOrName, dataset_spec
from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.runs.record import data_digests

if TYPE_CHECKING:
    import pandas as pd

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

PACKAGES = ("spectra-lib", "numpy", "scipy", "numba", "scikit-learn")
"""Packages that a result may depend on."""


class BaselineResult(Value):
    """Predictions of one baseline, with what they cost.

    Attributes
    ----------
    schema_version : int
        Version of this layout.
    name : str
        Baseline.
    dataset : str or DatasetSpec
        Name of a built-in dataset, or a specification.
    data_digests : dict
        SHA-256 of labels and peaks of each split.
    settings : dict
        What the baseline chose or found in fitting.
    validation_predictions, test_predictions : tuple of int
        Class given to each spectrum.
    validation_errors, test_errors : int
        Wrong ones among them.
    fit_seconds, predict_seconds : float
        Wall time of fitting, choices included, and of predicting both sets.
    processor_seconds : float
        Time that processors worked on both, all threads together; on a busy machine it says more than wall time.
    peak_memory_bytes : int
        Largest resident memory of the process up to the end: the method's own need only in a process
        that has done nothing larger before.
    started, device, commit : str
        When, on which processor and with which source it was measured.
    versions : dict
        Versions of Python and of the packages used.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> result = measure_baseline("cosine", make_dataset("smoke"))
    >>> BaselineResult.from_json(result.to_json()) == result
    True
    """

    schema_version: Literal[1] = 1
    name: Name
    dataset: DatasetOrName
    data_digests: dict[str, str]
    settings: dict[str, float | int | str] = Field(default_factory=dict)
    validation_predictions: tuple[Count, ...]
    test_predictions: tuple[Count, ...]
    validation_errors: Count
    test_errors: Count
    fit_seconds: Seconds
    predict_seconds: Seconds
    processor_seconds: Seconds
    peak_memory_bytes: Count
    started: str
    device: str
    commit: str
    versions: dict[str, str]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("validation", "test"):
            errors, n = getattr(self, f"{name}_errors"), len(getattr(self, f"{name}_predictions"))
            if errors > n:
                raise ValueError(f"{name}_errors={errors} for {n} predictions; there can be at most one for each")
        return self

    @property
    def dataset_spec(self) -> DatasetSpec:
        """The dataset's specification."""
        return self.dataset if isinstance(self.dataset, DatasetSpec) else dataset_spec(self.dataset)

    def faults(self, dataset: Dataset) -> list[str]:
        """What does not hold together in this result, given its dataset; empty for a sound one.

        Parameters
        ----------
        dataset : Dataset
            Made from the specification of the result.

        Returns
        -------
        list of str
            One sentence for each fault.
        """
        found = []
        for name in ("validation", "test"):
            predicted, labels = np.array(getattr(self, f"{name}_predictions")), dataset.split(name).labels
            if len(predicted) != len(labels):
                found.append(f"{name}: {len(predicted)} predictions for {len(labels)} spectra")
                continue
            wrong, stated = int(np.count_nonzero(predicted != labels)), getattr(self, f"{name}_errors")
            if wrong != stated:
                found.append(f"{name}: predictions make {wrong} errors, the result says {stated}")
        if self.data_digests != data_digests(dataset):
            found.append("the data are not those that the specification gives now")
        return found

    def to_json(self) -> str:
        """Write the result as JSON.

        Returns
        -------
        str
        """
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str, source: str = "baseline result") -> Self:
        """Read a result from JSON.

        Parameters
        ----------
        text : str
            JSON text.
        source : str
            Origin of the text, for the error.

        Returns
        -------
        BaselineResult

        Raises
        ------
        SpecificationError
            If the text is not JSON, or a field is missing, unknown or out of its range.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpecificationError(f"{source}: not a complete JSON text ({error}); make the result again") from None
        return cls.read(data, source)

    def row(self) -> dict[str, Any]:
        """Give one line of a table, with the column names that run records use.

        Returns
        -------
        dict of str to object
            Times in seconds, memory in bytes, accuracies from 0 to 1.
        """
        row: dict[str, Any] = {
            "dataset": self.dataset_spec.name,
            "model": self.name,
            "options": json.dumps(self.settings) if self.settings else "",
        }
        for name in ("validation", "test"):
            errors, n = getattr(self, f"{name}_errors"), len(getattr(self, f"{name}_predictions"))
            row |= {f"{name}_errors": errors, f"{name}_n": n, f"{name}_accuracy": 1 - errors / n}
        return row | {
            "fit_seconds": self.fit_seconds,
            "predict_seconds": self.predict_seconds,
            "seconds": self.fit_seconds + self.predict_seconds,
            "processor_seconds": self.processor_seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "device": self.device,
        }


def measure_baseline(name: str, dataset: Dataset) -> BaselineResult:
    """Fit a baseline, classify the validation and the test set, and measure time and memory.

    Parameters
    ----------
    name : str
        A name of `list_baselines`.
    dataset : Dataset
        The dataset.

    Returns
    -------
    BaselineResult

    Raises
    ------
    UnknownNameError
        If there is no baseline of that name.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> measure_baseline("peak_matcher", make_dataset("smoke")).test_errors
    0
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    start, worked = time.perf_counter(), time.process_time()
    baseline = fit_baseline(name, dataset)
    fitted = time.perf_counter()
    validation, test = baseline.predict(dataset.validation), baseline.predict(dataset.test)
    end, done = time.perf_counter(), time.process_time()
    fields = {
        "name": name,
        "dataset": dataset.spec,
        "data_digests": data_digests(dataset),
        "settings": dict(baseline.settings),
        "validation_predictions": validation.tolist(),
        "test_predictions": test.tolist(),
        "validation_errors": int(np.count_nonzero(validation != dataset.validation.labels)),
        "test_errors": int(np.count_nonzero(test != dataset.test.labels)),
        "fit_seconds": fitted - start,
        "predict_seconds": end - fitted,
        "processor_seconds": done - worked,
        "peak_memory_bytes": machine.peak_memory(),
        "started": started,
        "device": machine.processor_name(),
        "commit": machine.commit(),
        "versions": machine.package_versions(PACKAGES),
    }
    return BaselineResult.read(fields, f"baseline {name!r}")


_COLUMNS = (
    *("dataset", "model", "options", "validation_errors", "validation_n", "validation_accuracy"),
    *("test_errors", "test_n", "test_accuracy", "fit_seconds", "predict_seconds", "seconds", "processor_seconds"),
    *("peak_memory_bytes", "device"),
)


def baseline_table(results: Iterable[BaselineResult]) -> pd.DataFrame:
    """Put results into one table, fewest test errors first, with the column names that run records use.

    Parameters
    ----------
    results : iterable of BaselineResult
        Any datasets.

    Returns
    -------
    DataFrame
        One row for each result, sorted by dataset and test errors; columns of
        `BaselineResult.row`.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> results = [measure_baseline("peak_matcher", make_dataset("smoke"))]
    >>> baseline_table(results)[["dataset", "model", "test_errors", "test_n"]].values.tolist()
    [['smoke', 'peak_matcher', 0, 36]]
    """
    import pandas as pd

    table = pd.DataFrame([result.row() for result in results], columns=list(_COLUMNS))
    return table.sort_values(["dataset", "test_errors"], kind="stable", ignore_index=True)
