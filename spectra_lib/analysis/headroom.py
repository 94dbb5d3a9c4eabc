"""How far down the ceiling comes when the generator is turned up, and how much training data takes one there.

The general benchmark is used up: its best methods stand at the ceiling. The same generator makes harder
sets, of more classes, fewer or more peaks, or larger variation. What takes longer than a minute is computed by
``spectra-lib headroom run`` and kept as ``STORE/headroom/KIND/SERIES.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from spectra_lib._base import machine
from spectra_lib._base.atomic_file import write_whole
from spectra_lib._base.errors import StoreError, UnknownNameError
from spectra_lib._base.names import Name, path_inside
from spectra_lib._base.values import Value
from spectra_lib.baselines.result import PACKAGES
from spectra_lib.bayes.class_centres import ClassCentres
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.bayes.training_distribution import observe
from spectra_lib.datasets.dataset import Dataset, make_dataset
from spectra_lib.datasets.harder import TRAINING_SIZES, with_training_size
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.specification import DatasetSpec, Variation
from spectra_lib.networks.catalogue import OWN
from spectra_lib.runs.specification import usual_rules

if TYPE_CHECKING:
    import pandas as pd

    from spectra_lib.runs.records import RunRecords

FOLDER = "headroom"
"""Folder of these results, in the store of the run records."""

SPECTRA = 10_000
"""Fresh spectra behind each ceiling, or two for each class if that is more."""

SEED = 1
"""Seed of the fresh spectra."""


class CeilingPoint(Value):
    """The ceiling of one dataset.

    Attributes
    ----------
    value : float
        What was varied.
    digest : str
        SHA-256 of the dataset's specification.
    n_spectra : int
        Fresh spectra of the training law.
    expected_errors, standard_error : float
        Errors expected of the Bayes classifier; standard error of its accuracy.
    shared : int
        Spectra that more than one class can have made.
    """

    value: float
    digest: str
    n_spectra: Annotated[int, Field(gt=0)]
    expected_errors: Annotated[float, Field(ge=0)]
    standard_error: Annotated[float, Field(ge=0)]
    shared: Annotated[int, Field(ge=0)]

    @property
    def accuracy(self) -> float:
        """Expected fraction classified correctly."""
        return 1.0 - self.expected_errors / self.n_spectra


class LearningPoint(Value):
    """Errors of a method that has learned from so many spectra of each class.

    Attributes
    ----------
    value : float
        Training spectra of each class.
    digest : str
        SHA-256 of the dataset's specification.
    validation_errors, validation_n, test_errors, test_n : int
        Wrong answers, and spectra asked about.
    """

    value: float
    digest: str
    validation_errors: Annotated[int, Field(ge=0)]
    validation_n: Annotated[int, Field(gt=0)]
    test_errors: Annotated[int, Field(ge=0)]
    test_n: Annotated[int, Field(gt=0)]


class Series(Value):
    """Results along one parameter, with what they were made.

    Attributes
    ----------
    schema_version : int
        Version of this layout.
    name : str
        Name of the series.
    ceilings : tuple of CeilingPoint
        Ceilings; empty for a series on learning.
    learning : tuple of LearningPoint
        Errors against the number of training spectra; empty for a series of ceilings.
    device, commit : str
        Processor and source.
    versions : dict
        Versions of packages.
    """

    schema_version: Literal[1] = 1
    name: Name
    ceilings: tuple[CeilingPoint, ...] = ()
    learning: tuple[LearningPoint, ...] = ()
    device: str
    commit: str
    versions: dict[str, str]


def _changed(name: str, **fields: object) -> DatasetSpec:
    base = dataset_spec("benchmark")
    # The hand-made exceptions of the published test set belong to its own classes.
    plain = base.test.model_copy(update={"changes": {}})
    return DatasetSpec.model_validate(base.model_dump() | {"name": name, "test": plain} | fields)


def _variation(**fields: object) -> Variation:
    return dataset_spec("benchmark").variation.model_copy(update=fields)


CEILINGS: Mapping[str, tuple[str, tuple[float, ...], Callable[[float], DatasetSpec]]] = {
    "classes": (
        "Number of classes",
        (500, 1000, 2000, 5000),
        lambda n: _changed(f"classes-{n:.0f}", n_classes=int(n)),
    ),
    "peaks": (
        "Peaks of each class",
        (2, 3, 5, 8),
        lambda n: _changed(f"peaks-{n:.0f}", min_peaks=int(n), max_peaks=int(n), peak_count_law="uniform"),
    ),
    "shift": (
        "Largest shift of a peak (points)",
        (25, 50, 100, 200),
        lambda n: _changed(f"shift-{n:.0f}", variation=_variation(position_shift=int(n))),
    ),
    "height": (
        "Largest change of a relative intensity",
        (0.025, 0.05, 0.1, 0.2, 0.4),
        lambda change: _changed(f"height-{change:g}", variation=_variation(height_change=change)),
    ),
}
"""Series of ceilings: what is varied, its values, and the dataset for a value. All else is the general set's."""


