"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns, numbers to the right.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : sequence of sequence of object
        Values, one for each column.

    Examples
    --------
    >>> print_table(("run", "errors"), [("one", 7), ("another", 12)])
    run      errors
    one           7
    another      12
    """
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    right = [bool(rows) and isinstance(rows[0][column], int | float) for column in range(len(header))]
    for row in cells:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        typer.echo("  ".join(padded).rstrip())
