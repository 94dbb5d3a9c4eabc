"""Figure of the verdicts on the paper's claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from spectra_lib.claims import GROUPS, Finding, Outcome
from spectra_lib.figures.style import BLUE, GREY, INK, ORANGE

LOOKS: Mapping[Outcome, tuple[str, str, str]] = {
    Outcome.SUPPORTED: ("o", BLUE, "white"),
    Outcome.CONTRADICTED: ("D", ORANGE, "white"),
    Outcome.UNDECIDED: ("s", "white", GREY),
}
"""Marker, fill and text colour of each verdict."""


def draw_verdicts(axes: Axes, findings: Sequence[Finding]) -> None:
    """Draw a numbered marker for each claim, in a row for each group of claims.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    findings : sequence of Finding
        Claims with their verdicts.
    """
    rows = {group: [f for f in findings if f.claim.group == group] for group in GROUPS}
    places = {f.claim.number: (column, row) for row, each in enumerate(rows.values()) for column, f in enumerate(each)}
    for outcome, (marker, fill, ink) in LOOKS.items():
        own = [f.claim.number for f in findings if f.verdict.outcome is outcome]
        axes.plot(
            [places[number][0] for number in own],
            [places[number][1] for number in own],
            marker=marker,
            linestyle="none",
            color=fill,
            markeredgecolor=GREY if fill == "white" else fill,
            markersize=16 if marker == "D" else 20,
            label=f"{outcome.value} ({len(own)})",
        )
        for number in own:
            axes.annotate(str(number), places[number], ha="center", va="center", color=ink, fontsize=10)
    for row, title in enumerate(GROUPS.values()):
        axes.text(-0.45, row - 0.42, title, va="center", color=INK, fontsize=11)
    axes.set_axis_off()
    axes.set_xlim(-0.6, max(max(map(len, rows.values())), 10) - 0.4)
    axes.set_ylim(len(GROUPS) - 0.6, -0.8)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, markerscale=0.5, columnspacing=1.0)
