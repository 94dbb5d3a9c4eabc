"""Claims on why networks err: which classes are confused, and what a network looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.wording import counted, figure
from spectra_lib.analysis.confusable import Cause, cause_of_pair
from spectra_lib.analysis.decisive_peaks import decisive_peak, fewest_on_the_wrong_side, nearest_training_spectra
from spectra_lib.analysis.linear_layers import HIDDEN_LAYERS, collapse_gap
from spectra_lib.analysis.overlap import needed_by_pair
from spectra_lib.analysis.probe_answers import MIN_PEAKS, explained_by_axes, largest_peak_surplus, occlusion_by_network
from spectra_lib.analysis.statistics import Comparison, mean_above_zero
from spectra_lib.claims.benchmark import majority, published_networks
from spectra_lib.claims.comparison import (
    ALL_SEEDS,
    SEEDS,
    compare_groups,
    conclude,
    conclude_for_every_run,
    counts,
    shortage,
    waiting,
)
from spectra_lib.claims.evidence import Evidence
from spectra_lib.claims.registry import claim
from spectra_lib.claims.verdict import Outcome, Verdict
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.datasets.statistics import peaks_of
from spectra_lib.networks.catalogue import PUBLISHED
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords

CAUSES = "Results, Misclassification causes"


MINOR_PEAKS = "Results, Overlooking minor peaks"


POSITIONS = "Results, Overlapping peak positions"


INTENSITIES = "Results, Overlapping peak intensities"


FEW_PEAKS = 4


MORE_PAIRS = 6


MINOR_PAIR, POSITION_PAIR, INTENSITY_PAIR = (246, 382), (8, 318), (164, 281)
"""The three pairs of classes that the paper looks into, one for each cause."""


def _runs(evidence: Evidence) -> list[RunRecord]:
    return [record for group in published_networks(evidence).values() for record in group]


def _has_classes(evidence: Evidence, pair: tuple[int, int]) -> bool:
    """Whether the general set is the paper's, in which this pair of classes is the one meant."""
    return evidence.general.spec.name == "benchmark" and max(pair) < evidence.general.spec.n_classes


def _not_here(pair: tuple[int, int], meaning: str, needed: int, unit: str) -> Verdict:
    sentence = f"Classes {pair[0]} and {pair[1]} of the general benchmark are not in the dataset at hand."
    return Verdict(Outcome.UNDECIDED, None, meaning, 0, needed, unit, sentence)


@claim(
    19,
    CAUSES,
    "All errors come from overlooked minor peaks, overlapping positions or overlapping intensities.",
    uses="fingerprints of the classes confused in every run",
)
def three_causes_explain_all(evidence: Evidence) -> Verdict:
    """One error between classes that are alike in none of the three ways contradicts.

    Five seeds of all eight networks without one support.
    """
    groups, dataset = published_networks(evidence), evidence.general
    n = total = 0
    causes: dict[tuple[int, int], Cause | None] = {}
    odd: list[tuple[str, int, int]] = []
    for record in _runs(evidence):
        n += 1
        found = evidence.confusions(record)
        for true, answered in zip(found.true.tolist(), found.answered.tolist(), strict=True):
            pair = (min(true, answered), max(true, answered))
            if pair not in causes:
                causes[pair] = cause_of_pair(dataset, pair)
            total += 1
            if causes[pair] is None:
                odd.append((network_name(record.spec.model), true, answered))
    meaning = "errors that none of the causes explains"
    if not n:
        return waiting(groups, ALL_SEEDS, meaning=meaning)
    kinds = ", ".join(f"{sum(c is kind for c in causes.values())} by {kind.value}" for kind in Cause)
    sentence = (
        f"{total - len(odd)} of {counted(total, 'error')} in {counted(n, 'run')} have one of the causes; of "
        f"{counted(len(causes), 'pair')}, {kinds}."
    )
    if odd:
        sentence += f" Without one: {odd[0][0]} takes a spectrum of class {odd[0][1]} for class {odd[0][2]}."
    return conclude_for_every_run(bool(odd), groups, float(len(odd)), meaning, sentence, need=ALL_SEEDS)


