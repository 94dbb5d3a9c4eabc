"""Comparing groups of runs: effects with intervals, and what several comparisons say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from spectra_lib.analysis.statistics import CONFIDENCE, Comparison, bonferroni, compare
from spectra_lib.claims.verdict import Outcome, Verdict
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords

SEEDS = 3
"""Runs that a group needs before it is compared."""


ALL_SEEDS = 5
"""Runs of a network in the paper: what a claim on every run needs to be supported."""


LISTED = 3
"""Comparisons that a sentence names at most."""


Groups = Mapping[str, RunRecords]
"""Runs by network, or by network and activation with a space between them."""


Value = Callable[[RunRecord], float]


def group_name(group: str) -> str:
    """Name a group of runs as it shall read.

    Parameters
    ----------
    group : str
        Network, or network and activation with a space between them.

    Returns
    -------
    str
        Display name, the activation in brackets.

    Examples
    --------
    >>> group_name("cnn6_bn"), group_name("vgg linear")
    ('CNN6 BN', 'VGG (linear)')
    """
    return network_name(*group.split())


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

    Returns
    -------
    list of Comparison
        In the order of the pairs; without those that lack runs.
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


def shortage(groups: Groups, need: int = SEEDS) -> str:
    """Say which groups lack runs; empty if none does.

    Parameters
    ----------
    groups : mapping of str to RunRecords
        The groups by name.
    need : int
        Runs needed of each group.

    Returns
    -------
    str
        Names of the groups by number of runs.

    Examples
    --------
    >>> shortage({"cnn2": RunRecords(()), "vgg": RunRecords(())})
    '0 of 3 runs of CNN2, VGG'
    """
    short: dict[int, list[str]] = {}
    for name, runs in groups.items():
        if len(runs) < need:
            short.setdefault(len(runs), []).append(group_name(name))
    return "; ".join(f"{count} of {need} runs of {', '.join(short[count])}" for count in sorted(short))


def waiting(groups: Groups, need: int = SEEDS, *, meaning: str = "") -> Verdict:
    """Undecided: too few runs.

    Parameters
    ----------
    groups : mapping of str to RunRecords
        All groups that the claim is about.
    need : int
        Runs needed of each group.
    meaning : str
        What the effect would be, with its unit.

    Returns
    -------
    Verdict
        Undecided, without an effect; its sentence names the missing runs.
    """
    n, needed = counts(groups, need)
    return Verdict(Outcome.UNDECIDED, None, meaning, n, needed, "runs", f"Insufficient data: {shortage(groups, need)}.")


def counts(groups: Groups, need: int = SEEDS) -> tuple[int, int]:
    """Runs that there are in all groups, and runs needed.

    Parameters
    ----------
    groups : mapping of str to RunRecords
        All groups that the claim is about.
    need : int
        Runs needed of each group.

    Returns
    -------
    (int, int)
        Number of runs, and number needed.
    """
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

    Returns
    -------
    Verdict
        Effect and interval are those of the comparison that decides.
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
        return verdict(Outcome.UNDECIDED, weakest, level, f"Insufficient data: {shortage(groups, need)}.")
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

    Returns
    -------
    Verdict
        Contradicted if refuted, undecided while runs are missing, else supported.
    """
    short = shortage(groups, need)
    outcome = Outcome.CONTRADICTED if refuted else Outcome.UNDECIDED if short else Outcome.SUPPORTED
    if outcome is Outcome.UNDECIDED:
        sentence = f"{sentence} Insufficient data: {short}.".strip()
    return Verdict(outcome, effect, meaning, *counts(groups, need), "runs", sentence, interval)


def side_of(bar: float, low: float, high: float) -> Outcome:
    """Tell whether a quantity that is claimed to lie above a bar does, by its interval.

    Parameters
    ----------
    bar : float
        Threshold.
    low, high : float
        Interval of the quantity, in the unit of the threshold.

    Returns
    -------
    Outcome
        Undecided if the interval holds the threshold.

    Examples
    --------
    >>> [side_of(0.5, *interval).value for interval in ((0.6, 0.9), (0.4, 0.9), (0.1, 0.2))]
    ['supported', 'undecided', 'contradicted']
    """
    return Outcome.SUPPORTED if low > bar else Outcome.CONTRADICTED if high < bar else Outcome.UNDECIDED
