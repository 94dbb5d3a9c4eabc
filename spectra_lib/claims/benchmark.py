"""Claims on the eight networks as published, trained on the general benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spectra_lib._base.wording import counted, figure
from spectra_lib.analysis.curves import final_loss, loss_jumps
from spectra_lib.analysis.statistics import CONFIDENCE, binomial_interval, mean_above_zero, rank_correlation
from spectra_lib.claims.comparison import (
    ALL_SEEDS,
    SEEDS,
    compare_groups,
    conclude,
    conclude_for_every_run,
    counts,
    shortage,
    side_of,
    waiting,
)
from spectra_lib.claims.evidence import Evidence
from spectra_lib.claims.registry import claim
from spectra_lib.claims.verdict import Outcome, Verdict
from spectra_lib.networks.catalogue import PUBLISHED
from spectra_lib.networks.sizes import size_of
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords

SECTION = "Results, Benchmark results"


TESTED, TRAINED = 4500, 25_000
"""Test and training spectra that the claims count in; other numbers are scaled to them."""


CONSIDERABLY = 0.75
"""Considerably or substantially fewer errors: less than this fraction."""


CONVOLUTIONS = {model: size_of(model).convolutions for model in PUBLISHED}
"""Convolutions of each network, those of parallel branches and shortcuts included."""


PLAIN = ("cnn2", "cnn3", "cnn6")


NORMALISED = ("cnn_bn", "resnet")
"""Plain convolutional networks, and those with batch normalisation."""


VARIES = 0.1
"""Scatter between seeds, relative to the mean, from which results vary substantially."""


def errors_of(record: RunRecord) -> float:
    """Misclassified test spectra, scaled to 4500.

    Parameters
    ----------
    record : RunRecord
        A run on any dataset.

    Returns
    -------
    float
        Errors per 4500 test spectra.
    """
    return record.test.errors * TESTED / record.test.n


def training_errors(record: RunRecord) -> float:
    """Misclassified training spectra of the kept weights, dropout off, scaled to 25,000.

    Parameters
    ----------
    record : RunRecord
        A run on any dataset.

    Returns
    -------
    float
        Errors per 25,000 training spectra.
    """
    return record.train.errors * TRAINED / record.train.n


def running_training_errors(record: RunRecord) -> float:
    """Misclassified training spectra as the running average of the kept epoch gives them, scaled to 25,000.

    Parameters
    ----------
    record : RunRecord
        A run on any dataset.

    Returns
    -------
    float
        Errors per 25,000 training spectra, dropout on.
    """
    return (1 - record.history.accuracy[record.kept_epoch]) * TRAINED


def published_networks(evidence: Evidence, models: Iterable[str] = PUBLISHED) -> dict[str, RunRecords]:
    """Runs on the general benchmark of each network as published.

    Parameters
    ----------
    evidence : Evidence
        Datasets and records.
    models : iterable of str
        Names of networks.

    Returns
    -------
    dict of str to RunRecords
        By network, in the order given; empty where there is no run.
    """
    return {model: evidence.on_general(model) for model in models}


@claim(6, SECTION, "Every network classifies at least 4450 of 4500 test spectra.", uses="test errors of every run")
def every_network_is_accurate(evidence: Evidence) -> Verdict:
    """One run with more than 50 errors contradicts; five seeds of all eight networks without one support."""
    groups = published_networks(evidence)
    runs = [record for group in groups.values() for record in group]
    meaning = "errors in the worst run"
    if not runs:
        return waiting(groups, ALL_SEEDS, meaning=meaning)
    worst = max(runs, key=errors_of)
    over = sum(errors_of(record) > 50 for record in runs)
    sentence = (
        f"{len(runs) - over} of {counted(len(runs), 'run')} {'stays' if len(runs) == 1 else 'stay'} within 50 errors; "
        f"the worst, {network_name(worst.spec.model)} with seed {worst.spec.seed}, makes {errors_of(worst):.0f}."
    )
    return conclude_for_every_run(over > 0, groups, errors_of(worst), meaning, sentence, need=ALL_SEEDS)


@claim(7, SECTION, "CNN6 errs least, on eight of 4500 test spectra on average.", uses="test errors")
def cnn6_errs_least(evidence: Evidence) -> Verdict:
    """Supported if every other network makes more errors, and about eight are made.

    About eight: the interval of CNN6's mean meets 7.5 to 8.5. Contradicted if another network makes fewer, or the
    interval misses.
    """
    groups = published_networks(evidence)
    pairs = [(model, "cnn6") for model in PUBLISHED if model != "cnn6"]
    verdict = conclude(compare_groups(groups, pairs, errors_of), groups, "errors", planned=len(pairs))
    if len(groups["cnn6"]) < SEEDS or verdict.outcome is Outcome.CONTRADICTED:
        return verdict
    mean = mean_above_zero("mean", [errors_of(record) for record in groups["cnn6"]])
    meets = mean.low < 8.5 and mean.high >= 7.5
    outcome = verdict.outcome if meets else Outcome.CONTRADICTED
    sentence = (
        f"CNN6 makes {mean.difference:.1f} errors on average ({mean.low:.1f} to {mean.high:.1f}), which "
        f"{'agrees' if meets else 'does not agree'} with eight. {verdict.sentence}"
    )
    return Verdict(
        outcome,
        mean.difference,
        "errors of CNN6 on average",
        verdict.n,
        verdict.needed,
        "runs",
        sentence,
        (mean.low, mean.high),
    )


@claim(8, SECTION, "Most other networks err on 10 to 40 test spectra, depending on the seed.", uses="test errors")
def others_err_on_10_to_40(evidence: Evidence) -> Verdict:
    """More than half of the runs lie in the range, or fewer, by the exact binomial interval.

    Runs of all networks but those named best and worst, CNN6 and CNN BN.
    """
    groups = published_networks(evidence, [m for m in PUBLISHED if m not in ("cnn6", "cnn_bn")])
    errors = [errors_of(record) for group in groups.values() for record in group]
    meaning = "% of runs in the range"
    if shortage(groups):
        return waiting(groups, meaning=meaning)
    inside = sum(10 <= e <= 40 for e in errors)
    outcome, interval = majority(inside, len(errors))
    sentence = f"{inside} of {len(errors)} runs make 10 to 40 errors; all runs, {min(errors):.0f} to {max(errors):.0f}."
    effect = 100 * inside / len(errors)
    return Verdict(outcome, effect, meaning, *counts(groups), "runs", sentence, interval)


def majority(hits: int, n: int) -> tuple[Outcome, tuple[float, float]]:
    """Decide whether more than half of all are hits, by the exact binomial interval (given in per cent).

    Parameters
    ----------
    hits, n : int
        Number of hits, and of all.

    Returns
    -------
    outcome : Outcome
        Supported if the interval lies above one half.
    interval : (float, float)
        95 % interval of the share of hits, in per cent.

    Examples
    --------
    >>> [majority(hits, 12)[0].value for hits in (12, 6, 0)]
    ['supported', 'undecided', 'contradicted']
    """
    low, high = binomial_interval(hits, n)
    return side_of(0.5, low, high), (100 * low, 100 * high)


@claim(9, SECTION, "CNN BN is the worst network and scatters most between seeds.", uses="test errors")
def cnn_bn_is_worst(evidence: Evidence) -> Verdict:
    """Supported if it makes more errors than every other network and scatters most.

    Scatter is the standard deviation of five seeds. A network that makes more errors contradicts, and so does one that
    scatters more.
    """
    groups = published_networks(evidence)
    pairs = [("cnn_bn", model) for model in PUBLISHED if model != "cnn_bn"]
    verdict = conclude(compare_groups(groups, pairs, errors_of), groups, "errors", planned=len(pairs), need=ALL_SEEDS)
    scatter = {m: float(np.std([errors_of(r) for r in g], ddof=1)) for m, g in groups.items() if len(g) >= ALL_SEEDS}
    if "cnn_bn" not in scatter or len(scatter) < 2:
        return verdict
    widest = max(scatter, key=lambda model: scatter[model])
    wider = scatter[widest] > scatter["cnn_bn"]
    sentence = (
        f"{verdict.sentence} Between seeds CNN BN scatters by {scatter['cnn_bn']:.1f} errors (standard deviation), "
        + (
            f"{network_name(widest)} by {scatter[widest]:.1f}."
            if wider
            else f"the most of {len(scatter)} networks with five seeds."
        )
    )
    return replace(verdict, outcome=Outcome.CONTRADICTED if wider else verdict.outcome, sentence=sentence)


@claim(10, SECTION, "CNN3 errs less than CNN2.", uses="test errors")
def cnn3_beats_cnn2(evidence: Evidence) -> Verdict:
    """Decided by the 95 % interval of the difference of the means, three seeds of both or more."""
    groups = published_networks(evidence, ("cnn2", "cnn3"))
    return conclude(compare_groups(groups, [("cnn2", "cnn3")], errors_of), groups, "errors", planned=1)


@claim(11, SECTION, "INC3 and INC6 are considerably better than CNN2 and CNN3.", uses="test errors")
def inception_is_considerably_better(evidence: Evidence) -> Verdict:
    """In all four pairs the network with inception blocks makes less than three quarters of the other's errors."""
    groups = published_networks(evidence, ("cnn2", "cnn3", "inc3", "inc6"))
    pairs = [(plain, inception) for plain in ("cnn2", "cnn3") for inception in ("inc3", "inc6")]
    compared = compare_groups(groups, pairs, errors_of, CONSIDERABLY)
    return conclude(compared, groups, "errors beyond a quarter fewer", planned=len(pairs))


