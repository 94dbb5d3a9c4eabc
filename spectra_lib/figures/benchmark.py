"""Figures about trained networks: errors, accuracies, losses over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from spectra_lib.figures.rows import GROUPS, NONE_YET, label_rows, legend_above, run_markers, say
from spectra_lib.figures.style import BLUE, GREY, look
from spectra_lib.runs.display_names import network_name

if TYPE_CHECKING:
    from spectra_lib.runs.records import RunRecords


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
    label_rows(axes, [network_name(model) for model in models])
    handles = []
    for runs, color, size, filled, shift in ((published, GREY, 6, False, -0.16), (ours, BLUE, 7, True, 0.16)):
        markers = run_markers(color, "o", size, ours=filled)
        for row, model in enumerate(models):
            values = runs.loc[runs.model == model, column]
            axes.plot(values, np.full(len(values), row + shift), **markers)
        handles.append(Line2D([], [], **markers))
    legend_above(axes, handles, ("published", "ours"))
    largest = pd.concat([published[column], ours[column]]).max()
    axes.set(xlabel=xlabel, xlim=(0, 1.08 * largest if largest > 0 else 10))
    if not len(ours):
        axes.text(0.98, 0.03, NONE_YET, transform=axes.transAxes, ha="right", color=GREY)


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
    label_rows(axes, [network_name(model) for model in models])
    handles, labels = [], []
    offsets = np.linspace(-0.22, 0.22, len(groups)) if len(groups) > 1 else np.zeros(1)
    for (name, sets), (color, marker), offset in zip(groups.items(), GROUPS, offsets, strict=False):
        for runs, text, filled in zip(sets, ("published", "ours"), (False, True), strict=True):
            look_of_set = run_markers(color, marker, 6.5 if filled else 5, ours=filled)
            for row, model in enumerate(models):
                values = runs.loc[runs.model == model, column]
                shift = offset + (0.08 if filled else -0.08)
                axes.plot(values, np.full(len(values), row + shift), **look_of_set)
            if len(runs):
                handles.append(Line2D([], [], **look_of_set))
                labels.append(f"{name}, {text}")
    legend_above(axes, handles, labels)
    axes.set(xlabel=xlabel)


def by_activation(published: pd.DataFrame, ours: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Group runs by their column ``hidden_activation``, for `draw_groups_by_network`.

    Parameters
    ----------
    published, ours : DataFrame
        Runs with a column ``hidden_activation``.

    Returns
    -------
    dict of str to (DataFrame, DataFrame)
        Published runs and ours for "linear", "ReLU" and "no hidden layers".

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
        # a published network was trained once with each seed, of ours there may be several such runs
        run = own["run" if "run" in own else "seed"]
        for number, (_, curve) in enumerate(own.groupby(run)):
            label = f"{text} ({run.nunique()})" if number == 0 else None
            axes.plot(curve.epoch, curve.val_loss, color=color, linewidth=width, alpha=0.8, label=label)
    axes.set_title(network_name(model))
    axes.set(yscale="log", xlabel="Epoch", xlim=(0, None))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.98), borderaxespad=0.2)
    else:
        say(axes, NONE_YET)
        axes.set(xlim=(0, 100), ylim=(0.01, 10))
    label_log_scale(axes)


def label_log_scale(axes: Axes) -> None:
    """Put numbers on a logarithmic ordinate that has too few powers of ten for the usual ones.

    Parameters
    ----------
    axes : Axes
        Its ordinate is logarithmic, its limits are set.

    Examples
    --------
    >>> from spectra_lib.figures.style import new_figure
    >>> figure, (axes,) = new_figure(2.0)
    >>> _ = axes.set(yscale="log", ylim=(2.0, 4.5))
    >>> label_log_scale(axes)
    >>> [float(y) for y in axes.get_yticks() if 2.0 <= y <= 4.5]
    [2.0, 2.5, 3.0, 3.5, 4.0, 4.5]
    """
    low, high = axes.get_ylim()
    if high < 100 * low:
        within_a_decade = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10])
        axes.yaxis.set_major_locator(within_a_decade if high < 8 * low else LogLocator(subs=(1.0, 3.0)))
        axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def loss_curves(records: RunRecords) -> pd.DataFrame:
    """Give the validation losses of runs as columns ``run``, ``model``, ``seed``, ``epoch``, ``val_loss``.

    A loss that was not finite is missing. Runs of one network and seed may differ in their activation or options: a
    line is one ``run``.

    Parameters
    ----------
    records : RunRecords
        Runs on one dataset.

    Returns
    -------
    DataFrame
        A row for each run and epoch (from 0); losses in nats.
    """
    rows = [
        (record.spec.run_id, record.spec.model, record.spec.seed, epoch, loss)
        for record in records
        for epoch, loss in enumerate(record.history.val_loss)
        if loss is not None
    ]
    return pd.DataFrame(rows, columns=["run", "model", "seed", "epoch", "val_loss"])


def comparison_rows(models: Sequence[str], published: pd.Series, ours: pd.Series) -> pd.DataFrame:
    """Give mean, range and number of runs of each network, published beside ours, as it shall read.

    Parameters
    ----------
    models : sequence of str
        Networks from top to bottom.
    published, ours : Series
        A figure of each run, indexed by network.

    Returns
    -------
    DataFrame
        A row for each network.

    Examples
    --------
    >>> rows = comparison_rows(["cnn2"], pd.Series([34, 38], index=["cnn2", "cnn2"]), pd.Series(dtype=float))
    >>> rows["Runs"].tolist(), rows["Ours"].tolist()
    ([2], ['–'])
    """
    rows = []
    for model in models:
        row: list[object] = [network_name(model)]
        for values in (published, ours):
            own = values[values.index == model]
            text = "–" if own.empty else f"{own.mean():.1f}"
            if len(own) > 1:  # no-break space and word joiner: a range is not broken over lines
                text += f"\u00a0({own.min():g}–\u2060{own.max():g})"
            row += [text, len(own)]
        rows.append(row)
    return pd.DataFrame(rows, columns=["Network", "Published", "Runs", "Ours", "Our runs"])


def _percent(runs: pd.DataFrame, column: str, model: str, seed: int) -> str:
    values = runs.loc[(runs.model == model) & (runs.seed == seed), column]
    return f"{100 * float(values.iloc[0]):.2f}" if len(values) else "–"


def accuracy_rows(models: Sequence[str], published: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Give the accuracies of every run in per cent, published beside ours, as they shall read.

    Parameters
    ----------
    models : sequence of str
        Networks from top to bottom.
    published : DataFrame
        As `spectra_lib.paper.published.published_runs` gives it, with a column ``test_accuracy`` besides.
    ours : DataFrame
        As `RunRecords.table` gives it.

    Returns
    -------
    DataFrame
        A row for each network and seed that has a published run or one of ours. "Running" is the
        average over an epoch with dropout on, "kept" the kept weights with dropout off.

    Examples
    --------
    >>> from spectra_lib.paper.published import published_runs
    >>> from spectra_lib.runs.records import RunRecords
    >>> theirs = published_runs().assign(test_accuracy=lambda runs: 1 - runs.test_errors / 4500)
    >>> rows = accuracy_rows(["cnn6"], theirs, RunRecords(()).table())
    >>> rows.iloc[0, 2:].tolist()
    ['99.50', '–', '–', '99.76', '–', '99.87', '–']
    """
    columns = {
        "Running, published": (published, "running_train_accuracy"),
        "Running, ours": (ours, "running_train_accuracy"),
        "Best checkpoint, ours": (ours, "train_accuracy"),
        "Validation, published": (published, "val_accuracy"),
        "Validation, ours": (ours, "validation_accuracy"),
        "Test, published": (published, "test_accuracy"),
        "Test, ours": (ours, "test_accuracy"),
    }
    rows: list[list[object]] = []
    for model in models:
        seeds = {*published.seed[published.model == model], *ours.seed[ours.model == model]}
        for seed in sorted(int(seed) for seed in seeds):
            cells = [_percent(runs, column, model, seed) for runs, column in columns.values()]
            rows.append([network_name(model), seed, *cells])
    return pd.DataFrame(rows, columns=["Network", "Seed", *columns])