@claim(
    20,
    CAUSES,
    "Classes that are confused have at most four peaks; many peaks are no problem.",
    uses="every run's errors",
)
def many_peaks_are_no_problem(evidence: Evidence) -> Verdict:
    """One confused class with more than four peaks contradicts.

    Five seeds of all eight networks without one support.
    """
    groups, dataset = published_networks(evidence), evidence.general
    labels: set[int] = set()
    for record in _runs(evidence):
        labels.update(label for pair in evidence.confusions(record).pairs for label in pair)
    peaks = {label: dataset.fingerprints[label].n_peaks for label in labels}
    meaning = "peaks of the richest confused class"
    if not counts(groups)[0]:
        return waiting(groups, ALL_SEEDS, meaning=meaning)
    richest = max(peaks.values(), default=0)
    over = sum(count > FEW_PEAKS for count in peaks.values())
    rich = sum(f.n_peaks > FEW_PEAKS for f in dataset.fingerprints)
    sentence = (
        f"{len(peaks)} classes are confused in some run; {over} of them have more than {FEW_PEAKS} peaks, as have "
        f"{rich} of all "
        f"{dataset.spec.n_classes} classes."
    )
    return conclude_for_every_run(over > 0, groups, float(richest), meaning, sentence, need=ALL_SEEDS)


@claim(
    21,
    MINOR_PEAKS,
    "Nearly all networks call most test spectra of class 246 class 382, and are right only where the largest peak "
    "moved away.",
    uses="predictions for the test spectra of class 246",
)
def class_246_is_called_382(evidence: Evidence) -> Verdict:
    """Supported if seven of eight networks do, and none is right where the largest peak stayed.

    Most is more than half on average of three seeds or more. Two networks that do not contradict, and so does one
    right answer to a spectrum whose largest peak did not move away from that of class 382.
    """
    groups = published_networks(evidence)
    meaning = "% of class 246 called 382"
    if not _has_classes(evidence, MINOR_PAIR):
        return _not_here(MINOR_PAIR, meaning, counts(groups)[1], "runs")
    label, other = MINOR_PAIR
    rows = np.flatnonzero(evidence.general.test.labels == label)
    away = _moved_away(evidence.general, MINOR_PAIR)
    shares, near_but_right, right = {}, 0, 0
    for model, group in groups.items():
        answers = np.array([np.array(record.test_predictions.labels)[rows] for record in group])
        if len(group):
            near_but_right += int((answers[:, ~away] == label).sum())
            right += int((answers == label).sum())
        if len(group) >= SEEDS:
            shares[model] = float((answers == other).mean())
    if not right and not shares:
        return waiting(groups, meaning=meaning)
    failing = [model for model, share in shares.items() if share <= 0.5]
    effect = 100 * float(np.mean(list(shares.values()))) if shares else None
    sentence = (
        f"{len(shares) - len(failing)} of {counted(len(shares), 'network')} with enough runs "
        f"{'calls' if len(shares) == 1 else 'call'} most of its {len(rows)} spectra {other}; of "
        f"{counted(right, 'correct prediction')} {near_but_right} {'is' if near_but_right == 1 else 'are'} on spectra "
        f"whose largest peak did not move away."
        if shares
        else f"No network has {SEEDS} runs yet. Of {counted(right, 'correct prediction')} {near_but_right} "
        f"{'is' if near_but_right == 1 else 'are'} on spectra whose largest peak did not move away."
    )
    return conclude_for_every_run(len(failing) > 1 or near_but_right > 0, groups, effect, meaning, sentence)


def _moved_away(dataset: Dataset, pair: tuple[int, int]) -> NDArray[np.bool_]:
    """Test spectra of the first class whose largest peak is farther than ideally from the other class's."""
    own, other = (dataset.fingerprints[label] for label in pair)
    largest = int(np.argmax(own.heights))
    partner = min(other.positions, key=lambda p: abs(p - own.positions[largest]))
    positions, _ = peaks_of(dataset.test, pair[0], largest)
    return np.abs(positions - partner) > abs(own.positions[largest] - partner)


