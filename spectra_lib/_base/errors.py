"""The errors that a user can cause, and how they read.

Every message says what was expected, what came, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError


class SpectraError(ValueError):
    """Base of all errors that the library raises for something a user can mend."""


class SpecificationError(SpectraError):
    """A specification (of a dataset or a run) that cannot be honoured."""


class UnknownNameError(SpectraError):
    """A name that is not registered.

    Parameters
    ----------
    kind : str
        What was asked for: network, dataset ...
    name : object
        The name that is not known.
    known : iterable of str
        Names to choose from; the closest is suggested.

    Examples
    --------
    >>> raise UnknownNameError("network", "cnn7", ["cnn2", "cnn6"])
    Traceback (most recent call last):
    ...
    spectra_lib._base.errors.UnknownNameError: unknown network 'cnn7'; known: cnn2, cnn6. Did you mean 'cnn6'?
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        known = list(known)
        close = get_close_matches(str(name), known, n=1)
        hint = f". Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(known)}{hint}")


class StoreError(SpectraError):
    """A run store that cannot be read or written as asked."""


class BudgetError(SpectraError):
    """The time budget ended before the run did; the run resumes when it is started again."""


def explain(error: ValidationError, what: str) -> str:
    """Put a pydantic error into one line per fault: field, fault, value received.

    Parameters
    ----------
    error : ValidationError
        As pydantic raised it.
    what : str
        Origin of the data, at the start of each line.

    Returns
    -------
    str
        One line for each fault; values longer than 60 characters are cut.

    Examples
    --------
    >>> from pydantic import BaseModel
    >>> class Point(BaseModel):
    ...     x: int
    >>> try:
    ...     Point(x="a")
    ... except ValidationError as error:
    ...     print(explain(error, "point"))
    point: x: Input should be a valid integer, unable to parse string as an integer (received 'a')
    """
    lines = []
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        received = repr(fault["input"])
        if fault["type"] == "value_error":  # our own validators name the value themselves
            lines.append(f"{what}: {field + ': ' if field else ''}{message}")
        else:
            shown = received if len(received) <= 60 else received[:57] + "..."
            lines.append(f"{what}: {field}: {message} (received {shown})")
    return "\n".join(lines)
