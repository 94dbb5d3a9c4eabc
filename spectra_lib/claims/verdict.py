"""What the evidence says on a claim: supported, contradicted or undecided, with how much and how many."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spectra_lib._base.wording import counted, figure
from spectra_lib.analysis.statistics import CONFIDENCE, interval_text


class Outcome(StrEnum):
    """The three answers there are."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """The answer of code to a claim.

    Attributes
    ----------
    outcome : Outcome
        The answer.
    effect : float or None
        The number that it rests on; None if there is no evidence at all.
    meaning : str
        What the number is, with its unit.
    n, needed : int
        How much evidence was used, and how much a claim needs to be supported.
    unit : str
        What is counted: runs, spectra, classes.
    sentence : str
        The reason, computed from the numbers.
    interval : (float, float) or None
        Interval of the effect, the one that the outcome rests on.
    level : float
        Confidence of the interval; more than 95 % where it is widened for several comparisons.

    Examples
    --------
    >>> verdict = Verdict(Outcome.SUPPORTED, 4.25, "errors fewer", 10, 6, "runs", "It is so.", (1.5, 7.0))
    >>> verdict.effect_text, verdict.n_text
    ('4.25 errors fewer (1.5 to 7)', '10 runs, 6 needed')
    >>> Verdict(Outcome.UNDECIDED, -4.0, "errors", 1, 6, "runs", "", (-9.0, 1.0), level=0.99).effect_text
    '−4 errors (99 % interval −9 to 1)'
    """

    outcome: Outcome
    effect: float | None
    meaning: str
    n: int
    needed: int
    unit: str
    sentence: str
    interval: tuple[float, float] | None = None
    level: float = CONFIDENCE

    @property
    def effect_text(self) -> str:
        """The effect with its meaning and interval, as it shall read."""
        if self.effect is None:
            return "–"
        text = f"{figure(self.effect)} {self.meaning}"
        return text if self.interval is None else f"{text} ({interval_text(self.interval, self.level)})"

    @property
    def n_text(self) -> str:
        """How much evidence there is and how much is needed, as it shall read."""
        one = {"runs": "run", "spectra": "spectrum", "classes": "class"}.get(self.unit, self.unit.removesuffix("s"))
        return f"{counted(self.n, one, self.unit)}, {self.needed:,} needed"
