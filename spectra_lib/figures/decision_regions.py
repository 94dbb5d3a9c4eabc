"""Plots of decision regions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spectra_lib.analysis.probe_answers import ideal_map_answers, map_answers, peaks_on_map
from spectra_lib.bayes.classifier import BayesClassifier
from spectra_lib.datasets.probes import DecisionMap
from spectra_lib.figures.misclassifications import PAIR_COLORS, PAIR_MARKERS, Peaks, name_of_run

if TYPE_CHECKING:
    from spectra_lib.runs.record import RunRecord


REGIONS = LinearSegmentedColormap.from_list("regions", ["#f3c7a6", "#f7f7f7", "#a6cbe3"])
"""Second class, undecided, first class: the classes' colours, paled."""


NEITHER = "#bdbdbd"


MAPPED_IN_THE_PAPER = ("cnn2", "cnn6", "inc6")
"""Networks whose regions of decision the paper's Fig. 6 shows."""


def first_runs_with_maps(records: Iterable[RunRecord], grids: Sequence[DecisionMap], n: int) -> list[RunRecord]:
    """Choose the first run of each network and activation that has all maps, the networks of the paper's Fig. 6 first.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs on one dataset.
    grids : sequence of DecisionMap
        The maps.
    n : int
        At most so many runs.

    Returns
    -------
    list of RunRecord
        At most `n`.
    """
    chosen: dict[tuple[str, str | None], RunRecord] = {}
    for record in records:
        if all(map_answers(record, grid) is not None for grid in grids):
            chosen.setdefault((record.spec.model, record.spec.hidden_activation), record)
    return sorted(chosen.values(), key=lambda record: record.spec.model not in MAPPED_IN_THE_PAPER)[:n]


def draw_regions(
    panels: Sequence[Axes], observer: BayesClassifier, grids: Sequence[DecisionMap], records: Sequence[RunRecord]
) -> None:
    """Draw decision maps in a grid of axes: a column for each map, a row for the Bayes classifier and for each run.

    Parameters
    ----------
    panels : sequence of Axes
        Row by row; ``len(grids) * (1 + len(records))`` of them.
    observer : BayesClassifier
        Knows the dataset.
    grids : sequence of DecisionMap
        The maps.
    records : sequence of RunRecord
        Runs that have all maps.
    """
    cells = iter(panels)
    names = ["Bayes classifier", *(name_of_run(record) for record in records)]
    for number, name in enumerate(names):
        for column, grid in enumerate(grids):
            axes = next(cells)
            answers = map_answers(records[number - 1], grid) if number else ideal_map_answers(observer, grid)
            if answers is not None:
                draw_region(axes, grid, answers, peaks_on_map(observer.dataset, grid, observer.dataset.test))
            first, second = grid.pair
            if number == 0:
                axes.set_title(f"{first}, {second}", fontsize=10)
            if column == 0:
                axes.set_ylabel(name, fontsize=10)
            if number < len(names) - 1:
                axes.tick_params(labelbottom=False)


def draw_region(axes: Axes, grid: DecisionMap, first: NDArray[np.float64], test: Sequence[Peaks] = ()) -> None:
    """Draw where the first class of a decision map is answered, and where the second.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    grid : DecisionMap
        The map.
    first : ndarray, shape (GRID_SIZE, GRID_SIZE)
        Heights by positions: 1 for the first class, 0 for the second, anything between for a
        probability, NaN for a third class.
    test : sequence of (positions, heights)
        Test spectra of the first and the second class, to be marked.
    """
    colors = REGIONS.with_extremes(bad=NEITHER)
    axes.pcolormesh(
        grid.positions, grid.heights, first, cmap=colors, vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    for (x, y), color, marker in zip(test, PAIR_COLORS, PAIR_MARKERS, strict=False):
        axes.plot(x, y, marker, color=color, markeredgecolor="white", markersize=5, clip_on=True)
    axes.set(xlim=(grid.positions[0], grid.positions[-1]), ylim=(grid.heights[0], grid.heights[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(2, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
