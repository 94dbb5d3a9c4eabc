"""A list whose entries unfold: MyST directives for the book, HTML for a notebook, text for a terminal."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One entry of a list.

    Attributes
    ----------
    title, text, state : str
        What is always to be seen: a number or a word, a sentence, and how things stand.
    details : sequence of (str, str)
        What unfolds: headings and texts.
    style : str
        Class for the style sheet.
    anchor : str
        Label for cross-references; none if empty.
    """

    title: str
    text: str
    state: str
    details: Sequence[tuple[str, str]]
    style: str = "claim"
    anchor: str = ""

    def markdown(self) -> str:
        """Give the entry as a MyST directive.

        Returns
        -------
        str
            Source in MyST-Markdown.

        Examples
        --------
        >>> print(Entry("Peaks", "2 to 7", "measured", [("Code", "2 to 10.")]).markdown())
        :::{dropdown} **Peaks** 2 to 7 *measured*
        :class-container: claim
        <BLANKLINE>
        **Code.** 2 to 10.
        :::
        """
        label = [f"({self.anchor})="] if self.anchor else []
        details = "\n\n".join(f"**{heading}.** {text}" for heading, text in self.details)
        head = [f":::{{dropdown}} **{self.title}** {self.text} *{self.state}*", f":class-container: {self.style}", ""]
        return "\n".join([*head, *label, details, ":::"])

    def html(self) -> str:
        """Give the entry for a notebook.

        Returns
        -------
        str
            Source in HTML.
        """
        name = f' id="{self.anchor}"' if self.anchor else ""
        details = "".join(f"<p><b>{heading}.</b> {html.escape(text)}</p>" for heading, text in self.details)
        return f"<details{name}><summary>{html.escape(self.line)}</summary>{details}</details>"

    @property
    def line(self) -> str:
        """The entry in one line, without details."""
        return f"{self.title}  {self.text} ({self.state})"


class UnfoldingList:
    """Entries one below the other, each unfolding to its details; fits a phone.

    A notebook shows it as the value of a cell. Subclasses say what the entries are.
    """

    def entries(self) -> Sequence[Entry]:
        """Give the entries in order.

        Returns
        -------
        sequence of Entry
            From top to bottom.

        Raises
        ------
        NotImplementedError
            If a subclass does not define it.
        """
        raise NotImplementedError

    def markdown(self) -> str:
        """Give the list as MyST directives.

        Returns
        -------
        str
            Source in MyST-Markdown.
        """
        return "\n\n".join(entry.markdown() for entry in self.entries())

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        entries = self.entries()
        return {
            "text/plain": "\n".join(entry.line for entry in entries),
            "text/html": "\n".join(entry.html() for entry in entries),
            "text/markdown": self.markdown(),
        }
