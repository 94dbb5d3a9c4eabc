"""Numbers and sentences of the chapter on the challenging set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spectra_lib._base.wording import counted, signed
from spectra_lib.analysis import challenge_categories, statistics
from spectra_lib.analysis import paired_comparison as paired
from spectra_lib.analysis.statistics import Effect
from spectra_lib.book.values.ablations import accuracy
from spectra_lib.book.values.confusion_study import Texts
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.experiments.single_changes import Variant
from spectra_lib.figures import challenge as figures
from spectra_lib.networks.catalogue import activations
from spectra_lib.runs.display_names import ACTIVATION_NAMES, name_runs, network_name
from spectra_lib.runs.records import RunRecords, converged_runs, failed_runs


def runs_by_network(table: pd.DataFrame, models: Sequence[str]) -> str:
    """Say how many runs there are of each network.

    Examples
    --------
    >>> runs_by_network(pd.DataFrame({"model": ["vgg", "cnn2", "vgg"]}), ["cnn2", "vgg", "cnn6"])
    'CNN2 1, VGG 2'
    >>> runs_by_network(pd.DataFrame({"model": []}), ["cnn2"])
    'none yet'
    """
    counts = table.groupby("model").size()
    return ", ".join(f"{network_name(model)} {counts[model]}" for model in models if model in counts) or "none yet"


def ideal_accuracy(ideal: pd.DataFrame) -> float:
    """Accuracy expected of the Bayes classifier, in per cent.

    Examples
    --------
    >>> ideal_accuracy(pd.DataFrame({"errors": [10.0, 0.0], "n": [50, 50]}))
    90.0
    """
    return float(100 * (1 - ideal.errors.sum() / ideal.n.sum()))


def set_texts(
    dataset: Dataset,
    ideal: pd.DataFrame,
    n_planned: int,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    models: Sequence[str],
) -> Texts:
    """Texts of the section on what the set is made of, and on the runs that are here.

    Parameters
    ----------
    dataset : Dataset
        The challenging set.
    ideal : DataFrame
        As `spectra_lib.analysis.challenge_categories.ideal_errors_by_triplet` gives it.
    n_planned : int
        Runs that there are to be.
    ours, theirs : DataFrame
        Our runs, and published ones.
    models : sequence of str
        Networks.
    """
    law = dataset.spec.variation
    return {
        "dataset": dataset.spec.name,
        "minor": f"{100 * dataset.fingerprints[1].heights[1]:.1f}",
        "n_train": f"{len(dataset.train):,}",
        "n_validation": f"{len(dataset.validation):,}",
        "n_test": f"{len(dataset.test):,}",
        "shift": f"{law.position_shift}",
        "step": f"{2 * law.position_shift}",
        "change": f"{law.height_change:g}",
        "planned": counted(n_planned, "run"),
        "here": f"{len(ours)}",
        "missing": f"{n_planned - len(ours)}",
        "list": runs_by_network(ours, models),
        "ideal_accuracy": f"{ideal_accuracy(ideal):.1f}",
        "ideal_errors": f"{ideal.errors.sum():.0f}",
        "chance": f"{100 / dataset.spec.n_classes:.1f}",
        "published_n": counted(len(theirs), "run"),
    }


@dataclass(frozen=True)
class ReluEffects:
    """What a ReLU in place of linear hidden layers does to the test accuracy, in percentage points.

    Attributes
    ----------
    changes : mapping of str to Series
        By displayed name of the network, the change in each pair of our runs.
    ours : mapping of str to Effect
        What these amount to.
    converged : mapping of str to Effect
        The same without runs that failed to converge.
    known : mapping of str to Effect
        Published runs, as two groups.
    failed : tuple of RunRecord
        Runs in these pairs that failed to converge.
    """

    changes: Mapping[str, pd.Series]
    ours: Mapping[str, Effect]
    converged: Mapping[str, Effect]
    known: Mapping[str, Effect]
    failed: RunRecords

    @property
    def n_pairs(self) -> int:
        """Pairs of our runs."""
        return sum(effect.n for effect in self.ours.values())

    @property
    def means(self) -> list[float]:
        """Mean change of each network that has pairs."""
        return [effect.mean for effect in self.ours.values() if effect.n]

    @property
    def over_networks(self) -> Effect:
        """Effect over our networks, each counted once."""
        return statistics.effect_over_networks(self.ours)

    @property
    def known_over_networks(self) -> Effect:
        """The same of published runs."""
        return statistics.effect_over_networks(self.known)

    @property
    def rows(self) -> dict[str, tuple[Sequence[float] | pd.Series, Effect]]:
        """Changes and effect of each network, and of all networks."""
        own: dict[str, tuple[Sequence[float] | pd.Series, Effect]] = {
            name: (self.changes[name], self.ours[name]) for name in self.ours
        }
        return own | {"all networks": (self.means, self.over_networks)}

    @property
    def known_rows(self) -> dict[str, Effect]:
        """Published effect of each network that has runs of both kinds, and of all networks."""
        own = {name: effect for name, effect in self.known.items() if effect.n}
        every = self.known_over_networks
        return own | ({"all networks": every} if every.n else {})


def relu_effects(records: RunRecords, theirs: pd.DataFrame, models: Sequence[str]) -> ReluEffects:
    """Compare linear hidden layers with ReLU, in networks that have hidden layers.

    Parameters
    ----------
    records : RunRecords
        Our runs.
    theirs : DataFrame
        Published runs, with a column ``accuracy`` in per cent.
    models : sequence of str
        Networks.
    """
    changes, converged, known = {}, {}, {}
    whole = converged_runs(records)
    for model in models:
        if len(activations(model)) < 2:
            continue
        name, linear, relu = network_name(model), Variant(model, "linear"), Variant(model, "relu")
        changes[name] = paired.pair_runs(records, linear, relu, accuracy).change
        converged[name] = statistics.paired_effect(paired.pair_runs(whole, linear, relu, accuracy).change.to_numpy())
        own = theirs[theirs.model == model]
        groups = [own[own.hidden_activation == key].accuracy.tolist() for key in ("linear", "relu")]
        known[name] = statistics.unpaired_effect(*groups)
    ours = {name: statistics.paired_effect(each.to_numpy()) for name, each in changes.items()}
    failed = failed_runs(run for pair in figures.relu_pairs(records, models) for run in pair)
    return ReluEffects(changes, ours, converged, known, failed)


def best_median(frame: pd.DataFrame) -> str:
    """Name the network and activation of the largest median accuracy.

    Parameters
    ----------
    frame : DataFrame
        Runs with columns ``model``, ``hidden_activation`` and ``accuracy`` in per cent.

    Examples
    --------
    >>> runs = pd.DataFrame({"model": ["vgg", "cnn2"], "hidden_activation": "relu", "accuracy": [80.0, 70.0]})
    >>> best_median(runs)
    'VGG with ReLU layers, 80.0 % in the median of 1 run'
    """
    groups = frame.dropna(subset="hidden_activation").groupby(["model", "hidden_activation"]).accuracy
    medians = groups.median()
    if medians.empty:
        return "nothing"
    model, activation = medians.index[int(medians.to_numpy().argmax())]
    n = int(groups.size()[(model, activation)])
    layers = f"{network_name(model)} with {ACTIVATION_NAMES[activation]} layers"
    return f"{layers}, {medians.max():.1f} % in the median of {counted(n, 'run')}"


def effect_texts(effects: ReluEffects, n_seeds: int, cut: str) -> Texts:
    """Texts of the section on the ReLU.

    Parameters
    ----------
    effects : ReluEffects
        What was found.
    n_seeds : int
        Seeds that there are to be of each network.
    cut : str
        Rows whose interval goes on beyond the frame of the figure.

    Examples
    --------
    >>> texts = effect_texts(ReluEffects({}, {}, {}, {}, RunRecords(())), 5, "")
    >>> texts["effect_reading"], texts["known_reading"]
    ('None of our runs can be compared in pairs yet.', '')
    """
    ups, downs = (sum(getattr(each, key) for each in effects.ours.values()) for key in ("ups", "downs"))
    n, every, n_pairs = effects.n_pairs, effects.over_networks, counted(effects.n_pairs, "pair")
    p = f", p = {every.p_text}" if every.n > 1 else ""
    hardly = ", and the mean change includes runs that hardly trained." if len(effects.failed) else "."
    reading = (
        f"Of {n_pairs} of ours so far, the ReLU raises the accuracy in {ups} and lowers it in {downs}. Over "
        f"{counted(every.n, 'network')} the mean change is {every.text} points{p}; the median network changes by "
        f"{signed(pd.Series(effects.means).median())}."
        if n
        else "None of our runs can be compared in pairs yet."
    )
    return {
        "signs": f"{2**5}",
        "least_p": f"{2**-4:.4f}",
        "n_pairs": f"{n}",
        "n_pairs_planned": f"{len(effects.ours) * n_seeds}",
        "effect_reading": reading,
        "failed_reading": _failed_sentence(effects),
        "cut_note": f"An arrow: the interval goes on beyond the frame ({cut})." if cut else "",
        "known_reading": _known_sentence(effects),
        "take_effect": (
            f"The ReLU helps in {ups} of our {n_pairs} so far{hardly}"
            if n
            else "How often the ReLU helps in ours is not known yet."
        ),
    }


def _failed_sentence(effects: ReluEffects) -> str:
    if not len(effects.failed):
        return ""
    left = statistics.effect_over_networks(effects.converged)
    without = (
        f"Without them the mean change is {left.text} points over {counted(left.n, 'network')}, p = {left.p_text}."
        if left.n > 1
        else "Too few pairs are left without them."
    )
    return (
        f"Some of these runs failed to converge: {name_runs(effects.failed)}. A pair with such a run measures that "
        f"rather than the activation. {without}"
    )


def _known_sentence(effects: ReluEffects) -> str:
    every = effects.known_over_networks
    if every.n <= 1:
        return ""
    clear = [name for name, effect in effects.known.items() if effect.n and effect.low > 0]
    return (
        f"In the published runs the change is {every.text} points over {counted(every.n, 'network')}, and its interval "
        f"excludes zero for {', '.join(clear) or 'none of them'} taken alone. The exact test over the networks gives "
        f"p = {every.p_text}."
    )


def error_texts(errors: pd.DataFrame, ideal: pd.DataFrame, ours: pd.DataFrame, theirs: pd.DataFrame) -> Texts:
    """Texts on medians, and on errors by category.

    Parameters
    ----------
    errors, ideal : DataFrame
        Errors by triplet of our runs, and those expected of the Bayes classifier.
    ours, theirs : DataFrame
        Our runs, and published ones, with a column ``accuracy`` in per cent.
    """
    reading = "None of our runs is here yet to be held against it."
    if len(errors):
        sums = errors.groupby("category")[["errors", "n"]].sum()
        shares = 100 * sums.errors / sums.n
        outside = errors.outside.sum() / max(errors.errors.sum(), 1)
        each = ", ".join(f"{shares[name]:.0f} % ({name})" for name in challenge_categories.CATEGORIES)
        reading = (
            f"Our runs so far misclassify {each}, and {100 * outside:.0f} % of their errors go to a class of another "
            "triplet."
        )
    published = f"Best of the published networks is {best_median(theirs)}. " if len(theirs) else ""
    own = f"Best of ours so far is {best_median(ours)}." if len(ours) else "None of our runs is here yet."
    return {"n_triplet": f"{ideal.n.iloc[0]}", "median_reading": published + own, "category_reading": reading}
