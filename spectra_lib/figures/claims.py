"""The verdicts on the paper's claims: a figure, the full list that unfolds, and the short table of a chapter."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from spectra_lib.claims import GROUPS, Finding, Outcome, evaluate_claims
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.figures.style import BLUE, GREY, INK, ORANGE
from spectra_lib.figures.tables import Table
from spectra_lib.figures.unfolding import Entry, UnfoldingList

CHAPTER = "claims"
"""The chapter in which every claim has its place."""

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


def anchor(finding: Finding) -> str:
    """Label of a claim's place in the chapter on claims.

    Parameters
    ----------
    finding : Finding
        A claim with its verdict.

    Returns
    -------
    str
        Label for cross-references.

    Examples
    --------
    >>> anchor(evaluate_claims("no-such-folder", [29])[0])
    'claim-29'
    """
    return f"claim-{finding.claim.number}"


@dataclass(frozen=True)
class ClaimsTable:
    """The claims that bear on a chapter, each with a link to its place; a notebook shows it as the value of a cell.

    Attributes
    ----------
    name : str
        Label for cross-references.
    findings : tuple of Finding
        Claims with their verdicts.
    """

    name: str
    findings: tuple[Finding, ...]

    def table(self, links: Sequence[str]) -> Table:
        """Give number, wording, verdict and evidence of each claim, with its link in the place of its number.

        Parameters
        ----------
        links : sequence of str
            A link for each finding, in Markdown or HTML.

        Returns
        -------
        Table
            A row for each finding.
        """
        rows = [
            (link, f.claim.wording, f.verdict.outcome.value, f.verdict.n_text)
            for link, f in zip(links, self.findings, strict=True)
        ]
        caption = (
            "Claims of the paper that bear on this chapter, in our words, with the verdict of code on the committed "
            "records, and the evidence used and needed. Numbers lead to reason and rule."
        )
        return Table(self.name, caption, pd.DataFrame(rows, columns=["No.", "Claim", "Verdict", "Evidence"]))

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        numbers = [f.claim.number for f in self.findings]
        links = [f'<a href="{CHAPTER}.md#{anchor(f)}">{f.claim.number}</a>' for f in self.findings]
        frame = self.table(links).frame
        frame["Claim"] = [html.escape(text) for text in frame["Claim"]]
        return {
            "text/plain": self.table([str(number) for number in numbers]).frame.to_string(index=False),
            "text/html": frame.to_html(index=False, border=0, escape=False),
            "text/markdown": self.table([f"{{ref}}`{f.claim.number} <{anchor(f)}>`" for f in self.findings]).markdown(),
        }


def claims_here(
    numbers: Sequence[int], general: Dataset | None = None, store: str | Path = "../results"
) -> ClaimsTable:
    """Decide the claims that bear on a chapter, for a table near its end.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of the claims.
    general : Dataset, optional
        The general benchmark as published, if the chapter has made it; making it takes a few seconds. Claims on the
        challenging set do not need it.
    store : str or Path
        Folder of the committed records, as seen from a chapter.

    Returns
    -------
    ClaimsTable
        Its label is ``tab-claims-`` with the numbers.

    Raises
    ------
    UnknownNameError
        If there is no claim of a number.
    StoreError
        If a record is damaged.

    Examples
    --------
    >>> print(claims_here([29], store="no-such-folder").table(["29"]).frame.to_string(index=False, header=False))
    29 A ReLU between the hidden layers improves every network that has hidden layers. undecided 0 runs, 42 needed
    """
    known = general if general is not None and general.spec.name == "benchmark" else None
    findings = evaluate_claims(store, numbers, known)
    return ClaimsTable("-".join(["tab-claims", *(str(f.claim.number) for f in findings)]), findings)


@dataclass(frozen=True)
class ClaimsList(UnfoldingList):
    """Claims, each with its verdict, unfolding to reason and rule.

    Attributes
    ----------
    findings : tuple of Finding
        Claims with their verdicts.
    """

    findings: tuple[Finding, ...]

    @staticmethod
    def details(finding: Finding) -> list[tuple[str, str]]:
        """Give what unfolds, as (heading, text).

        Parameters
        ----------
        finding : Finding
            A claim with its verdict.

        Returns
        -------
        list of (str, str)
            Evidence, effect where there is one, reason, rule and section.
        """
        claim, verdict = finding.claim, finding.verdict
        found = [("Evidence", f"{verdict.n_text}."), ("Why", verdict.sentence)]
        if verdict.effect is not None:
            found.insert(1, ("Effect", f"{verdict.effect_text}."))
        return [*found, ("Rule", f"{claim.rule} Decided by {claim.uses}."), ("In the paper", f"{claim.section}.")]

    def entries(self) -> list[Entry]:
        """Give an entry for each claim.

        Returns
        -------
        list of Entry
            In the order of the findings.
        """
        return [
            Entry(
                title=f"{f.claim.number}",
                text=f.claim.wording,
                state=f.verdict.outcome.value,
                details=self.details(f),
                style=f"claim claim-{f.verdict.outcome.value}",
                anchor=anchor(f),
            )
            for f in self.findings
        ]
