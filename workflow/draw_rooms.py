"""Draw the rooms of the library, from its imports, into CONTRIBUTING.md: ``python workflow/draw_rooms.py``.

An arrow leads from a room to one that it imports; those are left out that other arrows imply.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import grimp

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = "spectra_lib"
PLACE = re.compile(r"(?<=<!-- rooms -->\n).*?(?=<!-- end of rooms -->)", re.DOTALL)
"""What is drawn stands between these."""


def imports_of_rooms() -> dict[str, set[str]]:
    """For each room, the rooms that it imports, directly or through others."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    rooms = {child for child in graph.find_children(PACKAGE) if graph.find_children(child)}
    for room in rooms:
        graph.squash_module(room)
    return {
        room.rpartition(".")[2]: {
            found.rpartition(".")[2] for found in graph.find_upstream_modules(room) if found in rooms
        }
        for room in rooms
    }


def what_lives_in(room: str) -> str:
    """First sentence of a room's docstring."""
    source = (PROJECT / PACKAGE / room / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")


def draw() -> str:
    """Draw the rooms, in Mermaid's language, which GitHub shows as a picture."""
    above = imports_of_rooms()
    lines = ["```mermaid", "flowchart TD"]
    order = sorted(above, key=lambda room: (-len(above[room]), room))
    for room in order:
        text = "<br/>".join(textwrap.wrap(what_lives_in(room), 38))
        lines.append(f'    {room}["<b>{room}</b><br/>{text}"]')
    for room in order:
        implied = set().union(*(above[other] for other in above[room]))
        lines += [f"    {room} --> {other}" for other in order if other in above[room] - implied]
    return "\n".join([*lines, "```", ""])


def updated(text: str) -> str:
    """Give a text with the drawing in its place."""
    return PLACE.sub(lambda _: draw(), text)


if __name__ == "__main__":
    page = PROJECT / "CONTRIBUTING.md"
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
