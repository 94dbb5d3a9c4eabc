"""Figures about effects: values of two groups of runs, and what a change changes, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from spectra_lib.analysis.statistics import Effect
from spectra_lib.figures.rows import GROUPS, NONE_YET, label_rows, legend_above, run_markers, say
from spectra_lib.figures.style import BLUE, GREY


def draw_ranges(
    axes: Axes,
    rows: Sequence[str],
    groups: Mapping[str, tuple[Mapping[str, Sequence[float]], Mapping[str, Sequence[float]]]],
    xlabel: str,
) -> None:
    """Draw each value as a point, and over each group of values its range as a line and its median as a bar.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    rows : sequence of str
        Labels from top to bottom.
    groups : mapping of str to (mapping, mapping)
        For up to three groups, by their names in the legend, published values (open markers) and ours
        (filled), each by row; a row may be missing.
    xlabel : str
        Name of the abscissa.
    """
    label_rows(axes, rows)
    shown = [
        (name, own, filled) for name, pair in groups.items() for own, filled in zip(pair, (False, True), strict=True)
    ]
    shown = [(name, own, filled) for name, own, filled in shown if any(len(values) for values in own.values())]
    offsets = np.linspace(-0.32, 0.32, len(shown)) if len(shown) > 1 else np.zeros(1)
    looks = dict(zip(groups, GROUPS, strict=False))
    handles, labels = [], []
    for (name, own, filled), offset in zip(shown, offsets, strict=False):
        color, marker = looks[name]
        look = run_markers(color, marker, 5.5 if filled else 4.5, ours=filled) | {"markeredgewidth": 0.8}
        for row, label in enumerate(rows):
            values = np.asarray(own.get(label, ()), dtype=float)
            if len(values):
                place = row + offset
                axes.plot([values.min(), values.max()], [place, place], color=color, linewidth=1.0, alpha=0.6)
                axes.plot([np.median(values)] * 2, [place - 0.12, place + 0.12], color=color, linewidth=2.2)
                axes.plot(values, np.full(len(values), place), **look)
        handles.append(Line2D([], [], **look))
        labels.append(f"{name}, {'ours' if filled else 'published'}")
    legend_above(axes, handles, labels)
    axes.set(xlabel=xlabel)
    if not any(filled for _, _, filled in shown):
        say(axes, NONE_YET)


def draw_effects(
    axes: Axes,
    rows: Mapping[str, tuple[Sequence[float] | NDArray[np.floating], Effect]],
    xlabel: str,
    published: Mapping[str, Effect] | None = None,
    *,
    inside: bool = False,
    legend: bool = True,
) -> None:
    """Draw the change in each pair as a point, and their mean with its 95 % interval as a bar and a line.

    An interval much wider than the range of all points, as of two or three pairs that disagree, would leave no room for
    the others: it is cut off, with an arrow at its end.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    rows : mapping of str to (sequence of float, Effect)
        For each row, from top to bottom, the changes and what they amount to.
    xlabel : str
        Name of the abscissa.
    published : mapping of str to Effect, optional
        Published means with their intervals by row.
    inside : bool
        Whether to write the labels of the rows over their lines, where long ones have room.
    legend : bool
        Whether to explain the markers above the axes.
    """
    label_rows(axes, list(rows), inside=inside)
    axes.axvline(0, color=GREY, linewidth=1.0)
    for text in axes.texts:  # labels inside the axes: the line at zero shall not cross them
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    axes.spines["left"].set_visible(not inside)
    window = effects_window(rows, published)
    for row, (label, (changes, effect)) in enumerate(rows.items()):
        for own, color, offset in (
            ((published or {}).get(label), GREY, -0.2),
            (effect, BLUE, 0.2 if published else 0.0),
        ):
            if own is not None and own.n:
                place = row + offset
                axes.plot([own.mean] * 2, [place - 0.13, place + 0.13], color=color, linewidth=2.4)
                if np.isfinite([own.low, own.high]).all():
                    _draw_interval(axes, own, place, window, color)
        place = row + (0.2 if published else 0.0)
        axes.plot(changes, np.full(len(changes), place), "o", color=BLUE, markersize=5, fillstyle="none")
    handles = [
        Line2D([], [], marker="o", linestyle="none", color=BLUE, markersize=5, fillstyle="none"),
        Line2D([], [], marker="|", color=BLUE, markersize=9, markeredgewidth=2.4, linewidth=1.2),
    ]
    labels = ["one pair of runs", "mean and 95 % interval"]
    if published:
        handles.append(Line2D([], [], marker="|", color=GREY, markersize=9, markeredgewidth=2.4, linewidth=1.2))
        labels.append("published, not paired")
    if legend:
        legend_above(axes, handles, labels)
    axes.set(xlabel=xlabel)
    if not any(effect.n for _, effect in rows.values()):
        say(axes, "no pair of ours yet")
        if not any(effect.n for effect in (published or {}).values()):
            axes.set_xlim(-10, 10)


def effects_window(
    rows: Mapping[str, tuple[Sequence[float] | NDArray[np.floating], Effect]],
    published: Mapping[str, Effect] | None = None,
) -> tuple[float, float]:
    """Give the range within which `draw_effects` draws intervals.

    It is that of zero, all changes and means, and all intervals that are not more than twice as wide as these, with a
    twentieth around it.

    Parameters
    ----------
    rows : mapping of str to (array-like, Effect)
        As `draw_effects` takes them: changes of the pairs, shape (n_pairs,), and their effect.
    published : mapping of str to Effect, optional
        Published effects by the same names.

    Returns
    -------
    (float, float)
        Both ends, in the unit of the changes.

    Examples
    --------
    >>> from spectra_lib.analysis.statistics import paired_effect
    >>> effects_window({"a": ([0.0, 8.0], paired_effect([0.0, 8.0]))})
    (-0.4, 8.4)
    """
    effects = [effect for _, effect in rows.values()] + list((published or {}).values())
    points = [0.0, *(float(c) for changes, _ in rows.values() for c in changes), *(e.mean for e in effects if e.n)]
    widest = 2 * (max(points) - min(points))
    usual = [e for e in effects if e.n > 1 and e.high - e.low <= widest]
    low, high = min([*points, *(e.low for e in usual)]), max([*points, *(e.high for e in usual)])
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def cut_off(
    rows: Mapping[str, tuple[Sequence[float] | NDArray[np.floating], Effect]],
    published: Mapping[str, Effect] | None = None,
) -> str:
    """Name the intervals that `draw_effects` cuts off, with their ends; empty if there is none.

    Parameters
    ----------
    rows : mapping of str to (array-like, Effect)
        As `draw_effects` takes them: changes of the pairs, shape (n_pairs,), and their effect.
    published : mapping of str to Effect, optional
        Published effects by the same names.

    Returns
    -------
    str
        Names with mean and interval, in the unit of the changes.

    Examples
    --------
    >>> from spectra_lib.analysis.statistics import paired_effect
    >>> cut_off({"a": ([0.0, 8.0], paired_effect([0.0, 8.0])), "b": ([1.0, 1.0], paired_effect([1.0, 1.0]))})
    'a, +4 (−46.8 to +54.8)'
    """
    low, high = effects_window(rows, published)
    known = [(label, effect) for label, (_, effect) in rows.items()] + list((published or {}).items())
    return "; ".join(f"{label}, {e.text}" for label, e in known if e.n > 1 and (e.low < low or e.high > high))


def _draw_interval(axes: Axes, effect: Effect, place: float, window: tuple[float, float], color: str) -> None:
    low, high = max(effect.low, window[0]), min(effect.high, window[1])
    axes.plot([low, high], [place, place], color=color, linewidth=1.2)
    for end, whole, marker in ((low, effect.low, "<"), (high, effect.high, ">")):
        if end != whole:
            axes.plot([end], [place], marker=marker, color=color, markersize=6)


def median_and_range(values: pd.Series) -> str:
    """Write median and range, as they shall read; a dash without values.

    Parameters
    ----------
    values : Series, shape (n_runs,)
        Figures of runs.

    Returns
    -------
    str
        One decimal, in the unit of the values.

    Examples
    --------
    >>> median_and_range(pd.Series([62.0])), median_and_range(pd.Series(dtype=float))
    ('62.0', '–')
    """
    if values.empty:
        return "–"
    # no-break space and word joiner: a range is not broken over lines
    return f"{values.median():.1f}" + (
        f"\u00a0({values.min():.1f}–\u2060{values.max():.1f})" if len(values) > 1 else ""
    )
