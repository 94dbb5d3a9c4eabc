"""Chapters stay short: what they compute stands in tested functions of the library."""

from pathlib import Path

import jupytext
import pytest

from spectra_lib.book.chapters import list_chapters, read_chapter

PROJECT = Path(__file__).parents[1]

HIDDEN = {"remove-cell", "remove-input", "hide-input", "hide-cell"}
MOST_LINES_OF_A_HIDDEN_CELL = 10
MOST_LINES = 400

LONG_HIDDEN_CELLS: dict[str, list[int]] = {
    "architectures": [21],
    "benchmark": [26, 40],
    "claims": [32],
    "dataset": [23, 20],
    "headroom": [33, 44, 17],
    "intro": [35, 11, 22],
    "peaknet": [35, 49, 16, 31, 35],
}
"""Hidden cells that are still too long: their lines, by chapter. It only ever shrinks."""

LONG_CHAPTERS: dict[str, int] = {"dataset": 406, "methods": 456, "peaknet": 431}
"""Chapters that are still too long, with their lines. It only ever shrinks."""


def hidden_cells(name: str) -> list[int]:
    cells = jupytext.read(read_chapter(name, PROJECT).path).cells
    return [len(cell.source.splitlines()) for cell in cells if HIDDEN & set(cell.metadata.get("tags", []))]


@pytest.mark.parametrize("name", list_chapters(PROJECT))
def test_hidden_cells_are_short(name):
    too_long = [n for n in hidden_cells(name) if n > MOST_LINES_OF_A_HIDDEN_CELL]
    assert too_long == LONG_HIDDEN_CELLS.get(name, []), "move it into spectra_lib/book/values, or shorten the list"


@pytest.mark.parametrize("name", list_chapters(PROJECT))
def test_chapters_are_short(name):
    n = len(read_chapter(name, PROJECT).path.read_text(encoding="utf-8").splitlines())
    assert (n if n > MOST_LINES else None) == LONG_CHAPTERS.get(name), "split it, or shorten the list"


def test_every_chapter_has_hidden_cells_that_are_counted():
    assert all(hidden_cells(name) for name in list_chapters(PROJECT))
