"""What the evidence says on a claim: supported, contradicted or undecided, with how much and how many."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
        95 % interval of the effect.

    Examples
    --------
    >>> verdict = Verdict(Outcome.SUPPORTED, 4.25, "errors fewer", 10, 6, "runs", "It is so.", (1.5, 7.0))
    >>> verdict.effect_text, verdict.n_text
    ('4.25 errors fewer (1.5 to 7)', '10 runs, 6 needed')
    """

    outcome: Outcome
    effect: float | None
    meaning: str
    n: int
    needed: int
    unit: str
    sentence: str
    interval: tuple[float, float] | None = None

    @property
    def effect_text(self) -> str:
        """The effect with its meaning and interval, as it shall read."""
        if self.effect is None:
            return "–"
        text = f"{figure(self.effect)} {self.meaning}"
        return text if self.interval is None else f"{text} ({figure(self.interval[0])} to {figure(self.interval[1])})"

    @property
    def n_text(self) -> str:
        """How much evidence there is and how much is needed, as it shall read."""
        unit = {"runs": "run", "spectra": "spectrum"}.get(self.unit, self.unit) if self.n == 1 else self.unit
        return f"{self.n:,} {unit}, {self.needed:,} needed"


def figure(value: float) -> str:
    """Write a number with three significant digits, a whole one in full.

    Examples
    --------
    >>> figure(15717.0), figure(0.12345), figure(-0.0)
    ('15,717', '0.123', '0')
    """
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
