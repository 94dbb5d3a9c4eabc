"""Comparing groups of runs: effects with intervals, and what several comparisons say together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from spectra_lib.claims.verdict import CONFIDENCE, Outcome, Verdict, interval_text
from spectra_lib.display_names import network_name
from spectra_lib.records import RunRecord, RunRecords
from spectra_lib.wording import figure

SEEDS = 3
"""Runs that a group needs before it is compared."""

ALL_SEEDS = 5
"""Runs of a network in the paper: what a claim on every run needs to be supported."""

LISTED = 3
"""Comparisons that a sentence names at most."""

Groups = Mapping[str, RunRecords]
"""Runs by network, or by network and activation with a space between them."""

Value = Callable[[RunRecord], float]


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
        """Student's interval of the effect."""
        if not self.error:
            return self.difference, self.difference
        low, high = stats.t.interval(level, self.freedom, loc=self.difference, scale=self.error)
        return float(low), float(high)

    def above(self, level: float = CONFIDENCE) -> bool:
        """Whether the whole interval is as claimed."""
        return self.interval(level)[0] > self.bar

    def below(self, level: float = CONFIDENCE) -> bool:
        """Whether the whole interval is against the claim."""
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
        """The comparison with its interval, as it shall read."""
        claimed = f"; claimed above {figure(self.bar)}" if self.bar else ""
        return f"{self.name} {figure(self.difference)} ({interval_text(self.interval(level), level)}{claimed})"


def group_name(group: str) -> str:
    """Name a group of runs as it shall read.

    Examples
    --------
    >>> group_name("cnn6_bn"), group_name("vgg linear")
    ('CNN6 BN', 'VGG (linear)')
    """
    return network_name(*group.split())


def compare(name: str, larger: Sequence[float], smaller: Sequence[float], bar: float = 0.0) -> Comparison:
    """Compare the means of two groups by Welch's t interval; each needs two values or more.

    Without any scatter the interval is a point. For `bar` see `Comparison`.

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

    Examples
    --------
    >>> mean_above_zero("gain", [1.0, 2.0, 3.0]).text
    'gain 2 (−0.484 to 4.48)'
    """
    return Comparison(name, float(np.mean(values)), float(stats.sem(values)), len(values) - 1)


def binomial_interval(hits: int, n: int) -> tuple[float, float]:
    """Exact 95 % interval of a share, `hits` of `n`.

    Examples
    --------
    >>> [round(end, 3) for end in binomial_interval(6, 12)]
    [0.211, 0.789]
    """
    limits = stats.binomtest(hits, n).proportion_ci(CONFIDENCE)
    return float(limits.low), float(limits.high)


def bonferroni(n: int) -> float:
    """Confidence of each of `n` intervals at which all of them together have 95 %.

    Examples
    --------
    >>> bonferroni(1), round(bonferroni(6), 4)
    (0.95, 0.9917)
    """
    return 1 - (1 - CONFIDENCE) / max(n, 1)


def compare_groups(
    groups: Groups, pairs: Iterable[tuple[str, str]], value: Value, factor: float = 1.0
) -> list[Comparison]:
    """Compare pairs of groups that have enough runs.

    Parameters
    ----------
    groups : mapping of str to RunRecords
        The groups by name.
    pairs : iterable of (str, str)
        The group whose value shall be larger, and the other.
    value : callable
        What is compared.
    factor : float
        Factor on the value that shall be larger: 0.75 asks for more than a quarter's difference.
    """
    return [
        compare(
            f"{group_name(larger)} against {group_name(smaller)}",
            [factor * value(record) for record in groups[larger]],
            [value(record) for record in groups[smaller]],
        )
        for larger, smaller in pairs
        if len(groups[larger]) >= SEEDS and len(groups[smaller]) >= SEEDS
    ]


def backend_of(record: RunRecord) -> str | None:
    """Backend that a run was trained on; None if its sessions used several, or it has none."""
    used = {session.backend for session in record.sessions}
    return used.pop() if len(used) == 1 else None


def pairs_by_seed(before: Iterable[RunRecord], after: Iterable[RunRecord]) -> list[tuple[RunRecord, RunRecord]]:
    """Pair runs of equal seed that were trained on the same backend.

    Each backend draws weights and dropout from a generator of its own, so that a seed on one is another seed on the
    other: such runs have no more in common than any two. A run that went from one backend to another makes no pair.

    Examples
    --------
    >>> pairs_by_seed(RunRecords(()), RunRecords(()))
    []
    """
    partners = {(record.spec.seed, backend_of(record)): record for record in after}
    keys = [(record, (record.spec.seed, backend_of(record))) for record in before]
    return [(record, partners[key]) for record, key in keys if key[1] is not None and key in partners]


def shortage(groups: Groups, need: int = SEEDS) -> str:
    """Say which groups lack runs; empty if none does.

    Examples
    --------
    >>> shortage({"cnn2": RunRecords(()), "vgg": RunRecords(())})
    '0 of 3 of CNN2, VGG'
    """
    short: dict[int, list[str]] = {}
    for name, runs in groups.items():
        if len(runs) < need:
            short.setdefault(len(runs), []).append(group_name(name))
    return "; ".join(f"{count} of {need} of {', '.join(short[count])}" for count in sorted(short))