def draw_costs(
    panels: Sequence[Axes],
    models: Sequence[str],
    costs: Mapping[str, tuple[pd.Series, pd.Series]],
    published: pd.Series,
    ours: pd.Series,
) -> None:
    """Draw the errors of each network against what it costs, a panel for each kind of cost.

    Parameters
    ----------
    panels : sequence of Axes
        One for each kind of cost, side by side.
    models : sequence of str
        Networks.
    costs : mapping of str to (Series, Series)
        By its name on the abscissa, the cost of each network in published runs and in ours.
    published, ours : Series
        Errors of each run, indexed by network; means are marked, with a bar from the fewest to the most.
    """
    for axes, (xlabel, sides) in zip(panels, costs.items(), strict=True):
        for errors, cost, filled in ((published, sides[0], False), (ours, sides[1], True)):
            for model in models:
                own = errors[errors.index == model]
                if not len(own) or model not in cost.index:
                    continue
                style = look(model)
                x = cost[model]
                axes.plot([x, x], [own.min(), own.max()], color=style.color, linewidth=1.0, alpha=0.6)
                markers = run_markers(style.color, style.marker, 8, ours=filled)
                axes.plot(x, own.mean(), **markers, markeredgewidth=0.8 if filled else 1.6)
        axes.set(xscale="log", xlabel=xlabel)
        axes.margins(x=0.12)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylim(0, None)
    handles = [
        Line2D(
            [],
            [],
            marker=look(m).marker,
            color=look(m).color,
            linestyle="none",
            fillstyle="none",
            label=network_name(m),
        )
        for m in models
    ]
    panels[0].figure.legend(handles=handles, loc="outside upper left", ncols=4)


def run_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Give one row for each run of `RunRecords.table`, as it shall read.

    Parameters
    ----------
    table : DataFrame
        A row for each run.

    Returns
    -------
    DataFrame
        The same rows; errors are counts, times in minutes; a column on convergence where a run failed.
    """
    rows = pd.DataFrame(
        {
            "Network": [network_name(model) for model in table.model],
            "Hidden": table.hidden_activation.fillna("–").str.replace("relu", "ReLU"),
            "Seed": table.seed,
            "Epochs": table.epochs,
            "Best epoch": table.kept_epoch,
            "Training": table.train_errors,
            "Validation": table.validation_errors,
            "Test": table.test_errors,
            "Minutes": (table.seconds / 60).round(1),
            "Device, backend": table.device + ", " + table.backend,
        }
    )
    return rows.assign(**{"Failed to converge": table.failure}) if table.failure.any() else rows
