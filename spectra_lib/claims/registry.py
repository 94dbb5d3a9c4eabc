"""The list of claims: each is a function from evidence to a verdict, registered where it is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.claims.evidence import Evidence
from spectra_lib.claims.verdict import Verdict

Predicate = Callable[[Evidence], Verdict]


@dataclass(frozen=True)
class Claim:
    """A checkable claim of the paper.

    Attributes
    ----------
    number : int
        Its number in our list.
    section : str
        Where the paper makes it.
    wording : str
        What it says, in our words.
    uses : str
        The evidence that it is decided by.
    decide : callable
        The predicate; its docstring is the rule.
    """

    number: int
    section: str
    wording: str
    uses: str
    decide: Predicate

    @property
    def name(self) -> str:
        """Name of the predicate."""
        return self.decide.__name__

    @property
    def group(self) -> str:
        """Group of claims, which is the module that the predicate is in."""
        return self.decide.__module__.rpartition(".")[2]

    @property
    def rule(self) -> str:
        """When the claim counts as supported and when as contradicted."""
        return " ".join((inspect.getdoc(self.decide) or "").split())


@dataclass(frozen=True)
class Finding:
    """A claim with its verdict.

    Attributes
    ----------
    claim : Claim
        What is decided.
    verdict : Verdict
        What the evidence says on it.
    """

    claim: Claim
    verdict: Verdict


_CLAIMS: dict[int, Claim] = {}


def claim(number: int, section: str, wording: str, *, uses: str) -> Callable[[Predicate], Predicate]:
    """Register a predicate as a claim (see `Claim` for the fields).

    Parameters
    ----------
    number : int
        Its number in our list.
    section, wording, uses : str
        See `Claim`.

    Returns
    -------
    callable
        Decorator; gives the predicate back unchanged.

    Raises
    ------
    SpectraError
        If the number is taken.
    """

    def decorate(predicate: Predicate) -> Predicate:
        if number in _CLAIMS:
            raise SpectraError(
                f"claim {number} is {_CLAIMS[number].name} already; give {predicate.__name__} another number"
            )
        _CLAIMS[number] = Claim(number, section, wording, uses, predicate)
        return predicate

    return decorate


def list_claims(numbers: Sequence[int] = ()) -> list[Claim]:
    """Give the claims in the order of their numbers, or those asked for.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of the claims; none for all.

    Returns
    -------
    list of Claim
        By ascending number.

    Raises
    ------
    UnknownNameError
        If there is no such claim.

    Examples
    --------
    >>> from spectra_lib.claims import list_claims
    >>> [claim.name for claim in list_claims([10, 11])]
    ['cnn3_beats_cnn2', 'inception_is_considerably_better']
    """
    for number in numbers:
        if number not in _CLAIMS:
            raise UnknownNameError("claim", number, map(str, sorted(_CLAIMS)))
    return [_CLAIMS[number] for number in sorted(numbers or _CLAIMS)]


def judge(evidence: Evidence, numbers: Sequence[int] = ()) -> tuple[Finding, ...]:
    """Decide all claims, or those asked for, on the evidence given.

    Parameters
    ----------
    evidence : Evidence
        Datasets and records.
    numbers : sequence of int
        Numbers of the claims; none for all.

    Returns
    -------
    tuple of Finding
        By ascending number.

    Raises
    ------
    UnknownNameError
        If there is no claim of a number.
    """
    return tuple(Finding(claim, claim.decide(evidence)) for claim in list_claims(numbers))
