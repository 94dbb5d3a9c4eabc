"""The command that decides the paper's claims; what it needs is imported when it runs."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from spectra_lib.claims import Finding

WIDTH = 100


def claims_command(
    store: Annotated[Path, typer.Option(help="Folder of the run records.", file_okay=False)] = Path("results"),
    only: Annotated[list[int] | None, typer.Option(help="Number of a claim; may be given several times.")] = None,
    rules: Annotated[str, typer.Option(help="Training protocol of the runs: paper or code.")] = "paper",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print one Markdown table.")] = False,
) -> None:
    """Decide the paper's claims: verdict, effect and evidence of each.

    Examples:

        spectra-lib claims

        spectra-lib claims --only 6 --only 29 --store results

        spectra-lib claims --markdown
    """
    from spectra_lib.claims import claim_rows, gather_evidence, judge, list_claims
    from spectra_lib.figures.tables import Table
    from spectra_lib.runs.records import load_records

    numbers = only or ()
    list_claims(numbers)  # an unknown number shall fail at once
    evidence = gather_evidence(load_records(store), rules=rules)
    for reason in evidence.set_aside:
        typer.echo(f"not used, not sound: {reason}", err=True)
    findings = judge(evidence, numbers)
    if markdown:
        rows = claim_rows(findings).drop(columns="Why")
        typer.echo(Table("tab-claims", f"Claims of the paper: {summary(findings)}.", rows).markdown())
        return
    for finding in findings:
        typer.echo(as_text(finding))
    typer.echo(summary(findings))


def as_text(finding: Finding) -> str:
    """Write a claim and its verdict for a terminal.

    Parameters
    ----------
    finding : Finding
        A claim with its verdict.

    Returns
    -------
    str
        Several lines.
    """
    claim, verdict = finding.claim, finding.verdict
    head = f"{claim.number:2}  {verdict.outcome.value.upper():12} {claim.section}; {verdict.n_text}"
    parts = [claim.wording, verdict.sentence]
    if verdict.effect is not None:
        parts.insert(1, f"{verdict.effect_text}.")
    body = [textwrap.fill(part, WIDTH, initial_indent="    ", subsequent_indent="    ") for part in parts]
    return "\n".join([head, *body, ""])


def summary(findings: Sequence[Finding]) -> str:
    """Count the verdicts.

    Parameters
    ----------
    findings : sequence of Finding
        Claims with their verdicts.

    Returns
    -------
    str

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from spectra_lib.claims import Outcome
    >>> verdicts = [SimpleNamespace(outcome=Outcome(name)) for name in ("supported", "undecided")]
    >>> summary([SimpleNamespace(verdict=verdict) for verdict in verdicts])
    '2 claims: 1 supported, 0 contradicted, 1 undecided'
    """
    from spectra_lib.claims import Outcome

    counted = Counter(finding.verdict.outcome for finding in findings)
    return f"{len(findings)} claims: " + ", ".join(f"{counted[outcome]} {outcome.value}" for outcome in Outcome)
