"""Figures about trained networks: errors, accuracies, losses over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from spectra_lib.figures.style import BLUE, GREY, INK, ORANGE, PALE, look

if TYPE_CHECKING:
    from spectra_lib.records import RunRecords

GROUPS = ((BLUE, "o"), (ORANGE, "D"), (INK, "s"))
"""Colour and marker of up to three groups of runs."""


def draw_runs_by_network(
    axes: Axes,
    models: Sequence[str],
    published: pd.DataFrame,
    ours: pd.DataFrame,
    column: str,
    xlabel: str,
) -> None:
    """Draw one figure of each run on a line for each network, published above ours.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    models : sequence of str
        Networks from top to bottom.
    published, ours : DataFrame
        Runs with the columns ``model`` and `column`; either may be empty.
    column : str
        What to draw along the abscissa, which begins at zero.
    xlabel : str
        Its name.
    """
    _network_lines(axes, models)
    for row, model in enumerate(models):
        values = published.loc[published.model == model, column]
        axes.plot(values, np.full(len(values), row - 0.16), "o", color=GREY, markersize=6, fillstyle="none")
        values = ours.loc[ours.model == model, column]
        axes.plot(values, np.full(len(values), row + 0.16), "o", color=BLUE, markersize=7, markeredgecolor="white")
    handles = [
        Line2D([], [], marker="o", linestyle="none", color=GREY, markersize=6, fillstyle="none"),
        Line2D([], [], marker="o", linestyle="none", color=BLUE, markersize=7, markeredgecolor="white"),
    ]
    _legend_above(axes, handles, ("published", "ours"))
    largest = pd.concat([published[column], ours[column]]).max()
    axes.set(xlabel=xlabel, xlim=(0, 1.08 * largest if largest > 0 else 10))
    if not len(ours):
        axes.text(0.98, 0.03, "no run of ours yet", transform=axes.transAxes, ha="right", color=GREY)


def draw_groups_by_network(
    axes: Axes,
    models: Sequence[str],
    groups: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    column: str,
    xlabel: str,
) -> None:
    """Draw one figure of each run on a line for each network and group of runs.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    models : sequence of str
        Networks from top to bottom.
    groups : mapping of str to (DataFrame, DataFrame)
        For up to three groups, by their names in the legend: published runs (open markers) and ours
        (filled), with the columns ``model`` and `column`; either may be empty.
    column : str
        What to draw along the abscissa.
    xlabel : str
        Its name.
    """
    _network_lines(axes, models)
    handles, labels = [], []
    offsets = np.linspace(-0.22, 0.22, len(groups)) if len(groups) > 1 else np.zeros(1)
    for (name, sets), (color, marker), offset in zip(groups.items(), GROUPS, offsets, strict=False):
        for runs, text, filled in zip(sets, ("published", "ours"), (False, True), strict=True):
            look_of_set: dict[str, Any] = {
                "marker": marker,
                "linestyle": "none",
                "color": color,
                "markersize": 6.5 if filled else 5,
                "fillstyle": "full" if filled else "none",
                "markeredgecolor": "white" if filled else color,
            }
            for row, model in enumerate(models):
                values = runs.loc[runs.model == model, column]
                shift = offset + (0.08 if filled else -0.08)
                axes.plot(values, np.full(len(values), row + shift), **look_of_set)
            if len(runs):
                handles.append(Line2D([], [], **look_of_set))
                labels.append(f"{name}, {text}")
    _legend_above(axes, handles, labels)
    axes.set(xlabel=xlabel)


def by_activation(published: pd.DataFrame, ours: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Group runs by their column ``hidden_activation``, for `draw_groups_by_network`.

    Examples
    --------
    >>> runs = pd.DataFrame({"model": ["vgg", "resnet"], "hidden_activation": ["relu", None]})
    >>> [len(ours) for _, ours in by_activation(runs[:0], runs).values()]
    [0, 1, 1]
    """
    return {
        "linear": (published[published.hidden_activation == "linear"], ours[ours.hidden_activation == "linear"]),
        "ReLU": (published[published.hidden_activation == "relu"], ours[ours.hidden_activation == "relu"]),
        "no hidden layers": (published[published.hidden_activation.isna()], ours[ours.hidden_activation.isna()]),
    }


