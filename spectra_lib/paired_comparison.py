"""Effect of a change on runs: paired by seed, with an interval and an exact test that few runs can bear.

Runs of equal seed on one backend see the training spectra in the same order, and what their networks
have in common starts from the same weights, which is why they are compared in pairs. Another backend
makes other weights of the same seed: such runs are no pair. With few pairs an exact test cannot give a
small p, however clear the effect; the smallest one it can give is part of the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from spectra_lib.claims.comparison import compare, mean_above_zero, pairs_by_seed
from spectra_lib.records import RunRecord, RunRecords
from spectra_lib.single_changes import Variant
from spectra_lib.wording import figure, signed


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


def pair_runs(
    records: RunRecords, before: Variant, after: Variant, value: Callable[[RunRecord], float]
) -> pd.DataFrame:
    """Pair the runs of two networks by seed, if they were trained on the same backend.

    A seed on one backend is another seed on the other, and a run that went from one to another has none
    (`claims.comparison.pairs_by_seed`).

    Parameters
    ----------
    records : RunRecords
        Runs on one dataset that follow one protocol.
    before, after : Variant
        The two networks.
    value : callable
        The quantity that is compared.

    Returns
    -------
    DataFrame
        Columns ``seed``, ``before``, ``after``, ``change``; seeds that make no pair are left out.

    Examples
    --------
    >>> pair_runs(RunRecords(()), Variant("vgg", "linear"), Variant("vgg"), lambda r: r.test.accuracy).columns.tolist()
    ['seed', 'before', 'after', 'change']
    """
    pairs = pairs_by_seed(runs_of(records, before), runs_of(records, after))
    rows = sorted(
        (first.spec.seed, value(first), value(second), value(second) - value(first)) for first, second in pairs
    )
    return pd.DataFrame(rows, columns=["seed", "before", "after", "change"])


def runs_of(records: RunRecords, variant: Variant) -> RunRecords:
    """Give the runs of a network with just these options.

    Examples
    --------
    >>> len(runs_of(RunRecords(()), Variant("vgg")))
    0
    """
    return records.select(**variant.fields())


def paired_effect(changes: Sequence[float] | NDArray[np.floating]) -> Effect:
    """Judge the changes of pairs: Student's t interval of the mean, and an exact sign-flip test.

    The test asks how often a mean at least as large comes about if each change might as well have had
    the other sign; all 2ⁿ choices of signs are tried.

    Parameters
    ----------
    changes : sequence of float, shape (n,)
        Change in each pair.

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

    Examples
    --------
    >>> effects = {"a": paired_effect([1.0, 3.0]), "b": paired_effect([4.0]), "c": NO_EFFECT}
    >>> both = effect_over_networks(effects)
    >>> both.n, both.mean
    (2, 3.0)
    """
    return paired_effect([effect.mean for effect in effects.values() if effect.n])