@claim(
    22,
    MINOR_PEAKS,
    "Networks give the largest peak too much weight.",
    uses="occlusion probe: one peak taken away at a time, networks against peak matching on the same spectra",
)
def largest_peak_weighs_too_much(evidence: Evidence) -> Verdict:
    """Whatever weighs peaks by their height minds the loss of the largest one most, so peak matching is the measure.

    Counted is how much more often the answer changes without the largest peak of a class than without another one. In
    every network this must exceed what peak matching shows on the same spectra, which knows all peaks exactly and
    answers the nearest fingerprint. By the interval of the mean difference over classes of three peaks and more, with
    the answers of three runs or more of a network averaged; one network that clearly stays below contradicts.
    """
    groups = {
        model: RunRecords(tuple(record for record in group if "occlusion" in record.probes))
        for model, group in published_networks(evidence).items()
    }
    tables = occlusion_by_network(evidence.general, [record for group in groups.values() for record in group])
    surplus = {model: largest_peak_surplus(table) for model, table in tables.items()}
    matching = surplus.pop("matching")
    compared = [
        mean_above_zero(network_name(model), (surplus[model] - matching).tolist())
        for model, group in groups.items()
        if len(group) >= SEEDS and len(matching) > 1
    ]
    by = ", ".join(
        f"{figure(each.mean())} for {network_name(model)} ({counted(len(groups[model]), 'run')})"
        for model, each in surplus.items()
    )
    remark = (
        f"Predictions change more often without the largest peak than without another one (classes of {MIN_PEAKS} "
        f"peaks and more): by {figure(matching.mean())} percentage points for peak matching, {by}."
        if surplus
        else ""
    )
    return conclude(compared, groups, "percentage points beyond peak matching", planned=len(PUBLISHED), remark=remark)


@claim(23, MINOR_PEAKS, "Six more pairs of classes fail because of a minor peak.", uses="pairs confused in any run")
def six_more_minor_pairs(evidence: Evidence) -> Verdict:
    """Supported as soon as six such pairs, 246 and 382 not counted, are confused in some run.

    Contradicted if fewer are in five seeds of all eight networks.
    """
    groups = published_networks(evidence)
    pairs = {pair for record in _runs(evidence) for pair in evidence.confusions(record).pairs} - {MINOR_PAIR}
    minor = sorted(pair for pair in pairs if cause_of_pair(evidence.general, pair) is Cause.MINOR)
    meaning = "more pairs"
    n, needed = counts(groups, ALL_SEEDS)
    if not n:
        return waiting(groups, ALL_SEEDS, meaning=meaning)
    short = shortage(groups, ALL_SEEDS)
    too_few = Outcome.UNDECIDED if short else Outcome.CONTRADICTED
    outcome = Outcome.SUPPORTED if len(minor) >= MORE_PAIRS else too_few
    listed = ", ".join(f"{a}/{b}" for a, b in minor[:8]) + (" …" if len(minor) > 8 else "")
    sentence = (
        f"Further pairs that a minor peak tells apart and that are confused in some of {counted(n, 'run')}: "
        f"{len(minor)}{' (' + listed + ')' if minor else ''}."
    )
    far = sum(needed > 1 for needed in needed_by_pair(evidence.general, minor).values())
    sentence += f" In {far} of them no augmentation makes both classes give the same spectrum." if far else ""
    sentence += f" Insufficient data: {short}." if outcome is Outcome.UNDECIDED else ""
    return Verdict(outcome, float(len(minor)), meaning, n, needed, "runs", sentence)


@claim(
    24,
    POSITIONS,
    "A simple boundary separates all test spectra of classes 8 and 318, yet most networks err; CNN6 errs on three.",
    uses="test peaks and predictions of both classes",
)
def most_err_on_8_and_318(evidence: Evidence) -> Verdict:
    """Needs a boundary, errors of most networks in most seeds, and about three of CNN6.

    Contradicted if no boundary between positions separates the test spectra, if half of the networks make no error in
    most seeds, or if the interval of CNN6's mean misses 2.5 to 3.5; supported if nothing of this is so in three seeds
    of all eight networks.
    """
    groups = published_networks(evidence)
    meaning = "errors of CNN6 on average"
    if not _has_classes(evidence, POSITION_PAIR):
        return _not_here(POSITION_PAIR, meaning, counts(groups)[1], "runs")
    peak, partner = decisive_peak(evidence.general, POSITION_PAIR)
    wrong_side = fewest_on_the_wrong_side(
        peaks_of(evidence.general.test, POSITION_PAIR[0], peak)[0],
        peaks_of(evidence.general.test, POSITION_PAIR[1], partner)[0],
    )
    errors = {m: [len(evidence.confusions(r).between(POSITION_PAIR)) for r in g] for m, g in groups.items()}
    ready = {model: each for model, each in errors.items() if len(each) >= SEEDS}
    erring = sum(np.count_nonzero(each) > len(each) / 2 for each in ready.values())
    clean = len(ready) - erring
    mean = mean_above_zero("", errors["cnn6"]) if "cnn6" in ready else None
    misses = mean is not None and not (mean.low < 3.5 and mean.high >= 2.5)
    refuted = bool(wrong_side > 0 or clean >= len(PUBLISHED) / 2 or misses)
    sentence = (
        f"The best boundary leaves {counted(wrong_side, 'test spectrum', 'test spectra')} on the wrong side; "
        + (
            f"{erring} of {counted(len(ready), 'network')} with enough runs {'errs' if len(ready) == 1 else 'err'} in "
            f"most of them"
            if ready
            else f"no network has {SEEDS} runs yet"
        )
        + ("." if mean is None else f", and CNN6 on {mean.difference:.1f} of the spectra of both classes on average.")
    )
    interval = None if mean is None else (mean.low, mean.high)
    effect = None if mean is None else mean.difference
    return conclude_for_every_run(refuted, groups, effect, meaning, sentence, interval=interval)


