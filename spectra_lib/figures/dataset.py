"""Figures about datasets: spectra of a class, its variations, counts of peaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spectra_lib.datasets.specification import Fingerprint
from spectra_lib.figures.style import AMBER, BLUE, GREEN, GREY, INK, ORANGE, PALE

Peaks = tuple[NDArray[np.integer], NDArray[np.floating]]
"""Positions in points and heights of one peak in several spectra."""


CLASS_COLORS = (BLUE, ORANGE, GREEN)
"""Colours of up to three classes that stand side by side."""


def draw_spectra(
    axes: Axes,
    spectra: NDArray[np.floating],
    labels: Sequence[str],
    shaded: tuple[float, float] | None = None,
) -> None:
    """Draw a few spectra over one another.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    spectra : ndarray, shape (n_spectra, n_points)
        Intensities of at most five spectra.
    labels : sequence of str
        Legend entries, one for each spectrum.
    shaded : tuple of float, optional
        First and last point of a range to shade.
    """
    if shaded is not None:
        axes.axvspan(*shaded, color=BLUE, alpha=0.15, linewidth=0)
    looks = zip((BLUE, ORANGE, GREEN, AMBER, GREY), ("-", (0, (5, 1.5)), (0, (1.5, 1)), "-.", ":"), strict=True)
    for spectrum, label, (color, line) in zip(spectra, labels, looks, strict=False):
        axes.plot(spectrum, color=color, linestyle=line, label=label)
    axes.set(xlabel="Position (points)", ylabel="Intensity")


def draw_stacked(
    axes: Axes, spectra: NDArray[np.floating], step: float = 1.05, colors: Sequence[str] | None = None
) -> None:
    """Draw spectra lifted above one another.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    spectra : ndarray, shape (n_spectra, n_points)
        Intensities.
    step : float
        How far each spectrum is lifted above the one before.
    colors : sequence of str, optional
        One for each spectrum; by default the lowest is blue and the others are black.
    """
    for row, spectrum in enumerate(spectra):
        color = colors[row] if colors is not None else INK if row else BLUE
        axes.plot(spectrum + step * row, color=color, linewidth=1.0, zorder=9 - row)
    axes.set(yticks=[], xlim=(0, spectra.shape[1]))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.spines["left"].set_visible(False)


def draw_peak_variation(axes: Axes, splits: Mapping[str, Peaks], ideal: tuple[float, float]) -> None:
    """Draw where one peak of a class falls in the spectra of each split.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    splits : mapping of str to (positions, heights)
        For "train", "validation" and "test": positions in points and heights.
    ideal : tuple of float
        Position and height in the fingerprint.
    """
    looks: dict[str, dict[str, Any]] = {
        "train": {"marker": "o", "s": 26, "facecolor": "none", "edgecolor": BLUE, "label": "training"},
        "validation": {"marker": "s", "s": 26, "facecolor": AMBER, "edgecolor": INK, "label": "validation"},
        "test": {"marker": "^", "s": 44, "facecolor": GREY, "edgecolor": INK, "label": "test"},
    }
    for name, (positions, heights) in splits.items():
        look = looks[name] | {"label": f"{looks[name]['label']} ({len(positions)})"}
        axes.scatter(positions, heights, linewidth=0.9, zorder=3 if name == "test" else 2, **look)
    axes.axvline(ideal[0], color=PALE, zorder=1, linewidth=1)
    axes.axhline(ideal[1], color=PALE, zorder=1, linewidth=1)
    axes.set(xlabel="Peak position (points)", ylabel="Relative intensity")


def draw_peak_counts(axes: Axes, counts: NDArray[np.integer], expected: pd.Series) -> None:
    """Draw how many classes have how many peaks, beside what the count law leads to expect.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    counts : ndarray of int, shape (n_classes,)
        Peaks of each class.
    expected : Series
        Expected classes by number of peaks.
    """
    numbers = np.arange(min(counts.min(), expected.index.min()), max(counts.max(), expected.index.max()) + 1)
    found = np.array([(counts == number).sum() for number in numbers])
    axes.bar(numbers, found, width=0.7, color=BLUE, label="this dataset")
    law = expected.reindex(numbers).fillna(0.0)
    axes.plot(
        numbers, law, "D", color=AMBER, markeredgecolor=INK, markersize=6, label="expected from the generative model"
    )
    for number, count, other in zip(numbers, found, law, strict=True):
        axes.annotate(str(count), (number, max(count, other)), (0, 6), textcoords="offset points", ha="center")
    axes.set(xlabel="Peaks of a class", ylabel="Classes", xticks=numbers)
    axes.set_ylim(0, 1.15 * max(found.max(), law.max()))
    axes.legend()


def draw_decisive_peaks(axes: Axes, classes: Mapping[str, Peaks]) -> None:
    """Draw the peak that tells similar classes apart, as it appears in their spectra.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    classes : mapping of str to (positions, heights)
        For at most three classes, by their names in the legend; a class without the peak has none.
    """
    for (name, (positions, heights)), color, marker in zip(classes.items(), CLASS_COLORS, "os^", strict=False):
        if len(positions):
            axes.scatter(positions, heights, s=20, marker=marker, facecolor="none", edgecolor=color, label=name)
    legend_above(axes, columns=1)
    axes.set(xlabel="Position (points)", ylabel="Relative intensity")


def draw_fingerprint(axes: Axes, fingerprint: Fingerprint, n_points: int, position_shift: float) -> None:
    """Draw the ideal peaks of a class as sticks, with the range over which each may shift.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    fingerprint : Fingerprint
        The ideal peaks.
    n_points : int
        Points of the spectrum.
    position_shift : float
        Largest shift to either side, in points.
    """
    positions, heights = np.array(fingerprint.positions), np.array(fingerprint.heights)
    axes.bar(positions, heights, width=2 * position_shift, color=BLUE, alpha=0.25, label="range of shifts")
    axes.vlines(positions, 0, heights, color=BLUE, linewidth=1.6, label="ideal peak")
    axes.plot(positions, heights, "o", color=BLUE, markersize=4)
    axes.set(xlabel="Position (points)", ylabel="Relative intensity", xlim=(0, n_points), ylim=(0, 1.08))


def around(position: float, shift: float) -> tuple[float, float]:
    """Range in which a peak may be seen, for shading: its shift to either side and half as much again.

    Parameters
    ----------
    position : float
        Of the ideal peak, in points.
    shift : float
        Largest shift to either side, in points.

    Returns
    -------
    (float, float)
        First and last point.

    Examples
    --------
    >>> around(1000, 50)
    (925.0, 1075.0)
    """
    return position - 1.5 * shift, position + 1.5 * shift


def spread_by_count(counts: NDArray[np.integer], n: int) -> list[int]:
    """Choose up to `n` classes that differ as much as possible in their number of peaks.

    The first class with each number is taken, then the next one, until there are enough; classes are
    given by number of peaks.

    Parameters
    ----------
    counts : ndarray of int, shape (n_classes,)
        Peaks of each class.
    n : int
        At most so many classes.

    Returns
    -------
    list of int
        Class labels.

    Examples
    --------
    >>> spread_by_count(np.array([3, 2, 2, 5]), 3)
    [1, 0, 3]
    """
    turn = pd.Series(counts).groupby(counts).cumcount()
    chosen = turn.sort_values(kind="stable").index[:n]
    return sorted((int(label) for label in chosen), key=lambda label: (counts[label], label))


def legend_above(axes: Axes, columns: int = 3) -> None:
    """Put the legend above the axes, out of the way of the data.

    Parameters
    ----------
    axes : Axes
        Where the legend's entries are drawn.
    columns : int
        Columns of the legend.
    """
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        handlelength=1.8,
        labelspacing=0.2,
    )
