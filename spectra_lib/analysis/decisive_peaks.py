"""Spectra of two confusable classes at the peak that tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spectra_lib.analysis.confusable import Cause, Pair, alike_pairs
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.datasets.probes import decisive_peaks
from spectra_lib.datasets.statistics import peaks_of


def decisive_peak(dataset: Dataset, pair: Pair) -> tuple[int, int]:
    """Tell which peak, by its index in either class, tells two classes apart.

    For a peak that the other class lacks, the second index is that of the nearest peak.

    Parameters
    ----------
    dataset : Dataset
        Knows fingerprints and variation.
    pair : Pair
        Two of its classes.

    Returns
    -------
    (int, int)
        Index of the peak in the first class, and in the second.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> decisive_peak(make_dataset("challenge"), (9, 10))
    (1, 1)
    """
    first, second = (dataset.fingerprints[label] for label in pair)
    _, peak = decisive_peaks(first, second, 2 * dataset.spec.variation.position_shift)
    return peak, int(np.abs(np.array(second.positions) - first.positions[peak]).argmin())


def fewest_on_the_wrong_side(first: Sequence[float] | NDArray, second: Sequence[float] | NDArray) -> int:
    """Errors of the best single threshold between two groups of numbers.

    Parameters
    ----------
    first, second : sequence of float or ndarray, shape (n,)
        The groups.

    Returns
    -------
    int

    Examples
    --------
    >>> fewest_on_the_wrong_side([1, 2, 4], [3, 5, 6])
    1
    """
    return best_threshold(first, second)[1]


def best_threshold(first: Sequence[float] | NDArray, second: Sequence[float] | NDArray) -> tuple[float, int]:
    """Find the single threshold between two groups of numbers that leaves fewest on the wrong side.

    Parameters
    ----------
    first, second : sequence of float or ndarray, shape (n,)
        The groups; one alone may be empty.

    Returns
    -------
    float
        The threshold, half-way between its neighbours; of several equally good ones the middle one.
    int
        How many numbers are on the wrong side.

    Examples
    --------
    >>> best_threshold([1, 2, 3], [5, 6])
    (4.0, 0)
    """
    values = np.concatenate((first, second)).astype(float)
    is_second = np.repeat([False, True], [len(first), len(second)])
    steps = np.unique(values)
    thresholds = np.concatenate((steps[:1] - 1.0, (steps[:-1] + steps[1:]) / 2, steps[-1:] + 1.0))
    wrong = ((values[None, :] > thresholds[:, None]) != is_second).sum(axis=1)
    wrong = np.minimum(wrong, len(values) - wrong)
    best = np.flatnonzero(wrong == wrong.min())
    return float(thresholds[best[len(best) // 2]]), int(wrong.min())


def nearest_training_spectra(dataset: Dataset, true: int, other: int) -> pd.DataFrame:
    """Measure how far the test spectra of a class lie from the training spectra of its own and of another class.

    Distances are those of the peak that tells the classes apart, in units of the variation: 1 is the
    largest shift, or the largest change of a height.

    Parameters
    ----------
    dataset : Dataset
        Has training and test spectra.
    true : int
        Class of the test spectra.
    other : int
        The class to compare with.

    Returns
    -------
    DataFrame
        One row for each test spectrum of the class `true`: ``row``, and the distances ``own`` and
        ``other`` to the nearest training spectrum of either class.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> nearest_training_spectra(make_dataset("challenge"), 9, 10).shape
    (6, 3)
    """
    law = dataset.spec.variation
    units = np.array([law.position_shift or 1, law.height_change or 1.0])
    peak, partner = decisive_peak(dataset, (true, other))
    tested = np.column_stack(peaks_of(dataset.test, true, peak)) / units
    distances = {
        name: cKDTree(np.column_stack(peaks_of(dataset.train, label, index)) / units).query(tested)[0]
        for name, label, index in (("own", true, peak), ("other", other, partner))
    }
    return pd.DataFrame({"row": np.flatnonzero(dataset.test.labels == true)} | distances)


def distances_of_alike_spectra(dataset: Dataset, errors: pd.DataFrame) -> pd.DataFrame:
    """Measure for all test spectra of classes whose peaks overlap how near either class's training spectra are.

    All pairs alike in positions or intensities count, confused or not, so that errors can be held
    against what was classified right.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    errors : DataFrame
        As `misclassified` gives them.

    Returns
    -------
    DataFrame
        Columns ``true``, ``answered`` (the other class of the pair), ``row``, ``own``, ``other`` (see
        `nearest_training_spectra`), and ``wrong``, in how many runs it was taken for the other class.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> table = distances_of_alike_spectra(make_dataset("challenge"), pd.DataFrame({"row": [54], "answered": [10]}))
    >>> table[table.wrong > 0][["true", "answered", "row", "wrong"]].to_numpy().tolist()
    [[9, 10, 54, 1]]
    """
    wrong = Counter(zip(errors.row.tolist(), errors.answered.tolist(), strict=True))
    parts = [pd.DataFrame(columns=["true", "answered", "row", "own", "other", "wrong"])]
    for (first, second), cause in alike_pairs(dataset).items():
        if cause is Cause.MINOR:
            continue  # there is no peak in both whose distance could be taken
        for true, other in ((first, second), (second, first)):
            near = nearest_training_spectra(dataset, true, other)
            times = [wrong[row, other] for row in near.row.tolist()]
            parts.append(near.assign(true=true, answered=other, wrong=times))
    return pd.concat(parts[1:] or parts, ignore_index=True)
