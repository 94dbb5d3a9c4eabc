"""What the answers on the probes say: regions of decision, and what a missing peak changes.

Run records keep each network's answers on the spectra of `spectra_lib.datasets.probes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from spectra_lib.bayes.class_centres import ClassCentres
from spectra_lib.bayes.classifier import BayesClassifier
from spectra_lib.bayes.training_distribution import observe
from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.datasets.probes import GRID_SIZE, DecisionMap, occlusion
from spectra_lib.datasets.statistics import peaks_of
from spectra_lib.runs.record import RunRecord

HEIGHT_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Bins for the height of a missing peak."""

NEARLY_AS_HIGH = 0.8
"""A second peak above this fraction of the largest: without the largest, all others are lifted by a quarter at most."""

ENOUGH_CLASSES = 10
"""From fewer classes than these nothing is said about a network."""

MIN_SPECTRA = 5
"""Fewer spectra than these in a bin are not shown as a share."""

MIN_PEAKS = 3
"""Of a class with two peaks the loss of one leaves a position and nothing else."""


def explained_by_axes(answers: NDArray[np.bool_]) -> tuple[float, float]:
    """Give the fractions of the variance of a decision map that height alone and position alone explain.

    Parameters
    ----------
    answers : ndarray of bool, shape (GRID_SIZE²,)
        Whether the first class was answered, height by height.

    Returns
    -------
    (float, float)
        0 and 0 if the answer is the same everywhere.

    Examples
    --------
    >>> by_height = np.repeat(np.arange(GRID_SIZE) > 10, GRID_SIZE)
    >>> [round(share, 9) for share in explained_by_axes(by_height)]
    [1.0, 0.0]
    """
    grid = np.asarray(answers, dtype=float).reshape(GRID_SIZE, GRID_SIZE)
    total = float(grid.var())
    if total == 0:
        return 0.0, 0.0
    return float(grid.mean(axis=1).var()) / total, float(grid.mean(axis=0).var()) / total


def map_answers(record: RunRecord, grid: DecisionMap) -> NDArray[np.float64] | None:
    """Read a run's answers on a decision map.

    Parameters
    ----------
    record : RunRecord
    grid : DecisionMap

    Returns
    -------
    ndarray of float64, shape (GRID_SIZE, GRID_SIZE), or None
        Heights by positions: 1 where the first class of the map was answered, 0 where the second was,
        NaN where neither was. None if the record has no such probe.
    """
    probe = record.probes.get(f"map-{grid.pair[0]}-{grid.pair[1]}")
    if probe is None:
        return None
    answers = np.array(probe.labels).reshape(GRID_SIZE, GRID_SIZE)
    return np.select([answers == grid.pair[0], answers == grid.pair[1]], [1.0, 0.0], np.nan)


def ideal_map_answers(observer: BayesClassifier, grid: DecisionMap) -> NDArray[np.float64]:
    """Answer a decision map as the Bayes classifier does.

    Parameters
    ----------
    observer : BayesClassifier
        Bayes classifier of the training distribution.
    grid : DecisionMap

    Returns
    -------
    ndarray of float64, shape (GRID_SIZE, GRID_SIZE)
        Heights by positions: probability of the first class of the map against the second under the
        training law, NaN where neither can have made the spectrum.

    Examples
    --------
    >>> import spectra_lib as sl
    >>> from spectra_lib.datasets.probes import decision_map
    >>> data = sl.make_dataset("challenge")
    >>> answers = ideal_map_answers(sl.bayes_classifier(data), decision_map(data, (18, 19)))
    >>> float(np.nanmin(answers)), float(np.nanmax(answers))
    (0.0, 1.0)
    """
    both = observer.posterior(grid.split)[:, list(grid.pair)]
    possible = observer.in_support(grid.split)[:, list(grid.pair)].any(axis=1)
    share = np.divide(both[:, 0], both.sum(axis=1), out=np.full(len(both), np.nan), where=possible)
    return share.reshape(GRID_SIZE, GRID_SIZE)


