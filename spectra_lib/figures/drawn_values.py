"""The numbers that a figure shows, read back from it, so that every figure can be downloaded as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter
from numpy.typing import NDArray

COLUMNS = ("panel", "element", "kind", "label", "x", "y", "value")


def drawn_values(figure: Figure) -> pd.DataFrame:
    """Give everything that is drawn in data coordinates.

    Parameters
    ----------
    figure : Figure
        Any figure by Matplotlib.

    Returns
    -------
    DataFrame
        One row for each point, in the units of the axes, but for points within a level stretch of a line, as a
        spectrum has between its peaks. ``panel`` and ``element`` count from 1;
        ``kind`` is line, points, bars, sticks, area, map or (written) numbers; ``label`` is that of the legend, if
        any; ``value`` is what a colour or a written number says. Where ticks have names, as for networks, x or y
        is the name of the tick.

    Examples
    --------
    >>> from spectra_lib.figures.style import new_figure
    >>> figure, (axes,) = new_figure(2.0)
    >>> _ = axes.bar([1, 2], [5.0, 7.0], label="peaks")
    >>> drawn_values(figure).to_dict("list")
    {'panel': [1, 1], 'element': [1, 1], 'kind': ['bars', 'bars'], 'label': ['peaks', 'peaks'], 'x': [1.0, 2.0],
    'y': [5.0, 7.0], 'value': [nan, nan]}
    """
    tables = []
    for panel, axes in enumerate(figure.axes, start=1):
        for element, (kind, label, points) in enumerate(_elements(axes), start=1):
            table = pd.DataFrame(points, columns=["x", "y", "value"][: points.shape[1]])
            name = "" if label.startswith("_") else label
            table = table.assign(panel=panel, element=element, kind=kind, label=name)
            table["x"], table["y"] = _named(axes.xaxis, table.x), _named(axes.yaxis, table.y)
            tables.append(table.reindex(columns=list(COLUMNS)))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def to_csv(figure: Figure) -> str:
    """Write what a figure shows as CSV, after comment lines that name its panels and axes.

    Parameters
    ----------
    figure : Figure
        Any figure by Matplotlib.

    Returns
    -------
    str
        Columns as in `drawn_values`, numbers with seven digits.

    Examples
    --------
    >>> from spectra_lib.figures.style import new_figure
    >>> figure, (axes,) = new_figure(2.0)
    >>> _ = axes.plot([1, 2], [0.5, 0.25]), axes.set(xlabel="Epoch", ylabel="Loss")
    >>> print(to_csv(figure))
    # panel 1: x Epoch; y Loss
    panel,element,kind,label,x,y,value
    1,1,line,,1,0.5,
    1,1,line,,2,0.25,
    <BLANKLINE>
    """
    heads = []
    for panel, axes in enumerate(figure.axes, start=1):
        title = axes.get_title(loc="left") or axes.get_title()
        words = [title, f"x {axes.get_xlabel() or 'unnamed'}", f"y {axes.get_ylabel() or 'unnamed'}"]
        heads.append(f"# panel {panel}: {'; '.join(filter(None, words))}".replace("\n", " ") + "\n")
    return "".join(heads) + drawn_values(figure).to_csv(index=False, float_format="%.7g")


def _elements(axes: Axes) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Give the kind, the label and the points of everything drawn in data coordinates."""
    for line in axes.lines:
        if line.get_transform() == axes.transData:  # others are rules across the axes
            points = np.column_stack([np.asarray(values, dtype=float) for values in line.get_data()])
            level = np.diff(points[:, 1]) == 0
            inside = np.concatenate([[False], level[1:] & level[:-1], [False]]) if len(points) > 2 else False
            yield "line", str(line.get_label()), points[~np.broadcast_to(inside, len(points))]
    for bars in axes.containers:
        if isinstance(bars, BarContainer) and bars.patches:
            middles = np.array([(b.get_x() + b.get_width() / 2, b.get_y() + b.get_height() / 2) for b in bars.patches])
            ends = np.array([(b.get_x() + b.get_width(), b.get_y() + b.get_height()) for b in bars.patches])
            lying = bars.orientation == "horizontal"
            pairs = (ends[:, 0], middles[:, 1]) if lying else (middles[:, 0], ends[:, 1])
            yield "bars", str(bars.get_label()), np.column_stack(pairs)
    for patch in axes.patches:
        if isinstance(patch, Polygon) and patch.get_data_transform() == axes.transData:
            yield "area", str(patch.get_label()), np.asarray(patch.get_xy(), dtype=float)
    for drawn in axes.collections:
        label = str(drawn.get_label())
        if isinstance(drawn, QuadMesh):
            corners = np.asarray(drawn.get_coordinates(), dtype=float)
            centres = (corners[:-1, :-1] + corners[1:, 1:]) / 2
            values: NDArray[np.float64] = np.ma.filled(np.ma.asarray(drawn.get_array(), dtype=float), np.nan)
            if values.size == len(centres.reshape(-1, 2)):  # else cells have colours that stand for no number
                yield "map", label, np.column_stack([centres.reshape(-1, 2), values.ravel()])
        elif isinstance(drawn, PathCollection) and drawn.get_offset_transform() == axes.transData:
            points = np.ma.filled(np.ma.asarray(drawn.get_offsets(), dtype=float), np.nan)
            colours = drawn.get_array()
            yield "points", label, points if colours is None else np.column_stack([points, np.asarray(colours)])
        elif isinstance(drawn, LineCollection | PolyCollection) and drawn.get_transform() == axes.transData:
            paths = [path.vertices for path in drawn.get_paths() if len(path.vertices)]
            kind = "sticks" if isinstance(drawn, LineCollection) else "area"
            yield kind, label, np.concatenate(paths) if paths else np.empty((0, 2))
    written = [text for text in axes.texts if type(text) is Text and text.get_transform() == axes.transData]
    numbers = [(*text.get_position(), float(text.get_text())) for text in written if text.get_text().isdigit()]
    if numbers:
        yield "numbers", "", np.array(numbers, dtype=float)
    for image in axes.images:
        values = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
        left, right, bottom, top = image.get_extent()
        first, last = (bottom, top) if image.origin == "lower" else (top, bottom)
        if values.ndim == 2:
            grid = np.meshgrid(_centres(left, right, values.shape[1]), _centres(first, last, values.shape[0]))
            yield "map", str(image.get_label()), np.column_stack([*(axis.ravel() for axis in grid), values.ravel()])


def _centres(first: float, last: float, n: int) -> NDArray[np.float64]:
    """Middles of n cells that fill a range."""
    return first + (np.arange(n) + 0.5) * (last - first) / n


def _named(axis: Axis, values: pd.Series) -> pd.Series:
    """Put the name of the tick in place of the values next to it, if the ticks have names that are no numbers."""
    formatter, places = axis.get_major_formatter(), np.asarray(axis.get_majorticklocs(), dtype=float)
    if not isinstance(formatter, FixedFormatter) or not len(places) or len(formatter.seq) != len(places):
        return values
    names = [str(name).replace("\n", " ") for name in formatter.seq]
    if all(name.replace("–", "").replace(".", "").isdigit() or not name for name in names):
        return values
    nearest = np.abs(np.asarray(values, dtype=float)[:, None] - places).argmin(axis=1)
    return pd.Series([names[k] for k in nearest], index=values.index, dtype=object)
