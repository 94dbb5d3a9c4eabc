"""Numbers and sentences of the chapter on the Bayes classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spectra_lib import baselines
from spectra_lib.analysis.confusable import Pair
from spectra_lib.analysis.leaderboard import NETWORK
from spectra_lib.baselines.registry import describe_baseline
from spectra_lib.bayes.classifier import BayesClassifier, Ceiling
from spectra_lib.book.values.confusion_study import Texts
from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.experiments.profiles import Profile
from spectra_lib.figures.ceiling import baseline_rows
from spectra_lib.figures.rows import method_label
from spectra_lib.figures.tables import Table
from spectra_lib.paper import published

HEIGHTS = (0.12, 0.40, 701)
"""Smallest and largest height of the example's lower peak, and how many."""

MARGINS = {"equal": 1e-9, "within 15 %": 0.15, "any possible class": 1.0}
"""Margins of probability within which the nearest middle decides, by their names."""


@dataclass(frozen=True)
class WorkedExample:
    """Two classes of two peaks that differ in the height of the lower one, and the Bayes classifier between them.

    Attributes
    ----------
    pair : (int, int)
        The classes.
    ideal : (float, float)
        Ideal height of the lower peak in either.
    heights : ndarray, shape (n,)
        Heights of the lower peak relative to the highest.
    likelihoods : ndarray, shape (2, n)
        How likely each class makes a spectrum of such a height, for each unit of height.
    posterior : ndarray, shape (n,)
        Probability of the second class; NaN where neither is possible.
    tests : two of ndarray
        Heights in those test spectra of each class that both can have made.
    n_tests : int
        Test spectra of both classes.
    """

    pair: Pair
    ideal: tuple[float, float]
    heights: NDArray[np.float64]
    likelihoods: NDArray[np.float64]
    posterior: NDArray[np.float64]
    tests: tuple[NDArray[np.float64], ...]
    n_tests: int


def worked_example(observer: BayesClassifier, pair: Sequence[int]) -> WorkedExample:
    """Follow the Bayes classifier through all heights of the lower peak of two classes.

    Parameters
    ----------
    observer : BayesClassifier
        Knows the dataset.
    pair : two of int
        Classes of two peaks each.
    """
    data, (a, b) = observer.dataset, pair
    first, second = data.fingerprints[a], data.fingerprints[b]
    deciding = int(np.argmin(first.heights))
    place = [round((p + q) / 2) for p, q in zip(first.positions, second.positions, strict=True)]
    height = np.linspace(*HEIGHTS)
    seen = PeakTable.from_lists(
        [place] * len(height), [[h if i == deciding else 1.0 for i in range(2)] for h in height], np.ones(len(height))
    )
    # for each unit of height, not of its logarithm
    likelihoods = np.array([observer.likelihood(seen, label) / height for label in (a, b)])
    total = likelihoods.sum(axis=0)
    posterior = np.divide(likelihoods[1], total, out=np.full(len(height), np.nan), where=total > 0)
    tests = tuple(
        np.array([h[deciding] / h.max() for _, h in spectra_of_both(observer, label, (a, b))]) for label in (a, b)
    )
    ideal = first.heights[deciding], second.heights[deciding]
    n_tests = int(np.isin(data.test.labels, pair).sum())
    return WorkedExample((a, b), ideal, height, likelihoods, posterior, tests, n_tests)


def spectra_of_both(observer: BayesClassifier, label: int, pair: Pair) -> list[tuple[NDArray, NDArray]]:
    """Give the peaks of those test spectra of a class that both classes of a pair can have made."""
    test = observer.dataset.test
    rows = np.flatnonzero(test.labels == label)
    own = Split(test.labels[rows], test.peaks.take(rows), test.n_points)
    inside = observer.in_support(own)[:, pair].all(axis=1)
    return [test.peaks.peaks(row) for row in rows[inside]]


