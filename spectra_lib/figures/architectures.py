"""Figures and table rows about the architectures of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

from spectra_lib.figures.style import GREY, INK, look
from spectra_lib.runs.display_names import network_name

if TYPE_CHECKING:
    from spectra_lib.networks.description import ModelDescription


def architecture_rows(descriptions: Sequence[ModelDescription]) -> pd.DataFrame:
    """Give what the paper's Table 1 lists, one row for each network, as it shall read.

    Parameters
    ----------
    descriptions : sequence of ModelDescription
        Networks from top to bottom.

    Returns
    -------
    DataFrame
        A row for each network.
    """
    return pd.DataFrame(
        [
            {
                "Network": network_name(d.name),
                "Convolutions": d.convolutions,
                "Kernel sizes": ", ".join(str(size) for size in dict.fromkeys(d.kernel_sizes)),
                "Blocks": ", ".join(d.blocks) or "plain",
                "Hidden layers": ", ".join(str(units) for units in d.hidden_units) or "none",
                "Between them": {"relu": "ReLU", None: "–"}.get(d.hidden_activation, d.hidden_activation),
                "Dropout": " ".join(
                    text
                    for rate, text in ((d.dropout, f"{d.dropout:g}"), (d.conv_dropout, f"{d.conv_dropout:g} (conv.)"))
                    if rate
                )
                or "none",
            }
            for d in descriptions
        ]
    )


def cost_rows(descriptions: Sequence[ModelDescription], n_classes: int) -> pd.DataFrame:
    """Give size, cost and receptive field, one row for each network, as it shall read.

    Parameters
    ----------
    descriptions : sequence of ModelDescription
        Networks from top to bottom.
    n_classes : int
        Units of the output layer.

    Returns
    -------
    DataFrame
        A row for each network; parameters and multiply-adds in millions, receptive field in points.
    """
    return pd.DataFrame(
        [
            {
                "Network": network_name(d.name),
                "Features": f"{d.flat_size:,}",
                "Parameters (million)": round(d.parameters / 1e6, 1),
                "In first dense layer": f"{100 * first_dense_share(d, n_classes):.0f} %",
                "Multiply-adds (million)": round(d.multiply_adds / 1e6),
                "Receptive field (points)": d.receptive_field,
            }
            for d in descriptions
        ]
    )


def first_dense_share(description: ModelDescription, n_classes: int) -> float:
    """Share of a network's parameters in the dense layer that first meets the features.

    Parameters
    ----------
    description : ModelDescription
        The network.
    n_classes : int
        Units of the output layer, which is that layer where there are no hidden ones.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from spectra_lib.networks import describe_model
    >>> round(first_dense_share(describe_model("cnn2"), 500), 3)
    0.929
    """
    width = (*description.hidden_units, n_classes)[0]
    return (description.flat_size + 1) * width / description.parameters


def draw_receptive_fields(
    axes: Axes, descriptions: Sequence[ModelDescription], marks: Mapping[str, float], n_points: int
) -> None:
    """Draw how many points of a spectrum one feature can see, beside lengths that matter.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    descriptions : sequence of ModelDescription
        Networks from top to bottom.
    marks : mapping of str to float
        Lengths in points by what they are.
    n_points : int
        Points of a spectrum.
    """
    for row, d in enumerate(descriptions):
        axes.barh(row, min(d.receptive_field, n_points), height=0.62, color=look(d.name).color)
        axes.annotate(
            f"{d.receptive_field}",
            (d.receptive_field, row),
            (4, 0),
            textcoords="offset points",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            zorder=5,
        )
    for number, (text, length) in enumerate(marks.items()):
        axes.axvline(length, color=INK, linewidth=1, linestyle=("--", ":", "-.")[number % 3], label=text)
    axes.set(
        xscale="log",
        xlim=(10, 1.6 * n_points),
        xlabel="Points that one feature sees",
        yticks=range(len(descriptions)),
        yticklabels=[network_name(d.name) for d in descriptions],
    )
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderaxespad=0.2, labelspacing=0.2)


def draw_costs(axes: Axes, descriptions: Sequence[ModelDescription]) -> None:
    """Draw parameters against multiply-adds, one labelled marker for each network.

    Parameters
    ----------
    axes : Axes
        Where to draw; both axes are logarithmic.
    descriptions : sequence of ModelDescription
        Networks for one size of spectra.
    """
    for d in descriptions:
        own = look(d.name)
        x, y = d.multiply_adds / 1e6, d.parameters / 1e6
        axes.plot(x, y, own.marker, color=own.color, markersize=9, markeredgecolor=INK, markeredgewidth=0.6)
        axes.annotate(network_name(d.name), (x, y), (0, 8), textcoords="offset points", ha="center")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="Multiply-adds for one spectrum (million)",
        ylabel="Parameters (million)",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ScalarFormatter())
    axes.margins(x=0.15, y=0.12)
    axes.grid(color=GREY, alpha=0.2, which="major")