def variance_by_axes(records: Iterable[RunRecord], grid: DecisionMap) -> pd.DataFrame:
    """Tell for each network how much of the variance of its answers on a map either axis explains.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs on the dataset of the map.
    grid : DecisionMap

    Returns
    -------
    DataFrame
        Columns ``model``, ``hidden_activation`` (a dash if there is none), ``height`` and ``position``
        (see `explained_by_axes`), ``same`` (see `most_frequent_answer`), all means over runs; and ``runs``.
    """
    rows = []
    for record in records:
        answers = map_answers(record, grid)
        if answers is not None:
            kind = (record.spec.model, record.spec.hidden_activation or "–")
            rows.append((*kind, *explained_by_axes(answers.ravel() == 1), most_frequent_answer(answers)))
    table = pd.DataFrame(rows, columns=["model", "hidden_activation", "height", "position", "same"])
    groups = table.groupby(["model", "hidden_activation"], sort=False)
    means = {column: (column, "mean") for column in ("height", "position", "same")}
    return groups.agg(**means, runs=("height", "size")).reset_index()


def most_frequent_answer(answers: NDArray[np.float64]) -> float:
    """Give the share of a decision map that has the most frequent of the three answers.

    Where it is near 1, there is hardly anything to explain.

    Parameters
    ----------
    answers : ndarray
        As `map_answers` gives them.

    Returns
    -------
    float
        Between 1/3 and 1.

    Examples
    --------
    >>> most_frequent_answer(np.array([1.0, np.nan, np.nan, np.nan]))
    0.75
    """
    return float(np.unique(answers, return_counts=True)[1].max() / answers.size)


