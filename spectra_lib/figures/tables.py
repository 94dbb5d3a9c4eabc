"""Tables with caption and number: Markdown for the book, HTML for a notebook, text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Table:
    """A captioned table; a notebook shows it as the value of a cell.

    Attributes
    ----------
    name : str
        Label for cross-references, such as ``tab-architectures``.
    caption : str
        Caption in Markdown.
    frame : DataFrame
        Cells as they shall read; the index is not shown.

    Examples
    --------
    >>> print(Table("tab-demo", "A demonstration.", pd.DataFrame({"Network": ["CNN2"], "Errors": [38]})).markdown())
    :::{table} A demonstration.
    :name: tab-demo
    <BLANKLINE>
    | Network | Errors |
    |:--|--:|
    | CNN2 | 38 |
    :::
    """

    name: str
    caption: str
    frame: pd.DataFrame

    def markdown(self) -> str:
        """Give the table as a MyST directive, numbers to the right.

        Returns
        -------
        str
            Source in MyST-Markdown.
        """
        columns = list(self.frame.columns)
        rule = ["--:" if all(map(_reads_as_number, self.frame[column])) else ":--" for column in columns]
        lines = [_row(columns), "|" + "|".join(rule) + "|", *(_row(row) for row in self.frame.itertuples(index=False))]
        return "\n".join([f":::{{table}} {self.caption}", f":name: {self.name}", "", *lines, ":::"])

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        return {
            "text/plain": self.frame.to_string(index=False),
            "text/html": self.frame.to_html(index=False, border=0),
            "text/markdown": self.markdown(),
        }


def _reads_as_number(cell: Any) -> bool:
    return re.fullmatch(r"[-−]?[\d,]*\.?\d+( %| s| min)?|–", str(cell)) is not None


def _row(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", r"\|") for cell in cells) + " |"
