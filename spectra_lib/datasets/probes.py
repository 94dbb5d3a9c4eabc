"""Named sets of spectra on which every trained network is asked for its opinion.

Weights are not kept, so questions about a network's behaviour are put while it exists: decision
maps around confusable pairs (Fig. 6 of the paper), spectra with one peak taken away, and test
spectra with noise or a background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectra_lib.datasets.dataset import Dataset, RealisticSplit, Split
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.specification import Fingerprint, Realism

_BY_HAND = ((0, 1), (9, 10), (18, 19))
PAIRS: dict[str, tuple[tuple[int, int], ...]] = {
    "benchmark": ((246, 382), (8, 318), (164, 281)),
    **dict.fromkeys(("challenge", "challenge_noisy", "laptop", "laptop_noisy"), _BY_HAND),
}
"""Pairs of classes mapped for each dataset: one for a minor peak, one for positions, one for heights."""

GRID_SIZE = 31
NOISE = 0.02
BACKGROUND = 0.2


@dataclass(frozen=True)
class DecisionMap:
    """A grid of spectra between two similar classes.

    One peak's position and one peak's height vary, often the same peak's; all others lie half-way
    between the two classes. The class with more peaks comes first.

    Attributes
    ----------
    pair : (int, int)
        The two classes.
    moved, scaled : int
        Peak (of the first class) that is moved, and peak whose height varies.
    positions : ndarray of int64, shape (GRID_SIZE,)
        Positions of the moved peak, in points.
    heights : ndarray of float64, shape (GRID_SIZE,)
        Heights of the scaled peak.
    split : Split
        The spectra, height by height: row ``i * GRID_SIZE + j`` has height i and position j.
    """

    pair: tuple[int, int]
    moved: int
    scaled: int
    positions: NDArray[np.int64]
    heights: NDArray[np.float64]
    split: Split


def decisive_peaks(first: Fingerprint, second: Fingerprint, reach: int) -> tuple[int, int]:
    """Which peak of the first fingerprint to move and which to scale, to get to the second.

    Where the first has a peak that the second lacks within `reach` points, that peak is scaled
    and the highest one moved; otherwise one peak does both: the one whose height differs most,
    or, with equal heights, whose position does.

    Parameters
    ----------
    first, second : Fingerprint
        Two classes.
    reach : int
        Distance in points up to which two peaks match.

    Returns
    -------
    moved, scaled : int
        Indices of peaks of `first`.

    Examples
    --------
    >>> minor = Fingerprint(positions=(700, 1800, 3000), heights=(0.7, 0.035, 1.0))
    >>> decisive_peaks(minor, Fingerprint(positions=(700, 3000), heights=(0.7, 1.0)), reach=100)
    (2, 1)
    """
    own, other = np.array(first.positions), np.array(second.positions)
    distance = np.abs(own[:, None] - other[None, :])
    lonely = np.flatnonzero(distance.min(axis=1) > reach)
    if lonely.size:
        return int(np.argmax(first.heights)), int(lonely[np.argmin(np.array(first.heights)[lonely])])
    partner = distance.argmin(axis=1)
    height_gap = np.abs(np.array(first.heights) - np.array(second.heights)[partner])
    position_gap = distance.min(axis=1)
    peak = int(np.argmax(position_gap if height_gap.max() < 0.02 else height_gap))
    return peak, peak


def decision_map(dataset: Dataset, pair: tuple[int, int]) -> DecisionMap:
    """Lay a grid of positions and heights over the region between two classes.

    After Fig. 6 of the paper.

    Parameters
    ----------
    dataset : Dataset
        Gives the fingerprints, the variation and the test width.
    pair : (int, int)
        Labels of the two classes.

    Returns
    -------
    DecisionMap
        With GRID_SIZE x GRID_SIZE spectra.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> grid = decision_map(make_dataset("challenge"), (0, 1))
    >>> grid.pair, len(grid.split)
    ((1, 0), 961)
    """
    first, second = sorted(pair, key=lambda label: -dataset.fingerprints[label].n_peaks)
    ours, theirs = dataset.fingerprints[first], dataset.fingerprints[second]
    law = dataset.spec.variation
    moved, scaled = decisive_peaks(ours, theirs, 2 * law.position_shift)
    anchors = _span(ours.positions[moved], theirs.positions)
    levels = _span(ours.heights[scaled], theirs.heights if moved == scaled else (0.0,))
    margin = 1.2 * law.position_shift
    positions = np.linspace(anchors[0] - margin, anchors[1] + margin, GRID_SIZE).round().astype(np.int64)
    low = max(0.0, levels[0] - 1.5 * law.height_change)
    heights = np.linspace(low, levels[1] + 1.5 * law.height_change, GRID_SIZE)
    neutral_positions, neutral_heights = _half_way(ours, theirs, 2 * law.position_shift)
    table_positions, table_heights = [], []
    for height in heights:
        for position in positions:
            p, h = neutral_positions.copy(), neutral_heights.copy()
            p[moved], h[scaled] = np.clip(position, 0, dataset.spec.n_points - 1), height
            table_positions.append(p)
            table_heights.append(h)
    table = PeakTable.from_lists(table_positions, table_heights, np.full(len(table_positions), dataset.spec.test.width))
    labels = np.full(len(table), first, dtype=np.int64)
    return DecisionMap((first, second), moved, scaled, positions, heights, Split(labels, table, dataset.spec.n_points))


def _half_way(first: Fingerprint, second: Fingerprint, reach: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Peaks of the first fingerprint, each half-way to the second's nearest peak within reach."""
    positions, heights = np.array(first.positions), np.array(first.heights)
    other = np.array(second.positions)
    for peak, position in enumerate(first.positions):
        partner = int(np.abs(other - position).argmin())
        if abs(other[partner] - position) <= reach:
            positions[peak] = (position + other[partner]) // 2
            heights[peak] = (heights[peak] + second.heights[partner]) / 2
    return positions, heights