@claim(
    25,
    POSITIONS,
    "Most errors between overlapping classes sit next to a training spectrum of the other class.",
    uses="distance of misclassified test peaks to the training peaks of both classes",
)
def errors_sit_next_to_the_other_class(evidence: Evidence) -> Verdict:
    """More than half of the misclassified spectra do, or fewer, by the exact binomial interval.

    Counted are the different test spectra confused in any run between classes that overlap in positions or intensities;
    three seeds of all eight networks. Nearest by the peak that tells the classes apart, in units of the variation.
    """
    groups, dataset = published_networks(evidence), evidence.general
    meaning = "% of misclassified spectra nearest to the other class"
    if shortage(groups):
        return waiting(groups, meaning=meaning)
    wrong: dict[tuple[int, int], set[int]] = {}
    for record in _runs(evidence):
        found = evidence.confusions(record)
        for row, true, answered in zip(found.rows.tolist(), found.true.tolist(), found.answered.tolist(), strict=True):
            if cause_of_pair(dataset, (true, answered)) in (Cause.POSITION, Cause.INTENSITY):
                wrong.setdefault((true, answered), set()).add(row)
    near = [hit for pair, rows in wrong.items() for hit in _nearest_to_other(dataset, pair, rows)]
    n, needed = counts(groups)
    if not near:
        sentence = f"{counted(n, 'run')} confuse no classes that overlap."
        return Verdict(Outcome.UNDECIDED, None, meaning, n, needed, "runs", sentence)
    hits = sum(near)
    outcome, interval = majority(hits, len(near))
    sentence = (
        f"{len(near)} different test spectra of overlapping classes are misclassified in some run; {hits} of them "
        f"have their nearest training spectrum in the class that was predicted."
    )
    return Verdict(outcome, 100 * hits / len(near), meaning, n, needed, "runs", sentence, interval)


def _nearest_to_other(dataset: Dataset, pair: tuple[int, int], rows: set[int]) -> Iterator[bool]:
    near = nearest_training_spectra(dataset, *pair).set_index("row")
    for row in sorted(rows):
        yield bool(near.other[row] < near.own[row])


@claim(
    26,
    INTENSITIES,
    "A threshold on one relative intensity classifies all test spectra of classes 164 and 281.",
    uses="their test peaks",
)
def one_height_separates_164_and_281(evidence: Evidence) -> Verdict:
    """Supported if some threshold has no test spectrum on the wrong side; else contradicted."""
    meaning = "test spectra on the wrong side of the best split"
    test = evidence.general.test
    if not _has_classes(evidence, INTENSITY_PAIR):
        return _not_here(INTENSITY_PAIR, meaning, 2, "classes")
    peak, partner = decisive_peak(evidence.general, INTENSITY_PAIR)
    groups = [peaks_of(test, label, p)[1] for label, p in zip(INTENSITY_PAIR, (peak, partner), strict=True)]
    fewest, n = fewest_on_the_wrong_side(*groups), sum(map(len, groups))
    low, high = sorted(groups, key=lambda heights: float(heights.mean()))
    middle = float(low.mean() + high.mean()) / 2
    half_way = int((low > middle).sum() + (high < middle).sum())
    sentence = (
        f"The weaker class reaches intensity {low.max():.3f}, the stronger falls to {high.min():.3f}: a threshold "
        f"half-way, at {middle:.3f}, misassigns {half_way} of {n} test spectra, the best one {fewest}."
    )
    outcome = Outcome.CONTRADICTED if fewest else Outcome.SUPPORTED
    return Verdict(outcome, float(fewest), meaning, n, n, "spectra", sentence)


