"""What several commands share: their arguments and options, and how they print tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from spectra_lib.errors import SpectraError

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

    Examples
    --------
    >>> on_one_line({"kernel": 9})
    '{"kernel": 9}'
    """
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 90 else f"{text[:90]}... ({len(value)} entries)"


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns, numbers to the right.

    Examples
    --------
    >>> print_table(("name", "classes"), [("smoke", 4)])
    name   classes
    smoke        4
    """
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    right = [bool(rows) and isinstance(rows[0][column], int | float) for column in range(len(header))]
    for row in cells:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        typer.echo("  ".join(padded).rstrip())
