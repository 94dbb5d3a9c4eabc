"""What figures and tables share that have a row for each network, method or comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from spectra_lib.baselines import list_baselines
from spectra_lib.figures.style import BLUE, GREY, INK, ORANGE, PALE
from spectra_lib.runs.display_names import network_name

GROUPS = ((BLUE, "o"), (ORANGE, "D"), (INK, "s"))
"""Colour and marker of up to three groups of runs."""

NONE_YET = "no run of ours yet"


def method_label(model: str, activation: str | None = None) -> str:
    """Name of a network or a classical method in tables and figures.

    Parameters
    ----------
    model : str
        Network or classical method.
    activation : str, optional
        Hidden activation of a network, put in brackets.

    Returns
    -------
    str
        Display name.

    Examples
    --------
    >>> method_label("cnn6", "relu"), method_label("my_net", "linear")
    ('CNN6 (ReLU)', 'my_net (linear)')
    >>> method_label("mid_range_matcher"), method_label("random_forest_broadened")
    ('Mid-range matcher', 'Random forest, broadened')
    """
    if model in list_baselines():
        text = model.replace("mid_range", "mid-range").replace("_broadened", ", broadened").replace("_", " ")
        return text[:1].upper() + text[1:]
    return network_name(model, activation)


def run_markers(color: str, marker: str, size: float, *, ours: bool) -> dict[str, Any]:
    """Give the options of `Axes.plot` for runs: published ones are open, ours filled.

    Parameters
    ----------
    color, marker : str
        As Matplotlib takes them.
    size : float
        Size of the marker in typographic points.
    ours : bool
        Whether the runs are ours.

    Returns
    -------
    dict of str to object
        Keyword arguments.

    Examples
    --------
    >>> run_markers(BLUE, "o", 5, ours=False)["fillstyle"]
    'none'
    """
    return {
        "marker": marker,
        "linestyle": "none",
        "color": color,
        "markersize": size,
        "fillstyle": "full" if ours else "none",
        "markeredgecolor": "white" if ours else color,
    }


def label_rows(axes: Axes, rows: Sequence[str], *, inside: bool = False) -> None:
    """Give each row a pale line and a label, at the left or over the line, the first at the top.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    rows : sequence of str
        Labels from top to bottom.
    inside : bool
        Whether labels stand over their lines.
    """
    for row, label in enumerate(rows):
        axes.axhline(row, color=PALE, linewidth=0.8, zorder=0)
        if inside:
            axes.text(0, row - 0.4, label, transform=axes.get_yaxis_transform(), va="center", fontsize=10, zorder=4)
    axes.set(yticks=range(len(rows)), yticklabels=[""] * len(rows) if inside else rows)
    axes.set_ylim(len(rows) - 0.4, -0.8 if inside else -0.6)
    axes.tick_params(axis="y", length=0)


def legend_above(axes: Axes, handles: Sequence[Line2D], labels: Sequence[str]) -> None:
    """Explain markers above the axes, where no run can lie under them.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    handles : sequence of Line2D
        What is explained.
    labels : sequence of str
        A text for each handle.
    """
    axes.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2, labelspacing=0.3
    )


def say(axes: Axes, text: str) -> None:
    """Write a remark into axes that show little or nothing.

    Parameters
    ----------
    axes : Axes
        Where to write.
    text : str
        The remark, at the right and half-way up.
    """
    note = axes.text(0.98, 0.5, text, transform=axes.transAxes, ha="right", va="center", color=GREY)
    note.set_in_layout(False)
