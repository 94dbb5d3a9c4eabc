"""Intervals, tests and corrections: one place, on SciPy."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spectra_lib._base.wording import figure, signed

CONFIDENCE = 0.95


def interval_text(interval: tuple[float, float], level: float = CONFIDENCE) -> str:
    """Write an interval; the confidence is named where it is not 95 %.

    Parameters
    ----------
    interval : (float, float)
        Lower and upper end.
    level : float
        Confidence, between 0 and 1.

    Returns
    -------
    str

    Examples
    --------
    >>> interval_text((-1.0, 2.5)), interval_text((-1.0, 2.5), level=1 - 0.05 / 6)
    ('−1 to 2.5', '99.2 % interval −1 to 2.5')
    """
    ends = f"{figure(interval[0])} to {figure(interval[1])}"
    return ends if level == CONFIDENCE else f"{100 * level:.3g} % interval {ends}"


@dataclass(frozen=True)
class Comparison:
    """How much a claim that one quantity is larger than another holds good.

    Attributes
    ----------
    name : str
        What is compared.
    difference : float
        The effect.
    error : float
        Its standard error.
    freedom : float
        Degrees of freedom of the error.
    bar : float
        What the effect lies above if the claim is right: 0, or less where the claim allows some distance.

    Examples
    --------
    >>> near = Comparison("a against b", difference=-1.0, error=0.5, freedom=8, bar=-3.0)
    >>> near.above(), near.below(), near.text
    (True, False, 'a against b −1 (−2.15 to 0.153; claimed above −3)')
    """

    name: str
    difference: float
    error: float
    freedom: float
    bar: float = 0.0

    def interval(self, level: float = CONFIDENCE) -> tuple[float, float]:
        """Student's interval of the effect.

        Parameters
        ----------
        level : float
            Confidence, between 0 and 1.

        Returns
        -------
        (float, float)
            Lower and upper end.
        """
        if not self.error:
            return self.difference, self.difference
        low, high = stats.t.interval(level, self.freedom, loc=self.difference, scale=self.error)
        return float(low), float(high)

    def above(self, level: float = CONFIDENCE) -> bool:
        """Whether the whole interval is as claimed.

        Parameters
        ----------
        level : float
            Confidence, between 0 and 1.

        Returns
        -------
        bool
        """
        return self.interval(level)[0] > self.bar

    def below(self, level: float = CONFIDENCE) -> bool:
        """Whether the whole interval is against the claim.

        Parameters
        ----------
        level : float
            Confidence, between 0 and 1.

        Returns
        -------
        bool
        """
        return self.interval(level)[1] < self.bar

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.interval()[0]

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.interval()[1]

    @property
    def text(self) -> str:
        """The comparison with its 95 % interval, as it shall read."""
        return self.text_at(CONFIDENCE)

    def text_at(self, level: float) -> str:
        """The comparison with its interval, as it shall read.

        Parameters
        ----------
        level : float
            Confidence, between 0 and 1.

        Returns
        -------
        str
        """
        claimed = f"; claimed above {figure(self.bar)}" if self.bar else ""
        return f"{self.name} {figure(self.difference)} ({interval_text(self.interval(level), level)}{claimed})"


def compare(name: str, larger: Sequence[float], smaller: Sequence[float], bar: float = 0.0) -> Comparison:
    """Compare the means of two groups by Welch's t interval; each needs two values or more.

    Without any scatter the interval is a point. For `bar` see `Comparison`.

    Parameters
    ----------
    name : str
        What is compared.
    larger : sequence of float, shape (n_larger,)
        The group claimed to have the larger mean.
    smaller : sequence of float, shape (n_smaller,)
        The other group.
    bar : float
        Difference claimed to be exceeded.

    Returns
    -------
    Comparison

    Examples
    --------
    >>> compare("a against b", [5.0, 6.0, 7.0], [1.0, 2.0, 3.0]).text
    'a against b 4 (1.73 to 6.27)'
    """
    difference = float(np.mean(larger) - np.mean(smaller))
    error = float(np.hypot(stats.sem(larger), stats.sem(smaller)))
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # one group may be without scatter
        freedom = float(stats.ttest_ind(larger, smaller, equal_var=False).df) if error else 1.0
    return Comparison(name, difference, error, freedom, bar)


def mean_above_zero(name: str, values: Sequence[float]) -> Comparison:
    """Compare the mean of a group, such as paired differences, with zero by Student's t interval.

    Parameters
    ----------
    name : str
        What the values are.
    values : sequence of float, shape (n,)
        Two values or more.

    Returns
    -------
    Comparison

    Examples
    --------
    >>> mean_above_zero("gain", [1.0, 2.0, 3.0]).text
    'gain 2 (−0.484 to 4.48)'
    """
    return Comparison(name, float(np.mean(values)), float(stats.sem(values)), len(values) - 1)


def binomial_interval(hits: int, n: int) -> tuple[float, float]:
    """Exact 95 % interval of a share, `hits` of `n`.

    Parameters
    ----------
    hits : int
        Successes, 0 to `n`.
    n : int
        Trials.

    Returns
    -------
    (float, float)
        Lower and upper end, between 0 and 1 (Clopper and Pearson).

    Examples
    --------
    >>> [round(end, 3) for end in binomial_interval(6, 12)]
    [0.211, 0.789]
    """
    limits = stats.binomtest(hits, n).proportion_ci(CONFIDENCE)
    return float(limits.low), float(limits.high)


def bonferroni(n: int) -> float:
    """Confidence of each of `n` intervals at which all of them together have 95 %.

    Parameters
    ----------
    n : int
        Number of intervals.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> bonferroni(1), round(bonferroni(6), 4)
    (0.95, 0.9917)
    """
    return 1 - (1 - CONFIDENCE) / max(n, 1)


@dataclass(frozen=True)
class Effect:
    """How much a change changes a quantity.

    Attributes
    ----------
    n : int
        Number of pairs; for groups that are not paired, of runs after the change.
    mean : float
        Mean change; NaN without any pair.
    low, high : float
        95 % interval of the mean by Student's t; NaN from fewer than two pairs.
    p : float
        Two-sided p of an exact permutation test; NaN without any pair.
    least_p : float
        The smallest p that so few runs can give.
    ups, downs : int
        Pairs in which the quantity rises and falls.
    """

    n: int
    mean: float
    low: float
    high: float
    p: float
    least_p: float
    ups: int
    downs: int

    @property
    def text(self) -> str:
        """Mean with interval as it shall read; a dash if there is none.

        Examples
        --------
        >>> paired_effect([1.0, 2.0, 3.0]).text
        '+2 (−0.5 to +4.5)'
        """
        if not self.n:
            return "–"
        return _signed(self.mean) + (f" ({_signed(self.low)} to {_signed(self.high)})" if self.n > 1 else "")

    @property
    def p_text(self) -> str:
        """P value with the smallest one possible, as it shall read; a dash from fewer than two pairs."""
        return f"{figure(self.p)} (least {figure(self.least_p)})" if self.n > 1 else "–"


def _signed(value: float) -> str:
    return signed(value).removesuffix(".0")


NO_EFFECT = Effect(0, math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0)


def paired_effect(changes: Sequence[float] | NDArray[np.floating]) -> Effect:
    """Judge the changes of pairs: Student's t interval of the mean, and an exact sign-flip test.

    The test asks how often a mean at least as large comes about if each change might as well have had
    the other sign; all 2ⁿ choices of signs are tried.

    Parameters
    ----------
    changes : sequence of float, shape (n,)
        Change in each pair.

    Returns
    -------
    Effect

    Examples
    --------
    >>> effect = paired_effect([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> effect.p == effect.least_p == 2 / 2**5
    True
    """
    data = np.asarray(changes, dtype=float)
    if not len(data):
        return NO_EFFECT
    ups, downs = int((data > 0).sum()), int((data < 0).sum())
    if len(data) == 1:
        return Effect(1, float(data[0]), math.nan, math.nan, 1.0, 1.0, ups, downs)
    shown = mean_above_zero("", data.tolist())
    test = stats.permutation_test((data,), np.mean, permutation_type="samples", n_resamples=np.inf)
    return Effect(
        len(data), shown.difference, shown.low, shown.high, float(test.pvalue), 2.0 ** (1 - len(data)), ups, downs
    )


def unpaired_effect(before: Sequence[float], after: Sequence[float]) -> Effect:
    """Judge two groups whose seeds are not known: Welch's interval, and an exact permutation test.

    Pairs that rise or fall there are none, so that `ups` and `downs` are 0.

    Parameters
    ----------
    before : sequence of float, shape (n_before,)
        Values of the first group.
    after : sequence of float, shape (n_after,)
        Values of the second group.

    Returns
    -------
    Effect

    Examples
    --------
    >>> effect = unpaired_effect([1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0])
    >>> effect.text, round(effect.p, 5), round(effect.least_p, 5)
    ('+5 (+2.7 to +7.3)', 0.00794, 0.00794)
    """
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if not len(first) or not len(second):
        return NO_EFFECT
    if min(len(first), len(second)) == 1:
        return Effect(1, float(second.mean() - first.mean()), math.nan, math.nan, 1.0, 1.0, 0, 0)
    shown = compare("", second.tolist(), first.tolist())
    test = stats.permutation_test(
        (second, first), _difference_of_means, permutation_type="independent", n_resamples=np.inf
    )
    least = (2 if len(first) == len(second) else 1) / math.comb(len(first) + len(second), len(first))
    return Effect(len(second), shown.difference, shown.low, shown.high, float(test.pvalue), least, 0, 0)


def _difference_of_means(first: NDArray, second: NDArray, axis: int) -> NDArray:
    return first.mean(axis=axis) - second.mean(axis=axis)


def effect_over_networks(effects: Mapping[str, Effect]) -> Effect:
    """Judge the mean changes of several networks, each of which counts once, whatever its number of pairs.

    What varies is the network: the interval and the test are on the mean over networks such as these.

    Parameters
    ----------
    effects : mapping of str to Effect
        Effect by network; those without pairs are left out.

    Returns
    -------
    Effect

    Examples
    --------
    >>> effects = {"a": paired_effect([1.0, 3.0]), "b": paired_effect([4.0]), "c": NO_EFFECT}
    >>> both = effect_over_networks(effects)
    >>> both.n, both.mean
    (2, 3.0)
    """
    return paired_effect([effect.mean for effect in effects.values() if effect.n])


def rank_correlation(first: Iterable[float], second: Iterable[float]) -> float:
    """Spearman's correlation; 0 if one side does not vary.

    Parameters
    ----------
    first, second : iterable of float, shape (n,)
        The two sides, of equal length.

    Returns
    -------
    float
        Between -1 and 1.

    Examples
    --------
    >>> rank_correlation([1, 2, 3], [30, 20, 10]), rank_correlation([1, 2], [5, 5])
    (-1.0, 0.0)
    """
    both = [np.array(list(values), dtype=float) for values in (first, second)]
    return float(stats.spearmanr(*both).statistic) if all(map(np.ptp, both)) else 0.0
