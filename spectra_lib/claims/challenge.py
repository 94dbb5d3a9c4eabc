"""Claims on the challenging set: ReLU against linear, which networks fail, and what removing parts does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats

from spectra_lib._base.wording import counted, figure, signed
from spectra_lib.analysis.curves import loss_jumps, never_improved
from spectra_lib.analysis.paired_comparison import pairs_by_seed
from spectra_lib.analysis.statistics import Comparison, binomial_interval, compare, mean_above_zero
from spectra_lib.claims.benchmark import PLAIN
from spectra_lib.claims.comparison import (
    ALL_SEEDS,
    SEEDS,
    compare_groups,
    conclude,
    conclude_for_every_run,
    counts,
    side_of,
    waiting,
)
from spectra_lib.claims.evidence import Evidence
from spectra_lib.claims.registry import claim
from spectra_lib.claims.verdict import Outcome, Verdict
from spectra_lib.experiments.single_changes import ABLATIONS, POOL_SCALE
from spectra_lib.networks.catalogue import PUBLISHED, has_hidden_layers
from spectra_lib.runs.display_names import name_runs, network_name
from spectra_lib.runs.judgement import has_failed
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords, failed_runs

SECTION = "Results, Challenging test dataset"


WITH_HIDDEN = tuple(model for model in PUBLISHED if has_hidden_layers(model))
"""Published networks with hidden layers, the only ones that an activation can be put into."""


NORMALISATIONS = tuple(pair for pair in ABLATIONS if pair[1] in ("cnn6_bn", "cnn_bn", "resnet"))
"""Those in which batch normalisation is what differs."""


NEAR = (85.0, 95.0)
"""Per cent that count as close to 90."""


LITTLE = 5.0
"""A gain below this many percentage points is little."""


AS_GOOD = 3.0
"""A network that is less than this many percentage points behind another reaches it."""


POOLING_OPTION = POOL_SCALE
"""Option of a network that scales window and stride of its pools; below 1 is less pooling."""


POSITION_CLASSES = range(9, 18)
"""Classes of the challenging set that peak positions tell apart."""


BEYOND_CHANCE = 0.001


Pairs = Sequence[tuple[RunRecord, RunRecord]]
"""Runs with ReLU and with linear layers, of equal seed and backend."""


def accuracy(record: RunRecord) -> float:
    """Test accuracy in per cent.

    Parameters
    ----------
    record : RunRecord
        A run on any dataset.

    Returns
    -------
    float
        Per cent of the test spectra.
    """
    return 100 * record.test.accuracy


def _networks(evidence: Evidence, models: tuple[str, ...], activation: str = "relu") -> dict[str, RunRecords]:
    return {model: evidence.on_challenge(model, activation) for model in models}


@claim(
    29,
    SECTION,
    "A ReLU between the hidden layers improves every network that has hidden layers.",
    uses="test accuracy, runs with ReLU and linear layers paired by seed and backend",
)
def relu_improves_every_network(evidence: Evidence) -> Verdict:
    """Decided for each of the seven networks by runs of equal seed on the same backend, three pairs or more.

    The interval of the mean difference must lie above zero for each; one network for which it lies below contradicts.
    """
    pairs = {model: relu_pairs(evidence, model) for model in WITH_HIDDEN}
    gains = {model: relu_gains(each) for model, each in pairs.items()}
    compared = [mean_above_zero(network_name(model), each) for model, each in gains.items() if len(each) >= SEEDS]
    every = [pair for each in pairs.values() for pair in each]
    remark = ""
    if len(every) > 1:
        data = np.array(relu_gains(every))
        test = stats.permutation_test(
            (data,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(0)
        )
        remark = (
            f"Over all {len(every)} pairs the ReLU changes the accuracy by {signed(data.mean())} points on average, by "
            f"{signed(float(np.median(data)))} at the median, {int((data > 0).sum())} times upwards (two-sided "
            f"sign-flip test of the mean, p = {figure(test.pvalue, 2)}). {without_failed_pairs(every)}"
        ).strip()
    groups = _both_activations(pairs)
    return conclude(compared, groups, "percentage points", planned=len(WITH_HIDDEN), remark=remark)


def relu_pairs(evidence: Evidence, model: str) -> Pairs:
    """Pair the runs of a network with ReLU and with linear layers, for each seed that has both on one backend.

    Parameters
    ----------
    evidence : Evidence
        Datasets and records.
    model : str
        Name of the network.

    Returns
    -------
    sequence of (RunRecord, RunRecord)
        The run with ReLU first.
    """
    return pairs_by_seed(evidence.on_challenge(model, "relu"), evidence.on_challenge(model, "linear"))


def relu_gains(pairs: Pairs) -> list[float]:
    """Accuracy with ReLU minus accuracy with linear layers in each pair, in percentage points.

    Parameters
    ----------
    pairs : sequence of (RunRecord, RunRecord)
        Runs with ReLU and with linear layers.

    Returns
    -------
    list of float
        One for each pair.
    """
    return [accuracy(relu) - accuracy(linear) for relu, linear in pairs]


def _both_activations(pairs: dict[str, Pairs]) -> dict[str, RunRecords]:
    """Runs that are part of a pair; both groups of a network are equally long."""
    groups = {}
    for model, each in pairs.items():
        groups[f"{model} relu"] = RunRecords(tuple(relu for relu, _ in each))
        groups[f"{model} linear"] = RunRecords(tuple(linear for _, linear in each))
    return groups


def name_failed(runs: Iterable[RunRecord]) -> str:
    """Say which runs failed to converge; empty if none did.

    Parameters
    ----------
    runs : iterable of RunRecord
        Any runs.

    Returns
    -------
    str
        One sentence.
    """
    found = failed_runs(runs)
    return f"Runs that failed to converge: {name_runs(found)}." if len(found) else ""


def without_failed_pairs(pairs: Pairs) -> str:
    """Say which runs of pairs failed to converge, and what the mean gain is without them; empty if none did.

    Parameters
    ----------
    pairs : sequence of (RunRecord, RunRecord)
        Runs with ReLU and with linear layers.

    Returns
    -------
    str
        Two sentences.
    """
    sound = [pair for pair in pairs if not any(map(has_failed, pair))]
    if len(sound) == len(pairs):
        return ""
    rest = (
        f"Without their pairs the mean change is {signed(float(np.mean(relu_gains(sound))))} points "
        f"({counted(len(sound), 'pair')})."
        if sound
        else "No pair is without one."
    )
    return f"{name_failed(run for pair in pairs for run in pair)} {rest}"


@claim(
    30, SECTION, "CNN6 is the best network, with an accuracy near 90 %.", uses="test accuracy of the networks with ReLU"
)
def cnn6_is_best(evidence: Evidence) -> Verdict:
    """Supported if it is more accurate than each other network and near 90 %.

    Near: the interval of its mean meets 85 to 95 %. Contradicted if another is more accurate, or the interval misses.
    """
    groups = _networks(evidence, PUBLISHED)
    verdict = _conclude_on_accuracy(groups, [("cnn6", m) for m in PUBLISHED if m != "cnn6"])
    if len(groups["cnn6"]) < SEEDS or verdict.outcome is Outcome.CONTRADICTED:
        return verdict
    mean = mean_above_zero("mean", [accuracy(record) for record in groups["cnn6"]])
    meets = mean.low <= NEAR[1] and mean.high >= NEAR[0]
    sentence = (
        f"CNN6 reaches {mean.difference:.1f} % on average ({mean.low:.1f} to {mean.high:.1f}), which is "
        f"{'' if meets else 'not '}near 90 %. {verdict.sentence}"
    )
    outcome = verdict.outcome if meets else Outcome.CONTRADICTED
    meaning, interval = "% of test spectra right, CNN6", (mean.low, mean.high)
    return Verdict(outcome, mean.difference, meaning, verdict.n, verdict.needed, "runs", sentence, interval)


@claim(31, SECTION, "INC3 and INC6 stay below CNN6 even with ReLU.", uses="test accuracy with ReLU")
def inception_stays_below_cnn6(evidence: Evidence) -> Verdict:
    """CNN6 is more accurate than either, by the interval of the difference of the means."""
    groups = _networks(evidence, ("cnn6", "inc3", "inc6"))
    return _conclude_on_accuracy(groups, [("cnn6", "inc3"), ("cnn6", "inc6")])


def _conclude_on_accuracy(groups: dict[str, RunRecords], pairs: Sequence[tuple[str, str]]) -> Verdict:
    """Decide a claim that the first network of each pair is more accurate than the second."""
    remark = name_failed(record for runs in groups.values() for record in runs)
    compared = compare_groups(groups, pairs, accuracy)
    return conclude(compared, groups, "percentage points", planned=len(pairs), remark=remark)


@claim(32, SECTION, "CNN2 is better than CNN3 and reaches INC3.", uses="test accuracy with ReLU")
def cnn2_beats_cnn3(evidence: Evidence) -> Verdict:
    """CNN2 is more accurate than CNN3, and less than 3 percentage points behind INC3."""
    groups = _networks(evidence, ("cnn2", "cnn3", "inc3"))
    compared = compare_groups(groups, [("cnn2", "cnn3")], accuracy)
    if min(len(groups["cnn2"]), len(groups["inc3"])) >= SEEDS:
        first, second = ([accuracy(record) for record in groups[model]] for model in ("cnn2", "inc3"))
        compared.append(compare("CNN2 against INC3", first, second, bar=-AS_GOOD))
    return conclude(compared, groups, "percentage points", planned=2)


@claim(33, SECTION, "Resnet does not converge: its accuracy stays at chance level.", uses="test errors of every run")
def resnet_guesses(evidence: Evidence) -> Verdict:
    """One run that is right more often than a guess contradicts; five seeds without one support.

    More often: by the exact one-sided binomial test, p < 0.001.
    """
    groups = _networks(evidence, ("resnet",))
    meaning = "% of test spectra right, all runs"
    runs = groups["resnet"]
    if not len(runs):
        return waiting(groups, ALL_SEEDS, meaning=meaning)
    chance = 1 / evidence.challenge.spec.n_classes
    right = [record.test.n - record.test.errors for record in runs]
    beyond = sum(
        stats.binomtest(k, record.test.n, chance, alternative="greater").pvalue < BEYOND_CHANCE
        for k, record in zip(right, runs, strict=True)
    )
    n = sum(record.test.n for record in runs)
    sentence = (
        f"{beyond} of {counted(len(runs), 'run')} {'is' if len(runs) == 1 else 'are'} right more often than "
        f"chance level, {100 * chance:.1f} % of spectra; the best is right in "
        f"{max(accuracy(record) for record in runs):.1f} %. {name_failed(runs)}"
    ).strip()
    low, high = binomial_interval(sum(right), n)
    effect = 100 * sum(right) / n
    return conclude_for_every_run(
        beyond > 0, groups, effect, meaning, sentence, need=ALL_SEEDS, interval=(100 * low, 100 * high)
    )


@claim(34, SECTION, "CNN BN gains little from the ReLU.", uses="test accuracy, runs paired by seed and backend")
def cnn_bn_gains_little(evidence: Evidence) -> Verdict:
    """The interval of the mean gain lies below 5 percentage points, or above (three pairs or more)."""
    pairs = relu_pairs(evidence, "cnn_bn")
    gains = relu_gains(pairs)
    groups = _both_activations({"cnn_bn": pairs})
    meaning = "percentage points gained"
    if len(gains) < SEEDS:
        return waiting(groups, meaning=meaning)
    mean = mean_above_zero("", gains)
    outcome = side_of(-LITTLE, -mean.high, -mean.low)
    sentence = (
        f"The ReLU changes the accuracy by {signed(mean.difference)} points on average of {len(gains)} seeds, by "
        f"{signed(float(np.median(gains)))} at the median; little is less than {LITTLE:g}. "
        f"{without_failed_pairs(pairs)}"
    ).strip()
    return Verdict(outcome, mean.difference, meaning, *counts(groups), "runs", sentence, (mean.low, mean.high))


@claim(35, SECTION, "VGG is poor with either activation.", uses="test accuracy of VGG and the plain CNNs")
def vgg_is_poor(evidence: Evidence) -> Verdict:
    """With linear layers as with ReLU, VGG is less accurate than each of the three plain CNNs."""
    groups: dict[str, RunRecords] = {}
    pairs = []
    for activation in ("relu", "linear"):
        groups |= {f"{m} {activation}": runs for m, runs in _networks(evidence, ("vgg", *PLAIN), activation).items()}
        pairs += [(f"{model} {activation}", f"vgg {activation}") for model in PLAIN]
    return _conclude_on_accuracy(groups, pairs)


@claim(
    36,
    SECTION,
    "Every network is better without batch normalisation or convolutional dropout than with it.",
    uses="test accuracy of five pairs of networks with ReLU (Table 2)",
)
def simpler_is_better(evidence: Evidence) -> Verdict:
    """In all five pairs the simpler network is more accurate, by the interval of the difference of the means.

    Three of the pairs differ in more than the part that is named; of the originals as published four would.
    """
    groups = _networks(evidence, tuple({name: None for pair in ABLATIONS for name in pair}))
    return _conclude_on_accuracy(groups, ABLATIONS)


@claim(
    37,
    SECTION,
    "Batch normalisation makes the validation loss unstable on the challenging set, too.",
    uses="distance of the validation loss from its running median over five epochs",
)
def loss_is_unstable_here_too(evidence: Evidence) -> Verdict:
    """In three pairs of networks, with ReLU, the loss jumps more with batch normalisation than without.

    Jumps are what the paper shows on the general benchmark and finds again here. A loss that only rises has none; the
    reason says of how many runs that is so.
    """
    groups = _networks(evidence, tuple({name: None for pair in NORMALISATIONS for name in pair}))
    pairs = [(normalised, simple) for simple, normalised in NORMALISATIONS]
    with_it = [record for _, normalised in NORMALISATIONS for record in groups[normalised]]
    rising = [record for record in with_it if never_improved(record)]
    remark = (
        f"With batch normalisation the loss of {len(rising)} of {counted(len(with_it), 'run')} never falls below that "
        f"of the first epoch: {name_runs(rising)}."
        if rising
        else ""
    )
    compared = compare_groups(groups, pairs, loss_jumps)
    return conclude(compared, groups, "decades from the running median", planned=len(pairs), remark=remark)


@claim(
    38,
    "Results, Overlapping peak positions",
    "Pooling loses the resolution that nearby peaks need.",
    uses="runs that differ from published ones in the size of pools alone, errors on classes that differ in position",
)
def pooling_loses_resolution(evidence: Evidence) -> Verdict:
    """With less pooling and all else equal, fewer spectra of classes 9 to 17 are misclassified.

    By the interval of the mean difference between runs paired by network, activation, seed and backend, three pairs or
    more.
    """
    meaning = "percentage points fewer errors with less pooling"
    differences = []
    for changed in evidence.on_challenge_with_option(POOLING_OPTION):
        spec, scale = changed.spec, float(changed.spec.options[POOLING_OPTION])
        published = evidence.on_challenge(spec.model, spec.hidden_activation)
        for original, scaled in pairs_by_seed(published, [changed]) if scale != 1.0 else ():
            more, less = (original, scaled) if scale < 1 else (scaled, original)
            differences.append(_position_errors(evidence, more) - _position_errors(evidence, less))
    n, needed = 2 * len(differences), 2 * SEEDS
    if len(differences) < SEEDS:
        sentence = (
            f"Insufficient data: {len(differences)} of {SEEDS} pairs that differ in the size of pools alone (option "
            f"{POOLING_OPTION})."
        )
        return Verdict(Outcome.UNDECIDED, None, meaning, n, needed, "runs", sentence)
    mean: Comparison = mean_above_zero("", differences)
    outcome = side_of(0.0, mean.low, mean.high)
    sentence = (
        f"Less pooling changes the errors on classes that differ in position by {signed(-mean.difference)} points on "
        f"average of {len(differences)} pairs."
    )
    return Verdict(outcome, mean.difference, meaning, n, needed, "runs", sentence, (mean.low, mean.high))


def _position_errors(evidence: Evidence, record: RunRecord) -> float:
    """Misclassified test spectra of the classes told apart by position, in per cent."""
    labels = evidence.test_labels(record)
    chosen = np.isin(labels, list(POSITION_CLASSES))
    return 100 * float((np.array(record.test_predictions.labels) != labels)[chosen].mean())
