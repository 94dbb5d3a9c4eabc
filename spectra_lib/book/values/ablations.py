"""Numbers and sentences of the chapter on ablations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from spectra_lib._base.wording import counted
from spectra_lib.analysis import paired_comparison as paired
from spectra_lib.analysis import statistics, table_2
from spectra_lib.analysis.ablations import Study
from spectra_lib.analysis.statistics import Effect
from spectra_lib.book.values.confusion_study import Texts
from spectra_lib.claims.differences import BATCH_SIZE, BN_MOMENTUM, STOP_PATIENCE
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.experiments.single_changes import SingleChange, Variant
from spectra_lib.figures import ablations as figures
from spectra_lib.networks import describe_model
from spectra_lib.runs.display_names import name_runs
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords, failed_runs

PairRow = tuple[table_2.Pair, Mapping[str, tuple[Any, Any]], Effect, Effect]
"""A pair, what differs, and the gain of the simpler network: original as published, and with ReLU."""


def accuracy(record: RunRecord) -> float:
    """Test accuracy of a run, in per cent."""
    return 100 * record.test.accuracy


@dataclass(frozen=True)
class Judge:
    """Compares networks in pairs of runs.

    Attributes
    ----------
    records : RunRecords
        The runs.
    """

    records: RunRecords

    def __call__(
        self, before: Variant, after: Variant, value: Callable[[RunRecord], float] = accuracy
    ) -> tuple[pd.Series, Effect]:
        """Give the changes in pairs of runs with the same seed on the same backend, and what they amount to.

        Parameters
        ----------
        before, after : Variant
            The networks.
        value : callable
            What changes, of a run; by default its test accuracy in per cent.
        """
        changes = paired.pair_runs(self.records, before, after, value).change
        return changes, statistics.paired_effect(changes.to_numpy())

    def count(self, variant: Variant) -> int:
        """Count the runs of a network."""
        return len(paired.runs_of(self.records, variant))

    def modified(self, pairs: Sequence[table_2.Pair]) -> list[PairRow]:
        """Compare each modified network of the paper with its original, as published and with ReLU.

        Parameters
        ----------
        pairs : sequence of Pair
            Originals and modified networks.
        """
        return [
            (
                pair,
                table_2.differences(pair.published, pair.modified),
                self(*pair.ordered(pair.published))[1],
                self(*pair.ordered(pair.original))[1],
            )
            for pair in pairs
        ]


def accuracies(frame: pd.DataFrame, pairs: Mapping[str, table_2.Pair], which: str) -> dict[str, list[float]]:
    """Give the accuracies of one network of each pair, in per cent.

    Parameters
    ----------
    frame : DataFrame
        Runs with a column ``accuracy``.
    pairs : mapping of str to Pair
        By their labels.
    which : str
        ``original``, ``modified`` or ``published``; the last is left out where it is the original.
    """
    return {
        name: figures.runs_of(frame, getattr(pair, which)).accuracy.tolist()
        for name, pair in pairs.items()
        if which != "published" or pair.published != pair.original
    }


def study_texts(study: Study, dataset: Dataset, n_planned: int, records: RunRecords, expected: float) -> Texts:
    """Texts of the section on the paper's modified networks.

    Parameters
    ----------
    study : Study
        Networks to compare.
    dataset : Dataset
        The challenging set.
    n_planned : int
        Runs that the comparisons ask for.
    records : RunRecords
        Those that are here.
    expected : float
        Errors expected of the Bayes classifier on the test spectra.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> texts = study_texts(Study((), (), ()), make_dataset("challenge"), 4, RunRecords(()), 45.0)
    >>> texts["ceiling"], texts["missing"], texts["n_pairs"]
    ('72.2', '4', '0 pairs')
    """
    return {
        "dataset": dataset.spec.name,
        "ceiling": f"{100 * (1 - expected / len(dataset.test)):.1f}",
        "planned": counted(n_planned, "run"),
        "here": f"{len(records)}",
        "missing": f"{n_planned - len(records)}",
        "n_test": f"{len(dataset.test):,}",
        "n_pairs": counted(len(study.pairs), "pair"),
        "several": f"{sum(map(table_2.changes_several, study.pairs))}",
        "several_relu": f"{sum(table_2.changes_several(pair, pair.original) for pair in study.pairs)}",
    }


def pair_sentence(pairs: Sequence[PairRow]) -> str:
    """Say in how many pairs the simpler network is ahead.

    Examples
    --------
    >>> pair_sentence([])
    'None of these pairs can be compared in our runs yet.'
    """
    published = [pair[2] for pair in pairs if pair[2].n]
    with_relu = [pair[3] for pair in pairs if pair[3].n]
    if not published and not with_relu:
        return "None of these pairs can be compared in our runs yet."
    ahead = " and ".join(
        f"in {sum(effect.mean > 0 for effect in own)} of {len(own)} where the original {name}"
        for name, own in (("is as published", published), ("has a ReLU", with_relu))
    )
    return f"Of those that can be compared in our runs so far the simpler network is ahead {ahead}."


def failed_sentence(study: Study, records: RunRecords) -> str:
    """Name the runs of the paper's pairs that failed to converge.

    Examples
    --------
    >>> failed_sentence(Study((), (), ()), RunRecords(()))
    ''
    """
    wanted = [v for pair in study.pairs for v in (pair.published, pair.original, pair.modified)]
    failed = failed_runs(
        r for r in records if Variant(r.spec.model, r.spec.hidden_activation, r.spec.options) in wanted
    )
    if not failed:
        return ""
    return (
        f"Some of these runs failed to converge: {name_runs(failed)}. A difference from them says little about a part "
        "of a network."
    )


def turned(effect: Effect) -> Effect:
    """Turn the sign of an effect.

    Examples
    --------
    >>> turned(turned(statistics.NO_EFFECT)).n, turned(statistics.paired_effect([1.0, 3.0])).mean
    (0, -2.0)
    """
    e = effect
    return Effect(e.n, -e.mean, -e.high, -e.low, e.p, e.least_p, e.downs, e.ups)


def pooling_sentence(effects: Sequence[tuple[SingleChange, Effect]]) -> str:
    """Say in how many pairs of runs less pooling gets more spectra right.

    Parameters
    ----------
    effects : sequence of (SingleChange, Effect)
        Scaled pools, and what comes of them.

    Examples
    --------
    >>> pooling_sentence([])
    'No pair of runs with different pools is here yet.'
    """
    less = [e if c.after.options["pool_scale"] < 1 else turned(e) for c, e in effects if e.n]
    if not less:
        return "No pair of runs with different pools is here yet."
    return (
        f"Of {counted(sum(e.n for e in less), 'pair')} so far, less pooling gets more spectra of these classes right "
        f"in {sum(e.ups for e in less)} and fewer in {sum(e.downs for e in less)}."
    )


def change_texts(
    dataset: Dataset,
    n_seeds: int,
    single: Mapping[str, Effect],
    pooled: Sequence[tuple[SingleChange, Effect]],
    jumps: pd.DataFrame,
) -> Texts:
    """Texts of the sections on single changes and on pooling.

    Parameters
    ----------
    dataset : Dataset
        The challenging set.
    n_seeds : int
        Seeds that there are to be of each network.
    single : mapping of str to Effect
        Effects of single changes, by their labels.
    pooled : sequence of (SingleChange, Effect)
        Scaled pools, and what comes of them.
    jumps : DataFrame
        As `spectra_lib.analysis.ablations.jump_table` gives it.
    """
    done = {name: effect for name, effect in single.items() if effect.n}
    return {
        "steps": f"{-(-len(dataset.train) // BATCH_SIZE)}",
        "momentum": f"{BN_MOMENTUM:g}",
        "delay": f"{1 / (1 - BN_MOMENTUM):.0f}",
        "patience": f"{STOP_PATIENCE}",
        "jump_reading": figures.jump_reading(jumps),
        "n_single": f"{sum(effect.n for effect in done.values())}",
        "n_single_planned": f"{len(single) * n_seeds}",
        "single_reading": figures.clear_reading(done, len(single)),
        "n_pooled": f"{sum(effect.n for _, effect in pooled)}",
        "n_pooled_planned": f"{len(pooled) * n_seeds}",
        "pooling_reading": pooling_sentence(pooled),
    }


def halved_weights(dataset: Dataset, model: str) -> str:
    """Give the parameters of a network with ReLU and half the pooling, in millions.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> int(halved_weights(make_dataset("challenge"), "cnn6").replace(",", "")) > 20
    True
    """
    halved = describe_model(model, dataset.spec.n_points, dataset.spec.n_classes, "relu", pool_scale=0.5)
    return f"{halved.parameters / 1e6:,.0f}"
