"""Claims on the data themselves: how they are made, and what they leave out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import find_peaks, peak_widths

from spectra_lib._base.wording import counted
from spectra_lib.analysis.statistics import binomial_interval, bonferroni
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.claims.comparison import ALL_SEEDS, conclude_for_every_run, waiting
from spectra_lib.claims.evidence import TECHNIQUES, Evidence, GenerationCost
from spectra_lib.claims.registry import claim
from spectra_lib.claims.verdict import Outcome, Verdict
from spectra_lib.datasets.probes import BACKGROUND, NOISE
from spectra_lib.datasets.statistics import coverage_of_test_peaks
from spectra_lib.networks.catalogue import PUBLISHED, activations
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.record import RunRecord

SECONDS, PATTERNS = 15.0, 30_000
"""The claim on speed: less time than this for so many spectra."""

WELL_INSIDE = 0.99
"""Fraction of the test peaks that must lie within the range of the training peaks."""

FEWEST, MOST = 2, 6
"""Peaks that a measured spectrum of 1000 points is said to show."""

PROMINENCE = 0.05
"""A measured peak stands out by this fraction of the spectrum's range, or it does not count."""

LIKE_WIDTH = 3.0
"""Largest ratio of the techniques' median peak widths that still counts as alike."""

DEGRADED = ("noise", "background")
"""Probes of test spectra that networks have not been trained for."""

TOLERATED = 0.01
"""Loss of accuracy by noise or background that counts as none."""

BENCHMARK = "Results, Benchmark dataset"
METHODS = "Methods, Synthetic dataset approach"


@claim(
    1, BENCHMARK, "30,000 spectra are generated in less than 15 s on a desktop computer.", uses="time on this machine"
)
def generation_is_fast(evidence: Evidence) -> Verdict:
    """Supported if making and rendering took less; contradicted if even the processors' own time was more.

    Between the two the machine had other work to do.
    """
    return judge_generation(evidence.generation)


def judge_generation(cost: GenerationCost) -> Verdict:
    """Decide the claim on speed from a measurement.

    Parameters
    ----------
    cost : GenerationCost
        Number of spectra and seconds.

    Returns
    -------
    Verdict
        Its effect is the wall time in seconds.

    Examples
    --------
    >>> judge_generation(GenerationCost(30_000, seconds=2.5, processor_seconds=2.4)).outcome.value
    'supported'
    """
    if cost.spectra < PATTERNS:
        outcome, reason = Outcome.UNDECIDED, f"the dataset at hand has fewer than {PATTERNS:,} spectra"
    elif cost.seconds < SECONDS:
        outcome, reason = Outcome.SUPPORTED, f"the limit is {SECONDS:.0f} s"
    elif cost.processor_seconds >= SECONDS:
        outcome, reason = Outcome.CONTRADICTED, f"the limit is {SECONDS:.0f} s"
    else:
        outcome, reason = Outcome.UNDECIDED, "the machine was busy with other work"
    sentence = (
        f"{cost.spectra:,} training and validation spectra took {cost.seconds:.1f} s here, of which processors worked "
        f"{cost.processor_seconds:.1f} s; {reason}."
    )
    return Verdict(outcome, cost.seconds, "s", cost.spectra, PATTERNS, "spectra", sentence)


