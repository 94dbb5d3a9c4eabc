"""Figures about the challenging set: its classes, and errors by category and triplet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spectra_lib._base.wording import counted, signed
from spectra_lib.analysis.challenge_categories import CATEGORIES, Triplet, category_of, triplets
from spectra_lib.analysis.paired_comparison import pairs_by_seed, runs_of
from spectra_lib.analysis.statistics import Effect
from spectra_lib.experiments.single_changes import Variant
from spectra_lib.figures.dataset import CLASS_COLORS, draw_stacked
from spectra_lib.figures.effects import median_and_range
from spectra_lib.figures.style import GREY, INK, PALE
from spectra_lib.runs.display_names import ACTIVATION_NAMES, activation_keys, name_runs, network_name
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords, failed_runs


def draw_triplet(axes: Axes, spectra: NDArray[np.floating], ranges: Sequence[tuple[int, int]], margin: float) -> None:
    """Draw the ideal spectra of three classes, lifted above one another, and shade where they differ.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    spectra : ndarray, shape (3, n_points)
        Intensities; the first class is at the bottom.
    ranges : sequence of (int, int)
        First and last point of each place where they differ.
    margin : float
        How far the shading goes beyond either end, in points.
    """
    for first, last in ranges:
        axes.axvspan(first - margin, last + margin, color=PALE, alpha=0.7, linewidth=0, zorder=0)
    draw_stacked(axes, spectra, colors=CLASS_COLORS)
    axes.set_xticks([0, spectra.shape[1] // 2])


def values_by_network(table: pd.DataFrame, column: str, activation: str) -> dict[str, list[float]]:
    """Give one column of runs by the label of their network, for `draw_ranges`.

    Parameters
    ----------
    table : DataFrame
        Runs with the columns ``model``, ``hidden_activation`` and `column`.
    column : str
        The column.
    activation : str
        A key of `ACTIVATION_NAMES`.

    Returns
    -------
    dict of str to list of float
        A value for each run, by display name.

    Examples
    --------
    >>> runs = pd.DataFrame({"model": ["vgg", "resnet"], "hidden_activation": ["relu", None], "errors": [1, 2]})
    >>> values_by_network(runs, "errors", "none")
    {'Resnet': [2]}
    """
    own = table[table.hidden_activation.fillna("none") == activation]
    return {network_name(str(model)): values.tolist() for model, values in own.groupby("model")[column]}


def draw_triplet_errors(
    axes: Axes, models: Sequence[str], errors: pd.DataFrame, ideal: pd.DataFrame, title: str, labels: bool
) -> None:
    """Draw the mean number of errors of each network in each triplet as shaded cells.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    models : sequence of str
        Networks from left to right.
    errors : DataFrame
        Columns ``model``, ``triplet``, ``n``, ``errors`` of each run and triplet; may be empty.
    ideal : DataFrame
        Columns ``triplet``, ``n``, ``errors``, the latter as expected of the Bayes classifier, for the last column.
    title : str
        Title of the axes.
    labels : bool
        Whether to write triplets and categories at the left.
    """
    rows = triplets()
    cells = np.full((len(rows), len(models) + 1), np.nan)
    means = errors.groupby(["model", "triplet"]).errors.mean() if len(errors) else pd.Series(dtype=float)
    for column, model in enumerate(models):
        for row, triplet in enumerate(rows):
            cells[row, column] = means.get((model, triplet), np.nan)
    cells[:, -1] = ideal.errors
    most = int(ideal.n.max())
    axes.imshow(cells, cmap="Blues", vmin=0, vmax=most, aspect="auto")
    for row, column in np.argwhere(np.isfinite(cells)):
        value = cells[row, column]
        color = "white" if value > 0.6 * most else INK
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=color, fontsize=9)
    for border in (2.5, 5.5):
        axes.axhline(border, color=GREY, linewidth=1.2)
    axes.axvline(len(models) - 0.5, color=GREY, linewidth=1.2)
    names = [network_name(model) for model in models] + ["ideal"]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(rows)), [_triplet_label(triplet) if labels else "" for triplet in rows])
    axes.tick_params(length=0)
    axes.set_title(title)


def _triplet_label(triplet: Triplet) -> str:
    head = f"{category_of(triplet[0])}  " if triplet[0] % 9 == 3 else ""
    return f"{head}{triplet[0]}–{triplet[-1]}"


def activation_rows(models: Sequence[str], published: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Give median accuracy, range and number of runs of each network and activation, as it shall read.

    Parameters
    ----------
    models : sequence of str
        Networks from top to bottom.
    published, ours : DataFrame
        Columns ``model``, ``hidden_activation``, ``accuracy`` in per cent; either may be empty.

    Returns
    -------
    DataFrame
        A row for each network and activation; accuracies in per cent.

    Examples
    --------
    >>> none = pd.DataFrame({"model": [], "hidden_activation": [], "accuracy": []})
    >>> activation_rows(["resnet", "vgg"], none, none)["Hidden layers"].tolist()
    ['no hidden layers', 'linear', 'ReLU']
    """
    rows: list[list[object]] = []
    for model in models:
        for activation in activation_keys(model):
            row: list[object] = [network_name(model), ACTIVATION_NAMES[activation]]
            for table in (published, ours):
                own = table.accuracy[(table.model == model) & (table.hidden_activation.fillna("none") == activation)]
                row += [median_and_range(own), len(own)]
            rows.append(row)
    return pd.DataFrame(rows, columns=["Network", "Hidden layers", "Published", "Runs", "Ours", "Our runs"])


