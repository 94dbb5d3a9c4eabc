"""How large the variation must be for two classes to make the same spectrum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from spectra_lib.analysis.confusable import Cause, Pair
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.datasets.specification import Fingerprint, Variation


def needed_variation(first: Fingerprint, second: Fingerprint, law: Variation) -> float:
    """Tell how many times the variation would have to be as large for two classes to make the same spectrum.

    Below 1, both can make it. Shifts and changes of height grow together. As spectra are divided by their
    maximum, heights count relative to one another. A peak without a partner must vanish, or fall on the point
    of a later peak of its class, which overwrites it.

    Parameters
    ----------
    first, second : Fingerprint
        The classes' ideal peaks.
    law : Variation
        How spectra vary.

    Returns
    -------
    float
        Infinite if no peak has a partner within reach of the variation.

    Examples
    --------
    >>> one = Fingerprint(positions=(700, 3000), heights=(0.7, 1.0))
    >>> needed_variation(one, Fingerprint(positions=(740, 3000), heights=(0.7, 1.0)), Variation())
    0.4
    >>> needed_variation(one, Fingerprint(positions=(700, 1800, 3000), heights=(0.7, 0.1, 1.0)), Variation())
    2.0
    """
    reach = 2 * law.position_shift
    distance = np.abs(np.subtract.outer(first.positions, second.positions))
    options = [[None, *np.flatnonzero(row <= reach).tolist()] for row in distance]
    matches = ([(i, j) for i, j in enumerate(each) if j is not None] for each in itertools.product(*options))
    possible = (match for match in matches if match and len({j for _, j in match}) == len(match))
    return round(min((_needed_for_match(first, second, law, match) for match in possible), default=math.inf), 9)


def _needed_for_match(first: Fingerprint, second: Fingerprint, law: Variation, match: Sequence[Pair]) -> float:
    """What `needed_variation` gives if these peaks are each other's partners."""
    reach = 2 * law.position_shift
    needed = [_in_units(abs(first.positions[i] - second.positions[j]), reach) for i, j in match]
    for own, other, pairs in ((first, second, match), (second, first, [(j, i) for i, j in match])):
        seen = dict(pairs)
        for lone in set(range(own.n_peaks)) - set(seen):
            place, height = own.positions[lone], own.heights[lone]
            ways = [_in_units(height, _change(height, law))]
            for later, partner in seen.items():
                if later > lone:
                    places = (own.positions[later], other.positions[partner])
                    ways.append(_in_units(max(abs(place - p) for p in places), reach))
            needed.append(min(ways))
    for (i, j), (k, m) in itertools.permutations(match, 2):
        needed.append(
            _needed_for_ratio((first.heights[i], first.heights[k]), (second.heights[j], second.heights[m]), law)
        )
    return max(needed)


def _needed_for_ratio(own: tuple[float, float], other: tuple[float, float], law: Variation) -> float:
    """How many times the change of heights it takes to bring a ratio of two heights down to that of another class.

    The largest quotient of heights b₁ a₂ ≤ b₂ a₁, each height within f times its change, solved for f.
    """
    (a1, a2), (b1, b2) = own, other
    c1, c2, d1, d2 = (_change(height, law) for height in (a1, a2, b1, b2))
    gap = b1 * a2 - b2 * a1
    if gap <= 0:
        return 0.0
    slope, bend = b1 * c2 + a2 * d1 + b2 * c1 + a1 * d2, d2 * c1 - d1 * c2
    return _in_units(2 * gap, slope + math.sqrt(max(0.0, slope**2 + 4 * bend * gap)))


def _change(height: float, law: Variation) -> float:
    return 0.0 if law.keep_unit_heights and height == 1.0 else law.height_change


def _in_units(difference: float, unit: float) -> float:
    return difference / unit if unit else math.inf if difference else 0.0


def most_alike(dataset: Dataset, pairs: Mapping[Pair, Cause]) -> dict[Cause, Pair]:
    """Choose the most alike pair for each cause: the one that needs the least variation to become equal.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    pairs : mapping of (int, int) to Cause
        Pairs to choose from, such as those of `alike_pairs` that are never confused.

    Returns
    -------
    dict of Cause to (int, int)
        In the order of the causes; without those that no pair has.

    Examples
    --------
    >>> from spectra_lib.analysis.confusable import alike_pairs
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("challenge")
    >>> {cause.value: pair for cause, pair in most_alike(data, alike_pairs(data)).items()}
    {'minor peak': (0, 1), 'overlapping positions': (9, 10), 'overlapping intensities': (18, 19)}
    """
    needed = needed_by_pair(dataset, pairs)
    groups = {cause: [pair for pair, own in pairs.items() if own is cause] for cause in Cause}
    return {cause: min(group, key=lambda pair: (needed[pair], pair)) for cause, group in groups.items() if group}


def needed_by_pair(dataset: Dataset, pairs: Iterable[Pair]) -> dict[Pair, float]:
    """Give for each pair how much variation its classes need to make the same spectrum; see `needed_variation`.

    Parameters
    ----------
    dataset : Dataset
        Knows fingerprints and variation.
    pairs : iterable of Pair
        Pairs of its classes.

    Returns
    -------
    dict of Pair to float
        In units of the dataset's own variation, by pair.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> needed_by_pair(make_dataset("challenge"), [(9, 10), (0, 2)])
    {(9, 10): 0.7, (0, 2): 0.7}
    """
    prints, law = dataset.fingerprints, dataset.spec.variation
    return {(a, b): needed_variation(prints[a], prints[b], law) for a, b in pairs}