def example_texts(example: WorkedExample, general: Dataset) -> Texts:
    """Texts of the worked example.

    Parameters
    ----------
    example : WorkedExample
        What was found.
    general : Dataset
        The general dataset, whose augmentation the text gives.

    Examples
    --------
    >>> from spectra_lib.bayes.classifier import bayes_classifier
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("benchmark")
    >>> texts = example_texts(worked_example(bayes_classifier(data), (164, 281)), data)
    >>> texts["first"], float(texts["both_from"]) < float(texts["tie_from"]) < float(texts["tie_to"])
    ('164', True)
    """
    height = example.heights
    both = (example.likelihoods > 0).all(axis=0)
    tied = np.isclose(example.posterior, 0.5, atol=1e-9)
    return {
        "law_shift": f"{general.spec.variation.position_shift}",
        "law_change": f"{general.spec.variation.height_change:g}",
        "first": f"{example.pair[0]}",
        "second": f"{example.pair[1]}",
        "first_height": f"{example.ideal[0]:g}",
        "second_height": f"{example.ideal[1]:g}",
        "both_from": f"{height[both].min():.3f}",
        "both_to": f"{height[both].max():.3f}",
        "tie_from": f"{height[tied].min():.3f}",
        "tie_to": f"{height[tied].max():.3f}",
        "both_possible": f"{sum(map(len, example.tests))}",
        "of_tests": f"{example.n_tests}",
    }


def limit_texts(chosen: Profile, ceilings: Mapping[str, Ceiling]) -> Texts:
    """Texts of the section on the expected errors of the Bayes classifier.

    Parameters
    ----------
    chosen : Profile
        Datasets that were asked for.
    ceilings : mapping of str to Ceiling
        By dataset and split: ``NAME: test`` and ``NAME: training distribution``.
    """
    general, challenge = ceilings[f"{chosen.general}: test"], ceilings[f"{chosen.challenge}: test"]
    limit = ceilings[f"{chosen.challenge}: training distribution"]
    n_published = published.TEST_SPECTRA["challenge"]
    correct = published.published_challenge().groupby(["model", "hidden_activation"]).correct.mean()
    wrong = n_published - correct["cnn6", "relu"]
    return {
        "general_shared": f"{general.shared}",
        "general_n": f"{general.n_spectra:,}",
        "general_expected": f"{general.expected_errors:.1f}",
        "general_spread": f"{general.spread:.1f}",
        "cnn6_errors": f"{published_errors()['cnn6']:.1f}",
        "challenge_n": f"{challenge.n_spectra}",
        "challenge_tied": f"{challenge.tied}",
        "challenge_expected": f"{challenge.expected_errors:.1f}",
        "challenge_percent": f"{100 * challenge.accuracy:.1f}",
        "challenge_limit": f"{100 * limit.accuracy:.1f}",
        "cnn6_challenge": f"{100 * (1 - wrong / n_published):.1f}",
        "general_name": chosen.general,
        "challenge_name": chosen.challenge,
    }


def published_errors() -> pd.Series:
    """Mean published test errors of each network on the general benchmark.

    Examples
    --------
    >>> len(published_errors())
    8
    """
    return published.published_runs().groupby("model").test_errors.mean()


def margin_errors(observers: Sequence[BayesClassifier]) -> pd.DataFrame:
    """Count the errors of the nearest middle among tied classes, a row for each of `MARGINS`.

    Parameters
    ----------
    observers : sequence of BayesClassifier
        One for each dataset.

    Examples
    --------
    >>> from spectra_lib.bayes.classifier import bayes_classifier
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> margin_errors([bayes_classifier(make_dataset("challenge"))]).columns.tolist()
    ['Tied are classes', 'challenge: validation', 'challenge: test']
    """
    table = pd.DataFrame({"Tied are classes": list(MARGINS)})
    for observer in {each.dataset.spec.name: each for each in observers}.values():
        data = observer.dataset
        for split in ("validation", "test"):
            counts = observer.errors_by_tie(data.split(split), list(MARGINS.values()))
            table[f"{data.spec.name}: {split}"] = counts
    return table


def measure_missing(chosen: Profile, general: Dataset, project: Path) -> None:
    """Do the runs and measurements of a profile that trains, as far as they are missing.

    Parameters
    ----------
    chosen : Profile
        Datasets and runs.
    general : Dataset
        The general dataset.
    project : Path
        Folder of the project.
    """
    folder = project / chosen.store
    chosen.gather((*chosen.general_runs(), *chosen.challenge_runs()), project)
    known = {(result.name, result.dataset_spec.name) for result in baselines.load_results(folder)}
    for name in baselines.list_baselines():
        if (name, chosen.general) not in known:
            baselines.save_result(folder, baselines.measure_in_fresh_process(name, general.spec))


