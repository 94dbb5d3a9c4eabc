"""What the paper's text says against its published code and against what can be computed, with the effect of each.

Source: Schuetzke, Szymanski & Reischl 2023, doi:10.1038/s41524-023-01055-y, and its public code. An effect is
computed from the datasets, the published curves, or the records of our runs; where runs are needed that are not here,
the entry says which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spectra_lib.campaign import MODIFIED
from spectra_lib.claims.comparison import mean_above_zero, pair_by_seed
from spectra_lib.claims.evidence import Evidence
from spectra_lib.confusions import decisive_peak, fewest_on_the_wrong_side
from spectra_lib.dataset import Dataset
from spectra_lib.dataset_statistics import lost_peaks, peak_counts, peaks_of
from spectra_lib.networks import network
from spectra_lib.observer import ideal_observer
from spectra_lib.published import TEST_SPECTRA, published_challenge
from spectra_lib.records import RunRecord, RunRecords
from spectra_lib.replay import kept_by_either, replay_published
from spectra_lib.single_changes import SINGLE_CHANGES

HEIGHT_PAIR = (164, 281)
"""Classes of the general benchmark that the paper separates by one height."""

BN_MOMENTUM, BATCH_SIZE, STOP_PATIENCE = 0.99, 128, 25
NOT_MEASURED = "Not measured yet"


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
    """

    topic: str
    text: str
    found: str
    effect: str

    @property
    def measured(self) -> bool:
        """Whether an effect could be computed."""
        return not self.effect.startswith(NOT_MEASURED)


def list_differences(evidence: Evidence, records: RunRecords) -> tuple[Difference, ...]:
    """List all differences with their effects.

    Parameters
    ----------
    evidence : Evidence
        Datasets, and sound records of runs that follow the text's protocol.
    records : RunRecords
        All records, those of other protocols and of networks with a changed part included.

    Examples
    --------
    >>> from spectra_lib.claims.evidence import gather_evidence
    >>> none = RunRecords(())
    >>> entries = list_differences(gather_evidence(none, "smoke", "smoke", measured={}), none)
    >>> len(entries), sum(entry.measured for entry in entries) > 5
    (14, True)
    """
    return tuple(measure(evidence, records) for measure in MEASURES)


def difference_rows(differences: Sequence[Difference]) -> pd.DataFrame:
    """Give one row for each difference, as it shall read.

    Examples
    --------
    >>> difference_rows([]).columns.tolist()
    ['Topic', 'Text', 'Code or fact', 'Measured effect']
    """
    rows = [(each.topic, each.text, each.found, each.effect) for each in differences]
    return pd.DataFrame(rows, columns=["Topic", "Text", "Code or fact", "Measured effect"])