def _span(own: float, others: Sequence[float]) -> tuple[float, float]:
    nearest = min(others, key=lambda value: abs(value - own))
    return min(own, nearest), max(own, nearest)


def occlusion(dataset: Dataset) -> tuple[Split, NDArray[np.int64]]:
    """Ideal spectra with one peak taken away, each peak of each class in turn.

    Parameters
    ----------
    dataset : Dataset
        Classes of a single peak are left out.

    Returns
    -------
    Split
        The spectra, labelled with their class.
    ndarray of int64, shape (n_spectra,)
        Index of the peak that is missing.
    """
    labels, missing, positions, heights = [], [], [], []
    for label, fingerprint in enumerate(dataset.fingerprints):
        if fingerprint.n_peaks == 1:
            continue  # nothing would be left
        for peak in range(fingerprint.n_peaks):
            labels.append(label)
            missing.append(peak)
            positions.append(np.delete(fingerprint.positions, peak))
            heights.append(np.delete(fingerprint.heights, peak))
    table = PeakTable.from_lists(positions, heights, np.full(len(labels), dataset.spec.test.width))
    return Split(np.array(labels), table, dataset.spec.n_points), np.array(missing)


def degrade(split: Split, *, noise: float = 0.0, background: float = 0.0) -> RealisticSplit:
    """Give a split's spectra without what may have been added to them, but with noise or a background.

    Parameters
    ----------
    split : Split
        Gives labels and peaks.
    noise, background : float
        Their levels (see `spectra_lib.datasets.specification.Realism`), the same in all spectra.

    Returns
    -------
    RealisticSplit
        Its draws depend on the row only.
    """
    dials = Realism(noise=(noise, noise), background=(background, background))
    return RealisticSplit(split.labels, split.peaks, split.n_points, dials, seed=())


def probe_splits(dataset: Dataset) -> dict[str, Split]:
    """All probes of a dataset by name, as they go into a run record.

    Parameters
    ----------
    dataset : Dataset
        Decision maps exist only for the datasets of `PAIRS`.

    Returns
    -------
    dict of str to Split
        ``map-A-B`` for pairs of classes, ``occlusion``, ``noise``, ``background``; ``clean`` if
        the dataset itself has noise, a background or Lorentzian tails.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> list(probe_splits(make_dataset("smoke")))
    ['occlusion', 'noise', 'background']
    """
    probes: dict[str, Split] = {}
    for pair in PAIRS.get(dataset.spec.name, ()):
        grid = decision_map(dataset, pair)
        probes[f"map-{grid.pair[0]}-{grid.pair[1]}"] = grid.split
    probes["occlusion"] = occlusion(dataset)[0]
    test = dataset.test
    probes["noise"] = degrade(test, noise=NOISE)
    probes["background"] = degrade(test, background=BACKGROUND)
    if not test.is_sparse:  # networks trained with noise or background are also asked about spectra without
        probes["clean"] = Split(test.labels, test.peaks, test.n_points)
    return probes
