"""Claims on the challenging set: ReLU against linear, which networks fail, and what removing parts does."""

from __future__ import annotations

import numpy as np
from scipy import stats

from spectra_lib.campaign import PUBLISHED
from spectra_lib.claims.benchmark import PLAIN, loss_jumps
from spectra_lib.claims.comparison import (
    ALL_SEEDS,
    CONFIDENCE,
    SEEDS,
    Comparison,
    compare,
    compare_groups,
    conclude,
    conclude_for_every_run,
    counts,
    mean_above_zero,
    pair_by_seed,
    side_of,
    waiting,
)
from spectra_lib.claims.evidence import Evidence
from spectra_lib.claims.registry import claim
from spectra_lib.claims.verdict import Outcome, Verdict
from spectra_lib.records import RunRecord, RunRecords
from spectra_lib.single_changes import POOL_SCALE

SECTION = "Results, Challenging test dataset"

WITH_HIDDEN = tuple(model for model in PUBLISHED if model != "resnet")
"""Published networks with hidden layers, the only ones that an activation can be put into."""

ABLATIONS = (
    ("cnn6", "cnn6_bn"),
    ("cnn6", "cnn6_convdo"),
    ("cnnbn_mod", "cnn_bn"),
    ("vgg_mod", "vgg"),
    ("resnet_mod", "resnet"),
)
"""The network without batch normalisation or convolutional dropout, and its counterpart with it (Table 2)."""

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


def accuracy(record: RunRecord) -> float:
    """Test accuracy in per cent."""
    return 100 * record.test.accuracy


def _networks(evidence: Evidence, models: tuple[str, ...], activation: str = "relu") -> dict[str, RunRecords]:
    return {model: evidence.on_challenge(model, activation) for model in models}


@claim(
    29,
    SECTION,
    "A ReLU between the hidden layers improves every network that has hidden layers.",
    uses="test accuracy, runs with ReLU and linear layers paired by seed",
)
def relu_improves_every_network(evidence: Evidence) -> Verdict:
    """Decided for each of the seven networks by runs of equal seed, three pairs or more.

    The interval of the mean difference must lie above zero for each; one network for which it lies below contradicts.
    """
    paired = {model: relu_gains(evidence, model) for model in WITH_HIDDEN}
    groups = _both_activations(evidence, WITH_HIDDEN)
    compared = [mean_above_zero(model, gains) for model, gains in paired.items() if len(gains) >= SEEDS]
    every = np.array([gain for gains in paired.values() for gain in gains])
    remark = ""
    if len(every) > 1:
        test = stats.permutation_test(
            (every,),
            np.mean,
            permutation_type="samples",
            alternative="greater",
            n_resamples=9999,
            rng=np.random.default_rng(0),
        )
        remark = (
            f"Over all {len(every)} pairs the ReLU changes the accuracy by {every.mean():+.1f} points, "
            f"{int((every > 0).sum())} "
            f"times upwards (sign-flip test, p = {test.pvalue:.2g})."
        )
    return conclude(compared, groups, "percentage points", remark=remark)


def relu_gains(evidence: Evidence, model: str) -> list[float]:
    """Accuracy with ReLU minus accuracy with linear layers, for each seed that has both, in percentage points."""
    return pair_by_seed(evidence.on_challenge(model, "relu"), evidence.on_challenge(model, "linear"), accuracy)


def _both_activations(evidence: Evidence, models: tuple[str, ...]) -> dict[str, RunRecords]:
    """Runs that are part of a pair; both groups of a network are equally long."""
    groups = {}
    for model in models:
        runs = {name: evidence.on_challenge(model, name) for name in ("relu", "linear")}
        seeds = set.intersection(*({record.spec.seed for record in each} for each in runs.values()))
        for name, each in runs.items():
            groups[f"{model} {name}"] = RunRecords(tuple(r for r in each if r.spec.seed in seeds))
    return groups


@claim(
    30, SECTION, "CNN6 is the best network, with an accuracy near 90 %.", uses="test accuracy of the networks with ReLU"
)
def cnn6_is_best(evidence: Evidence) -> Verdict:
    """Supported if it is more accurate than each other network and near 90 %.

    Near: the interval of its mean meets 85 to 95 %. Contradicted if another is more accurate, or the interval misses.
    """
    groups = _networks(evidence, PUBLISHED)
    verdict = conclude(
        compare_groups(groups, [("cnn6", m) for m in PUBLISHED if m != "cnn6"], accuracy), groups, "percentage points"
    )
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
    return conclude(compare_groups(groups, [("cnn6", "inc3"), ("cnn6", "inc6")], accuracy), groups, "percentage points")


@claim(32, SECTION, "CNN2 is better than CNN3 and reaches INC3.", uses="test accuracy with ReLU")
def cnn2_beats_cnn3(evidence: Evidence) -> Verdict:
    """CNN2 is more accurate than CNN3, and less than 3 percentage points behind INC3."""
    groups = _networks(evidence, ("cnn2", "cnn3", "inc3"))
    compared = compare_groups(groups, [("cnn2", "cnn3")], accuracy)
    if min(len(groups["cnn2"]), len(groups["inc3"])) >= SEEDS:
        lifted = [accuracy(record) + AS_GOOD for record in groups["cnn2"]]
        compared.append(compare(f"cnn2 + {AS_GOOD:g} against inc3", lifted, [accuracy(r) for r in groups["inc3"]]))
    return conclude(compared, groups, "percentage points")


