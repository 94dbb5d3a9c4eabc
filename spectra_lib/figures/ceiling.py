"""Figures about the Bayes classifier, and about methods beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from spectra_lib.analysis.leaderboard import BASELINE, NETWORK, OBSERVER, PUBLISHED
from spectra_lib.bayes.classifier import Ceiling
from spectra_lib.figures.rows import label_rows, method_label
from spectra_lib.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PALE

CLASSES = ((BLUE, "o", "-"), (ORANGE, "D", "--"), (GREEN, "^", "-."))
"""Colour, marker and line of up to three classes."""

KINDS = {
    PUBLISHED: ("published networks", GREY, "o", "none"),
    NETWORK: ("our runs", BLUE, "o", "full"),
    BASELINE: ("classical methods", ORANGE, "s", "full"),
}
"""Legend, colour, marker and fill of the kinds of methods."""


def draw_likelihoods(
    axes: Axes, x: NDArray[np.float64], likelihoods: Sequence[NDArray[np.float64]], names: Sequence[str]
) -> None:
    """Draw how likely each class makes what is seen, as filled outlines.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    x : ndarray, shape (n,)
        What is seen.
    likelihoods : sequence of ndarray, shape (n,)
        One for each class.
    names : sequence of str
        Their names.
    """
    for values, name, (color, _, line) in zip(likelihoods, names, CLASSES, strict=False):
        axes.fill_between(x, values, color=color, alpha=0.15, linewidth=0)
        axes.plot(x, values, color=color, linestyle=line, label=name)
    axes.set(ylabel="Likelihood", yticks=[], ylim=(0, None))
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderaxespad=0.2)


def draw_posterior(
    axes: Axes,
    x: NDArray[np.float64],
    posterior: NDArray[np.float64],
    tests: Sequence[NDArray[np.float64]],
    xlabel: str,
) -> None:
    """Draw the probability of the second of two classes, and where test spectra of both lie.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    x, posterior : ndarray, shape (n,)
        What is seen; probability of the second class, NaN where neither is possible.
    tests : two of ndarray
        What is seen in the test spectra of each class.
    xlabel : str
        Name of the abscissa.
    """
    tied = np.isclose(posterior, 0.5, atol=1e-9)
    axes.fill_between(x, 0, 1, where=tied, color=PALE, alpha=0.6, linewidth=0)
    axes.plot(x, posterior, color=INK)
    for values, height, (color, marker, _) in zip(tests, (-0.16, 1.16), CLASSES, strict=False):
        axes.plot(values, np.full(len(values), height), marker, color=color, markeredgecolor="white", clip_on=False)
    axes.set(xlabel=xlabel, ylabel="Probability of\nthe second class", yticks=[0, 0.5, 1], ylim=(-0.3, 1.3))


def draw_ranges(
    axes: Axes,
    centres: Sequence[float],
    reach: float,
    tests: Sequence[Sequence[float]],
    names: Sequence[str],
    xlabel: str,
) -> None:
    """Draw the ranges within which each class varies, on a line each, with test spectra on them.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    centres : sequence of float
        Ideal value of each class.
    reach : float
        How far training spectra vary to either side.
    tests : sequence of sequence of float
        Values in the test spectra of each class.
    names : sequence of str
        Names of the classes.
    xlabel : str
        Name of the abscissa.
    """
    for row, (centre, values, (color, marker, _)) in enumerate(zip(centres, tests, CLASSES, strict=False)):
        axes.plot(
            [centre - reach, centre + reach], [row, row], color=color, linewidth=9, alpha=0.25, solid_capstyle="butt"
        )
        axes.plot([centre, centre], [row - 0.22, row + 0.22], color=color)
        axes.plot(values, np.full(len(values), row), marker, color=color, markersize=7, markeredgecolor="white")
    for low, high in zip(centres[1:], centres[:-1], strict=True):
        if low - reach < high + reach:
            axes.axvspan(low - reach, high + reach, color=PALE, alpha=0.6, linewidth=0, zorder=0)
    axes.set(xlabel=xlabel, yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)


def height_against_ceiling(board: pd.DataFrame) -> float:
    """Height in inches of a figure by `draw_against_ceiling`: a line for each published network and unchanged method.

    Parameters
    ----------
    board : DataFrame
        The leaderboard.

    Returns
    -------
    float

    Examples
    --------
    >>> rows = {"variant": ["", "", "x"], "kind": NETWORK, "model": ["a", "b", "c"], "activation": None}
    >>> round(height_against_ceiling(pd.DataFrame(rows)), 2)
    1.78
    """
    shown = board[board.variant.eq("") | board.kind.eq(PUBLISHED)]
    return float(1.3 + 0.24 * shown.groupby(["model", "activation"], dropna=False).ngroups)


def draw_against_ceiling(axes: Axes, board: pd.DataFrame, xlabel: str) -> None:
    """Draw the test errors of every method on a line each, with the Bayes classifier's as a vertical line.

    Networks appear without the variants of their options; published and own runs share a line.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    board : DataFrame
        As `spectra_lib.analysis.leaderboard.make_leaderboard` gives it.
    xlabel : str
        Name of the abscissa, which is linear below 10 and logarithmic above.
    """
    usual = board[(board.variant == "") | (board.kind == PUBLISHED)]
    methods = usual[usual.kind != OBSERVER]
    labels = [method_label(m, a) for m, a in zip(methods.model, methods.activation.fillna(""), strict=True)]
    order = methods.groupby(labels).test_errors.min().sort_values(kind="stable").index.tolist()
    label_rows(axes, order)
    handles = []
    for kind, (name, color, marker, fill) in KINDS.items():
        own = [
            (label, values) for label, values in zip(labels, methods.itertuples(), strict=True) if values.kind == kind
        ]
        if not own:
            continue
        shift = {PUBLISHED: -0.16, NETWORK: 0.16}.get(kind, 0.0)
        look_of: dict = {"color": color, "marker": marker, "fillstyle": fill, "markersize": 6, "linestyle": "none"}
        for label, values in own:
            row = order.index(label) + shift
            axes.plot([values.fewest, values.most], [row, row], color=color, linewidth=1.2)
            axes.plot(values.test_errors, row, **look_of)
        handles.append(Line2D([], [], label=name, **look_of))
    for values in usual[usual.kind == OBSERVER].itertuples():
        axes.axvline(values.test_errors, color=INK, linestyle="--")
        handles.append(Line2D([], [], color=INK, linestyle="--", label="Bayes classifier, expected"))
    axes.set_xscale("symlog", linthresh=10, linscale=1)
    axes.set(xlabel=xlabel)
    axes.set_xlim(-0.8, max(11.0, 1.3 * usual[["test_errors", "most"]].max().max()))
    ticks = [0, 5, 10, 30, 100, 300, 1000, 3000]
    axes.set_xticks([tick for tick in ticks if tick <= axes.get_xlim()[1]])
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.3, 1.0), ncols=2, borderaxespad=0.2)


def ceiling_rows(ceilings: Sequence[tuple[str, Ceiling]]) -> pd.DataFrame:
    """Give one row for each set of spectra, as it shall read.

    Parameters
    ----------
    ceilings : sequence of (str, Ceiling)
        Name of the set and its `spectra_lib.bayes.classifier.Ceiling`.

    Returns
    -------
    DataFrame
        A row for each set; accuracies in per cent, with their standard error where they are sampled.

    Examples
    --------
    >>> from spectra_lib.bayes.classifier import Ceiling
    >>> ceiling_rows([("test", Ceiling(162, 36.0, 96, 72, 4.2))])["Expected accuracy (%)"].tolist()
    ['77.78']
    """
    rows = []
    for name, c in ceilings:
        spread = f" ± {100 * c.standard_error:.2f}" if c.standard_error else ""
        errors = f"{c.expected_errors:,.1f}"
        rows.append(
            (name, f"{c.n_spectra:,}", f"{c.shared:,}", f"{c.tied:,}", errors, f"{100 * c.accuracy:.2f}{spread}")
        )
    columns = ["Spectra", "Number", "Fit several classes", "Exact ties", "Expected errors", "Expected accuracy (%)"]
    return pd.DataFrame(rows, columns=columns)


def baseline_rows(table: pd.DataFrame, summaries: Sequence[str]) -> pd.DataFrame:
    """Give one row for each result of `spectra_lib.baselines.baseline_table`, as it shall read.

    Parameters
    ----------
    table : DataFrame
        A row for each classical method.
    summaries : sequence of str
        What each method does, in the order of the rows.

    Returns
    -------
    DataFrame
        A row for each method; times in seconds, memory in MB.
    """
    return pd.DataFrame(
        {
            "Method": [method_label(model) for model in table.model],
            "What it does": [text.rstrip(".") for text in summaries],
            "Validation errors": [
                f"{e:,} of {n:,}" for e, n in zip(table.validation_errors, table.validation_n, strict=True)
            ],
            "Test errors": [f"{e:,} of {n:,}" for e, n in zip(table.test_errors, table.test_n, strict=True)],
            "Processor time (s)": [f"{seconds:,.1f}" for seconds in table.processor_seconds],
            "Memory (MB)": [f"{number / 1e6:,.0f}" for number in table.peak_memory_bytes],
        }
    )
