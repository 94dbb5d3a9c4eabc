"""What the chapters on misclassified spectra work on, and values that they read off it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spectra_lib._base.wording import counted
from spectra_lib.analysis import confusable, decisive_peaks
from spectra_lib.analysis.confusable import Cause, Gaps, Pair
from spectra_lib.analysis.overlap import most_alike
from spectra_lib.bayes.classifier import BayesClassifier
from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.datasets.specification import Variation
from spectra_lib.datasets.statistics import peaks_of
from spectra_lib.experiments.profiles import Profile
from spectra_lib.figures.misclassifications import Peaks
from spectra_lib.runs.record import RunRecord

PAPER_SPLIT = 0.26
"""Height at which the paper's Fig. 6 divides two classes."""

Texts = dict[str, str]
"""Texts by the keys under which a chapter glues them."""


@dataclass(frozen=True)
class ConfusionStudy:
    """What the chapter works on.

    Attributes
    ----------
    profile : Profile
        Datasets, networks and runs that were asked for.
    data : Dataset
        The general dataset.
    runs : tuple of RunRecord
        Our runs on it.
    errors : DataFrame
        Their misclassified test spectra, as `spectra_lib.analysis.confusions.misclassified` gives them.
    published : DataFrame
        Published pairs of the same networks, as `spectra_lib.paper.published.published_confusions` gives them.
    observer : BayesClassifier
        Bayes classifier of the general dataset.
    ambiguous : mapping of (int, int) to int
        Test spectra that fit both classes of a pair.
    alike : mapping of (int, int) to Cause
        Confusable pairs.
    needed : mapping of (int, int) to float
        Overlap factor of each confusable pair.
    table : DataFrame
        Confused pairs, as `spectra_lib.analysis.confusions.pair_table` gives them.
    """

    profile: Profile
    data: Dataset
    runs: tuple[RunRecord, ...]
    errors: pd.DataFrame
    published: pd.DataFrame
    observer: BayesClassifier
    ambiguous: Mapping[Pair, int]
    alike: Mapping[Pair, Cause]
    needed: Mapping[Pair, float]
    table: pd.DataFrame

    @property
    def law(self) -> Variation:
        """Augmentation of the general dataset."""
        return self.data.spec.variation

    @property
    def reach(self) -> int:
        """Largest distance in points that the shifts of two peaks can bridge."""
        return 2 * self.law.position_shift

    @property
    def known(self) -> pd.DataFrame:
        """Rows of the table that some published network confuses."""
        return self.table[self.table.published_runs > 0]

    @property
    def richest(self) -> int:
        """Largest number of peaks of a confused class; 0 without any."""
        return max((self.n_peaks(label) for pair in self.table.pair for label in pair), default=0)

    def n_peaks(self, label: int) -> int:
        """Count the peaks of a class."""
        return self.data.fingerprints[label].n_peaks

    def richer_first(self, pair: Pair) -> Pair:
        """Order a pair so that the class with more peaks comes first."""
        return max(pair, pair[::-1], key=lambda p: self.n_peaks(p[0]))

    def gaps(self, pair: Pair) -> Gaps:
        """Say what sets two classes apart."""
        first, second = (self.data.fingerprints[label] for label in pair)
        return confusable.find_gaps(first, second, self.reach)

    def decisive(self, pair: Pair, split: Split) -> list[Peaks]:
        """Give positions and heights of the peak that tells two classes apart, in the spectra of each."""
        peaks = decisive_peaks.decisive_peak(self.data, pair)
        return [peaks_of(split, label, peak) for label, peak in zip(pair, peaks, strict=True)]

    def times_wrong(self, pair: Pair) -> list[NDArray[np.integer]]:
        """Count for each class and test spectrum the runs that took it for the other class."""
        hits = between(self.errors, pair).groupby("row").size()
        rows = [np.flatnonzero(self.data.test.labels == label) for label in pair]
        return [hits.reindex(own, fill_value=0).to_numpy(dtype=np.int64) for own in rows]

    def errors_between(self, pair: Pair) -> str:
        """Say how many published networks and how many of our runs confuse two classes."""
        parts = []
        if len(self.published):
            n_published = len(between(self.published, pair))
            known = self.published.model.nunique()
            parts.append(f"{n_published} of the {known} networks whose pairs are published confuse them")
        if len(self.runs):
            mine = int(sum(times.sum() for times in self.times_wrong(pair)))
            make = counted(len(self.runs), "run makes", "runs make")
            parts.append(f"our {make} {counted(mine, 'error')} between them")
        return " and ".join(parts) or "no run is here yet"