@claim(
    27,
    INTENSITIES,
    "Between classes 164 and 281, CNN2 decides by position (stripes), CNN6 by intensity, INC6 by a mixture of both.",
    uses="decision maps, 31 positions by 31 intensities",
)
def regions_differ(evidence: Evidence) -> Verdict:
    """Decided by how much of the variance of the answers each axis explains, three seeds of each.

    Position must explain more than height for CNN2, and less for CNN6; height must explain more for INC6 than for CNN2,
    and less than for CNN6.
    """
    groups = published_networks(evidence, ("cnn2", "cnn6", "inc6"))
    meaning = "of the variance explained"
    if not _has_classes(evidence, INTENSITY_PAIR):
        return _not_here(INTENSITY_PAIR, meaning, counts(groups)[1], "runs")
    name = next(
        (f"map-{a}-{b}" for a, b in (INTENSITY_PAIR, INTENSITY_PAIR[::-1]) if _probed(groups, f"map-{a}-{b}")), ""
    )
    groups = {model: RunRecords(tuple(r for r in g if name in r.probes)) for model, g in groups.items()}
    shares = {
        model: [explained_by_axes(np.array(r.probes[name].labels) == INTENSITY_PAIR[0]) for r in group]
        for model, group in groups.items()
    }
    compared: list[Comparison] = []
    for model, sign, text in (
        ("cnn2", -1, "CNN2: position over intensity"),
        ("cnn6", 1, "CNN6: intensity over position"),
    ):
        if len(shares[model]) >= SEEDS:
            compared.append(mean_above_zero(text, [sign * (height - position) for height, position in shares[model]]))
    compared += compare_groups(
        groups,
        [("cnn6", "inc6"), ("inc6", "cnn2")],
        lambda r: explained_by_axes(np.array(r.probes[name].labels) == INTENSITY_PAIR[0])[0],
    )
    means = "; ".join(
        f"{network_name(model)}: intensity {np.mean([height for height, _ in each]):.2f}, "
        f"position {np.mean([position for _, position in each]):.2f}"
        for model, each in shares.items()
        if each
    )
    remark = f"Variance explained by {means}." if means else ""
    return conclude(compared, groups, meaning, planned=4, remark=remark)


def _probed(groups: Mapping[str, Sequence[RunRecord]], name: str) -> bool:
    return any(name in record.probes for group in groups.values() for record in group)


@claim(
    28,
    "Results, Benchmark dataset",
    "Linear hidden layers, stacked, equal a single linear layer.",
    uses="random weights in the shapes of the six networks with linear hidden layers; run records keep no weights",
)
def linear_layers_collapse(evidence: Evidence) -> Verdict:
    """An identity of matrices, which holds for any weights, checked in numbers.

    With weights drawn at random, class probabilities layer by layer and through the product of all matrices must agree
    to rounding in every network, and must not with a ReLU between the layers. The tests of the library check the same
    on a small network after training.
    """
    n_classes = evidence.general.spec.n_classes
    gaps = {model: collapse_gap(hidden, n_classes, "linear") for model, hidden in HIDDEN_LAYERS.items()}
    bent = collapse_gap(HIDDEN_LAYERS["vgg"], n_classes, "relu")
    worst = max(gaps, key=lambda model: gaps[model])
    outcome = Outcome.SUPPORTED if gaps[worst] < 1e-9 and bent > 1e-3 else Outcome.CONTRADICTED
    sentence = (
        f"Layer by layer and collapsed, probabilities differ by at most {figure(gaps[worst], 2)} "
        f"({network_name(worst)}, weights drawn at random), which is rounding; with a ReLU between the "
        f"layers of VGG, by {bent:.2f}."
    )
    n = len(gaps)
    return Verdict(outcome, gaps[worst], "largest difference of a probability", n, n, "networks", sentence)
