"""The three categories of the challenging set, and errors counted by category and by triplet of classes.

Classes 0 to 8 are told apart by minor peaks, 9 to 17 by positions, 18 to 26 by intensities; within a
category three classes in a row form a triplet that shares its large peaks. The smaller copy of the
set keeps this order.
Source: Schuetzke et al. 2023, Results, Challenging test dataset, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.analysis.decisive_peaks import decisive_peak
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.runs.record import RunRecord

Triplet = tuple[int, int, int]

CATEGORIES: Mapping[str, range] = MappingProxyType(
    {"minor peak": range(9), "position": range(9, 18), "intensity": range(18, 27)}
)
"""What tells the classes apart, and the classes."""


def triplets(category: str | None = None) -> list[Triplet]:
    """List the triplets of a category, or of all.

    Parameters
    ----------
    category : str, optional
        A name of `CATEGORIES`; none for all.

    Returns
    -------
    list of Triplet

    Examples
    --------
    >>> triplets("position")
    [(9, 10, 11), (12, 13, 14), (15, 16, 17)]
    >>> len(triplets())
    9
    """
    names = list(CATEGORIES) if category is None else [category]
    return [(k, k + 1, k + 2) for name in names for k in CATEGORIES[name][::3]]


def category_of(label: int) -> str:
    """Category of a class.

    Parameters
    ----------
    label : int
        A class of the challenging set, 0 to 26.

    Returns
    -------
    str
        A name of `CATEGORIES`.

    Examples
    --------
    >>> category_of(10)
    'position'
    """
    return next(name for name, labels in CATEGORIES.items() if label in labels)


def decisive_ranges(dataset: Dataset, triplet: Triplet) -> list[tuple[int, int]]:
    """Where the ideal spectra of a triplet differ most: first and last point of each place, from left to right.

    For every two of the classes, the peak that tells them apart; peaks that the variation can bring
    together make one range.

    Parameters
    ----------
    dataset : Dataset
        The challenging set.
    triplet : Triplet
        Three of its classes.

    Returns
    -------
    list of (int, int)
        In points.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> decisive_ranges(make_dataset("challenge"), (0, 1, 2)), decisive_ranges(make_dataset("challenge"), (9, 10, 11))
    ([(1800, 1800), (4200, 4200)], [(3000, 3140)])
    """
    found = set()
    for first in triplet:
        for second in triplet:
            own, other = (dataset.fingerprints[k] for k in (first, second))
            if first != second and own.n_peaks >= other.n_peaks:  # what is missing is seen in the class that has it
                found.add(own.positions[decisive_peak(dataset, (first, second))[0]])
    ranges: list[tuple[int, int]] = []
    for position in sorted(found):
        if ranges and position - ranges[-1][1] <= 2 * dataset.spec.variation.position_shift:
            ranges[-1] = ranges[-1][0], position
        else:
            ranges.append((position, position))
    return ranges


def errors_by_triplet(dataset: Dataset, records: Iterable[RunRecord]) -> pd.DataFrame:
    """Count the misclassified test spectra of runs in each triplet.

    Parameters
    ----------
    dataset : Dataset
        The challenging set or its smaller copy.
    records : iterable of RunRecord
        Runs on it.

    Returns
    -------
    DataFrame
        One row for each run and triplet: ``model``, ``hidden_activation``, ``seed``, ``category``,
        ``triplet``; ``n``, its test spectra; ``errors``; and ``outside``, the errors in which the answer
        is a class of another triplet.

    Raises
    ------
    SpectraError
        If the dataset does not have the 27 classes.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.runs.record import Predictions, RunRecord
    >>> from spectra_lib.runs.specification import RunSpec
    >>> data = make_dataset("challenge")
    >>> answers = Predictions.model_construct(labels=(3, *data.test.labels[1:].tolist()))
    >>> run = RunRecord.model_construct(spec=RunSpec(dataset="challenge", model="vgg"), test_predictions=answers)
    >>> table = errors_by_triplet(data, [run])
    >>> table[["n", "errors", "outside"]].iloc[0].tolist()
    [18, 1, 1]
    """
    _check(dataset)
    labels, rows = dataset.test.labels, []
    for record in records:
        answers = np.array(record.test_predictions.labels)
        wrong, away = answers != labels, answers // 3 != labels // 3
        for triplet in triplets():
            own = np.isin(labels, triplet)
            rows.append(
                (
                    record.spec.model,
                    record.spec.hidden_activation,
                    record.spec.seed,
                    category_of(triplet[0]),
                    triplet,
                    int(own.sum()),
                    int(wrong[own].sum()),
                    int(away[own].sum()),
                )
            )
    columns = ["model", "hidden_activation", "seed", "category", "triplet", "n", "errors", "outside"]
    return pd.DataFrame(rows, columns=columns)


def category_accuracy(dataset: Dataset, category: str) -> Callable[[RunRecord], float]:
    """Give a function that tells how many test spectra of a category a run gets right, in per cent.

    Parameters
    ----------
    dataset : Dataset
        The challenging set.
    category : str
        A name of `CATEGORIES`.

    Returns
    -------
    callable
        From a run record to a float in per cent.

    Raises
    ------
    UnknownNameError
        If there is no such category.
    SpectraError
        If the dataset does not have the 27 classes.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> category_accuracy(make_dataset("challenge"), "colour")
    Traceback (most recent call last):
    ...
    spectra_lib._base.errors.UnknownNameError: unknown category 'colour'; known: minor peak, position, intensity
    """
    _check(dataset)
    if category not in CATEGORIES:
        raise UnknownNameError("category", category, CATEGORIES)
    labels = dataset.test.labels
    own = np.isin(labels, list(CATEGORIES[category]))

    def accuracy(record: RunRecord) -> float:
        return 100 * float((np.array(record.test_predictions.labels) == labels)[own].mean())

    return accuracy


def ideal_errors_by_triplet(dataset: Dataset) -> pd.DataFrame:
    """Errors in each triplet that are expected of the Bayes classifier, ties split evenly.

    Parameters
    ----------
    dataset : Dataset
        The challenging set.

    Returns
    -------
    DataFrame
        One row for each triplet: ``triplet``; ``n``, its test spectra; ``errors``.

    Raises
    ------
    SpectraError
        If the dataset does not have the 27 classes.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> round(float(ideal_errors_by_triplet(make_dataset("challenge")).errors.sum()), 6)
    36.0
    """
    _check(dataset)
    observer, test, found = bayes_classifier(dataset), dataset.test, []
    for triplet in triplets():
        rows = np.flatnonzero(np.isin(test.labels, triplet))
        own = Split(test.labels[rows], test.peaks.take(rows), test.n_points)
        found.append((triplet, len(rows), observer.expected_errors(own)))
    return pd.DataFrame(found, columns=["triplet", "n", "errors"])


def _check(dataset: Dataset) -> None:
    if dataset.spec.n_classes != 27:
        raise SpectraError(
            f"dataset {dataset.spec.name!r} has {dataset.spec.n_classes} classes; expected the 27 of the challenging "
            "set (datasets challenge and laptop)"
        )
