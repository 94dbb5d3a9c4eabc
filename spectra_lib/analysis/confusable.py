"""Which classes the variation can make look alike, and why, from the fingerprints alone."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.datasets.specification import Fingerprint, Variation

Pair = tuple[int, int]
"""Two classes, the smaller label first where the order has no meaning."""


MINOR = 0.25
"""A peak below this fraction of the highest one is minor."""


class Cause(StrEnum):
    """Why two classes are alike."""

    MINOR = "minor peak"
    POSITION = "overlapping positions"
    INTENSITY = "overlapping intensities"


def cause_of_confusion(first: Fingerprint, second: Fingerprint, law: Variation) -> Cause | None:
    """Attribute the likeness of two classes to one of the paper's three causes.

    Peaks are held against the nearest one of the other class. The first rule that applies decides:

    1. Some peak has no partner within the reach of the variation: a minor peak if all such peaks are
       minor, else no cause.
    2. Heights of partners differ by more than the variation allows: a minor peak if both heights are
       minor, else the intensities.
    3. Positions or intensities, whichever differ more in units of what the variation can bridge.

    By the first rule heights do not count beside a lone minor peak, as in the paper; what it takes to make
    the classes equal in everything tells `needed_variation`.

    Parameters
    ----------
    first, second : Fingerprint
        The classes' ideal peaks.
    law : Variation
        How spectra vary.

    Returns
    -------
    Cause or None

    Examples
    --------
    >>> one = Fingerprint(positions=(700, 3000), heights=(0.7, 1.0))
    >>> cause_of_confusion(one, Fingerprint(positions=(700, 1800, 3000), heights=(0.7, 0.04, 1.0)), Variation()).value
    'minor peak'
    >>> cause_of_confusion(one, Fingerprint(positions=(740, 3000), heights=(0.7, 1.0)), Variation()).value
    'overlapping positions'
    >>> cause_of_confusion(one, Fingerprint(positions=(900, 3000), heights=(0.7, 1.0)), Variation()) is None
    True
    """
    reach, change = 2 * law.position_shift, 2 * law.height_change
    gaps = find_gaps(first, second, reach)
    if gaps.lonely:
        return Cause.MINOR if max(gaps.lonely) < MINOR else None
    if gaps.height > change:
        return Cause.MINOR if gaps.higher < MINOR else Cause.INTENSITY
    relative = [gaps.position / reach if reach else 0.0, gaps.height / change if change else 0.0]
    return Cause.POSITION if relative[0] >= relative[1] else Cause.INTENSITY


class Gaps(NamedTuple):
    """What sets two classes apart.

    Attributes
    ----------
    lonely : tuple of float
        Heights of peaks that one class has and the other lacks.
    position : int
        Largest distance, in points, between a peak and its partner in the other class.
    height : float
        Largest difference between the heights of two partners.
    higher : float
        The greater one of these two heights.
    """

    lonely: tuple[float, ...]
    position: int
    height: float
    higher: float


def find_gaps(first: Fingerprint, second: Fingerprint, reach: int) -> Gaps:
    """Compare two classes peak by peak, each peak with the nearest one of the other class within `reach` points.

    Parameters
    ----------
    first, second : Fingerprint
        The two classes.
    reach : int
        Largest distance of matched peaks, in points.

    Returns
    -------
    Gaps

    Examples
    --------
    >>> one, two = (Fingerprint(positions=(700, p), heights=(h, 1.0)) for p, h in ((3000, 0.5), (3040, 0.75)))
    >>> find_gaps(one, two, reach=100)
    Gaps(lonely=(), position=40, height=0.25, higher=0.75)
    """
    lonely, partners = [], []
    for own, other in ((first, second), (second, first)):
        distance = np.abs(np.subtract.outer(own.positions, other.positions))
        for height, gaps in zip(own.heights, distance, strict=True):
            nearest = int(gaps.argmin())
            if gaps[nearest] > reach:
                lonely.append(height)
            else:
                partners.append((int(gaps[nearest]), height, other.heights[nearest]))
    _, *widest = max(partners, key=lambda each: abs(each[1] - each[2]), default=(0, 0.0, 0.0))
    position = max((each[0] for each in partners), default=0)
    return Gaps(tuple(lonely), position, abs(widest[0] - widest[1]), max(widest))


def peaks_share_a_partner(first: Fingerprint, second: Fingerprint, reach: int) -> bool:
    """Whether two peaks of a class have the same nearest peak of the other class within `reach` points.

    Parameters
    ----------
    first, second : Fingerprint
        The two classes.
    reach : int
        Largest distance of matched peaks, in points.

    Returns
    -------
    bool

    Examples
    --------
    >>> one, two = (Fingerprint(positions=p, heights=(0.7, 1.0)) for p in ((700, 3000), (2990, 3040)))
    >>> peaks_share_a_partner(one, two, reach=100), peaks_share_a_partner(one, one, reach=100)
    (True, False)
    """
    distance = np.abs(np.subtract.outer(first.positions, second.positions))
    for gaps in (distance, distance.T):
        near = gaps.argmin(axis=1)[gaps.min(axis=1) <= reach]
        if len(np.unique(near)) < len(near):
            return True
    return False


def cause_of_pair(dataset: Dataset, pair: Pair) -> Cause | None:
    """Attribute the likeness of two classes of a dataset; see `cause_of_confusion`.

    Parameters
    ----------
    dataset : Dataset
        Knows fingerprints and variation.
    pair : Pair
        Two of its classes.

    Returns
    -------
    Cause or None

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> cause_of_pair(make_dataset("challenge"), (9, 10)).value
    'overlapping positions'
    """
    first, second = (dataset.fingerprints[label] for label in pair)
    return cause_of_confusion(first, second, dataset.spec.variation)


def check_pair(dataset: Dataset, pair: Sequence[int]) -> Pair:
    """Give a pair of classes in ascending order.

    Parameters
    ----------
    dataset : Dataset
        Knows the classes.
    pair : sequence of int
        Two classes, in any order.

    Returns
    -------
    Pair

    Raises
    ------
    SpectraError
        If it is not two different classes of the dataset.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> check_pair(make_dataset("smoke"), [3, 1])
    (1, 3)
    >>> check_pair(make_dataset("smoke"), [3, 4])
    Traceback (most recent call last):
    ...
    spectra_lib._base.errors.SpectraError: pair of classes: expected two different classes of 0 to 3, received [3, 4]
    """
    classes = range(dataset.spec.n_classes)
    if len(pair) != 2 or pair[0] == pair[1] or not all(label in classes for label in pair):
        raise SpectraError(
            f"pair of classes: expected two different classes of 0 to {classes[-1]}, received {list(pair)}"
        )
    return min(pair), max(pair)


def shared_peaks(dataset: Dataset) -> NDArray[np.int64]:
    """Count for each class how many of its peaks another class has too, as far as the variation lets them differ.

    Parameters
    ----------
    dataset : Dataset
        Knows fingerprints and variation.

    Returns
    -------
    ndarray of int64, shape (n_classes, n_classes)
        Element (i, j): peaks of class i that have a peak of class j within reach, whatever the heights.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> shared = shared_peaks(make_dataset("challenge"))
    >>> int(shared[0, 1]), int(shared[1, 0]), int(shared[1, 1])
    (2, 2, 3)
    """
    offsets = np.cumsum([0] + [f.n_peaks for f in dataset.fingerprints])
    positions = np.concatenate([f.positions for f in dataset.fingerprints])
    reach = 2 * dataset.spec.variation.position_shift
    alike = np.abs(np.subtract.outer(positions, positions)) <= reach
    has_partner = np.logical_or.reduceat(alike, offsets[:-1], axis=1)
    return np.add.reduceat(has_partner.astype(np.int64), offsets[:-1], axis=0)


def shared_positions(first: Fingerprint, second: Fingerprint, reach: int) -> list[int]:
    """Positions of the peaks of the first class that have a partner in the second, within `reach` points.

    Parameters
    ----------
    first, second : Fingerprint
        The two classes.
    reach : int
        Largest distance of matched peaks, in points.

    Returns
    -------
    list of int
        In points, ascending.

    Examples
    --------
    >>> one, two = (Fingerprint(positions=(700, p), heights=(0.5, 1.0)) for p in (3000, 3300))
    >>> shared_positions(one, two, reach=100)
    [700]
    """
    return [p for p in first.positions if min(abs(p - other) for other in second.positions) <= reach]


def alike_pairs(dataset: Dataset) -> dict[Pair, Cause]:
    """Find all pairs of classes that are alike in one of the three ways, from the fingerprints alone.

    Parameters
    ----------
    dataset : Dataset
        Knows fingerprints and variation.

    Returns
    -------
    dict of Pair to Cause
        By pair, in ascending order.

    Examples
    --------
    >>> from collections import Counter
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> pairs = alike_pairs(make_dataset("challenge"))
    >>> pairs[18, 19].value, (0, 3) in pairs
    ('overlapping intensities', False)
    """
    counts = np.array([f.n_peaks for f in dataset.fingerprints])
    # Only minor peaks may lack a partner, which few pairs fulfil: the others need no closer look.
    shared = shared_peaks(dataset)
    minor = np.array([sum(height < MINOR for height in f.heights) for f in dataset.fingerprints])
    possible = shared >= (counts - minor)[:, None]
    found = {}
    for first, second in np.argwhere(np.triu(possible & possible.T, 1)).tolist():
        cause = cause_of_pair(dataset, (first, second))
        if cause is not None:
            found[first, second] = cause
    return found


def partners(first: Fingerprint, second: Fingerprint) -> list[tuple[int, int]]:
    """Give each peak of the first class with the nearest one of the second, by their indices.

    Parameters
    ----------
    first, second : Fingerprint
        The two classes.

    Returns
    -------
    list of (int, int)

    Examples
    --------
    >>> one = Fingerprint(positions=(700, 3000), heights=(0.7, 1.0))
    >>> partners(one, Fingerprint(positions=(710, 1800, 2900), heights=(0.7, 0.04, 1.0)))
    [(0, 0), (1, 2)]
    """
    distance = np.abs(np.subtract.outer(first.positions, second.positions))
    return list(enumerate(distance.argmin(axis=1).tolist()))