def draw_validation_losses(axes: Axes, published: pd.DataFrame, ours: pd.DataFrame, model: str) -> None:
    """Draw the validation loss of each run of a network over the epochs.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    published, ours : DataFrame
        Columns ``model``, ``seed``, ``epoch`` (from 0), ``val_loss``; either may be empty.
    model : str
        The network.
    """
    for runs, color, width, text in ((published, GREY, 0.8, "published"), (ours, BLUE, 1.4, "ours")):
        own = runs[runs.model == model]
        for number, (_, curve) in enumerate(own.groupby("seed")):
            label = f"{text} ({own.seed.nunique()})" if number == 0 else None
            axes.plot(curve.epoch, curve.val_loss, color=color, linewidth=width, alpha=0.8, label=label)
    axes.set_title(look(model).label)
    axes.set(yscale="log", xlabel="Epoch", xlim=(0, None))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.98), borderaxespad=0.2)


def _network_lines(axes: Axes, models: Sequence[str]) -> None:
    for row in range(len(models)):
        axes.axhline(row, color=PALE, linewidth=0.8, zorder=0)
    axes.set(yticks=range(len(models)), yticklabels=[look(model).label for model in models])
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _legend_above(axes: Axes, handles: Sequence[Line2D], labels: Sequence[str], columns: int = 2) -> None:
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        labelspacing=0.3,
    )


def loss_curves(records: RunRecords) -> pd.DataFrame:
    """Give the validation losses of runs as columns ``model``, ``seed``, ``epoch``, ``val_loss``.

    A loss that was not finite is missing.

    Examples
    --------
    >>> from spectra_lib.records import RunRecords
    >>> loss_curves(RunRecords(())).columns.tolist()
    ['model', 'seed', 'epoch', 'val_loss']
    """
    rows = [
        (record.spec.model, record.spec.seed, epoch, loss)
        for record in records
        for epoch, loss in enumerate(record.history.val_loss)
        if loss is not None
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "epoch", "val_loss"])


def comparison_rows(models: Sequence[str], published: pd.Series, ours: pd.Series) -> pd.DataFrame:
    """Give mean, range and number of runs of each network, published beside ours, as it shall read.

    Parameters
    ----------
    models : sequence of str
        Networks from top to bottom.
    published, ours : Series
        A figure of each run, indexed by network.

    Examples
    --------
    >>> rows = comparison_rows(["cnn2"], pd.Series([34, 38], index=["cnn2", "cnn2"]), pd.Series(dtype=float))
    >>> rows["Runs"].tolist(), rows["Ours"].tolist()
    ([2], ['–'])
    """
    rows = []
    for model in models:
        row: list[object] = [look(model).label]
        for values in (published, ours):
            own = values[values.index == model]
            text = "–" if own.empty else f"{own.mean():.1f}"
            if len(own) > 1:  # no-break space and word joiner: a range is not broken over lines
                text += f"\u00a0({own.min():g}–\u2060{own.max():g})"
            row += [text, len(own)]
        rows.append(row)
    return pd.DataFrame(rows, columns=["Network", "Published", "Runs", "Ours", "Our runs"])


def run_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Give one row for each run of `RunRecords.table`, as it shall read."""
    return pd.DataFrame(
        {
            "Network": [look(model).label for model in table.model],
            "Hidden": table.hidden_activation.fillna("–").str.replace("relu", "ReLU"),
            "Seed": table.seed,
            "Epochs": table.epochs,
            "Kept": table.kept_epoch,
            "Training": table.train_errors,
            "Validation": table.validation_errors,
            "Test": table.test_errors,
            "Minutes": (table.seconds / 60).round(1),
            "Backend": table.backend,
        }
    )