def measured_on(results: Sequence[baselines.BaselineResult], dataset: str) -> pd.DataFrame:
    """Choose what classical methods reached on a dataset.

    Examples
    --------
    >>> measured_on([], "challenge").empty
    True
    """
    spec = dataset_spec(dataset)
    return baselines.baseline_table([result for result in results if result.dataset_spec == spec])


def classical_texts(chosen: Profile, measured: Mapping[str, pd.DataFrame], margins: pd.DataFrame) -> Texts:
    """Texts of the section on classical methods.

    Parameters
    ----------
    chosen : Profile
        Datasets that were asked for.
    measured : mapping of str to DataFrame
        What classical methods reached, by dataset.
    margins : DataFrame
        As `margin_errors` gives it.
    """
    general, challenge, theirs = measured[chosen.general], measured[chosen.challenge], published_errors()
    broadened = general[general.model == "nearest_neighbour_broadened"].test_errors.tolist()
    seconds = general[general.model == "peak_matcher"].processor_seconds.tolist()
    return {
        "matcher_general": errors_on_test(general, "peak_matcher"),
        "matcher_challenge": errors_on_test(challenge, "peak_matcher"),
        "exact_general": f"{margins.iloc[0][f'{chosen.general}: test']}",
        "exact_challenge": f"{margins.iloc[0][f'{chosen.challenge}: test']}",
        "neighbour_general": errors_on_test(general, "nearest_neighbour"),
        "broadened_general": errors_on_test(general, "nearest_neighbour_broadened"),
        "broadened_beats": f"{(theirs < broadened[0]).sum()}" if len(broadened) else "?",
        "published_general": f"{len(theirs)}",
        "matcher_seconds": f"{seconds[0]:.1f}" if len(seconds) else "?",
        "midrange_general": errors_on_test(general, "mid_range_matcher"),
        "midrange_challenge": errors_on_test(challenge, "mid_range_matcher"),
    }


def errors_on_test(table: pd.DataFrame, model: str) -> str:
    """Give the test errors of a classical method, or say that there are none.

    Examples
    --------
    >>> errors_on_test(pd.DataFrame({"model": ["x"], "test_errors": [7]}), "x")
    '7'
    """
    values = table.loc[table.model == model, "test_errors"]
    return f"{values.iloc[0]}" if len(values) else "not measured yet"


def costs_table(measured: pd.DataFrame, dataset: str, label: str) -> Table:
    """Show what classical methods reached and cost on a dataset, and name those that are missing.

    Parameters
    ----------
    measured : DataFrame
        As `measured_on` gives it.
    dataset : str
        Its name.
    label : str
        Label of the table.
    """
    missing = sorted(set(baselines.list_baselines()) - set(measured.model))
    names = [method_label(model).lower() for model in missing]
    return Table(
        label,
        f"Classical methods on *{dataset}*, each in a process of its own. Processor time of one core to fit and to "
        "answer for the validation and the test set; largest memory of the process, the libraries included."
        + (f" Not measured yet: {', '.join(names)}." if names else ""),
        baseline_rows(measured, [describe_baseline(model) for model in measured.model]),
    )


def board_texts(chosen: Profile, boards: Mapping[str, pd.DataFrame]) -> Texts:
    """Texts of the section on networks against the Bayes classifier.

    Parameters
    ----------
    chosen : Profile
        Datasets that were asked for.
    boards : mapping of str to DataFrame
        Leaderboards by dataset, as `spectra_lib.analysis.leaderboard.make_leaderboard` gives them.
    """
    best = boards[chosen.challenge]
    best = best[best.variant.eq("") & best.most.eq(0)]
    activations = best.activation.fillna("")
    names = {method_label(model, hidden or None) for model, hidden in zip(best.model, activations, strict=True)}
    runs = {name: int(board[board.kind == NETWORK].runs.sum()) for name, board in boards.items()}
    make = f"{' and '.join(sorted(names))} make{'s' * (len(names) == 1)}" if names else "a method may make"
    return {
        "without_errors": make,
        "runs_general": f"{runs[chosen.general]}",
        "runs_challenge": f"{runs[chosen.challenge]}",
    }