def waiting(groups: Groups, need: int = SEEDS, *, meaning: str = "") -> Verdict:
    """Undecided: too few runs."""
    n, needed = counts(groups, need)
    return Verdict(Outcome.UNDECIDED, None, meaning, n, needed, "runs", f"Waits for runs: {shortage(groups, need)}.")


def counts(groups: Groups, need: int = SEEDS) -> tuple[int, int]:
    """Runs that there are in all groups, and runs needed."""
    return sum(map(len, groups.values())), need * len(groups)


def conclude(
    comparisons: Sequence[Comparison],
    groups: Groups,
    meaning: str,
    *,
    planned: int,
    need: int = SEEDS,
    remark: str = "",
) -> Verdict:
    """Decide a claim that all comparisons must bear out.

    One whose whole interval is against it contradicts the claim, whatever is missing; as any of them
    may, that interval is widened for their number (Bonferroni). What counts is the number planned, not
    the number that there are runs for yet: a verdict shall not flip back because more of them come in.
    All of them having 95 % intervals as claimed support it once no group lacks runs; as each of them
    must, that needs no correction. The verdict shows the interval that decides.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Those that there are runs for.
    groups : mapping of str to RunRecords
        All groups that the claim is about.
    meaning : str
        What the differences are.
    planned : int
        Number of comparisons once all runs are there.
    need : int
        Runs needed of each group.
    remark : str
        A sentence to add.
    """
    n, needed = counts(groups, need)
    strict = bonferroni(max(planned, len(comparisons)))

    def verdict(outcome: Outcome, shown: Comparison | None, level: float, sentence: str) -> Verdict:
        text = f"{sentence} {remark}".strip()
        if shown is None:
            return Verdict(outcome, None, meaning, n, needed, "runs", text)
        what = f"{meaning}, {shown.name}" if shown.name else meaning
        return Verdict(outcome, shown.difference, what, n, needed, "runs", text, shown.interval(level), level)

    against = [c for c in comparisons if c.below(strict)]
    if against:
        worst = min(against, key=lambda c: c.interval(strict)[1] - c.bar)
        others = f"; so do {len(against) - 1} further of {len(comparisons)} comparisons" if len(against) > 1 else ""
        sentence = f"The other way round: {worst.text_at(strict)} {meaning}{others}."
        return verdict(Outcome.CONTRADICTED, worst, strict, sentence)
    weakest = min(comparisons, key=lambda c: (not c.below(), c.low - c.bar), default=None)
    # The 95 % interval keeps a comparison open, unless it is the widening alone that does.
    level = strict if weakest is not None and weakest.below() else CONFIDENCE
    if shortage(groups, need) or weakest is None:
        return verdict(Outcome.UNDECIDED, weakest, level, f"Waits for runs: {shortage(groups, need)}.")
    if weakest.above():
        number = "The one comparison bears" if len(comparisons) == 1 else f"All {len(comparisons)} comparisons bear"
        sentence = f"{number} it out, least clearly {weakest.text} {meaning}."
        return verdict(Outcome.SUPPORTED, weakest, level, sentence)
    open_ = sorted((c for c in comparisons if not c.above()), key=lambda c: c.low - c.bar)
    listed = "; ".join(c.text_at(strict if c.below() else CONFIDENCE) for c in open_[:LISTED])
    sentence = f"The seeds do not settle {len(open_)} of {len(comparisons)} comparisons: {listed} {meaning}"
    sentence += "." if len(open_) <= LISTED else ", and so on."
    return verdict(Outcome.UNDECIDED, weakest, level, sentence)


def conclude_for_every_run(
    refuted: bool,
    groups: Groups,
    effect: float | None,
    meaning: str,
    sentence: str,
    *,
    need: int = SEEDS,
    interval: tuple[float, float] | None = None,
) -> Verdict:
    """Decide a claim that what there is refutes at once, and that only complete evidence supports.

    Parameters
    ----------
    refuted : bool
        Whether there is a counterexample.
    groups : mapping of str to RunRecords
        All groups that the claim is about.
    effect, meaning, sentence, interval
        See `Verdict`; what is missing is added to the sentence.
    need : int
        Runs of each group that make the evidence complete.
    """
    short = shortage(groups, need)
    outcome = Outcome.CONTRADICTED if refuted else Outcome.UNDECIDED if short else Outcome.SUPPORTED
    if outcome is Outcome.UNDECIDED:
        sentence = f"{sentence} Waits for runs: {short}.".strip()
    return Verdict(outcome, effect, meaning, *counts(groups, need), "runs", sentence, interval)


def side_of(bar: float, low: float, high: float) -> Outcome:
    """Tell whether a quantity that is claimed to lie above a bar does, by its interval.

    Examples
    --------
    >>> [side_of(0.5, *interval).value for interval in ((0.6, 0.9), (0.4, 0.9), (0.1, 0.2))]
    ['supported', 'undecided', 'contradicted']
    """
    return Outcome.SUPPORTED if low > bar else Outcome.CONTRADICTED if high < bar else Outcome.UNDECIDED