def measure_ceiling(value: float, spec: DatasetSpec, spectra: int = SPECTRA) -> CeilingPoint:
    """Estimate the ceiling of a dataset on fresh spectra of its training law.

    Parameters
    ----------
    value : float
        What varies in the series, as a number.
    spec : DatasetSpec
    spectra : int
        Fresh spectra of all classes together; at least 2 of each class are drawn.

    Returns
    -------
    CeilingPoint

    Examples
    --------
    >>> point = measure_ceiling(4, dataset_spec("smoke"), spectra=80)
    >>> point.n_spectra, point.accuracy > 0.99
    (80, True)
    """
    # Neither training nor validation spectra are looked at.
    observer = bayes_classifier(make_dataset(spec.model_copy(update={"n_train": 1, "n_validation": 1})))
    found = observer.ceiling_in_the_limit(max(2, spectra // spec.n_classes), SEED)
    return CeilingPoint(
        value=value,
        digest=spec.digest,
        n_spectra=found.n_spectra,
        expected_errors=found.expected_errors,
        standard_error=found.standard_error,
        shared=found.shared,
    )


def measure_mid_range(dataset: Dataset) -> LearningPoint:
    """Count the errors of the nearest mid-range of the training peaks, all peaks known exactly.

    Parameters
    ----------
    dataset : Dataset
        Has training, validation and test spectra.

    Returns
    -------
    LearningPoint
        Its `value` is the number of training spectra of a class.

    Examples
    --------
    >>> measure_mid_range(make_dataset("smoke")).test_errors
    0
    """
    centres = ClassCentres.mid_range(dataset)
    errors = {
        name: int((centres.nearest(observe(split.peaks))[0] != split.labels).sum())
        for name, split in (("validation", dataset.validation), ("test", dataset.test))
    }
    return LearningPoint(
        value=dataset.spec.n_train,
        digest=dataset.spec.digest,
        validation_errors=errors["validation"],
        validation_n=len(dataset.validation),
        test_errors=errors["test"],
        test_n=len(dataset.test),
    )


LEARNING: Mapping[str, str] = {"mid_range-benchmark": "benchmark", "mid_range-challenge": "challenge"}
"""Series on learning: the nearest mid-range on either dataset."""


def list_series() -> list[str]:
    """Names of all series.

    Returns
    -------
    list of str

    Examples
    --------
    >>> list_series()
    ['classes', 'peaks', 'shift', 'height', 'mid_range-benchmark', 'mid_range-challenge']
    """
    return [*CEILINGS, *LEARNING]


def measure_series(name: str, report: Callable[[str], None] = lambda line: None) -> Series:
    """Compute a series; minutes on one core.

    Parameters
    ----------
    name : str
        A name of `list_series`.
    report : callable
        Gets a line for each value.

    Returns
    -------
    Series

    Raises
    ------
    UnknownNameError
        If there is no such series.
    """
    ceilings: list[CeilingPoint] = []
    learning: list[LearningPoint] = []
    if name in CEILINGS:
        _, values, make = CEILINGS[name]
        for value in values:
            ceilings.append(measure_ceiling(value, make(value)))
            report(f"{name} {value:g}: ceiling {100 * ceilings[-1].accuracy:.2f} %")
    elif name in LEARNING:
        for size in TRAINING_SIZES:
            learning.append(measure_mid_range(make_dataset(with_training_size(dataset_spec(LEARNING[name]), size))))
            report(f"{name} {size}: {learning[-1].test_errors} of {learning[-1].test_n} test spectra wrong")
    else:
        raise UnknownNameError("series", name, list_series())
    return Series(
        name=name,
        ceilings=tuple(ceilings),
        learning=tuple(learning),
        device=machine.processor_name(),
        commit=machine.commit(),
        versions=machine.package_versions(PACKAGES),
    )


def series_path(store: str | Path, name: str) -> Path:
    """File of a series.

    Parameters
    ----------
    store : str or Path
    name : str

    Returns
    -------
    Path

    Examples
    --------
    >>> series_path("results", "classes").as_posix()
    'results/headroom/ceilings/classes.json'
    """
    return path_inside(Path(store) / FOLDER, "ceilings" if name in CEILINGS else "learning", f"{name}.json")


def save_series(store: str | Path, series: Series) -> Path:
    """Write a series; an earlier one is replaced at once.

    Parameters
    ----------
    store : str or Path
    series : Series

    Returns
    -------
    Path

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    path = series_path(store, series.name)
    try:
        write_whole(path, series.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise StoreError(
            f"cannot write the series {path}: {error.strerror or error}; free some space or choose another store"
        ) from error
    return path


def load_series(store: str | Path, name: str) -> Series | None:
    """Read a series; None if the store does not have it.

    Parameters
    ----------
    store : str or Path
    name : str

    Returns
    -------
    Series or None

    Raises
    ------
    StoreError
        If the file is damaged, or its values or datasets are not those of the series now.
    """
    path = series_path(store, name)
    if not path.exists():
        return None
    try:
        series = Series.read(json.loads(path.read_text(encoding="utf-8")), str(path))
    except ValueError as error:
        raise StoreError(f"{path}: {error}; make it again with 'spectra-lib headroom run {name}'") from None
    expected = _digests(name)
    found = [(point.value, point.digest) for point in series.ceilings]
    found += [(point.value, point.digest) for point in series.learning]
    if found != expected:
        raise StoreError(
            f"{path}: not made from the datasets that {name!r} asks for now; make it again with "
            f"'spectra-lib headroom run {name}'"
        )
    return series


def _digests(name: str) -> list[tuple[float, str]]:
    if name in CEILINGS:
        _, values, make = CEILINGS[name]
        return [(value, make(value).digest) for value in values]
    base = dataset_spec(LEARNING[name])
    return [(size, with_training_size(base, size).digest) for size in TRAINING_SIZES]


def network_learning(records: RunRecords, spec: DatasetSpec) -> pd.DataFrame:
    """Gather runs on a dataset and on its copies with other numbers of training spectra.

    Parameters
    ----------
    records : RunRecords
        All records there are.
    spec : DatasetSpec
        The dataset.

    Returns
    -------
    DataFrame
        Columns ``model``, ``hidden_activation``, ``n_train``, ``seed``, ``validation_errors``, ``test_errors``,
        ``test_n``; networks with their usual options and training rules only.
    """
    import pandas as pd

    rows = [
        (
            record.spec.model,
            record.spec.hidden_activation,
            record.spec.dataset_spec.n_train,
            record.spec.seed,
            record.validation.errors,
            record.test.errors,
            record.test.n,
        )
        for record in records.select(options={}, **usual_rules())
        if record.spec.dataset_spec == with_training_size(spec, record.spec.dataset_spec.n_train)
    ]
    columns = ["model", "hidden_activation", "n_train", "seed", "validation_errors", "test_errors", "test_n"]
    return pd.DataFrame(rows, columns=columns)


def drawn_networks(table: pd.DataFrame) -> pd.DataFrame:
    """Choose from `network_learning` the networks that were trained on several sizes, and this project's own.

    Parameters
    ----------
    table : DataFrame
        Columns ``model``, ``hidden_activation`` and ``n_train`` at least.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> import pandas as pd
    >>> runs = [("cnn2", "relu", 5), ("cnn2", "relu", 50), ("vgg", "relu", 50), ("peaknet", None, 50)]
    >>> drawn_networks(pd.DataFrame(runs, columns=["model", "hidden_activation", "n_train"])).model.tolist()
    ['cnn2', 'cnn2', 'peaknet']
    """
    sizes = table.groupby(["model", "hidden_activation"], dropna=False).n_train.transform("nunique")
    return table[(sizes > 1) | (table.model == OWN)]


@dataclass(frozen=True)
class HarderSet:
    """A harder dataset and what can be known of it without training a network.

    Attributes
    ----------
    spec : DatasetSpec
        The dataset.
    ceiling : CeilingPoint
        Of fresh spectra of its law.
    expected_errors : float
        Errors expected of the Bayes classifier on its test set.
    mid_range : LearningPoint
        The nearest mid-range of the training peaks.
    """

    spec: DatasetSpec
    ceiling: CeilingPoint
    expected_errors: float
    mid_range: LearningPoint


def measure_harder(spec: DatasetSpec) -> HarderSet:
    """Measure a harder dataset.

    Parameters
    ----------
    spec : DatasetSpec

    Returns
    -------
    HarderSet

    Examples
    --------
    >>> found = measure_harder(dataset_spec("smoke"))
    >>> found.mid_range.test_n, found.expected_errors
    (36, 0.0)
    """
    data = make_dataset(spec)
    expected = bayes_classifier(data).expected_errors(data.test)
    return HarderSet(spec, measure_ceiling(spec.n_classes, spec), expected, measure_mid_range(data))