def relu_reading(records: RunRecords, models: Sequence[str]) -> str:
    """Say what the ReLU changes over all pairs of runs, and over those in which both runs were trained.

    A pair with a run that failed to converge measures that failure, not the activation.

    Parameters
    ----------
    records : RunRecords
        Runs on one dataset that follow one protocol.
    models : sequence of str
        Networks to compare.

    Returns
    -------
    str
        One to four sentences, changes in percentage points.

    Examples
    --------
    >>> relu_reading(RunRecords(()), ["cnn2"])
    'None of our runs can be compared in pairs yet.'
    """
    pairs = relu_pairs(records, models)
    if not pairs:
        return "None of our runs can be compared in pairs yet."
    changes = [_change(pair) for pair in pairs]
    ups, downs = (sum(sign * change > 0 for change in changes) for sign in (1, -1))
    text = (
        f"Of {counted(len(pairs), 'pair')} of runs with the same seed on the same backend the ReLU raises the accuracy "
        f"in {ups} and lowers it in {downs}. Over all pairs the change is {_mean_and_median(changes)}."
    )
    left_out = failed_runs(run for pair in pairs for run in pair)
    if not left_out:
        return text
    trained = [_change(pair) for pair in pairs if not failed_runs(pair)]
    text += (
        f" That counts {counted(len(pairs) - len(trained), 'pair')} with a run that failed to converge: "
        f"{name_runs(left_out)}."
    )
    return f"{text} Without them it is {_mean_and_median(trained)}." if trained else f"{text} No other pair is left."


def relu_pairs(records: RunRecords, models: Sequence[str]) -> list[tuple[RunRecord, RunRecord]]:
    """Give the pairs of runs, linear and with ReLU, of some networks as published but for the activation.

    Parameters
    ----------
    records : RunRecords
        Runs on one dataset that follow one protocol.
    models : sequence of str
        Names of networks.

    Returns
    -------
    list of (RunRecord, RunRecord)
        Linear first; of equal network, seed and backend.
    """
    return [
        pair
        for model in models
        for pair in pairs_by_seed(runs_of(records, Variant(model, "linear")), runs_of(records, Variant(model, "relu")))
    ]


def _change(pair: tuple[RunRecord, RunRecord]) -> float:
    before, after = pair
    return 100 * (after.test.accuracy - before.test.accuracy)


def _mean_and_median(changes: Sequence[float]) -> str:
    mean, median = signed(float(np.mean(changes))), signed(float(np.median(changes)))
    return f"{mean} percentage points on average and {median} in the median"


def effect_rows(effects: Mapping[str, Effect], published: Mapping[str, Effect]) -> pd.DataFrame:
    """Give the effect of a change in each row, as it shall read: ours with test and pairs, published beside it.

    Parameters
    ----------
    effects : mapping of str to Effect
        Ours in percentage points, by the name of the row.
    published : mapping of str to Effect
        Published ones by the same names; may lack some.

    Returns
    -------
    DataFrame
        A row for each of ours.

    Examples
    --------
    >>> from spectra_lib.analysis.statistics import paired_effect
    >>> effect_rows({"CNN2": paired_effect([1.0, 2.0])}, {})["Exact p"].tolist()
    ['0.5 (least 0.5)']
    """
    rows = [
        (
            name,
            effect.text,
            effect.n,
            f"{effect.ups} / {effect.downs}" if effect.n else "–",
            effect.p_text,
            published[name].text if name in published else "–",
        )
        for name, effect in effects.items()
    ]
    return pd.DataFrame(rows, columns=["Network", "Ours, points", "Pairs", "Up / down", "Exact p", "Published, points"])


def category_rows(models: Sequence[str], errors: pd.DataFrame, ideal: pd.DataFrame) -> pd.DataFrame:
    """Give the misclassified spectra of each category in per cent, as it shall read: linear and with ReLU.

    Parameters
    ----------
    models : sequence of str
        Networks from top to bottom; the Bayes classifier closes the table.
    errors : DataFrame
        As `analysis.challenge_categories.errors_by_triplet` gives them.
    ideal : DataFrame
        As `analysis.challenge_categories.ideal_errors_by_triplet` gives them.

    Returns
    -------
    DataFrame
        A row for each network and activation, and one for the Bayes classifier.

    Examples
    --------
    >>> from spectra_lib.analysis.challenge_categories import errors_by_triplet, ideal_errors_by_triplet
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("challenge")
    >>> category_rows([], errors_by_triplet(data, []), ideal_errors_by_triplet(data)).iloc[0].tolist()
    ['Bayes classifier', '–', '–', '0', '33', '33', '–']
    """
    rows = []
    for model in models:
        for activation in activation_keys(model):
            own = errors[(errors.model == model) & (errors.hidden_activation.fillna("none") == activation)]
            sums = own.groupby("category")[["errors", "outside", "n"]].sum()
            shares = [
                f"{100 * sums.errors[name] / sums.n[name]:.0f}" if name in sums.index else "–" for name in CATEGORIES
            ]
            outside = f"{100 * sums.outside.sum() / sums.n.sum():.0f}" if len(own) else "–"
            runs = own.seed.nunique()
            rows.append((network_name(model), ACTIVATION_NAMES[activation], runs or "–", *shares, outside))
    known = ideal.groupby(ideal.triplet.map(lambda triplet: category_of(triplet[0])))[["errors", "n"]].sum()
    best = [100 * known.errors[name] / known.n[name] for name in CATEGORIES]
    rows.append(("Bayes classifier", "–", "–", *(f"{share:.0f}" for share in best), "–"))
    heads = [f"{name.capitalize()}, %" for name in CATEGORIES]
    return pd.DataFrame(rows, columns=["Network", "Hidden layers", "Runs", *heads, "Other triplet, %"])
