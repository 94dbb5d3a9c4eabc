"""Whole figures about pairs of classes: the peak that one lacks, the peak that tells two apart, peak by peak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spectra_lib.analysis.confusable import Pair, partners, shared_positions
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.datasets.statistics import peaks_of
from spectra_lib.figures.dataset import legend_above
from spectra_lib.figures.misclassifications import (
    Peaks,
    draw_fingerprints_around,
    draw_marginal,
    draw_pair_spectra,
    draw_peaks_of_pair,
)


def class_names(pair: Pair) -> list[str]:
    """Name two classes as legends do.

    Parameters
    ----------
    pair : (int, int)
        The classes.

    Returns
    -------
    list of str

    Examples
    --------
    >>> class_names((1, 2))
    ['class 1', 'class 2']
    """
    return [f"class {label}" for label in pair]


def draw_missing_peak(
    panels: Sequence[Axes],
    ideal: NDArray[np.floating],
    pair: Pair,
    places: tuple[int, int],
    height: float,
    margin: int = 150,
) -> None:
    """Draw two ideal spectra whole, around a peak that the second lacks, and around the largest peak.

    Parameters
    ----------
    panels : sequence of three Axes
        For the whole spectra and the two parts.
    ideal : ndarray, shape (2, n_points)
        Intensities.
    pair : (int, int)
        The classes.
    places : (int, int)
        Positions of the missing and of the largest peak, in points.
    height : float
        Relative intensity of the missing peak.
    margin : int
        Points to show on either side of a peak.
    """
    top, left, right = panels
    names = class_names(pair)
    missing, largest = ((place - margin, place + margin) for place in places)
    draw_pair_spectra(top, ideal, names, shaded=missing)
    draw_pair_spectra(left, ideal, names, missing, 1.5 * height)
    draw_pair_spectra(right, ideal, names, largest)
    legend_above(top)
    for axes in (left, right):
        axes.set_xlabel("Position (points)")
    right.set_ylabel("")


def draw_decisive_peaks(
    centre: Axes,
    right: Axes,
    training: Sequence[Peaks],
    test: Sequence[Peaks],
    pair: Pair,
    wrong: Sequence[NDArray[np.integer]],
) -> None:
    """Draw where the peak falls that tells two classes apart, and how training peaks are spread over heights.

    Parameters
    ----------
    centre, right : Axes
        For positions and heights; for the histogram of heights.
    training, test : sequence of (positions, heights)
        For the first and the second class.
    pair : (int, int)
        The classes.
    wrong : sequence of ndarray of int
        For each class and each test spectrum the number of runs that took it for the other class.
    """
    draw_peaks_of_pair(centre, training, test, class_names(pair), wrong)
    draw_marginal(right, [heights for _, heights in training], upright=True)
    right.sharey(centre)


def draw_confusable_pairs(panels: Sequence[Axes], dataset: Dataset, pairs: Sequence[Pair]) -> None:
    """Draw the mirrored fingerprints of pairs of classes, with the places that peaks of both can take.

    Parameters
    ----------
    panels : sequence of Axes
        One for each pair.
    dataset : Dataset
        The classes.
    pairs : sequence of (int, int)
        The pairs.
    """
    reach = 2 * dataset.spec.variation.position_shift
    for axes, pair in zip(panels, pairs, strict=True):
        first, second = (dataset.fingerprints[label] for label in pair)
        met = shared_positions(first, second, reach)
        draw_fingerprints_around(axes, (first, second), class_names(pair), dataset.spec.n_points, met, reach)
    if panels:
        panels[-1].set_xlabel("Position (points)")


def peaks_to_show(dataset: Dataset, pair: Pair, most: int = 4) -> list[tuple[int, int]]:
    """Choose peaks of the first of two classes, each with the nearest peak of the second.

    Parameters
    ----------
    dataset : Dataset
        The dataset of both.
    pair : (int, int)
        The classes.
    most : int
        How many peaks at most.

    Returns
    -------
    list of (int, int)
        Numbers of the peaks in the fingerprints.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> peaks_to_show(make_dataset("challenge"), (0, 1), most=2)
    [(0, 0), (1, 2)]
    """
    first, second = (dataset.fingerprints[label] for label in pair)
    return partners(first, second)[:most]


def draw_peak_by_peak(
    panels: Sequence[Axes], dataset: Dataset, pair: Pair, wrong: Sequence[NDArray[np.integer]]
) -> None:
    """Draw the fingerprints of two classes, and below for each peak of the first where it and its nearest falls.

    Parameters
    ----------
    panels : sequence of Axes
        For the fingerprints, then one for each of `peaks_to_show`.
    dataset : Dataset
        The classes.
    pair : (int, int)
        The pair.
    wrong : sequence of ndarray of int
        For each class and each test spectrum the number of runs that took it for the other class.
    """
    top, *below = panels
    fingerprints = [dataset.fingerprints[label] for label in pair]
    draw_fingerprints_around(top, fingerprints, class_names(pair), dataset.spec.n_points)
    for axes, peaks in zip(below, peaks_to_show(dataset, pair), strict=True):
        training, test = (
            [peaks_of(split, label, k) for label, k in zip(pair, peaks, strict=True)]
            for split in (dataset.train, dataset.test)
        )
        draw_peaks_of_pair(axes, training, test, class_names(pair), wrong, ticks=2)
        axes.set_title(f"Peak {peaks[0]}")
    for axes in below[1:]:
        axes.set_ylabel("")
