"""Figures about confused classes: who is taken for whom, where the decisive peaks lie, how networks decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spectra_lib.analysis.confusable import Cause, Gaps, Pair
from spectra_lib.datasets.specification import Fingerprint
from spectra_lib.figures.dataset import legend_above
from spectra_lib.figures.style import BLUE, GREY, INK, ORANGE, PALE, look
from spectra_lib.runs.display_names import network_name

if TYPE_CHECKING:
    from spectra_lib.runs.record import RunRecord


PAIR_COLORS = (BLUE, ORANGE)


PAIR_MARKERS = "os"
"""Colour and marker of the first and the second class of a pair, the same in every figure."""


EMPTY_CELL = "#f1f1f1"


Peaks = tuple[NDArray[Any], NDArray[Any]]
"""Positions and heights of one peak in several spectra."""


class Confusions(NamedTuple):
    """What one panel of the matrix of confusions shows.

    Attributes
    ----------
    title : str
        Above the panel.
    values : Series
        What the cells tell.
    cells : DataFrame
        Where they belong: columns ``model``, ``class_a``, ``class_b``; rows as in `values`.
    full : mapping of str to int
        For each network the value that gets the darkest shade; a network that is missing has no run.
    """

    title: str
    values: pd.Series
    cells: pd.DataFrame
    full: Mapping[str, int]


def draw_confusions(
    panels: Sequence[Axes],
    shown: Sequence[Confusions],
    pairs: Mapping[Cause | None, Sequence[Pair]],
    models: Sequence[str],
) -> None:
    """Draw matrices of networks by pairs of classes with the same rows, side by side.

    Parameters
    ----------
    panels : sequence of Axes
        Where to draw.
    shown : sequence of Confusions
        What each panel shows.
    pairs : mapping of Cause or None to sequence of (int, int)
        Pairs from top to bottom in groups by cause.
    models : sequence of str
        Networks from left to right.
    """
    rows: list[Pair | str] = []
    for cause, group in pairs.items():
        rows += [cause.value if cause else "no such cause", *group]
    for number, (axes, panel) in enumerate(zip(panels, shown, strict=True)):
        places = panel.cells[["model", "class_a", "class_b"]].itertuples(index=False, name=None)
        values = dict(zip(places, panel.values, strict=True))
        colors = np.ones((len(rows), len(models), 3))
        for y, row in enumerate(rows):
            if isinstance(row, str):
                if number == 0:
                    axes.text(-0.5, y + 0.28, row[0].upper() + row[1:], va="center", fontsize=10, color=GREY)
                continue
            for x, model in enumerate(models):
                value, full = values.get((model, *row), 0), panel.full.get(model)
                if not full:
                    continue
                strength = min(1.0, value / full)
                colors[y, x] = (1 - strength) * np.array(to_rgb(EMPTY_CELL)) + strength * np.array(to_rgb(BLUE))
                if value:
                    ink = "white" if strength > 0.55 else INK
                    axes.text(x, y, f"{value:g}", ha="center", va="center", fontsize=10, color=ink)
        axes.pcolormesh(np.arange(len(models)), np.arange(len(rows)), colors, edgecolors="white", linewidth=1.5)
        axes.set(xlim=(-0.5, len(models) - 0.5), ylim=(len(rows) - 0.4, -0.5))
        axes.set_xticks(range(len(models)), [network_name(model) for model in models], rotation=90)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        names = ["" if isinstance(row, str) else f"{row[0]}/{row[1]}" for row in rows]
        axes.set_yticks(range(len(rows)), names if number == 0 else [""] * len(rows))
        axes.set_title(panel.title, pad=8)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if not panel.full:
            axes.text(0.5, 0.5, "no run yet", transform=axes.transAxes, ha="center", color=GREY)


def draw_pair_spectra(
    axes: Axes,
    spectra: NDArray[np.floating],
    labels: Sequence[str],
    window: tuple[int, int] | None = None,
    height: float = 1.1,
    shaded: tuple[int, int] | None = None,
) -> None:
    """Draw the spectra of two classes, the second one upside down below the first.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    spectra : ndarray, shape (2, n_points)
        Intensities.
    labels : sequence of str
        Names of the two classes.
    window : (int, int), optional
        First and last point to show; by default all.
    height : float
        Largest intensity to show.
    shaded : (int, int), optional
        Range of points to shade.
    """
    if shaded is not None:
        axes.axvspan(*shaded, color=PALE, alpha=0.7, linewidth=0, zorder=0)
    for spectrum, label, color, sign in zip(spectra, labels, PAIR_COLORS, (1, -1), strict=True):
        axes.plot(sign * spectrum, color=color, linewidth=1.4, label=label)
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.set(xlim=window or (0, spectra.shape[1]), ylim=(-height, height), ylabel="Intensity")
    axes.xaxis.set_major_locator(MaxNLocator(5 if window is None else 3))
    axes.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.2g}")


def draw_fingerprints_around(
    axes: Axes,
    fingerprints: Sequence[Fingerprint],
    labels: Sequence[str],
    n_points: int,
    shared: Sequence[int] = (),
    reach: int = 0,
) -> None:
    """Draw the ideal peaks of two classes as sticks, the second class upside down below the first.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    fingerprints : sequence of Fingerprint
        The two classes.
    labels : sequence of str
        Their names.
    n_points : int
        Points of a spectrum.
    shared : sequence of int
        Positions to shade.
    reach : int
        Points to shade on either side of these.
    """
    for position in shared:
        axes.axvspan(position - reach, position + reach, color=PALE, alpha=0.8, linewidth=0, zorder=0)
    for fingerprint, label, color, marker, sign in zip(
        fingerprints, labels, PAIR_COLORS, PAIR_MARKERS, (1, -1), strict=True
    ):
        heights = sign * np.array(fingerprint.heights)
        axes.vlines(fingerprint.positions, 0, heights, color=color, linewidth=1.5)
        axes.plot(fingerprint.positions, heights, marker, color=color, markersize=4.5, label=label)
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.set(xlim=(0, n_points), ylim=(-1.2, 1.2), yticks=[-1, 0, 1], yticklabels=["1", "0", "1"])
    axes.set(ylabel="Relative intensity")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    legend_above(axes)


def draw_peaks_of_pair(
    axes: Axes,
    training: Sequence[Peaks],
    test: Sequence[Peaks],
    labels: Sequence[str],
    wrong: Sequence[NDArray[np.integer]] = (),
    ticks: int = 5,
) -> None:
    """Draw where the decisive peak of two classes falls: training spectra open and pale, test spectra filled.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    training, test : sequence of (positions, heights)
        For the first and the second class.
    labels : sequence of str
        Names of the two classes.
    wrong : sequence of ndarray of int
        For each class and each test spectrum the number of runs that took it for the other class;
        those with any are ringed.
    ticks : int
        At most so many intervals along the abscissa.
    """
    for (x, y), color, marker in zip(training, PAIR_COLORS, PAIR_MARKERS, strict=True):
        axes.plot(x, y, marker, color=color, alpha=0.45, markersize=5, fillstyle="none", zorder=2)
    for (x, y), label, color, marker in zip(test, labels, PAIR_COLORS, PAIR_MARKERS, strict=True):
        axes.plot(x, y, marker, color=color, markeredgecolor="white", markersize=8, label=label, zorder=4)
    for (x, y), times in zip(test, wrong, strict=False):
        hit = np.asarray(times) > 0
        axes.plot(np.asarray(x)[hit], np.asarray(y)[hit], "o", color=INK, fillstyle="none", markersize=12, zorder=5)
    axes.set(xlabel="Position (points)", ylabel="Relative intensity")
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))


def draw_marginal(axes: Axes, training: Sequence[NDArray[Any]], upright: bool = False) -> None:
    """Draw how often the training peaks of two classes take a position, or a height.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    training : sequence of ndarray
        Values for the first and the second class.
    upright : bool
        Whether the values run along the ordinate.
    """
    everything = np.concatenate([np.asarray(values, dtype=float) for values in training])
    bins = np.linspace(everything.min(), everything.max(), 17)
    for values, color, style in zip(training, PAIR_COLORS, ("-", (0, (4, 1.5))), strict=True):
        direction: Any = "horizontal" if upright else "vertical"
        axes.hist(values, bins, density=True, color=color, alpha=0.25, orientation=direction)
        axes.hist(
            values, bins, density=True, color=color, histtype="step", linewidth=1.3, linestyle=style,
            orientation=direction,
        )  # fmt: skip
    axes.set(**({"xticks": []} if upright else {"yticks": []}))
    axes.tick_params(labelleft=False if upright else None, labelbottom=None if upright else False)
    axes.spines["bottom" if upright else "left"].set_visible(False)


def name_of_run(record: RunRecord) -> str:
    """Network, activation and seed of a run, on two lines.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    str
        Two lines.

    Examples
    --------
    >>> from spectra_lib.runs.specification import RunSpec
    >>> from types import SimpleNamespace
    >>> spec = RunSpec(dataset="challenge", model="cnn2", hidden_activation="relu")
    >>> name_of_run(SimpleNamespace(spec=spec)).splitlines()
    ['CNN2 (ReLU)', 'seed 0']
    """
    return f"{network_name(record.spec.model, record.spec.hidden_activation)}\nseed {record.spec.seed}"


def draw_distances(axes: Axes, distances: pd.DataFrame, title: str, reach: float = 1.5) -> None:
    """Draw how near test spectra lie to training spectra of their own and of the other class.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    distances : DataFrame
        As `spectra_lib.analysis.decisive_peaks.distances_of_alike_spectra` gives them.
    title : str
        Above the axes.
    reach : float
        Both axes end here.
    """
    axes.fill_between([0, reach], 0, [0, reach], color=PALE, alpha=0.5, linewidth=0)
    right, wrong = distances[distances.wrong == 0], distances[distances.wrong > 0]
    axes.plot(right.own, right.other, "o", color=GREY, markersize=4, fillstyle="none", label="always right")
    axes.plot(wrong.own, wrong.other, "D", color=ORANGE, markersize=5, markeredgecolor="white", label="wrong in a run")
    end = max(0.6, 1.15 * float(distances.own.max())) if len(distances) else 0.6
    axes.set(xlim=(0, end), ylim=(0, reach), xlabel="To own class", ylabel="To the other class", title=title)


def draw_occlusion(axes: Axes, shares: Mapping[str, pd.Series], matched: pd.Series, title: str) -> None:
    """Draw which answers change when a peak is taken away, by its height.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    shares : mapping of str to Series
        For each network the shares that `spectra_lib.analysis.probe_answers.changed_by_height` gives.
    matched : Series
        The same for peak matching.
    title : str
        Above the axes.
    """
    x = np.arange(len(matched))

    def line(values: pd.Series, **style: Any) -> None:
        label = style.pop("label")
        axes.plot(x[:-1], 100 * values.iloc[:-1], label=label, **style)
        axes.plot(x[-1:], 100 * values.iloc[-1:], **style)

    line(matched, color=INK, linestyle="--", marker="_", markersize=13, markeredgewidth=2, label="peak matching")
    for model, values in shares.items():
        own = look(model)
        name = network_name(model)
        line(values, color=own.color, marker=own.marker, markersize=6, markeredgecolor="white", label=name)
    axes.set_xticks(x, [*matched.index[:-1], "largest"], rotation=45, ha="right")
    axes.set(ylim=(-3, 103), xlim=(-0.4, len(x) - 0.6), title=title, xlabel="Intensity of the missing peak")
    axes.axvline(len(x) - 1.5, color=PALE, zorder=0)


def legend_of_all(figure: Figure, panels: Sequence[Axes]) -> None:
    """Put one legend above a figure, with what any of its panels shows.

    Parameters
    ----------
    figure : Figure
        Where the legend is put.
    panels : sequence of Axes
        Axes of the figure.
    """
    entries = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(entries.values()), list(entries), loc="outside upper left", ncols=4, columnspacing=1.2)


def draw_confused_share(axes: Axes, n_peaks: NDArray[np.integer], groups: Mapping[str, set[int]]) -> None:
    """Draw what share of the classes is ever confused, by the number of their peaks.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    n_peaks : ndarray of int, shape (n_classes,)
        Peaks of each class.
    groups : mapping of str to set of int
        Up to two sets of confused classes, by their names in the legend.
    """
    numbers = np.arange(n_peaks.min(), n_peaks.max() + 1)
    looks = ((GREY, "none", -0.1, "o"), (BLUE, "full", 0.1, "D"))
    for (name, confused), (color, fill, shift, marker) in zip(groups.items(), looks, strict=False):
        hit = np.isin(np.arange(len(n_peaks)), sorted(confused))
        share = [100 * hit[n_peaks == k].mean() if (n_peaks == k).any() else np.nan for k in numbers]
        axes.plot(numbers + shift, share, marker, color=color, fillstyle=fill, markersize=7, label=name)
    for k in numbers:
        axes.annotate(f"{(n_peaks == k).sum()}", (k, 1.0), (0, 2), xycoords=("data", "axes fraction"),
                      textcoords="offset points", ha="center", color=GREY)  # fmt: skip
    axes.set(xlabel="Peaks of a class", ylabel="Ever confused (%)", xticks=numbers)
    axes.margins(y=0.12)  # no marker is cut off
    axes.legend(loc="upper right")


def pair_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Give one row for each confused pair of `spectra_lib.analysis.confusions.pair_table`, as it shall read.

    Parameters
    ----------
    table : DataFrame
        A row for each pair.

    Returns
    -------
    DataFrame
        Distances of positions in points; errors with the number of runs in brackets.

    Examples
    --------
    >>> from spectra_lib.analysis.confusions import count_pairs, misclassified, pair_table
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.paper.published import published_confusions
    >>> data = make_dataset("benchmark")
    >>> table = pair_table(data, published_confusions(), count_pairs(misclassified(data, [])), {})
    >>> pair_rows(table).astype(str).iloc[0].tolist()
    ['164/281', 'overlapping positions', '–', '48', '0.03', '0.48', '0', '26 (7)', '–']
    """

    def times(errors: pd.Series, runs: pd.Series) -> list[str]:
        return [f"{e} ({n})" if n else "–" for e, n in zip(errors, runs, strict=True)]

    return pd.DataFrame(
        {
            "Classes": [f"{a}/{b}" for a, b in table.pair],
            "Cause": [cause.value if cause else "none of the three" for cause in table.cause],
            "Unmatched peaks": [_heights(gaps.lonely) or "–" for gaps in table.gaps],
            "Points": [gaps.position for gaps in table.gaps],
            "Intensities": [f"{gaps.height:.2f}" for gaps in table.gaps],
            "Overlap factor": [f"{needed:.2f}" if np.isfinite(needed) else "–" for needed in table.needed],
            "Fit both": table.ambiguous,
            "Published": times(table.published, table.published_runs),
            "Ours": times(table.errors, table.runs),
        }
    )


def _heights(heights: Iterable[float]) -> str:
    return ", ".join(f"{height:.2f}" for height in sorted(heights))


def in_words(gaps: Gaps) -> str:
    """Say what sets two classes apart.

    Parameters
    ----------
    gaps : Gaps
        What is left when peaks of two classes are matched.

    Returns
    -------
    str
        Part of a sentence.

    Examples
    --------
    >>> in_words(Gaps((), 48, 0.033, 0.273))
    'matched peaks up to 48 points and 0.03 in intensity apart'
    >>> in_words(Gaps((0.042,), 63, 0.028, 1.0))
    'unmatched peak of intensity 0.04; matched peaks up to 63 points and 0.03 in intensity apart'
    """
    partners = f"matched peaks up to {gaps.position} points and {gaps.height:.2f} in intensity apart"
    if not gaps.lonely:
        return partners
    return f"unmatched peak{'' if len(gaps.lonely) == 1 else 's'} of intensity {_heights(gaps.lonely)}; {partners}"
