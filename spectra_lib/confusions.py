"""Which classes are taken for one another, and why: pairs of classes, their likeness, and the errors between them.

A pair of classes is alike if the variation of the spectra can make one look like the other; that
follows from the fingerprints, without any network. Errors of networks are counted for each pair.
Causes: Schuetzke et al. 2023, Results, Misclassification causes, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spectra_lib.dataset import Dataset
from spectra_lib.dataset_statistics import peaks_of
from spectra_lib.errors import SpectraError
from spectra_lib.observer import IdealObserver
from spectra_lib.probes import decisive_peaks
from spectra_lib.records import RunRecord
from spectra_lib.specification import Fingerprint, Variation

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


def cause_of_pair(dataset: Dataset, pair: Pair) -> Cause | None:
    """Attribute the likeness of two classes of a dataset; see `cause_of_confusion`.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> cause_of_pair(make_dataset("challenge"), (9, 10)).value
    'overlapping positions'
    """
    first, second = (dataset.fingerprints[label] for label in pair)
    return cause_of_confusion(first, second, dataset.spec.variation)


def check_pair(dataset: Dataset, pair: Sequence[int]) -> Pair:
    """Give a pair of classes in ascending order.

    Raises
    ------
    SpectraError
        If it is not two different classes of the dataset.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> check_pair(make_dataset("smoke"), [3, 1])
    (1, 3)
    >>> check_pair(make_dataset("smoke"), [3, 4])
    Traceback (most recent call last):
    ...
    spectra_lib.errors.SpectraError: pair of classes: expected two different classes of 0 to 3, received [3, 4]
    """
    classes = range(dataset.spec.n_classes)
    if len(pair) != 2 or pair[0] == pair[1] or not all(label in classes for label in pair):
        raise SpectraError(
            f"pair of classes: expected two different classes of 0 to {classes[-1]}, received {list(pair)}"
        )
    return min(pair), max(pair)


def shared_peaks(dataset: Dataset) -> NDArray[np.int64]:
    """Count for each class how many of its peaks another class has too, as far as the variation lets them differ.

    Returns
    -------
    ndarray of int64, shape (n_classes, n_classes)
        Element (i, j): peaks of class i that have a peak of class j within reach, whatever the heights.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
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

    Examples
    --------
    >>> one, two = (Fingerprint(positions=(700, p), heights=(0.5, 1.0)) for p in (3000, 3300))
    >>> shared_positions(one, two, reach=100)
    [700]
    """
    return [p for p in first.positions if min(abs(p - other) for other in second.positions) <= reach]


def alike_pairs(dataset: Dataset) -> dict[Pair, Cause]:
    """Find all pairs of classes that are alike in one of the three ways, from the fingerprints alone.

    Examples
    --------
    >>> from collections import Counter
    >>> from spectra_lib.dataset import make_dataset
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


def misclassified(dataset: Dataset, records: Iterable[RunRecord]) -> pd.DataFrame:
    """List the misclassified test spectra of runs on a dataset.

    Returns
    -------
    DataFrame
        Columns ``model``, ``hidden_activation``, ``seed``; ``row``, the test spectrum; ``true`` and
        ``answered``, its class and the network's answer; ``class_a`` < ``class_b``, both in order.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> misclassified(make_dataset("smoke"), []).empty
    True
    """
    labels, parts = dataset.test.labels, []
    for record in records:
        answers = np.array(record.test_predictions.labels)
        rows = np.flatnonzero((answers != labels) & (answers >= 0))  # no answer is confused with no class
        run = {key: getattr(record.spec, key) for key in ("model", "hidden_activation", "seed")}
        parts.append(pd.DataFrame(run | {"row": rows, "true": labels[rows], "answered": answers[rows]}))
    columns = ["model", "hidden_activation", "seed", "row", "true", "answered"]
    errors = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    both = errors[["true", "answered"]].to_numpy(dtype=np.int64).reshape(-1, 2)
    return errors.assign(class_a=both.min(axis=1), class_b=both.max(axis=1))