def between(errors: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    """Choose the rows of a table of errors that are about a pair of classes, in either order.

    Examples
    --------
    >>> errors = pd.DataFrame({"class_a": [1, 1], "class_b": [2, 3], "errors": [7, 8]})
    >>> between(errors, (3, 1)).errors.tolist()
    [8]
    """
    return errors[(errors.class_a == min(pair)) & (errors.class_b == max(pair))]


def listed(pairs: Iterable[Pair]) -> str:
    """List pairs of classes.

    Examples
    --------
    >>> listed([(1, 2), (3, 4)]), listed([])
    ('1/2, 3/4', 'none')
    """
    return ", ".join(f"{a}/{b}" for a, b in pairs) or "none"


def percent(share: float) -> str:
    """Write a share in whole per cent.

    Examples
    --------
    >>> percent(0.125)
    '12 %'
    """
    return f"{share:.0%}".replace("%", " %")


@dataclass(frozen=True)
class MinorPeak:
    """The peak that one class of a pair has and the other lacks.

    Attributes
    ----------
    index : int
        Its number in the class that has it.
    height : float
        Relative intensity.
    position, largest : int
        Positions of this peak and of the largest one of the class, in points.
    """

    index: int
    height: float
    position: int
    largest: int


def minor_peak(data: Dataset, pair: Pair) -> MinorPeak:
    """Find the peak that the first class of a pair has and the second lacks.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> minor_peak(make_dataset("benchmark"), (206, 403)).height < 0.25
    True
    """
    own = data.fingerprints[pair[0]]
    index, _ = decisive_peaks.decisive_peak(data, pair)
    return MinorPeak(
        index, own.heights[index], own.positions[index], own.positions[int(np.argmax(own.heights))]
    )  # fmt: skip


def shares_a_partner(study: ConfusionStudy, pair: Pair) -> bool:
    """Whether two peaks of one class of a pair lie near the same peak of the other."""
    a, b = pair
    return confusable.peaks_share_a_partner(study.data.fingerprints[a], study.data.fingerprints[b], study.reach)


@dataclass(frozen=True)
class Boundary:
    """The threshold that tells two classes apart best, at the decisive peak.

    Attributes
    ----------
    at : float
        Position in points, or height.
    beyond : int
        Spectra on the wrong side.
    n : int
        Spectra in all.
    """

    at: float
    beyond: int
    n: int


def best_boundary(study: ConfusionStudy, pair: Pair, split: Split, axis: int) -> Boundary:
    """Find the best boundary between the decisive peaks of two classes.

    Parameters
    ----------
    study : ConfusionStudy
        What the chapter works on.
    pair : (int, int)
        The classes.
    split : Split
        Spectra to divide.
    axis : int
        0 for a boundary in position, 1 for one in height.
    """
    sides = [peaks[axis] for peaks in study.decisive(pair, split)]
    at, beyond = decisive_peaks.best_threshold(*sides)
    return Boundary(at, beyond, sum(map(len, sides)))


@dataclass(frozen=True)
class HeightSplit:
    """A line at one height between the decisive peaks of two classes, and how test spectra lie about it.

    Attributes
    ----------
    line : float
        Height of the line.
    astray : int
        Test spectra on its wrong side.
    low_reaches, high_falls : float
        Largest height in the lower class; smallest in the higher one.
    best : Boundary
        The best such line.
    """

    line: float
    astray: int
    low_reaches: float
    high_falls: float
    best: Boundary


def height_split(study: ConfusionStudy, pair: Pair) -> HeightSplit:
    """Divide two classes at the height of the paper's Fig. 6, or half-way in another dataset than the paper's."""
    test = study.data.test
    low, high = sorted((h for _, h in study.decisive(pair, test)), key=lambda h: float(h.mean()))
    line = float(low.mean() + high.mean()) / 2 if study.profile.trains else PAPER_SPLIT
    return HeightSplit(
        line=line,
        astray=int((low > line).sum() + (high < line).sum()),
        low_reaches=float(low.max()),
        high_falls=float(high.min()),
        best=best_boundary(study, pair, test, 1),
    )


def spared_examples(study: ConfusionStudy) -> dict[Cause, Pair]:
    """For each cause, find the most alike pair that is never confused and in which no two peaks share a partner.

    Two peaks next to each other are easily told from one, though they may fall on one point.
    """
    confused = set(study.table.pair)
    spared = {
        pair: cause for pair, cause in study.alike.items() if pair not in confused and not shares_a_partner(study, pair)
    }
    return most_alike(study.data, spared)