@claim(
    2,
    BENCHMARK,
    "In its ideal form every class is unambiguous: no other class, varied, looks like it.",
    uses="fingerprints, augmentation, ideal and test spectra",
)
def ideal_classes_are_unambiguous(evidence: Evidence) -> Verdict:
    """The paper says that ideal, unvaried spectra allow unambiguous identification.

    Compared with one another they do if all fingerprints differ, which the reason tells. But whoever is to identify a
    spectrum is not told that it is ideal, and other classes vary. So more is asked: supported if no class's variation
    reaches the ideal spectrum of another; one that does contradicts.
    """
    dataset = evidence.general
    observer = bayes_classifier(dataset)
    reached = observer.in_support(dataset.ideal).sum(axis=1) > 1
    possible = observer.in_support(dataset.test)
    shared = np.flatnonzero(possible.sum(axis=1) > 1)
    pairs = {pair for row in possible[shared] for pair in combinations(np.flatnonzero(row).tolist(), 2)}
    n = dataset.spec.n_classes
    sentence = (
        f"Compared with one another, {len(set(dataset.fingerprints))} of {n} ideal spectra are different, which is "
        f"what the paper says word for word. But the augmentation of another class reaches "
        f"{counted(int(reached.sum()), 'ideal spectrum', 'ideal spectra')}, and {len(shared)} of "
        f"{len(dataset.test):,} test spectra fit more than one class ({counted(len(pairs), 'pair')} of classes)."
    )
    outcome = Outcome.CONTRADICTED if reached.any() else Outcome.SUPPORTED
    return Verdict(
        outcome, float(reached.sum()), "ideal spectra that another class can make, too", n, n, "classes", sentence
    )


@claim(3, BENCHMARK, "Test spectra vary within the range of the training spectra.", uses="peaks of training and test")
def training_covers_test(evidence: Evidence) -> Verdict:
    """Supported if the training law allows every test spectrum, and nearly all peaks are in range.

    In range: 99 % of the test peaks lie between the extremes that the same peak reached in training. Contradicted
    otherwise.
    """
    dataset = evidence.general
    allowed = bayes_classifier(dataset).in_support(dataset.test)[np.arange(len(dataset.test)), dataset.test.labels]
    coverage = coverage_of_test_peaks(dataset)
    inside, n = int((coverage.position_inside & coverage.height_inside).sum()), len(coverage)
    low, high = binomial_interval(inside, n)
    good = bool(allowed.all()) and inside >= WELL_INSIDE * n
    sentence = (
        f"The training distribution allows {int(allowed.sum()):,} of {len(dataset.test):,} test spectra; {inside:,} of "
        f"{n:,} test peaks lie, in position and intensity, within what the same peak reached in {dataset.spec.n_train} "
        f"training spectra."
    )
    outcome = Outcome.SUPPORTED if good else Outcome.CONTRADICTED
    limits = (100 * low, 100 * high)
    return Verdict(outcome, 100 * inside / n, "% of test peaks inside", n, n, "peaks", sentence, limits)


@claim(
    4,
    METHODS,
    "XRD, Raman and NMR spectra cut to 1000 points show 2 to 6 peaks of like width.",
    uses="measured spectra of 1000 points",
)
def measured_spectra_are_alike(evidence: Evidence) -> Verdict:
    """Needs a measured spectrum of each technique.

    One with fewer than 2 or more than 6 peaks contradicts, and so do median widths that differ more than threefold
    between techniques.
    """
    found = {name: [peaks_and_width(s) for s in evidence.measured.get(name, ())] for name in TECHNIQUES}
    n, needed = sum(map(len, found.values())), len(TECHNIQUES)
    peaks = [count for each in found.values() for count, _ in each]
    missing = [name for name, each in found.items() if not each]
    widths = {name: float(np.median([width for _, width in each])) for name, each in found.items() if each}
    outside = sum(not FEWEST <= count <= MOST for count in peaks)
    ratio = max(widths.values()) / min(widths.values()) if all(w > 0 for w in widths.values()) and widths else None
    if outside or (ratio is not None and ratio > LIKE_WIDTH):
        outcome = Outcome.CONTRADICTED
    else:
        outcome = Outcome.UNDECIDED if missing else Outcome.SUPPORTED
    sentence = f"Insufficient data: no measured spectra of {', '.join(missing)}." if missing else ""
    if n:
        shown = f"{n - outside} of {counted(n, 'spectrum', 'spectra')} {'shows' if n == 1 else 'show'}"
        factor = "no finite factor" if ratio is None else f"a factor of {ratio:.1f}"
        sentence += f" {shown} {FEWEST} to {MOST} peaks; median widths differ by {factor}."
    return Verdict(outcome, ratio, "ratio of peak widths", n, needed, "spectra", sentence.strip())


