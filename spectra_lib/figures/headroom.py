"""Figures about harder datasets, and about errors against the amount of training data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from spectra_lib.figures.ceiling import method_label
from spectra_lib.figures.style import BLUE, INK, ORANGE, look
from spectra_lib.headroom import CeilingPoint, LearningPoint, as_percent


def draw_ceiling_series(axes: Axes, points: Sequence[CeilingPoint], xlabel: str, usual: float | None = None) -> None:
    """Draw the errors expected of the ideal observer in per cent, with their 95 % intervals.

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
    axes.errorbar(x, y, np.minimum(error, y), color=BLUE, marker="o", capsize=3)
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
        Runs as `spectra_lib.headroom.network_learning` gives them; may be empty.
    ceiling : float
        Errors expected of the ideal observer on the test set.
    n_test : int
        Test spectra.
    """
    sizes = {50}
    if points:
        x, y = as_percent(points)
        axes.plot(x, y, color=ORANGE, marker="s", label="nearest mid-range, peaks known")
        sizes |= set(x.tolist())
    for (model, activation), runs in networks.groupby(["model", "hidden_activation"], dropna=False):
        means = (100 * runs.test_errors / runs.test_n).groupby(runs.n_train).mean()
        name = method_label(model, activation if isinstance(activation, str) else None)
        fill = "none" if activation == "linear" else "full"
        axes.plot(means.index, means, color=look(model).color, marker=look(model).marker, fillstyle=fill, label=name)
        sizes |= set(means.index.tolist())
    axes.axhline(100 * ceiling / n_test, color=INK, linestyle="--", label="ideal observer")
    axes.set(xscale="log", xlabel="Training spectra of each class", ylabel="Test errors (%)", ylim=(0, None))
    axes.xaxis.set_major_locator(FixedLocator(sorted(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2)


def ceiling_series_rows(points: Sequence[CeilingPoint], what: str) -> pd.DataFrame:
    """Give one row for each value of a series, as it shall read."""
    return pd.DataFrame(
        {
            what: [f"{point.value:g}" for point in points],
            "Fresh spectra": [f"{point.n_spectra:,}" for point in points],
            "Fit several classes": [f"{point.shared:,}" for point in points],
            "Ceiling (%)": [f"{100 * p.accuracy:.2f} ± {100 * p.standard_error:.2f}" for p in points],
        }
    )
