"""What several commands share: their arguments and options."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from spectra_lib._base.errors import SpectraError

DatasetName = Annotated[str, typer.Argument(help="A name of 'datasets list', or a specification file (.json).")]
ModelName = Annotated[str, typer.Argument(help="A name of 'models list'.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Option of the network, value as in JSON; may be repeated."),
]
Activation = Annotated[
    str | None, typer.Option(help="linear or relu between hidden layers; left out, as the network was published.")
]
Store = Annotated[Path, typer.Option(help="Folder of the run records.", file_okay=False)]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", help="Python file that registers networks; it is executed with your rights. May be repeated."
    ),
]


def read_options(pairs: Sequence[str] | None) -> dict[str, Any]:
    """Read ``key=value`` pairs; a value that is not JSON is taken as text.

    Parameters
    ----------
    pairs : sequence of str or None
        Pairs as typed; None for none.

    Returns
    -------
    dict of str to object
        Values by key.

    Raises
    ------
    SpectraError
        If a pair has no value.

    Examples
    --------
    >>> read_options(["kernel=9", "start=mean"])
    {'kernel': 9, 'start': 'mean'}
    """
    options = {}
    for pair in pairs or ():
        key, equals, text = pair.partition("=")
        if not equals:
            raise SpectraError(f"option {pair!r} has no value; write --option {pair}=VALUE")
        try:
            options[key] = json.loads(text)
        except json.JSONDecodeError:
            options[key] = text
    return options


def on_one_line(value: Any) -> str:
    """Write a value on one line, long ones cut.

    Parameters
    ----------
    value : object
        A text, or a JSON value.

    Returns
    -------
    str
        At most 90 characters, and the number of entries if cut.

    Examples
    --------
    >>> on_one_line({"kernel": 9})
    '{"kernel": 9}'
    """
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 90 else f"{text[:90]}... ({len(value)} entries)"
