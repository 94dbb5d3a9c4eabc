"""What the paper's text says against its published code and against what can be computed, with the effect of each.

Source: Schuetzke, Szymanski & Reischl 2023, doi:10.1038/s41524-023-01055-y, and its public code. An effect is
computed from the datasets, the published curves, or the records of our runs; where runs are needed that are not here,
the entry says which.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from spectra_lib._base.wording import counted, scientific
from spectra_lib.analysis.decisive_peaks import decisive_peak, fewest_on_the_wrong_side
from spectra_lib.analysis.paired_comparison import backend_of, pair_runs
from spectra_lib.analysis.replay import kept_by_either, replay_published
from spectra_lib.analysis.statistics import paired_effect
from spectra_lib.analysis.table_2 import changes_several, differences, table_2
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.claims.evidence import Evidence
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.datasets.statistics import lost_peaks, peak_counts, peaks_of
from spectra_lib.experiments.single_changes import SINGLE_CHANGES
from spectra_lib.networks.catalogue import PUBLISHED, facts
from spectra_lib.paper.published import TEST_SPECTRA, published_challenge
from spectra_lib.runs.display_names import OPTION_NAMES, name_runs, network_name
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords, converged_runs, failed_runs

HEIGHT_PAIR = (164, 281)
"""Classes of the general benchmark that the paper separates by one height."""

BN_MOMENTUM, BATCH_SIZE, STOP_PATIENCE = 0.99, 128, 25
NOT_MEASURED = "Not measured yet"


class State(StrEnum):
    """How far the effect of a difference is known."""

    MEASURED = "measured"
    PARTLY = "measured in part"
    WAITING = "insufficient data"


@dataclass(frozen=True)
class Difference:
    """A point on which text and code, or text and fact, differ.

    Attributes
    ----------
    topic : str
        What it is about.
    text : str
        What the paper's text says, in our words.
    found : str
        What the code does, or what is so.
    effect : str
        What it changes, computed; begins with `NOT_MEASURED` if runs are missing.
    argument : str
        The argument of the paper that it bears on; empty if there is none.
    """

    topic: str
    text: str
    found: str
    effect: str
    argument: str = ""

    @property
    def state(self) -> State:
        """How far the effect could be computed.

        Examples
        --------
        >>> [str(Difference("", "", "", text).state) for text in ("3 runs.", "3 runs; not measured yet: speed.")]
        ['measured', 'measured in part']
        """
        if self.effect.startswith(NOT_MEASURED):
            return State.WAITING
        return State.PARTLY if NOT_MEASURED.lower() in self.effect.lower() else State.MEASURED


def list_differences(evidence: Evidence, records: RunRecords) -> tuple[Difference, ...]:
    """List all differences with their effects.

    Parameters
    ----------
    evidence : Evidence
        Datasets, and sound records of runs that follow the text's protocol.
    records : RunRecords
        All records, those of other protocols and of networks with a changed part included.

    Returns
    -------
    tuple of Difference
        In the order of `MEASURES`.

    Examples
    --------
    >>> from spectra_lib.claims.evidence import gather_evidence
    >>> none = RunRecords(())
    >>> entries = list_differences(gather_evidence(none, "smoke", "smoke", measured={}), none)
    >>> len(entries), sum(entry.state == State.MEASURED for entry in entries) > 5
    (14, True)
    """
    return tuple(replace(measure(evidence, records), argument=argument) for measure, argument in MEASURES)


def paper_networks(evidence: Evidence, records: RunRecords) -> RunRecords:
    """Give the runs of the paper's networks on its two datasets, by the rules of its text.

    These are the eight published networks without changed options, with either activation, in float32. Effects on
    training rest on them alone: other networks, datasets, protocols and number formats would be mixed in otherwise.

    Parameters
    ----------
    evidence : Evidence
        The two datasets.
    records : RunRecords
        Any records.

    Returns
    -------
    RunRecords
        Those of the eight networks, in the order given.
    """
    usual = records.select(protocol="paper", precision="float32", options={})
    return RunRecords(tuple(r for r in usual if r.spec.model in PUBLISHED and _is_ours(evidence, r)))


def _plateau(_: Evidence, records: RunRecords) -> Difference:
    curves = replay_published()
    code, text = (curves[curves.protocol == name] for name in ("code", "paper"))
    return Difference(
        "Learning rate on a plateau",
        "halved after 10 epochs without a lower validation loss",
        "divided by 10",
        f"The code's rule, replayed, gives the published last epoch and last rate for {code.agrees.sum()} of "
        f"{len(code)} curves, the text's for {text.agrees.sum()}. On the same curves the rate would end at "
        f"{scientific(text.learning_rate.median())} in place of {scientific(code.learning_rate.median(), 0)} "
        f"(medians). Test spectra right: {_paired_protocols(records)}",
    )


def _stopping(_: Evidence, __: RunRecords) -> Difference:
    curves = replay_published()
    text, code = (curves[curves.protocol == name] for name in ("paper", "code"))
    later = int((~text.stopped).sum()) + int((text.epochs.to_numpy() > code.epochs.to_numpy())[text.stopped].sum())
    return Difference(
        "Early stopping",
        "after 25 epochs without a lower validation loss",
        "gains below 10⁻⁴ do not count",
        f"On {later} of {len(code)} published curves the text's rule would have gone on longer.",
    )


def _kept(evidence: Evidence, records: RunRecords) -> Difference:
    chosen = paper_networks(evidence, records)
    topic, text = "Best checkpoint", "those of the highest validation accuracy"
    found = "those of the lowest validation loss"
    if not chosen:
        return Difference(topic, text, found, f"{NOT_MEASURED}: any run of the paper's networks will do.")
    parts = []
    for name, runs in _by_dataset(evidence, chosen):
        kept = [(r, *kept_by_either(r)) for r in runs]
        apart = [abs(a - b) for _, a, b in kept if a != b]
        losses = [r.history.val_accuracy[a] - r.history.val_accuracy[b] for r, a, b in kept]
        parts.append(
            f"On the {name} the two rules keep different epochs in {len(apart)} of {_of_networks(runs)}"
            + (f", {np.median(apart):.0f} apart (median)" if apart else "")
            + f"; the code's rule then has {100 * np.mean(losses):.2f} points less validation accuracy (mean over all)."
        )
    return Difference(topic, text, found, " ".join(parts))


def _training_errors(evidence: Evidence, records: RunRecords) -> Difference:
    topic, text = "Training accuracy", "the share of training spectra that the trained network gets right (Fig. 2)"
    found = "the average over an epoch, while weights change and dropout is on"
    chosen = paper_networks(evidence, records)
    trained, left_out = converged_runs(chosen), failed_runs(chosen)
    if not trained:
        return Difference(topic, text, found, f"{NOT_MEASURED}: any run of the paper's networks will do.")
    parts = []
    for name, runs in _by_dataset(evidence, trained):
        gaps = [(1 - r.history.accuracy[r.kept_epoch], r.train.errors / r.train.n) for r in runs]
        running, true = (100 * np.mean(column) for column in zip(*gaps, strict=True))
        parts.append(
            f"On the {name}, over {_of_networks(runs)}, the running average shows {running:.2f} % errors and the best "
            f"checkpoint makes {true:.2f} %."
        )
    if left_out:
        parts.append(f"Left out, as they failed to converge: {name_runs(left_out)}.")
    return Difference(topic, text, found, " ".join(parts))


def _linear_split(evidence: Evidence, _: RunRecords) -> Difference:
    topic, text = "Classes 164 and 281 (Fig. 6)", "one relative intensity separates all their test spectra"
    found = "the heights of their test spectra overlap"
    general = evidence.general
    if general.spec.name != "benchmark":
        return Difference(topic, text, found, f"{NOT_MEASURED}: needs the general benchmark.")
    peak, partner = decisive_peak(general, HEIGHT_PAIR)
    heights = [peaks_of(general.test, k, p)[1] for k, p in zip(HEIGHT_PAIR, (peak, partner), strict=True)]
    wrong = fewest_on_the_wrong_side(*heights)
    return Difference(
        topic, text, found, f"The best split leaves {wrong} of {sum(map(len, heights))} on the wrong side."
    )


def _unambiguous(evidence: Evidence, _: RunRecords) -> Difference:
    test = evidence.general.test
    ceiling = bayes_classifier(evidence.general).ceiling(test)
    return Difference(
        "Unambiguous classes",
        "each class is, in its ideal form; varied spectra overlap only slightly",
        "some varied spectra fit two classes",
        f"{ceiling.shared} of {len(test):,} test spectra of the general benchmark fit two classes or more; the best "
        f"possible classifier is expected to err on {ceiling.expected_errors:.1f}.",
    )


def _ties(evidence: Evidence, _: RunRecords) -> Difference:
    test = evidence.challenge.test
    ceiling = bayes_classifier(evidence.challenge).ceiling(test)
    counts = published_challenge()
    best = counts[(counts.model == "cnn6") & (counts.hidden_activation == "relu")].correct.median()
    return Difference(
        "Challenging test set",
        "made to overlap; what the best score can be is not said",
        "many test spectra are equally probable under two or three classes",
        f"{ceiling.tied} of {len(test)} test spectra are exact ties. The Bayes classifier of the training "
        f"distribution gets {100 * ceiling.accuracy:.1f} % right on average. "
        f"CNN6 gets {100 * best / TEST_SPECTRA['challenge']:.1f} % "
        "(published, median): it prefers the nearer class centre, which suits these test spectra.",
    )


def _lost(evidence: Evidence, _: RunRecords) -> Difference:
    lost = lost_peaks(evidence.general)
    varied = lost.loc[["train", "validation"]].sum()
    return Difference(
        "Peaks that get lost",
        "none, as positions keep 100 points from the ends",
        "heights are cut off at 0, a later peak replaces one on the same point",
        f"Of {varied.spectra:,} training and validation spectra {varied.vanished} lose a peak at intensity 0, "
        f"{varied.overwritten} by replacement, and {varied.close} have peaks within 12 points; of "
        f"{lost.spectra['test']:,} test spectra {lost.vanished['test']} lose one at intensity 0.",
    )


def _peak_numbers(evidence: Evidence, _: RunRecords) -> Difference:
    counts = peak_counts(evidence.general)
    return Difference(
        "Peaks of a class",
        "2 to 10 in Results, 2 to 7 in Methods",
        "a gamma law, cut at 10",
        f"{counts.min()} to {counts.max()}; {(counts > 7).sum()} of {len(counts)} classes have more than 7.",
    )


def _test_rule(evidence: Evidence, _: RunRecords) -> Difference:
    rule = evidence.general.spec.test
    by_hand = ", ".join(map(str, sorted(rule.changes))) or "none"
    n = sum(int((evidence.general.test.labels == label).sum()) for label in rule.changes)
    return Difference(
        "Test spectra",
        "the same rule for all classes",
        "smaller shifts or intensity changes, set by hand for some classes",
        f"Classes {by_hand}, {n} test spectra; {_without_changes(evidence.general)}",
    )


def _without_changes(general: Dataset) -> str:
    from spectra_lib.datasets.dataset import make_dataset

    spec = general.spec
    if not spec.test.changes:
        return "nothing to compare."
    same = spec.model_copy(update={"test": spec.test.model_copy(update={"changes": {}})})
    observer = bayes_classifier(general)
    uniform = observer.expected_errors(make_dataset(same).test)
    return (
        f"under the same rule for all, the best possible classifier would err on {uniform:.1f} spectra in place of "
        f"{observer.expected_errors(general.test):.1f}."
    )


def _batch_normalisation(evidence: Evidence, records: RunRecords) -> Difference:
    steps = math.ceil(len(evidence.challenge.train) / BATCH_SIZE)
    epochs = math.log(0.01) / (steps * math.log(BN_MOMENTUM))
    runs = records.select(model="resnet", options={}, protocol="paper", precision="float32")
    own = [r for r in runs if r.spec.dataset_spec == evidence.challenge.spec]
    note = f" {len(failed_runs(own))} of our {_runs(len(own))} of Resnet failed to converge." if own else ""
    return Difference(
        "Batch normalisation fails",
        "it may change relative intensities, which spectra depend on",
        f"the running averages it evaluates with follow slowly (momentum {BN_MOMENTUM:g}, {steps} steps an epoch)",
        f"Their starting values weigh more than 1 % until epoch {math.ceil(epochs)}, beyond the "
        f"{STOP_PATIENCE} epochs of patience.{note} With a momentum of .9: "
        + _single_change_effect(evidence, records, "momentum"),
    )


def _pools(_: Evidence, __: RunRecords) -> Difference:
    return Difference(
        "Pools that do not pool",
        "maxima of neighbouring features, to make the input smaller",
        "the last pool of CNN3 and the last three of CNN6 have size 1 and stride 2, the second of CNN2 and CNN3 size 2 "
        "and stride 3",
        f"Every second, or every third, point of a feature is never looked at. On errors: {NOT_MEASURED.lower()}, the "
        "campaign varies the size of all pools together.",
    )


def _resnet(_: Evidence, records: RunRecords) -> Difference:
    dropout = facts("resnet").dropout
    without = [
        r
        for r in records.select(model="resnet", protocol="paper", precision="float32")
        if r.spec.options.get("dropout") == 0.0
    ]
    effect = (
        f"{_runs(len(without))} without dropout: {100 * np.mean([r.test.accuracy for r in without]):.1f} % of test "
        "spectra right."
        if without
        else f"{NOT_MEASURED}: Resnet with dropout 0, which is not part of the campaign "
        "(`spectra-lib train --model resnet --option dropout=0`)."
    )
    return Difference(
        "Resnet",
        "no dropout; all networks as in their own papers",
        f"dropout {dropout:g} before the output; against the network it is named after, moreover, a linear stem, a "
        "stride in the first stage and slower averages",
        effect,
    )


def _ablation(evidence: Evidence, records: RunRecords) -> Difference:
    pairs = table_2()
    several = [pair for pair in pairs if changes_several(pair)]
    listed = "; ".join(
        f"{network_name(pair.modified.model)} "
        f"({', '.join(OPTION_NAMES[key] for key in differences(pair.published, pair.modified))})"
        for pair in several
    )
    return Difference(
        "Modified networks (Table 2)",
        "batch normalisation or convolutional dropout taken out or put in; Resnet gets dense layers, too",
        f"{len(several)} of {len(pairs)} differ from the original as published in more than one option: {listed}",
        "One part at a time: " + _single_change_effect(evidence, records, ""),
    )


TO_COMPARE = "how far runs that follow the text can be held against the published ones"

MEASURES: tuple[tuple[Callable[[Evidence, RunRecords], Difference], str], ...] = (
    (_plateau, TO_COMPARE),
    (_stopping, ""),
    (_kept, TO_COMPARE),
    (_training_errors, "that CNN6 fits the training spectra less closely and therefore generalises better"),
    (_unambiguous, "how far CNN6 is from the best possible score"),
    (_linear_split, "that the right boundary between these classes is known and gets all their test spectra right"),
    (_ties, "what a higher score on the challenging set shows of a network"),
    (_lost, ""),
    (_peak_numbers, ""),
    (_test_rule, ""),
    (_batch_normalisation, "that batch normalisation suits spectra badly"),
    (_pools, ""),
    (_resnet, "that residual blocks do not help"),
    (_ablation, "which part of a network does harm"),
)
"""How each difference is measured, and the argument of the paper that it bears on."""


def _percent_right(record: RunRecord) -> float:
    return 100 * record.test.accuracy


def _is_ours(evidence: Evidence, record: RunRecord) -> bool:
    """Whether a run is on one of the paper's two datasets."""
    return record.spec.dataset_spec in (evidence.general.spec, evidence.challenge.spec)


