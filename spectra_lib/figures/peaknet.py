"""Figures and table rows about PeakNet: the peaks that it lists, where it starts, and what was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from spectra_lib.datasets.specification import Variation
from spectra_lib.experiments.peaknet_variants import DEFAULTS, VARIANTS
from spectra_lib.experiments.single_changes import Variant
from spectra_lib.figures.rows import NONE_YET, label_rows, legend_above, method_label, run_markers, say
from spectra_lib.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, PINK

STARTS: Mapping[str, tuple[str, str, str]] = {
    "one_spectrum": ("one spectrum", ORANGE, "s"),
    "mean": ("mean", GREEN, "^"),
    "mid_range": ("mid-range", PINK, "*"),
}
"""Name, colour and marker of what a prototype may start from."""

DEGRADED = {"test": "Test errors", "noise": "With noise", "background": "With background"}
"""Columns of the table of test spectra that were made worse."""


def draw_peak_list(axes: Axes, spectrum: NDArray[np.floating], peaks: NDArray[np.floating]) -> None:
    """Draw a spectrum and, over each peak that was found in it, its position and height.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    spectrum : ndarray, shape (n_points,)
        Intensities.
    peaks : ndarray, shape (n_peaks, 2)
        Positions in points and heights; zero rows are passed over.
    """
    axes.plot(np.arange(len(spectrum)), spectrum, color=BLUE)
    found = peaks[peaks[:, 1] > 0]
    axes.plot(found[:, 0], found[:, 1], "v", color=PINK, markersize=6, markeredgecolor="white", zorder=4)
    for position, height in found:
        axes.annotate(
            f"{position:.1f}\n{height:.3f}",
            (position, height),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.set(xlabel="Point", ylabel="Intensity", ylim=(0, 1.35), xlim=(0, len(spectrum)))


def draw_starts(
    axes: Axes,
    seen: NDArray[np.floating],
    starts: Mapping[str, NDArray[np.floating]],
    ideal: tuple[float, float],
    law: Variation,
) -> None:
    """Draw one peak of a class as training spectra show it, the range of the law, and where a prototype may start.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    seen : ndarray, shape (n_spectra, 2)
        Positions in points and heights.
    starts : mapping of str to ndarray, shape (2,)
        Position and height by start (`STARTS`).
    ideal : (float, float)
        Ideal position and height.
    law : Variation
        Its ranges are drawn as a box.
    """
    corner = ideal[0] - law.position_shift, ideal[1] - law.height_change
    box = Rectangle(corner, 2 * law.position_shift, 2 * law.height_change, facecolor=PALE, alpha=0.5, zorder=0)
    axes.add_patch(box)
    axes.plot(seen[:, 0], seen[:, 1], "o", color=GREY, markersize=4, fillstyle="none", label="training spectra")
    for key, (position, height) in starts.items():
        name, color, marker = STARTS[key]
        size = 14 if marker == "*" else 9
        look = {"color": color, "marker": marker, "markersize": size, "markeredgecolor": "white", "linestyle": "none"}
        axes.plot(position, height, label=name, zorder=4, **look)
    axes.plot(*ideal, "+", color=INK, markersize=12, markeredgewidth=1.6, label="ideal peak", zorder=3)
    axes.set(xlabel="Position (points)", ylabel="Relative intensity")
    axes.margins(0.06)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0), ncols=2, borderaxespad=0.2, columnspacing=0.6)


def draw_tolerances(
    axes: Axes, shifts: NDArray[np.floating], costs: Mapping[str, NDArray[np.floating]], edge: float
) -> None:
    """Draw what a peak costs that is off by so many points, for each shape of the tolerance.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    shifts : ndarray, shape (n,)
        Deviations in points.
    costs : mapping of str to ndarray, shape (n,)
        Costs in units of the logits, by shape.
    edge : float
        Largest deviation of the law, in points.
    """
    axes.axvspan(0, edge, color=PALE, alpha=0.5, linewidth=0, zorder=0)
    for (shape, values), color, line in zip(costs.items(), (ORANGE, PINK), ("--", "-"), strict=False):
        axes.plot(shifts, values, color=color, linestyle=line, label=shape)
    axes.set(xlabel="Deviation (points)", ylabel="Cost", ylim=(0, None), xlim=(0, shifts.max()))
    axes.legend(loc="upper left", handlelength=1.6)


def variant_label(variant: Variant) -> str:
    """Name of a form of PeakNet in figures.

    Parameters
    ----------
    variant : Variant
        One of `VARIANTS`.

    Returns
    -------
    str
        Start and tolerance, or the part of PeakNet that is changed.

    Examples
    --------
    >>> [variant_label(variant) for variant in (VARIANTS[0], VARIANTS[-3], VARIANTS[-2])]
    ['one spectrum, quadratic', 'mid-range, flat: PeakNet', 'PeakNet, prototypes fixed']
    """
    if not variant.options.get("train_centres", True):
        return "PeakNet, prototypes fixed"
    if not variant.options.get("count_surplus", True):
        return "PeakNet, unmatched peaks free"
    values = {**DEFAULTS, **variant.options}
    text = f"{STARTS[values['start']][0]}, {values['tolerance']}"
    return text if variant.options else f"{text}: PeakNet"


def draw_variants(axes: Axes, table: pd.DataFrame, lines: Mapping[str, float], xlabel: str) -> None:
    """Draw the errors of each form of PeakNet: after one epoch (open), and trained (filled, one marker a seed).

    Parameters
    ----------
    axes : Axes
        Where to draw.
    table : DataFrame
        As `spectra_lib.experiments.peaknet_variants.variant_table` gives it.
    lines : mapping of str to float
        Errors to compare with, by what they are.
    xlabel : str
        Name of the abscissa.
    """
    label_rows(axes, [variant_label(variant) for variant in VARIANTS])
    before, after = run_markers(GREY, "o", 6, ours=False), run_markers(PINK, "o", 7, ours=True)
    for row in range(len(VARIANTS)):
        own = table[table.variant == row]
        for trained, look, offset in ((False, before, -0.14), (True, after, 0.14)):
            errors = own[own.trained == trained].test_errors.sort_values().to_numpy()
            # Equal numbers stand beside each other in height.
            rank = np.arange(len(errors)) - np.searchsorted(errors, errors)
            axes.plot(errors, row + offset + 0.12 * rank, zorder=4, **look)
    handles = [Line2D([], [], **before), Line2D([], [], **after)]
    for value, line in zip(lines.values(), ("--", ":"), strict=False):
        handles.append(axes.axvline(value, color=INK, linestyle=line, linewidth=1.1))
    legend_above(axes, handles, ["after one epoch", "trained", *lines])
    axes.set(xlabel=xlabel)
    most = max([*lines.values(), *table.test_errors])
    axes.set_xlim(-0.03 * most, 1.08 * most)
    if table.empty:
        say(axes, NONE_YET)


def variant_rows(table: pd.DataFrame, trainable: Sequence[int]) -> pd.DataFrame:
    """Give one row for each form of PeakNet, as it shall read.

    Parameters
    ----------
    table : DataFrame
        As `spectra_lib.experiments.peaknet_variants.variant_table` gives it.
    trainable : sequence of int
        Weights that training moves, for each of `VARIANTS`.

    Returns
    -------
    DataFrame
        A row for each of `VARIANTS`; errors are counts, validation errors a mean over seeds.
    """
    rows = []
    for number, (variant, weights) in enumerate(zip(VARIANTS, trainable, strict=True)):
        own = table[table.variant == number].sort_values("seed")
        before, after = own[~own.trained.astype(bool)], own[own.trained.astype(bool)]
        rows.append(
            {
                "Form": variant_label(variant),
                "Test errors after one epoch": _listed(before.test_errors),
                "Test errors, seed by seed": _listed(after.test_errors),
                "Validation errors": f"{after.validation_errors.mean():.1f}" if len(after) else "–",
                "Trained parameters": f"{weights:,}",
            }
        )
    return pd.DataFrame(rows)


def _listed(values: pd.Series) -> str:
    return ", ".join(f"{value:.0f}" for value in values) or "–"


def degraded_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Give one row for each network of `spectra_lib.analysis.probe_answers.degraded_errors`, as it shall read.

    Parameters
    ----------
    table : DataFrame
        A row for each run.

    Returns
    -------
    DataFrame
        Number of runs, and mean errors on each set of spectra.

    Examples
    --------
    >>> columns = ["model", "hidden_activation", "test", "noise", "background"]
    >>> degraded_rows(pd.DataFrame([("vgg", "relu", 62, 111, 145)], columns=columns))["Network"].tolist()
    ['VGG (ReLU)']
    """
    rows = []
    for (model, activation), own in table.groupby(["model", "hidden_activation"], dropna=False, sort=False):
        name = method_label(model, activation if isinstance(activation, str) else None)
        rows.append((name, len(own), *(f"{own[column].mean():.1f}" for column in DEGRADED)))
    return pd.DataFrame(rows, columns=["Network", "Runs", *DEGRADED.values()])
