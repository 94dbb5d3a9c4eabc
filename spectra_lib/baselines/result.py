"""What a baseline achieved on a dataset, as a value that can be kept and compared."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from spectra_lib.baselines.registry import fit_baseline
from spectra_lib.dataset import Dataset
from spectra_lib.errors import SpecificationError
from spectra_lib.specification import Value

if TYPE_CHECKING:
    import pandas as pd

Count = Annotated[int, Field(ge=0)]


class BaselineResult(Value):
    """Predictions of one baseline, with what they cost.

    Attributes
    ----------
    schema_version : int
        Version of this layout.
    name : str
        Baseline.
    dataset : str
        Name of the dataset.
    dataset_digest : str
        SHA-256 of its specification.
    settings : dict
        What the baseline chose or found in fitting.
    validation_predictions, test_predictions : tuple of int
        Class given to each spectrum.
    validation_errors, test_errors : int
        Wrong ones among them.
    fit_seconds, predict_seconds : float
        Wall time of fitting, choices included, and of predicting both sets.
    peak_memory_bytes : int
        Largest resident memory of the process up to the end: the method's own need only in a process
        that has done nothing larger before.

    Examples
    --------
    >>> result = BaselineResult(
    ...     name="cosine", dataset="smoke", dataset_digest="0" * 64, validation_predictions=(0, 1),
    ...     test_predictions=(1,), validation_errors=1, test_errors=0, fit_seconds=0.1, predict_seconds=0.1,
    ...     peak_memory_bytes=10**8,
    ... )
    >>> BaselineResult.from_json(result.to_json()) == result
    True
    """

    schema_version: Literal[1] = 1
    name: str
    dataset: str
    dataset_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    settings: dict[str, float | int | str] = Field(default_factory=dict)
    validation_predictions: tuple[Count, ...]
    test_predictions: tuple[Count, ...]
    validation_errors: Count
    test_errors: Count
    fit_seconds: Annotated[float, Field(ge=0)]
    predict_seconds: Annotated[float, Field(ge=0)]
    peak_memory_bytes: Count

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("validation", "test"):
            errors, n = getattr(self, f"{name}_errors"), len(getattr(self, f"{name}_predictions"))
            if errors > n:
                raise ValueError(f"{name}_errors={errors} for {n} predictions; there can be at most one for each")
        return self

    def to_json(self) -> str:
        """Write the result as JSON."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str, source: str = "baseline result") -> Self:
        """Read a result from JSON.

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
        """Give one line of a table, with the column names that run records use."""
        row: dict[str, Any] = {"dataset": self.dataset, "model": self.name, "options": json.dumps(self.settings)}
        for name in ("validation", "test"):
            errors, n = getattr(self, f"{name}_errors"), len(getattr(self, f"{name}_predictions"))
            row |= {f"{name}_errors": errors, f"{name}_n": n, f"{name}_accuracy": 1 - errors / n}
        seconds = self.fit_seconds + self.predict_seconds
        return row | {"seconds": seconds, "peak_memory_bytes": self.peak_memory_bytes}


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
    >>> from spectra_lib.dataset import make_dataset
    >>> measure_baseline("peak_matcher", make_dataset("smoke")).test_errors
    0
    """
    start = time.perf_counter()
    baseline = fit_baseline(name, dataset)
    fitted = time.perf_counter()
    validation, test = baseline.predict(dataset.validation), baseline.predict(dataset.test)
    end = time.perf_counter()
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return BaselineResult(
        name=name,
        dataset=dataset.spec.name,
        dataset_digest=dataset.spec.digest,
        settings=dict(baseline.settings),
        validation_predictions=tuple(validation.tolist()),
        test_predictions=tuple(test.tolist()),
        validation_errors=int(np.count_nonzero(validation != dataset.validation.labels)),
        test_errors=int(np.count_nonzero(test != dataset.test.labels)),
        fit_seconds=fitted - start,
        predict_seconds=end - fitted,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    )


def baseline_table(results: Iterable[BaselineResult]) -> pd.DataFrame:
    """Put results into one table, fewest test errors first, with the column names that run records use."""
    import pandas as pd

    return pd.DataFrame([result.row() for result in results]).sort_values(["dataset", "test_errors"], kind="stable")