@claim(33, SECTION, "Resnet does not converge: its accuracy is that of guessing.", uses="test errors of every run")
def resnet_guesses(evidence: Evidence) -> Verdict:
    """One run that is right more often than a guess contradicts; five seeds without one support.

    More often: by the exact binomial test, p < 0.001.
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
    limits = stats.binomtest(sum(right), n).proportion_ci(CONFIDENCE)
    sentence = (
        f"{beyond} of {len(runs)} runs are right more often than a guess, which is so in {100 * chance:.1f} % of "
        f"spectra; the "
        f"best is right in {max(accuracy(record) for record in runs):.1f} %."
    )
    interval = (100 * float(limits.low), 100 * float(limits.high))
    effect = 100 * sum(right) / n
    return conclude_for_every_run(beyond > 0, groups, effect, meaning, sentence, need=ALL_SEEDS, interval=interval)


@claim(34, SECTION, "CNN BN gains little from the ReLU.", uses="test accuracy, runs paired by seed")
def cnn_bn_gains_little(evidence: Evidence) -> Verdict:
    """The interval of the mean gain lies below 5 percentage points, or above (three pairs or more)."""
    gains = relu_gains(evidence, "cnn_bn")
    groups = _both_activations(evidence, ("cnn_bn",))
    meaning = "percentage points gained"
    if len(gains) < SEEDS:
        return waiting(groups, meaning=meaning)
    mean = mean_above_zero("", gains)
    outcome = side_of(-LITTLE, -mean.high, -mean.low)
    sentence = (
        f"The ReLU changes the accuracy by {mean.difference:+.1f} points on average of {len(gains)} seeds; little is "
        f"less "
        f"than {LITTLE:g}."
    )
    return Verdict(outcome, mean.difference, meaning, *counts(groups), "runs", sentence, (mean.low, mean.high))


@claim(35, SECTION, "VGG is poor with either activation.", uses="test accuracy of VGG and the plain CNNs")
def vgg_is_poor(evidence: Evidence) -> Verdict:
    """With linear layers as with ReLU, VGG is less accurate than each of the three plain CNNs."""
    groups: dict[str, RunRecords] = {}
    pairs = []
    for activation in ("relu", "linear"):
        groups |= {f"{m} {activation}": runs for m, runs in _networks(evidence, ("vgg", *PLAIN), activation).items()}
        pairs += [(f"{model} {activation}", f"vgg {activation}") for model in PLAIN]
    return conclude(compare_groups(groups, pairs, accuracy), groups, "percentage points")


@claim(
    36,
    SECTION,
    "Every network is better without batch normalisation or convolutional dropout than with it.",
    uses="test accuracy of five pairs of networks with ReLU (Table 2)",
)
def simpler_is_better(evidence: Evidence) -> Verdict:
    """In all five pairs the simpler network is more accurate, by the interval of the difference of the means.

    Three of the pairs differ in more than the part that is named.
    """
    groups = _networks(evidence, tuple({name: None for pair in ABLATIONS for name in pair}))
    return conclude(compare_groups(groups, ABLATIONS, accuracy), groups, "percentage points")


@claim(
    37,
    SECTION,
    "Batch normalisation makes the validation loss unstable on the challenging set, too.",
    uses="mean rise of the validation loss from epoch to epoch",
)
def loss_is_unstable_here_too(evidence: Evidence) -> Verdict:
    """In three pairs of networks, with ReLU, the loss jumps more with batch normalisation than without."""
    groups = _networks(evidence, tuple({name: None for pair in NORMALISATIONS for name in pair}))
    pairs = [(normalised, simple) for simple, normalised in NORMALISATIONS]
    return conclude(compare_groups(groups, pairs, loss_jumps), groups, "decades an epoch")


@claim(
    38,
    "Results, Overlapping peak positions",
    "Pooling loses the resolution that nearby peaks need.",
    uses="runs that differ from published ones in the size of pools alone, errors on classes told apart by position",
)
def pooling_loses_resolution(evidence: Evidence) -> Verdict:
    """With less pooling and all else equal, fewer spectra of classes 9 to 17 are misclassified.

    By the interval of the mean difference between runs paired by network, activation and seed, three pairs or more.
    """
    meaning = "percentage points fewer errors with less pooling"
    differences = []
    for changed in evidence.on_challenge_with_option(POOLING_OPTION):
        spec, scale = changed.spec, float(changed.spec.options[POOLING_OPTION])
        published = evidence.on_challenge(spec.model, spec.hidden_activation).select(seed=spec.seed)
        if len(published) and scale != 1.0:
            more, less = (published[0], changed) if scale < 1 else (changed, published[0])
            differences.append(_position_errors(evidence, more) - _position_errors(evidence, less))
    n, needed = 2 * len(differences), 2 * SEEDS
    if len(differences) < SEEDS:
        sentence = (
            f"Waits for runs: {len(differences)} of {SEEDS} pairs that differ in the size of pools alone (option "
            f"{POOLING_OPTION})."
        )
        return Verdict(Outcome.UNDECIDED, None, meaning, n, needed, "runs", sentence)
    mean: Comparison = mean_above_zero("", differences)
    outcome = side_of(0.0, mean.low, mean.high)
    sentence = (
        f"Less pooling changes the errors on classes told apart by position by {-mean.difference:+.1f} points on "
        f"average of "
        f"{len(differences)} pairs."
    )
    return Verdict(outcome, mean.difference, meaning, n, needed, "runs", sentence, (mean.low, mean.high))


def _position_errors(evidence: Evidence, record: RunRecord) -> float:
    """Misclassified test spectra of the classes told apart by position, in per cent."""
    labels = evidence.test_labels(record)
    chosen = np.isin(labels, list(POSITION_CLASSES))
    return 100 * float((np.array(record.test_predictions.labels) != labels)[chosen].mean())