def _plateau(_: Evidence, records: RunRecords) -> Difference:
    curves = replay_published()
    code, text = (curves[curves.protocol == name] for name in ("code", "paper"))
    return Difference(
        "Learning rate on a plateau",
        "halved after 10 epochs without a lower validation loss",
        "divided by 10",
        f"The code's rule, replayed, gives the published last epoch and last rate for {code.agrees.sum()} of "
        f"{len(code)} curves, the text's for {text.agrees.sum()}. On the same curves the rate would end at "
        f"{text.learning_rate.median():.2g} in place of {code.learning_rate.median():.2g} (medians). "
        f"Test spectra right: {_paired_protocols(records)}",
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
    chosen = [
        (r, *kept_by_either(r)) for r in records.select(protocol="paper", precision="float32") if _is_ours(evidence, r)
    ]
    topic, text = "Weights that are kept", "those of the highest validation accuracy"
    found = "those of the lowest validation loss"
    if not chosen:
        return Difference(topic, text, found, f"{NOT_MEASURED}: any run will do.")
    apart = [(r, a, b) for r, a, b in chosen if a != b]
    losses = [r.history.val_accuracy[a] - r.history.val_accuracy[b] for r, a, b in chosen]
    effect = (
        f"In {len(apart)} of our {_runs(len(chosen))} the two rules keep different epochs"
        + (f", {np.median([abs(a - b) for _, a, b in apart]):.0f} apart (median)" if apart else "")
        + f"; the code's rule then has {100 * np.mean(losses):.2f} points less validation accuracy (mean over all)."
    )
    return Difference(topic, text, found, effect)


def _training_errors(evidence: Evidence, records: RunRecords) -> Difference:
    topic, text = "Training accuracy", "the share of training spectra that the trained network gets right (Fig. 2)"
    found = "the average over an epoch, while weights change and dropout is on"
    own = [r for r in records.select(precision="float32") if _is_ours(evidence, r)]
    chosen = RunRecords(tuple(own))
    if not own:
        return Difference(topic, text, found, f"{NOT_MEASURED}: any run will do.")
    gaps = [(1 - r.history.accuracy[r.kept_epoch], r.train.errors / r.train.n) for r in chosen]
    running, true = (100 * np.mean(column) for column in zip(*gaps, strict=True))
    sets = _names(r.spec.dataset_spec.name for r in chosen)
    effect = (
        f"Over our {_runs(len(chosen))} ({sets}) the running average shows {running:.2f} % errors, the kept weights "
        f"make {true:.2f} %."
    )
    return Difference(topic, text, found, effect)


def _linear_split(evidence: Evidence, _: RunRecords) -> Difference:
    topic, text = "Classes 164 and 281 (Fig. 6)", "one height separates all their test spectra"
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
    ceiling = ideal_observer(evidence.general).ceiling(test)
    return Difference(
        "Unambiguous classes",
        "each class is, in its ideal form; varied spectra overlap only slightly",
        "some varied spectra fit two classes",
        f"{ceiling.shared} of {len(test):,} test spectra of the general benchmark fit two classes or more; the best "
        f"possible classifier is expected to err on {ceiling.expected_errors:.1f}.",
    )


def _ties(evidence: Evidence, _: RunRecords) -> Difference:
    test = evidence.challenge.test
    ceiling = ideal_observer(evidence.challenge).ceiling(test)
    counts = published_challenge()
    best = counts[(counts.model == "cnn6") & (counts.hidden_activation == "relu")].correct.median()
    return Difference(
        "Challenging test set",
        "made to overlap; what the best score can be is not said",
        "many test spectra are equally probable under two or three classes",
        f"{ceiling.tied} of {len(test)} test spectra are exact ties. Knowing the law of the training spectra, one gets "
        f"{100 * ceiling.accuracy:.1f} % right on average. CNN6 gets {100 * best / TEST_SPECTRA['challenge']:.1f} % "
        "(published, median): it prefers the nearer class centre, which suits these test spectra.",
    )


def _lost(evidence: Evidence, _: RunRecords) -> Difference:
    lost = lost_peaks(evidence.general)
    varied = lost.loc[["train", "validation"]].sum()
    return Difference(
        "Peaks that get lost",
        "none, as positions keep 100 points from the ends",
        "heights are cut off at 0, a later peak replaces one on the same point",
        f"Of {varied.spectra:,} training and validation spectra {varied.vanished} lose a peak at height 0, "
        f"{varied.overwritten} by replacement, and {varied.close} have peaks within 12 points; of "
        f"{lost.spectra['test']:,} test spectra {lost.vanished['test']} lose one at height 0.",
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
        "smaller shifts or height changes, set by hand for some classes",
        f"Classes {by_hand}, {n} test spectra; {_without_changes(evidence.general)}",
    )


def _without_changes(general: Dataset) -> str:
    from spectra_lib.dataset import make_dataset

    spec = general.spec
    if not spec.test.changes:
        return "nothing to compare."
    same = spec.model_copy(update={"test": spec.test.model_copy(update={"changes": {}})})
    observer = ideal_observer(general)
    uniform = observer.expected_errors(make_dataset(same).test)
    return (
        f"under the same rule for all, the best possible classifier would err on {uniform:.1f} spectra in place of "
        f"{observer.expected_errors(general.test):.1f}."
    )


def _batch_normalisation(evidence: Evidence, records: RunRecords) -> Difference:
    steps = math.ceil(len(evidence.challenge.train) / BATCH_SIZE)
    epochs = math.log(0.01) / (steps * math.log(BN_MOMENTUM))
    runs = records.select(model="resnet", options={}, protocol="paper", precision="float32")
    stuck = [r for r in runs if r.spec.dataset_spec == evidence.challenge.spec]
    note = (
        f" {sum(r.kept_epoch == 0 for r in stuck)} of our {_runs(len(stuck))} of Resnet kept the first epoch."
        if stuck
        else ""
    )
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
    dropout = network("resnet").dropout
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
    changed = {name: _changed_options(name) for name in MODIFIED}
    several = {name: options for name, options in changed.items() if len(options) > 1}
    return Difference(
        "Modified networks (Table 2)",
        "batch normalisation or convolutional dropout taken out or put in; Resnet gets dense layers, too",
        f"{len(several)} of {len(changed)} change more: "
        + "; ".join(f"{name} {', '.join(options)}" for name, options in several.items()),
        "One part at a time: " + _single_change_effect(evidence, records, ""),
    )


MEASURES: tuple[Callable[[Evidence, RunRecords], Difference], ...] = (
    _plateau,
    _stopping,
    _kept,
    _training_errors,
    _unambiguous,
    _linear_split,
    _ties,
    _lost,
    _peak_numbers,
    _test_rule,
    _batch_normalisation,
    _pools,
    _resnet,
    _ablation,
)


def _changed_options(name: str) -> list[str]:
    new = network(name)
    old = network(new.variant_of or name)
    changed = [key for key in new.defaults if new.defaults[key] != old.defaults[key]]
    return [*changed, *(["hidden_activation"] if new.hidden_activation != old.hidden_activation else [])]


def _percent_right(record: RunRecord) -> float:
    return 100 * record.test.accuracy


def _is_ours(evidence: Evidence, record: RunRecord) -> bool:
    """Whether a run is on one of the paper's two datasets."""
    return record.spec.dataset_spec in (evidence.general.spec, evidence.challenge.spec)


def _paired_protocols(records: RunRecords) -> str:
    gains: list[float] = []
    for code in records.select(protocol="code", precision="float32"):
        same = code.spec.model_dump(exclude={"protocol"})
        gains += [
            _percent_right(text) - _percent_right(code)
            for text in records.select(protocol="paper")
            if text.spec.model_dump(exclude={"protocol"}) == same
        ]
    missing = f"{NOT_MEASURED.lower()}, waits for runs of CNN2 and VGG on the challenging set under both protocols"
    return f"{_mean_gain(gains)}, by the text's rules." if gains else f"{missing}."


def _single_change_effect(evidence: Evidence, records: RunRecords, word: str) -> str:
    own = RunRecords(tuple(r for r in records if r.spec.dataset_spec == evidence.challenge.spec))
    parts = []
    for change in SINGLE_CHANGES:
        if word not in change.text:
            continue
        before, after = (
            own.select(**variant.fields(), protocol="paper", precision="float32")
            for variant in (change.before, change.after)
        )
        gains = pair_by_seed(after, before, _percent_right)
        if gains:
            parts.append(f"{change.base}, {change.part.value} {change.text}: {_mean_gain(gains)}")
    if not parts:
        return f"{NOT_MEASURED.lower()}, waits for runs of stages h and i of the campaign."
    return "; ".join(parts) + "."


def _mean_gain(gains: Sequence[float]) -> str:
    """Write a mean difference in per cent of the test spectra, with its interval if there are three pairs or more."""
    text = f"{np.mean(gains):+.1f} points"
    if len(gains) > 2:
        mean = mean_above_zero("", list(gains))
        text += f" ({mean.low:.1f} to {mean.high:.1f})"
    return f"{text}, {len(gains)} {'pair' if len(gains) == 1 else 'pairs'}"


def _runs(number: int) -> str:
    return f"{number} {'run' if number == 1 else 'runs'}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