@claim(
    12, SECTION, "More convolutional layers do not mean fewer errors.", uses="mean test errors of the eight networks"
)
def depth_does_not_help(evidence: Evidence) -> Verdict:
    """Decided by the rank correlation of layers and mean errors.

    Contradicted if it is negative beyond chance (exact one-sided permutation test, p < 0.05); supported if its whole
    interval (bootstrap over seeds) lies above −0.5.
    """
    groups = published_networks(evidence)
    meaning = "rank correlation of layers and errors"
    if shortage(groups):
        return waiting(groups, meaning=meaning)
    samples = [np.array([errors_of(record) for record in group]) for group in groups.values()]
    layers = stats.rankdata([CONVOLUTIONS[model] for model in groups])

    def correlation(*each: NDArray[np.float64]) -> float:
        return rank_correlation(layers, [sample.mean() for sample in each])

    effect = correlation(*samples)
    drawn = stats.bootstrap(
        samples, correlation, vectorized=False, n_resamples=999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    ranks = stats.rankdata([sample.mean() for sample in samples])
    test = stats.permutation_test(
        (ranks,),
        lambda x, axis: ((layers - layers.mean()) * x).sum(axis=axis),
        permutation_type="pairings",
        alternative="less",
        n_resamples=np.inf,
    )
    interval = (float(drawn.low), float(drawn.high))
    if test.pvalue < 1 - CONFIDENCE and effect < 0:
        outcome = Outcome.CONTRADICTED
    else:
        outcome = Outcome.SUPPORTED if interval[0] > -0.5 else Outcome.UNDECIDED
    sentence = (
        f"Over the {len(groups)} networks, layers and mean errors have a rank correlation of {figure(effect, 2)}; as "
        f"low a value has a chance of {test.pvalue:.3f} if they were unrelated."
    )
    return Verdict(outcome, effect, meaning, *counts(groups), "runs", sentence, interval)


@claim(13, SECTION, "VGG and Resnet are not substantially better than the plain CNNs.", uses="test errors")
def vgg_and_resnet_do_not_help(evidence: Evidence) -> Verdict:
    """Supported if neither makes less than 3/4 of the best plain CNN's errors; contradicted if one does."""
    groups = published_networks(evidence, ("vgg", "resnet", *PLAIN))
    ready = {m: np.mean([errors_of(r) for r in groups[m]]) for m in PLAIN if len(groups[m]) >= SEEDS}
    if len(ready) < len(PLAIN):
        return waiting(groups, meaning="errors beyond three quarters of the best plain CNN's")
    best = min(ready, key=lambda model: ready[model])
    # the error of vgg over three quarters of the best's, in the units of the former
    pairs = [(m, best) for m in ("vgg", "resnet")]
    compared = compare_groups(groups, pairs, errors_of, 1 / CONSIDERABLY)
    meaning = f"errors beyond a quarter fewer than {network_name(best)}"
    return conclude(
        compared, groups, meaning, planned=len(pairs), remark=f"{network_name(best)} is the best plain CNN."
    )


@claim(
    14,
    SECTION,
    "The validation loss falls steadily without batch normalisation and jumps with it.",
    uses="distance of the validation loss from its running median over five epochs",
)
def loss_jumps_with_batch_normalisation(evidence: Evidence) -> Verdict:
    """CNN BN and Resnet have larger jumps than each of the six networks without batch normalisation.

    A jump is what goes up and comes down again, or the other way round: a loss that only falls or only rises, however
    fast, has none.
    """
    groups = published_networks(evidence)
    pairs = [(m, other) for m in NORMALISED for other in PUBLISHED if other not in NORMALISED]
    return conclude(
        compare_groups(groups, pairs, loss_jumps), groups, "decades from the running median", planned=len(pairs)
    )


@claim(15, SECTION, "Resnet ends at a lower validation loss than CNN2.", uses="validation loss of the last ten epochs")
def resnet_ends_lower(evidence: Evidence) -> Verdict:
    """Decided by the difference of the logarithms of the median loss of the last ten epochs."""
    groups = published_networks(evidence, ("cnn2", "resnet"))
    return conclude(compare_groups(groups, [("cnn2", "resnet")], final_loss), groups, "decades", planned=1)


@claim(
    16,
    SECTION,
    "Most networks get 24,900 of 25,000 training spectra right, CNN6 misses 125 to 185.",
    uses="training errors of the best checkpoint, dropout off",
)
def cnn6_fits_training_less(evidence: Evidence) -> Verdict:
    """What counts is a true evaluation, not the average over an epoch with dropout on.

    Supported if most runs of the other networks (exact binomial interval) miss at most 100 and the interval of CNN6's
    mean meets the range; contradicted if either is clearly not so.
    """
    groups = published_networks(evidence)
    meaning = "training errors of CNN6 on average"
    if len(groups["cnn6"]) < SEEDS:
        return waiting(groups, meaning=meaning)
    mean = mean_above_zero("mean", [training_errors(record) for record in groups["cnn6"]])
    meets = mean.low <= 185 and mean.high >= 125
    others = [training_errors(r) for model, group in groups.items() if model != "cnn6" for r in group]
    within = sum(errors <= 100 for errors in others)
    short = shortage(groups)
    most = Outcome.UNDECIDED if short else majority(within, len(others))[0]
    outcome = most if meets else Outcome.CONTRADICTED
    running = np.mean([running_training_errors(record) for record in groups["cnn6"]])
    sentence = (
        f"With dropout off CNN6 misses {mean.difference:.0f} training spectra on average; the running average with "
        f"dropout on makes that {running:.0f}. Of the other networks {within} of {len(others)} runs miss at most 100."
    )
    if outcome is Outcome.UNDECIDED and short:
        sentence += f" Insufficient data: {short}."
    return Verdict(outcome, mean.difference, meaning, *counts(groups), "runs", sentence, (mean.low, mean.high))


@claim(17, SECTION, "Resnet fits the training set best.", uses="training errors of the best checkpoint, dropout off")
def resnet_fits_best(evidence: Evidence) -> Verdict:
    """Every other network misses more training spectra than Resnet, evaluated with dropout off."""
    groups = published_networks(evidence)
    pairs = [(model, "resnet") for model in PUBLISHED if model != "resnet"]
    return conclude(compare_groups(groups, pairs, training_errors), groups, "training errors", planned=len(pairs))


@claim(18, SECTION, "Results vary substantially with the seed.", uses="test errors")
def seeds_matter(evidence: Evidence) -> Verdict:
    """Decided by the standard deviation between seeds relative to the mean, in the median network.

    More than 10 % by its whole interval (bootstrap over networks) supports, less contradicts.
    """
    groups = published_networks(evidence)
    meaning = "% scatter between seeds, median network"
    if shortage(groups):
        return waiting(groups, meaning=meaning)
    scatter = []
    for group in groups.values():
        errors = np.array([errors_of(record) for record in group])
        scatter.append(float(errors.std(ddof=1) / errors.mean()) if errors.any() else 0.0)
    drawn = stats.bootstrap(
        (np.array(scatter),), np.median, n_resamples=999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    low, high, median = float(drawn.low), float(drawn.high), float(np.median(scatter))
    outcome = side_of(VARIES, low, high)
    sentence = (
        f"Between seeds the errors of a network scatter by {100 * min(scatter):.0f} to {100 * max(scatter):.0f} % of "
        f"their mean (standard deviation), {100 * median:.0f} % in the median network; substantial is more than "
        f"{100 * VARIES:.0f} %."
    )
    return Verdict(outcome, 100 * median, meaning, *counts(groups), "runs", sentence, (100 * low, 100 * high))