def peaks_and_width(spectrum: NDArray[np.floating]) -> tuple[int, float]:
    """Count the peaks that stand out of a measured spectrum; also gives their median width at half height, in points.

    Parameters
    ----------
    spectrum : ndarray, shape (n_points,)
        Intensities in any unit.

    Returns
    -------
    n_peaks : int
        Peaks with a prominence of 5 % of the range or more.
    width : float
        Median width at half prominence in points; 0 without peaks.

    Examples
    --------
    >>> x = np.arange(1000)
    >>> spectrum = np.exp(-((x - 300) ** 2) / 50) + 0.5 * np.exp(-((x - 700) ** 2) / 50)
    >>> count, width = peaks_and_width(spectrum)
    >>> count, round(width)
    (2, 12)
    """
    peaks, _ = find_peaks(spectrum, prominence=PROMINENCE * float(np.ptp(spectrum)))
    if not len(peaks):
        return 0, 0.0
    return len(peaks), float(np.median(peak_widths(spectrum, peaks)[0]))


@claim(
    5,
    METHODS,
    "Leaving out noise and background loses nothing: networks are robust to both.",
    uses="noise and background probes of networks trained without either, both datasets",
)
def networks_are_robust(evidence: Evidence) -> Verdict:
    """Contradicted by one run that loses more than one percentage point by either, beyond chance.

    Chance: exact one-sided McNemar test, p < 0.05 divided by the number of trials that five seeds make. Supported if no
    run does, with three seeds of each network on the general benchmark.

    Networks trained with noise, the reverse question, are not in the records.
    """
    groups = {model: evidence.on_general(model) for model in PUBLISHED}
    on_challenge = [
        evidence.on_challenge(model, activation) for model in PUBLISHED for activation in reversed(activations(model))
    ]
    runs: list[RunRecord] = [record for group in (*groups.values(), *on_challenge) for record in group]
    trials = [(loss, chance, kind, record) for record in runs for kind, loss, chance in _losses(evidence, record)]
    meaning = "percentage points of accuracy lost in the worst run"
    if not trials:
        return waiting(groups, meaning=meaning)
    worst, _, kind, record = max(trials, key=lambda trial: trial[0])
    planned = len(DEGRADED) * ALL_SEEDS * (len(groups) + len(on_challenge))
    bad = sum(loss > TOLERATED and chance < 1 - bonferroni(planned) for loss, chance, _, _ in trials)
    sentence = (
        f"With white noise of {NOISE:g} or a background of {BACKGROUND:g} of the highest peak, {bad} of {len(trials)} "
        f"trials of networks trained on clean spectra lose more than {100 * TOLERATED:g} percentage point beyond "
        f"chance; the worst, {network_name(record.spec.model)} on {record.spec.dataset_spec.name} with {kind}, loses "
        f"{100 * worst:.1f}."
    )
    return replace(conclude_for_every_run(bad > 0, groups, 100 * worst, meaning, sentence), n=len(runs))


def _losses(evidence: Evidence, record: RunRecord) -> Iterable[tuple[str, float, float]]:
    """Loss of accuracy on each probe, and how likely as much is by chance (exact McNemar test)."""
    clean = _wrong_rows(evidence, record, record.test_predictions.labels)
    for kind in DEGRADED:
        if kind in record.probes:
            wrong = _wrong_rows(evidence, record, record.probes[kind].labels)
            lost, gained = len(wrong - clean), len(clean - wrong)
            test = stats.binomtest(lost, lost + gained, alternative="greater") if lost + gained else None
            yield kind, (lost - gained) / record.test.n, 1.0 if test is None else float(test.pvalue)


def _wrong_rows(evidence: Evidence, record: RunRecord, labels: Sequence[int]) -> set[int]:
    return set(np.flatnonzero(np.array(labels) != evidence.test_labels(record)).tolist())