def count_pairs(errors: pd.DataFrame) -> pd.DataFrame:
    """Count the errors of each network between each pair of classes, and the runs that make any.

    Parameters
    ----------
    errors : DataFrame
        As `misclassified` gives them.

    Returns
    -------
    DataFrame
        Columns ``model``, ``class_a``, ``class_b``, ``errors``, ``runs``.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> count_pairs(misclassified(make_dataset("smoke"), [])).columns.tolist()
    ['model', 'class_a', 'class_b', 'errors', 'runs']
    """
    run = errors.hidden_activation.fillna("none").astype(str) + errors.seed.astype(str)
    groups = errors.assign(run=run).groupby(["model", "class_a", "class_b"])
    return groups.agg(errors=("row", "size"), runs=("run", "nunique")).reset_index()


def ambiguous_spectra(observer: IdealObserver) -> dict[Pair, int]:
    """Count the test spectra that both classes of a pair can have made, under the training law.

    Only spectra of the two classes count; pairs without any are left out.

    Examples
    --------
    >>> import spectra_lib as sl
    >>> counts = ambiguous_spectra(sl.ideal_observer(sl.make_dataset("challenge")))
    >>> counts[9, 10], (0, 9) in counts
    (6, False)
    """
    test = observer.dataset.test
    possible = observer.in_support(test)
    counts: Counter[Pair] = Counter()
    for row in np.flatnonzero(possible.sum(axis=1) > 1).tolist():
        true = int(test.labels[row])
        for other in np.flatnonzero(possible[row]).tolist():
            if other != true:
                counts[min(true, other), max(true, other)] += 1
    return dict(counts)


