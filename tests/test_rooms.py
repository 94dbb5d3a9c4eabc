"""The picture of the rooms is drawn from the imports as they are, and the rooms are few and small."""

import importlib.util
from pathlib import Path

PROJECT = Path(__file__).parents[1]
LIBRARY = PROJECT / "spectra_lib"


def drawing():
    """The script, which is no part of the library."""
    spec = importlib.util.spec_from_file_location("draw_rooms", PROJECT / "workflow" / "draw_rooms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_current():
    page = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert drawing().updated(page) == page, "draw it anew: make rooms"


def test_every_room_says_what_lives_in_it_and_rests_on_the_base_alone():
    module = drawing()
    found = module.imports_of_rooms()
    assert found["_base"] == set() and all("_base" in below for room, below in found.items() if room != "_base")
    assert all(len(module.what_lives_in(room)) > 20 for room in found)


def test_there_are_few_rooms_and_no_long_files():
    entries = {path.name for path in LIBRARY.iterdir()} - {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    assert len(entries) <= 14
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in LIBRARY.rglob("*.py")}
    assert [path.name for path, length in lengths.items() if length > 450] == []
