"""Explorers for a live notebook, made of ipywidgets: of a dataset's classes, and of how networks decide."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.probes import GRID_SIZE, DecisionMap
from spectra_lib.datasets.rendering import render
from spectra_lib.figures.dataset import draw_fingerprint, draw_stacked
from spectra_lib.figures.decision_regions import draw_region
from spectra_lib.figures.misclassifications import PAIR_COLORS, PAIR_MARKERS
from spectra_lib.figures.style import GREY, INK, new_figure, new_mosaic


def someone_can_move_sliders() -> bool:
    """Whether the kernel belongs to a Jupyter server, as in JupyterLab.

    Papermill's does not, and widgets may wait there for an answer that never comes.

    Returns
    -------
    bool
        By the environment of the kernel.

    Examples
    --------
    >>> someone_can_move_sliders()
    False
    """
    return "JPY_SESSION_NAME" in os.environ  # set by the server for the kernel of a notebook


def class_explorer(dataset: Dataset, label: int = 0) -> widgets.Widget:
    """Show a class and let the reader move its peaks.

    Sliders choose the class, a common shift of all positions, a common change of all heights and the
    width of the peaks. Drawn are the fingerprint with the range over which its peaks may shift, and below it
    the ideal spectrum (blue) and the moved one.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    label : int
        Class shown first.

    Returns
    -------
    ipywidgets.Widget
        Sliders with the drawing below them.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> class_explorer(make_dataset("smoke"))  # doctest: +SKIP
    """
    spec = dataset.spec
    law = spec.variation

    def show(label: int, shift: int, change: float, width: float) -> None:
        fingerprint = dataset.fingerprints[label]
        positions = np.clip(np.array(fingerprint.positions) + shift, 0, spec.n_points - 1)
        heights = np.clip(np.array(fingerprint.heights) + change, 0.0, None)
        spectrum = render(PeakTable.from_lists([positions], [heights], [width]), spec.n_points)
        _, (above, below) = new_figure(4.6, rows=2, sharex=True)
        draw_fingerprint(above, fingerprint, spec.n_points, law.position_shift)
        draw_stacked(below, np.vstack([dataset.ideal.spectra([label]), spectrum]))
        below.set_xlabel("Position (points)")
        plt.show()

    low, high = law.width_range
    return widgets.interactive(
        show,
        label=widgets.IntSlider(label, 0, spec.n_classes - 1, description="Class"),
        shift=widgets.IntSlider(0, -law.position_shift, law.position_shift, description="Shift"),
        change=widgets.FloatSlider(
            value=0.0, min=-law.height_change, max=law.height_change, step=0.01, description="Intensity"
        ),
        width=widgets.FloatSlider(value=spec.test.width, min=low, max=high, step=0.1, description="Width"),
    )


def moved_peak(grid: DecisionMap, position: int, height: float) -> Split:
    """Make the one spectrum between the two classes of a decision map that lies at a place on it.

    Parameters
    ----------
    grid : DecisionMap
        The map.
    position : int
        Of the peak that is moved, in points.
    height : float
        Of the peak whose height changes.

    Returns
    -------
    Split
        Of length 1; labelled as the first class of the pair.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.datasets.probes import decision_map
    >>> split = moved_peak(decision_map(make_dataset("challenge"), (18, 19)), 900, 0.5)
    >>> [(positions.tolist(), heights.tolist()) for positions, heights in split.peaks]
    [([900, 1500], [0.5, 1.0])]
    """
    usual_positions, usual_heights = next(iter(grid.split.peaks))
    positions, heights = np.array(usual_positions, dtype=np.int64), np.array(usual_heights, dtype=np.float64)
    positions[grid.moved], heights[grid.scaled] = position, height
    table = PeakTable.from_lists([positions], [heights], [float(grid.split.peaks.widths[0])])
    return Split(np.array([grid.pair[0]]), table, grid.split.n_points)


def draw_moved_peak(
    dataset: Dataset, grid: DecisionMap, maps: Mapping[str, NDArray[np.float64]], position: int, height: float
) -> Figure:
    """Draw a spectrum with one peak moved, and what several classifiers say to it, on their decision maps.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    grid : DecisionMap
        The map.
    maps : mapping of str to ndarray, shape (GRID_SIZE, GRID_SIZE)
        Up to four classifiers with their answers, as `spectra_lib.analysis.probe_answers.map_answers` gives them.
        That at the nearest place of the grid counts.
    position : int
        Position of the peak that is moved, in points.
    height : float
        Height of the peak whose height changes.

    Returns
    -------
    Figure
        The spectrum above, a panel for each classifier below.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.datasets.probes import decision_map
    >>> data = make_dataset("challenge")
    >>> grid = decision_map(data, (18, 19))
    >>> figure = draw_moved_peak(data, grid, {"someone": np.ones((31, 31))}, 900, 0.5)
    >>> figure.axes[1].get_xlabel()
    'prediction: 18'
    """
    figure, (above, *panels) = new_mosaic(4.6, "A" * len(maps) + ";" + "BCDE"[: len(maps)])
    _draw_between_classes(above, dataset, grid, moved_peak(grid, position, height))
    row, column = np.abs(grid.heights - height).argmin(), np.abs(grid.positions - position).argmin()
    for axes, (name, answers) in zip(panels, maps.items(), strict=True):
        draw_region(axes, grid, answers)
        axes.axvline(position, color=INK, linewidth=0.8)
        axes.axhline(height, color=INK, linewidth=0.8)
        axes.plot(position, height, "o", color=INK, markeredgecolor="white", markersize=8)
        axes.set_title(name, fontsize=10)
        words, color = _in_words(grid, answers[row, column])
        axes.set_xlabel(f"prediction: {words}", color=color, fontweight="bold")
    for axes in panels[1:]:
        axes.tick_params(labelleft=False)
    panels[0].set_ylabel("Relative intensity")
    return figure


def _draw_between_classes(axes: Axes, dataset: Dataset, grid: DecisionMap, split: Split) -> None:
    for label, color, marker in zip(grid.pair, PAIR_COLORS, PAIR_MARKERS, strict=True):
        ideal = dataset.fingerprints[label]
        axes.vlines(ideal.positions, 0, ideal.heights, color=color, linewidth=2)
        axes.plot(ideal.positions, ideal.heights, marker, color=color, markersize=7, label=f"ideal class {label}")
    axes.plot(split.spectra([0])[0], color=INK, label="this spectrum")
    middle = split.peaks.peaks(0)[0][grid.scaled] if grid.moved != grid.scaled else grid.positions[GRID_SIZE // 2]
    around = 1.5 * (grid.positions[-1] - grid.positions[0])
    axes.set(xlabel="Position (points)", ylabel="Intensity", xlim=(middle - around, middle + around))
    axes.set_ylim(0, min(1.25 * grid.heights[-1], 1.08))
    axes.figure.legend(loc="outside upper left", ncols=3)


def _in_words(grid: DecisionMap, answer: float) -> tuple[str, str]:
    """Say what an answer on a map means, and give a colour for it."""
    if np.isnan(answer):
        return "neither", GREY
    if 0 < answer < 1:
        return "either", INK
    return str(grid.pair[0 if answer else 1]), PAIR_COLORS[0 if answer else 1]


def decision_explorer(
    dataset: Dataset,
    grid: DecisionMap,
    maps: Mapping[str, NDArray[np.float64]],
    networks: Mapping[str, Callable[[Split], NDArray[np.float64]]] | None = None,
) -> widgets.Widget:
    """Let the reader move one peak and watch what classifiers say.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    grid : DecisionMap
        The pair of classes.
    maps : mapping of str to ndarray, shape (GRID_SIZE, GRID_SIZE)
        Recorded answers; see `draw_moved_peak`.
    networks : mapping of str to callable, optional
        Networks that are at hand, from spectra to class probabilities; they are asked about the very spectrum.

    Returns
    -------
    ipywidgets.Widget

    Examples
    --------
    >>> import spectra_lib as sl
    >>> from spectra_lib.datasets.probes import decision_map
    >>> data = sl.make_dataset("smoke")
    >>> decision_explorer(data, decision_map(data, (0, 1)), {})  # doctest: +SKIP
    """
    live = networks or {}
    known = dict(maps) | {name: answers_on_map(grid, ask(grid.split)) for name, ask in live.items()}

    def show(position: int, height: float) -> None:
        draw_moved_peak(dataset, grid, known, position, height)
        plt.show()
        for name, ask in live.items():
            probabilities = ask(moved_peak(grid, position, height))[0]
            best = np.argsort(-probabilities)[:3]
            print(f"{name}:", ", ".join(f"class {label} {probabilities[label]:.0%}" for label in best))  # noqa: T201

    positions, heights = grid.positions.tolist(), grid.heights.tolist()
    half, step = GRID_SIZE // 2, (heights[-1] - heights[0]) / (GRID_SIZE - 1)
    return widgets.interactive(
        show,
        position=widgets.IntSlider(positions[half], positions[0], positions[-1], description="Position"),
        height=widgets.FloatSlider(
            value=heights[half],
            min=heights[0],
            max=heights[-1],
            step=step,
            description="Intensity",
            readout_format=".3f",
        ),
    )


def answers_on_map(grid: DecisionMap, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn class probabilities on a decision map into answers.

    Parameters
    ----------
    grid : DecisionMap
        The map.
    probabilities : ndarray, shape (GRID_SIZE², n_classes)
        Row by row of ``grid.split``.

    Returns
    -------
    ndarray, shape (GRID_SIZE, GRID_SIZE)
        1 for the first class, 0 for the second, NaN for another.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.datasets.probes import decision_map
    >>> grid = decision_map(make_dataset("challenge"), (18, 19))
    >>> float(answers_on_map(grid, np.tile(np.eye(27)[grid.pair[1]], (961, 1))).max())
    0.0
    """
    labels = probabilities.argmax(axis=1).reshape(GRID_SIZE, GRID_SIZE)
    return np.select([labels == grid.pair[0], labels == grid.pair[1]], [1.0, 0.0], np.nan)