def peaks_on_map(dataset: Dataset, grid: DecisionMap, split: Split) -> list[tuple[NDArray, NDArray]]:
    """Place the spectra of both classes of a decision map on its axes.

    Parameters
    ----------
    dataset : Dataset
    grid : DecisionMap
    split : Split

    Returns
    -------
    list of (ndarray, ndarray)
        For the first and the second class the positions and heights of their spectra in `split`; a
        peak that the second class lacks has height 0.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.datasets.probes import decision_map
    >>> data = make_dataset("challenge")
    >>> first, second = peaks_on_map(data, decision_map(data, (0, 1)), data.test)
    >>> second[1].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    first, second = grid.pair
    others = np.array(dataset.fingerprints[second].positions)
    own = dataset.fingerprints[first].positions
    partner = int(np.abs(others - own[grid.moved]).argmin())
    positions, heights = peaks_of(split, second, partner)
    if grid.moved != grid.scaled:
        heights = np.zeros(len(positions))
    return [(peaks_of(split, first, grid.moved)[0], peaks_of(split, first, grid.scaled)[1]), (positions, heights)]


def occlusion_answers(dataset: Dataset, answers: NDArray[np.integer]) -> pd.DataFrame:
    """Tell for each ideal spectrum without one of its peaks whether it is still recognised.

    Classes with fewer than `MIN_PEAKS` peaks are left out.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    answers : ndarray of int, shape (n_spectra,)
        Answers on the probe `spectra_lib.datasets.probes.occlusion`.

    Returns
    -------
    DataFrame
        One row for each spectrum: ``row`` in the probe; ``label``; ``peak``, the missing one, with its
        ``height`` and its ``rank`` in the class (0 the largest); ``next_height``, that of the class's
        second highest peak; heights relative to the largest; and ``changed``, whether the answer is
        not the class.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("challenge")
    >>> split, _ = occlusion(data)
    >>> table = occlusion_answers(data, split.labels)
    >>> bool(table.changed.any()), int((table["rank"] == 0).sum())
    (False, 12)
    """
    split, missing = occlusion(dataset)
    table = pd.DataFrame({"label": split.labels, "peak": missing, "changed": np.asarray(answers) != split.labels})
    table["row"] = table.index
    peaks = pd.DataFrame(
        [
            (label, peak, height / max(f.heights))
            for label, f in enumerate(dataset.fingerprints)
            for peak, height in enumerate(f.heights)
            if f.n_peaks >= MIN_PEAKS
        ],
        columns=["label", "peak", "height"],
    )
    falling = peaks.groupby("label").height
    peaks["rank"] = falling.rank(method="first", ascending=False).astype(int) - 1
    peaks["next_height"] = falling.transform(lambda heights: heights.nlargest(2).iloc[-1])
    return peaks.merge(table, on=["label", "peak"])


def match_occluded(dataset: Dataset) -> NDArray[np.int64]:
    """Answer the occlusion probe by peak matching, in which no peak counts more than its height tells.

    The nearest class centre is answered, peaks being known exactly (`spectra_lib.bayes.class_centres`): what a
    missing peak costs depends on how likely the variation is to remove it.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    ndarray of int64, shape (n_spectra,)

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> match_occluded(make_dataset("challenge"))[:5].tolist()
    [24, 3, 1, 0, 5]
    """
    return ClassCentres.ideal(dataset).nearest(observe(occlusion(dataset)[0].peaks))[0]


def occlusion_by_network(dataset: Dataset, records: Iterable[RunRecord]) -> dict[str, pd.DataFrame]:
    """Gather the answers of all runs on the occlusion probe by network, and those of peak matching.

    Parameters
    ----------
    dataset : Dataset
    records : iterable of RunRecord

    Returns
    -------
    dict of str to DataFrame
        As `occlusion_answers` gives them, runs of a network under one another; "matching" comes first.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> list(occlusion_by_network(make_dataset("challenge"), []))
    ['matching']
    """
    matching = occlusion_answers(dataset, match_occluded(dataset))
    labels = occlusion(dataset)[0].labels
    answers = {"matching": [matching]}
    for record in records:
        if "occlusion" in record.probes:
            changed = np.array(record.probes["occlusion"].labels) != labels
            table = matching.assign(changed=changed[matching.row])
            answers.setdefault(record.spec.model, []).append(table)
    return {model: pd.concat(tables, ignore_index=True) for model, tables in answers.items()}


def changed_by_height(table: pd.DataFrame) -> pd.Series:
    """Give the share of answers that changed, by the height of the missing peak.

    Parameters
    ----------
    table : DataFrame
        As `occlusion_answers` gives it.

    Returns
    -------
    Series of float
        One value for each of `HEIGHT_BINS`, for peaks that are not the largest of their class, and a
        last one for those that are; NaN where there are fewer than `MIN_SPECTRA`.

    Examples
    --------
    >>> columns = {"height": 5 * [1.0, 0.1], "rank": 5 * [0, 1], "changed": 5 * [True, False]}
    >>> rows = pd.DataFrame({"label": range(10)} | columns)
    >>> changed_by_height(rows).iloc[[0, -1]].to_dict()
    {'0–0.2': 0.0, 'largest': 1.0}
    """
    names = [f"{low:g}–{high:g}" for low, high in pairwise(HEIGHT_BINS)]
    bins = pd.cut(table.height, HEIGHT_BINS, labels=names, include_lowest=True).astype(object)
    bins = bins.where(table["rank"] > 0, "largest")
    spectra = (table.label.astype(str) + "-" + table["rank"].astype(str)).groupby(bins).nunique()
    shares = table.changed.astype(float).groupby(bins).mean()
    return shares.where(spectra >= MIN_SPECTRA).reindex([*names, "largest"])


def largest_against_second(table: pd.DataFrame) -> tuple[float, float, int]:
    """Compare the loss of the largest peak with that of a second one nearly as high.

    Parameters
    ----------
    table : DataFrame
        As `occlusion_answers` gives it.

    Returns
    -------
    (float, float)
        Shares of answers that changed; NaN if there is no such class.
    int
        Number of classes whose second peak is nearly as high.

    Examples
    --------
    >>> rows = pd.DataFrame({"label": [4, 4], "next_height": 0.9, "rank": [0, 1], "changed": [True, False]})
    >>> largest_against_second(rows)
    (1.0, 0.0, 1)
    """
    close = table[table.next_height >= NEARLY_AS_HIGH]
    first, second = (close.changed[close["rank"] == rank].astype(float) for rank in (0, 1))
    return float(first.mean()), float(second.mean()), close.label.nunique()


class Sides(NamedTuple):
    """In how many classes the loss of the largest peak, or of the second one, costs more.

    Attributes
    ----------
    largest, second : int
        Classes that a network loses more often without the largest peak, and without the second one.
    p : float
        Two-sided p of the exact sign test; for a single run that is McNemar's exact test.
    low, high : float
        Exact 95 % interval of the share of `largest` among both.
    """

    largest: int
    second: int
    p: float
    low: float
    high: float


def compare_losses(table: pd.DataFrame) -> Sides:
    """Test whether the loss of the largest peak costs more than that of a second one nearly as high.

    The unit is the class: runs of a network are averaged, as they are asked about the same classes.

    Parameters
    ----------
    table : DataFrame
        As `occlusion_answers` gives it, runs under one another.

    Returns
    -------
    Sides

    Examples
    --------
    >>> rows = pd.DataFrame({"label": [4, 4], "next_height": 0.9, "rank": [0, 1], "changed": [True, False]})
    >>> sides = compare_losses(rows)
    >>> sides.largest, sides.second, sides.p, round(sides.low, 3), sides.high
    (1, 0, 1.0, 0.025, 1.0)
    """
    close = table[table.next_height >= NEARLY_AS_HIGH]
    first, second = (close[close["rank"] == rank].groupby("label").changed.sum() for rank in (0, 1))
    more, fewer = int((first > second).sum()), int((first < second).sum())
    if not more + fewer:
        return Sides(0, 0, 1.0, 0.0, 1.0)
    test = stats.binomtest(more, more + fewer)
    low, high = test.proportion_ci(0.95)
    return Sides(more, fewer, float(test.pvalue), float(low), float(high))


def overrates_largest(shares: pd.Series, matched: pd.Series) -> bool:
    """Whether a network minds the loss of the largest peak more than peak matching does, and by more than other losses.

    Parameters
    ----------
    shares, matched : Series
        As `changed_by_height` gives them for the network and for peak matching.

    Returns
    -------
    bool

    Examples
    --------
    >>> matched = pd.Series([0.2, 0.7])
    >>> overrates_largest(pd.Series([0.1, 0.9]), matched), overrates_largest(pd.Series([0.5, 0.9]), matched)
    (True, False)
    """
    excess = shares - matched
    return bool(excess.iloc[-1] > max(0.0, excess.iloc[:-1].max()))


def degraded_errors(dataset: Dataset, records: Iterable[RunRecord]) -> pd.DataFrame:
    """Count the errors of runs on the test spectra as they are, with noise and with a background.

    Parameters
    ----------
    dataset : Dataset
        The dataset of all these runs.
    records : iterable of RunRecord
        The runs.

    Returns
    -------
    DataFrame
        Columns ``model``, ``hidden_activation``, ``seed``, ``test``, ``noise``, ``background``.
    """
    rows = []
    for record in records:
        wrong = [
            int((np.array(record.probes[name].labels) != dataset.test.labels).sum()) for name in ("noise", "background")
        ]
        rows.append((record.spec.model, record.spec.hidden_activation, record.spec.seed, record.test.errors, *wrong))
    return pd.DataFrame(rows, columns=["model", "hidden_activation", "seed", "test", "noise", "background"])


def largest_peak_surplus(table: pd.DataFrame) -> pd.Series:
    """Tell for each class how much more often answers change without its largest peak than without another one.

    Parameters
    ----------
    table : DataFrame
        Answers as `spectra_lib.analysis.probe_answers.occlusion_answers` gives them, of one run or of several.

    Returns
    -------
    Series of float
        In percentage points, by class.

    Examples
    --------
    >>> rows = {"label": 7, "rank": [0, 1, 2], "changed": [True, True, False]}
    >>> largest_peak_surplus(pd.DataFrame(rows)).to_dict()
    {7: 50.0}
    """
    changed = 100 * table.changed.astype(float)
    largest = table["rank"] == 0
    return changed[largest].groupby(table.label).mean() - changed[~largest].groupby(table.label).mean()
