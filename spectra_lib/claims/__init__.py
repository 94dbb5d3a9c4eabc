"""The paper's claims, each with a verdict that code decides.

A claim is a small function from evidence (datasets, run records) to a verdict: supported,
contradicted or undecided. Published results are never evidence. A claim flips by itself when new
records arrive. Source: Schuetzke, Szymanski & Reischl 2023, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spectra_lib.claims import benchmark, causes, challenge, dataset
from spectra_lib.claims.evidence import Evidence, gather_evidence
from spectra_lib.claims.registry import Claim, Finding, claim, judge, list_claims
from spectra_lib.claims.verdict import Outcome, Verdict
from spectra_lib.runs.records import load_records

if TYPE_CHECKING:
    import pandas as pd

    from spectra_lib.datasets.dataset import Dataset

GROUPS = {
    "dataset": "Dataset",
    "benchmark": "General benchmark",
    "causes": "Causes of errors",
    "challenge": "Challenging set and ablations",
}
"""Groups of claims, each a module, with their titles."""

__all__ = [
    "GROUPS",
    "Claim",
    "Evidence",
    "Finding",
    "Outcome",
    "Verdict",
    "benchmark",
    "causes",
    "challenge",
    "claim",
    "claim_rows",
    "dataset",
    "evaluate_claims",
    "gather_evidence",
    "judge",
    "list_claims",
]


MEASURED_SPECTRA = 4
"""The claim that looks at measured spectra."""


def evaluate_claims(
    store: str | Path = "results", numbers: Sequence[int] = (), general: Dataset | None = None
) -> tuple[Finding, ...]:
    """Decide all claims, or those asked for, on the records of a store.

    Only what the claims asked for look at is made.

    Parameters
    ----------
    store : str or Path
        Folder of the run records.
    numbers : sequence of int
        Numbers of the claims; none for all.
    general : Dataset, optional
        The general benchmark, if it is there already; making it takes a few seconds.

    Returns
    -------
    tuple of Finding
        Claims with their verdicts, in the order of their numbers.

    Raises
    ------
    UnknownNameError
        If there is no claim of a number.
    StoreError
        If a record is damaged.

    Examples
    --------
    >>> (finding,) = evaluate_claims("no-such-folder", [26])
    >>> finding.verdict.outcome.value, finding.verdict.effect_text
    ('contradicted', '3 test spectra on the wrong side of the best split')
    """
    asked = list_claims(numbers)
    groups = {each.group for each in asked}
    # In the place of a set that no claim looks at, the smallest one is made.
    return judge(
        gather_evidence(
            load_records(store),
            "smoke" if groups == {"challenge"} else general or "benchmark",
            "challenge" if "challenge" in groups else "smoke",
            measured=None if MEASURED_SPECTRA in {each.number for each in asked} else {},
        ),
        numbers,
    )


def claim_rows(findings: Sequence[Finding]) -> pd.DataFrame:
    """Give one row for each claim, as it shall read: number, section, claim, verdict, effect, n, why.

    Parameters
    ----------
    findings : sequence of Finding
        Claims with their verdicts.

    Returns
    -------
    DataFrame
        A row for each finding, in the order given; ``No.`` is int, the other columns are text.

    Examples
    --------
    >>> claim_rows(evaluate_claims("no-such-folder", [29]))[["Verdict", "n"]].iloc[0].tolist()
    ['undecided', '0 runs, 42 needed']
    """
    import pandas as pd

    rows = [
        (c.number, c.section, c.wording, v.outcome.value, v.effect_text, v.n_text, v.sentence)
        for c, v in ((finding.claim, finding.verdict) for finding in findings)
    ]
    return pd.DataFrame(rows, columns=["No.", "Section", "Claim", "Verdict", "Effect", "n", "Why"])