def _paired_protocols(records: RunRecords) -> str:
    """Say what the text's rules gain against the code's, in pairs of runs that are equal but for the protocol.

    On another backend the same seed gives other initial weights, so the backend must be the same.
    """
    usual = records.select(precision="float32", options={})
    by_text = {_but_for_the_protocol(run): run for run in usual.select(protocol="paper")}
    by_code = [run for run in usual.select(protocol="code") if backend_of(run) is not None]
    pairs = [(run, by_text.get(_but_for_the_protocol(run))) for run in by_code]
    gains = [_percent_right(text) - _percent_right(code) for code, text in pairs if text is not None]
    if not gains:
        return f"{NOT_MEASURED.lower()}: no runs of CNN2 and VGG on the challenging set under both protocols."
    models = dict.fromkeys(network_name(code.spec.model) for code, text in pairs if text is not None)
    return f"{_in_points(gains)} of {' and '.join(models)}, by the text's rules."


def _but_for_the_protocol(run: RunRecord) -> tuple[str, str | None]:
    return run.spec.model_copy(update={"protocol": "paper"}).model_dump_json(), backend_of(run)


def _single_change_effect(evidence: Evidence, records: RunRecords, word: str) -> str:
    own = records.select(protocol="paper", precision="float32")
    own = RunRecords(tuple(r for r in own if r.spec.dataset_spec == evidence.challenge.spec))
    parts = []
    for change in SINGLE_CHANGES:
        gains = pair_runs(own, change.before, change.after, _percent_right).change.tolist()
        if gains and word in change.text:
            parts.append(f"{network_name(change.base)}, {change.part.value} {change.text}: {_in_points(gains)}")
    if not parts:
        return f"{NOT_MEASURED.lower()}: no runs of stages h and i of the campaign."
    return "; ".join(parts) + "."


def _in_points(gains: list[float]) -> str:
    """Write a mean difference in percentage points with interval and number of pairs, as it shall read."""
    effect = paired_effect(gains)
    return f"{effect.text} points in {counted(effect.n, 'pair')}"


def _by_dataset(evidence: Evidence, runs: RunRecords) -> list[tuple[str, RunRecords]]:
    """Part runs by the paper's two datasets, which are one in a small copy of the study."""
    parts = [("general benchmark", evidence.general.spec)]
    if evidence.challenge.spec != evidence.general.spec:
        parts.append(("challenging set", evidence.challenge.spec))
    found = [(name, RunRecords(tuple(r for r in runs if r.spec.dataset_spec == spec))) for name, spec in parts]
    return [(name, own) for name, own in found if own]


def _of_networks(runs: RunRecords) -> str:
    """Say how many runs of which networks there are, as it shall read."""
    models = list(dict.fromkeys(run.spec.model for run in runs))
    which = network_name(models[0]) if len(models) == 1 else f"{len(models)} networks"
    return f"our {_runs(len(runs))} of {which}"


def _runs(number: int) -> str:
    return counted(number, "run")
