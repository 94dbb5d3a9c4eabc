"""Figures about harder datasets, and about errors against the amount of training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from spectra_lib.analysis.headroom import CeilingPoint, HarderSet, LearningPoint
from spectra_lib.experiments.campaign import COMPARED
from spectra_lib.figures.rows import NONE_YET, label_rows, legend_above, method_label, say
from spectra_lib.figures.style import BLUE, INK, ORANGE, look


def draw_ceiling_series(axes: Axes, points: Sequence[CeilingPoint], xlabel: str, usual: float | None = None) -> None:
    """Draw the errors expected of the Bayes classifier in per cent, with their 95 % intervals.

    Where no spectrum fits several classes, the interval reaches up to what that leaves possible, 3 in all spectra.

    Parameters
    ----------
    axes : Axes
        Where to draw; the abscissa is logarithmic.
    points : sequence of CeilingPoint
        The series.
    xlabel : str
        What is varied.
    usual : float, optional
        Value of the general benchmark, marked by a larger open circle.
    """
    x = np.array([point.value for point in points])
    y = np.array([100 * (1 - point.accuracy) for point in points])
    error = np.array([196 * point.standard_error for point in points])
    none_seen = [0.0 if point.shared else 300 / point.n_spectra for point in points]  # the rule of three
    axes.errorbar(x, y, (np.minimum(error, y), np.maximum(error, none_seen)), color=BLUE, marker="o", capsize=3)
    for value, height in zip(x, y, strict=True):
        if value == usual:
            axes.plot(value, height, "o", color=INK, markersize=12, fillstyle="none")
    axes.set(xscale="log", xlabel=xlabel, ylim=(0, None))
    axes.xaxis.set_major_locator(FixedLocator(x.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")


def draw_learning(
    axes: Axes, points: Sequence[LearningPoint], networks: pd.DataFrame, ceiling: float, n_test: int
) -> None:
    """Draw test errors in per cent against the number of training spectra of each class (logarithmic).

    Parameters
    ----------
    axes : Axes
        Where to draw.
    points : sequence of LearningPoint
        The nearest mid-range of the training peaks.
    networks : DataFrame
        Runs as `spectra_lib.analysis.headroom.network_learning` gives them; may be empty.
    ceiling : float
        Errors expected of the Bayes classifier on the test set.
    n_test : int
        Test spectra.
    """
    sizes: set[float] = {50}
    if points:
        x = [point.value for point in points]
        y = [100 * point.test_errors / point.test_n for point in points]
        axes.plot(x, y, color=ORANGE, marker="s", label="nearest mid-range, peaks known")
        sizes |= set(x)
    for (model, activation), runs in networks.groupby(["model", "hidden_activation"], dropna=False):
        means = (100 * runs.test_errors / runs.test_n).groupby(runs.n_train).mean()
        name = method_label(model, activation if isinstance(activation, str) else None)
        fill = "none" if activation == "linear" else "full"
        axes.plot(means.index, means, color=look(model).color, marker=look(model).marker, fillstyle=fill, label=name)
        sizes |= set(means.index.tolist())
    axes.axhline(100 * ceiling / n_test, color=INK, linestyle="--", label="Bayes classifier")
    axes.set(xscale="log", xlabel="Training spectra of each class", ylabel="Test errors (%)", ylim=(0, None))
    axes.xaxis.set_major_locator(FixedLocator(sorted(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2)


def draw_harder(axes: Axes, sets: Sequence[HarderSet], networks: Mapping[str, pd.DataFrame]) -> None:
    """Draw the test errors in per cent on harder datasets, one row for each.

    Parameters
    ----------
    axes : Axes
        Where to draw; the abscissa is linear below 1 % and logarithmic above.
    sets : sequence of HarderSet
        Datasets from top to bottom.
    networks : mapping of str to DataFrame
        Runs on each, by name of the dataset, as `spectra_lib.analysis.headroom.network_learning` gives them;
        may be empty.
    """
    label_rows(axes, [one.spec.name.replace("_", " ") for one in sets])
    handles: dict[str, Line2D] = {}
    for row, one in enumerate(sets):
        x = 100 * one.expected_errors / one.mid_range.test_n
        (handle,) = axes.plot([x, x], [row - 0.32, row + 0.32], color=INK, linestyle="--")
        handles.setdefault("Bayes classifier", handle)
        x = 100 * one.mid_range.test_errors / one.mid_range.test_n
        (handle,) = axes.plot(x, row, "s", color=ORANGE, markersize=7, markeredgecolor="white")
        handles.setdefault("nearest mid-range, peaks known", handle)
        for (model, activation), runs in networks[one.spec.name].groupby(["model", "hidden_activation"], dropna=False):
            x = (100 * runs.test_errors / runs.test_n).mean()
            own = look(model)
            size = 13 if own.marker == "*" else 8
            (handle,) = axes.plot(x, row, own.marker, color=own.color, markersize=size, markeredgecolor="white")
            handles.setdefault(method_label(model, activation if isinstance(activation, str) else None), handle)
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    axes.set(xlabel="Test errors (%)", xlim=(0, 100), xticks=[0, 1, 3, 10, 30, 100])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    legend_above(axes, list(handles.values()), list(handles))
    if all(table.empty for table in networks.values()):
        say(axes, NONE_YET)


def harder_rows(sets: Sequence[HarderSet], networks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Give one row for each harder dataset, as it shall read; columns of networks are those of the campaign.

    Parameters
    ----------
    sets : sequence of HarderSet
        Datasets from top to bottom.
    networks : mapping of str to DataFrame
        Runs on each, by name of the dataset; may be empty.

    Returns
    -------
    DataFrame
        Accuracy of the Bayes classifier in per cent; errors are counts on the test set, means for networks.
    """
    rows = []
    for one in sets:
        spec, law = one.spec, one.spec.variation
        peaks = f"{spec.min_peaks}" if spec.min_peaks == spec.max_peaks else f"{spec.min_peaks}–{spec.max_peaks}"
        row = {
            "Set": spec.name,
            "Classes": f"{spec.n_classes}",
            "Peaks": peaks,
            "Augmentation": f"±{law.position_shift} points, ±{law.height_change:g}",
            "Bayes accuracy (%)": f"{100 * one.ceiling.accuracy:.1f}",
            "Bayes classifier": f"{one.expected_errors:.1f}",
            "Mid-range": f"{one.mid_range.test_errors}",
        }
        table = networks[spec.name]
        for variant in COMPARED:
            activation = table.hidden_activation.fillna("") == (variant.hidden_activation or "")
            errors = table[(table.model == variant.model) & activation].test_errors
            row[method_label(variant.model, variant.hidden_activation)] = f"{errors.mean():.1f}" if len(errors) else "–"
        rows.append(row | {"Of": f"{one.mid_range.test_n:,}"})
    return pd.DataFrame(rows)


def ceiling_series_rows(points: Sequence[CeilingPoint], what: str) -> pd.DataFrame:
    """Give one row for each value of a series, as it shall read.

    Parameters
    ----------
    points : sequence of CeilingPoint
        The series.
    what : str
        What is varied: head of the first column.

    Returns
    -------
    DataFrame
        Accuracies in per cent with their standard error.
    """
    return pd.DataFrame(
        {
            what: [f"{point.value:g}" for point in points],
            "Fresh spectra": [f"{point.n_spectra:,}" for point in points],
            "Fit several classes": [f"{point.shared:,}" for point in points],
            "Bayes accuracy (%)": [f"{100 * p.accuracy:.2f} ± {100 * p.standard_error:.2f}" for p in points],
        }
    )
