"""The visual style of all figures: colours, sizes, and one look for each network.

The qualitative colours are those of Okabe & Ito (2008), which readers with any of the common
colour-vision deficiencies can tell apart; lines and markers differ too, so that figures survive a
grey print.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectra_lib.figures import drawn_values

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
SKY, AMBER, PINK = "#56B4E9", "#E69F00", "#CC79A7"
INK, GREY, PALE = "#222222", "#707070", "#D8D8D8"

WIDTH = 5.6
"""Width of a figure in inches: about the text column on a desktop, and still legible on a phone."""

RC: Mapping[Any, Any] = MappingProxyType(
    {
        "axes.edgecolor": GREY,
        "axes.formatter.use_mathtext": True,
        "axes.labelcolor": INK,
        "axes.labelsize": 11,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PINK, AMBER, SKY, INK]),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "figure.constrained_layout.use": True,
        "figure.dpi": 96,
        "figure.facecolor": "white",
        "figure.figsize": (WIDTH, 3.4),
        "font.family": "DejaVu Sans",
        "font.size": 11,
        "legend.fontsize": 10,
        "legend.frameon": False,
        "lines.linewidth": 1.3,
        "savefig.facecolor": "white",
        "svg.hashsalt": "spectra_lib",
        "xtick.color": GREY,
        "xtick.labelcolor": INK,
        "xtick.labelsize": 10,
        "ytick.color": GREY,
        "ytick.labelcolor": INK,
        "ytick.labelsize": 10,
    }
)


class Look(NamedTuple):
    """How a network appears in every figure.

    Attributes
    ----------
    color : str
        As Matplotlib takes it.
    marker : str
        As Matplotlib takes it.
    """

    color: str
    marker: str


NETWORKS = MappingProxyType(
    {
        "cnn2": Look(BLUE, "o"),
        "cnn3": Look(SKY, "s"),
        "cnn6": Look(ORANGE, "D"),
        "vgg": Look(GREEN, "^"),
        "resnet": Look(PINK, "v"),
        "cnn_bn": Look(AMBER, "P"),
        "inc3": Look(GREY, "<"),
        "inc6": Look(INK, ">"),
    }
)
"""The eight published networks in the order of the figures."""


OTHERS = MappingProxyType(
    {
        "peaknet": Look(PINK, "*"),
        "cnn6_bn": Look(ORANGE, "d"),
        "cnn6_convdo": Look(ORANGE, "h"),
        "cnnbn_mod": Look(AMBER, "X"),
        "vgg_mod": Look(GREEN, "H"),
        "resnet_mod": Look(PINK, "p"),
    }
)
"""Further networks with a look of their own."""


def look(model: str) -> Look:
    """Look of a network; a network that the paper does not have gets a neutral one.

    Parameters
    ----------
    model : str
        Name of the network.

    Returns
    -------
    Look
        Colour and marker.

    Examples
    --------
    >>> look("cnn6").marker, look("my_net").marker
    ('D', 'X')
    """
    return (NETWORKS | OTHERS).get(model, Look(INK, "X"))


@contextmanager
def style() -> Iterator[None]:
    """Draw in this style inside a ``with`` block."""
    with mpl.rc_context(dict(RC)):
        yield


def use_in_notebook() -> None:
    """Draw in this style from here on, as vector graphics: for the first cell of a notebook.

    Each figure brings its numbers along, as CSV, for which the book's pages have a link.
    """
    from IPython.core.formatters import BaseFormatter
    from IPython.core.getipython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    mpl.rcParams.update(dict(RC))
    set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)  # type: ignore[no-untyped-call]
    shell = get_ipython()
    if shell is not None and shell.display_formatter is not None:
        numbers = BaseFormatter(enabled=True, print_method="_repr_csv_")
        numbers.for_type(Figure, drawn_values.to_csv)  # type: ignore[no-untyped-call]
        shell.display_formatter.formatters["text/csv"] = numbers


def new_figure(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """Make a figure of the common width with a grid of axes, given row by row.

    Parameters
    ----------
    height : float
        In inches.
    rows, columns : int
        Size of the grid.
    **options : object
        Passed on to `matplotlib.pyplot.subplots`.

    Returns
    -------
    Figure
        The figure.
    list of Axes
        ``rows * columns`` of them.

    Examples
    --------
    >>> figure, axes = new_figure(3.0, columns=2)
    >>> len(axes)
    2
    """
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **options)
    return figure, list(grid.flat)


def new_mosaic(height: float, layout: str) -> tuple[Figure, list[Axes]]:
    """Make a figure of the common width with axes that span cells, given in the order of their letters.

    Parameters
    ----------
    height : float
        In inches.
    layout : str
        As `matplotlib.pyplot.subplot_mosaic` takes it: a letter for each axes, rows parted by semicolons.

    Returns
    -------
    Figure
        The figure.
    list of Axes
        In alphabetical order.

    Examples
    --------
    >>> figure, axes = new_mosaic(3.0, "AA;BC")
    >>> len(axes)
    3
    """
    figure, axes = plt.subplot_mosaic(layout, figsize=(WIDTH, height))
    return figure, [axes[key] for key in sorted(axes)]