def errors_on_ambiguous_spectra(observer: IdealObserver, errors: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell for each error whether the class answered can have made the spectrum too, under the training law.

    Parameters
    ----------
    observer : IdealObserver
        Knows the dataset.
    errors : DataFrame
        As `misclassified` gives them.

    Examples
    --------
    >>> import spectra_lib as sl
    >>> observer = sl.ideal_observer(sl.make_dataset("challenge"))
    >>> row = int((observer.dataset.test.labels == 9).argmax())
    >>> errors_on_ambiguous_spectra(observer, pd.DataFrame({"row": [row, row], "answered": [10, 20]})).tolist()
    [False, False]
    """
    possible = observer.in_support(observer.dataset.test)
    rows, answers = (errors[column].to_numpy(dtype=np.int64) for column in ("row", "answered"))
    return possible[rows, answers]


def decisive_peak(dataset: Dataset, pair: Pair) -> tuple[int, int]:
    """Tell which peak, by its index in either class, tells two classes apart.

    For a peak that the other class lacks, the second index is that of the nearest peak.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> decisive_peak(make_dataset("challenge"), (9, 10))
    (1, 1)
    """
    first, second = (dataset.fingerprints[label] for label in pair)
    _, peak = decisive_peaks(first, second, 2 * dataset.spec.variation.position_shift)
    return peak, int(np.abs(np.array(second.positions) - first.positions[peak]).argmin())


def partners(first: Fingerprint, second: Fingerprint) -> list[tuple[int, int]]:
    """Give each peak of the first class with the nearest one of the second, by their indices.

    Examples
    --------
    >>> one = Fingerprint(positions=(700, 3000), heights=(0.7, 1.0))
    >>> partners(one, Fingerprint(positions=(710, 1800, 2900), heights=(0.7, 0.04, 1.0)))
    [(0, 0), (1, 2)]
    """
    distance = np.abs(np.subtract.outer(first.positions, second.positions))
    return list(enumerate(distance.argmin(axis=1).tolist()))


def fewest_on_the_wrong_side(first: Sequence[float] | NDArray, second: Sequence[float] | NDArray) -> int:
    """Errors of the best single threshold between two groups of numbers.

    Examples
    --------
    >>> fewest_on_the_wrong_side([1, 2, 4], [3, 5, 6])
    1
    """
    return best_threshold(first, second)[1]


def best_threshold(first: Sequence[float] | NDArray, second: Sequence[float] | NDArray) -> tuple[float, int]:
    """Find the single threshold between two groups of numbers that leaves fewest on the wrong side.

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

    Returns
    -------
    DataFrame
        One row for each test spectrum of the class `true`: ``row``, and the distances ``own`` and
        ``other`` to the nearest training spectrum of either class.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
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
    >>> from spectra_lib.dataset import make_dataset
    >>> data = make_dataset("challenge")
    >>> int(distances_of_alike_spectra(data, misclassified(data, [])).wrong.sum())
    0
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
    >>> from spectra_lib.dataset import make_dataset
    >>> data = make_dataset("challenge")
    >>> {cause.value: pair for cause, pair in most_alike(data, alike_pairs(data)).items()}
    {'minor peak': (0, 1), 'overlapping positions': (9, 10), 'overlapping intensities': (18, 19)}
    """
    needed = needed_by_pair(dataset, pairs)
    groups = {cause: [pair for pair, own in pairs.items() if own is cause] for cause in Cause}
    return {cause: min(group, key=lambda pair: (needed[pair], pair)) for cause, group in groups.items() if group}


def needed_by_pair(dataset: Dataset, pairs: Iterable[Pair]) -> dict[Pair, float]:
    """Give for each pair how much variation its classes need to make the same spectrum; see `needed_variation`.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> needed_by_pair(make_dataset("challenge"), [(9, 10), (0, 2)])
    {(9, 10): 0.7, (0, 2): 0.7}
    """
    prints, law = dataset.fingerprints, dataset.spec.variation
    return {(a, b): needed_variation(prints[a], prints[b], law) for a, b in pairs}


def pair_table(
    dataset: Dataset, published: pd.DataFrame, ours: pd.DataFrame, ambiguous: Mapping[Pair, int]
) -> pd.DataFrame:
    """Put together what is known of every confused pair, those that most runs confuse first.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    published : DataFrame
        One row for each published run and pair: ``class_a``, ``class_b``, ``errors``.
    ours : DataFrame
        As `count_pairs` gives it.
    ambiguous : mapping of (int, int) to int
        As `ambiguous_spectra` gives it.

    Returns
    -------
    DataFrame
        Columns ``pair``; ``cause``; ``gaps`` (see `find_gaps`); ``needed`` (see `needed_variation`);
        ``published`` errors and ``published_runs``; ``errors`` and ``runs`` of ours; ``ambiguous`` test
        spectra.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> from spectra_lib.published import published_confusions
    >>> data = make_dataset("benchmark")
    >>> table = pair_table(data, published_confusions(), count_pairs(misclassified(data, [])), {})
    >>> table.pair.iloc[0], int(table.published.sum())
    ((164, 281), 118)
    """
    theirs, own = (
        frame.groupby(["class_a", "class_b"]).agg(**columns)
        for frame, columns in (
            (published, {"errors": ("errors", "sum"), "runs": ("errors", "size")}),
            (ours, {"errors": ("errors", "sum"), "runs": ("runs", "sum")}),
        )
    )
    rows = []
    for pair in {*theirs.index, *own.index}:
        first, second = (dataset.fingerprints[label] for label in pair)
        known, ran = (frame.loc[pair] if pair in frame.index else {"errors": 0, "runs": 0} for frame in (theirs, own))
        rows.append(
            {
                "pair": pair,
                "cause": cause_of_pair(dataset, pair),
                "gaps": find_gaps(first, second, 2 * dataset.spec.variation.position_shift),
                "needed": needed_variation(first, second, dataset.spec.variation),
                "published": int(known["errors"]),
                "published_runs": int(known["runs"]),
                "errors": int(ran["errors"]),
                "runs": int(ran["runs"]),
                "ambiguous": ambiguous.get(pair, 0),
            }
        )
    rows.sort(key=lambda r: (-r["runs"] - r["published_runs"], -r["errors"] - r["published"], r["pair"]))
    columns = ["pair", "cause", "gaps", "needed", "published", "published_runs", "errors", "runs", "ambiguous"]
    table = pd.DataFrame(rows, columns=columns)
    # As text, the column would turn a missing cause into a number that is not one.
    return table.assign(cause=pd.Series([row["cause"] for row in rows], dtype=object))


def most_confused(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """Choose up to `n` pairs of a `pair_table`: all published ones, then those that most of our runs confuse.

    Examples
    --------
    >>> table = pd.DataFrame({"pair": [(0, 1), (2, 3), (4, 5)], "published_runs": [0, 0, 1]})
    >>> most_confused(table, 2).pair.tolist()
    [(0, 1), (4, 5)]
    """
    published_first = table.sort_values("published_runs", ascending=False, key=lambda runs: runs > 0, kind="stable")
    return published_first.head(n).sort_index()
