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


LONG_FILES = {
    "chapters.py": 520,
    "decision_regions.py": 455,
    "float32_sums.py": 469,
    "headroom.py": 481,
    "methods.py": 496,
    "probe_answers.py": 475,
    "trainer.py": 472,
}
"""Files that are still too long, with their lines. It only ever shrinks."""


def test_there_are_few_rooms_and_no_long_files():
    entries = {path.name for path in LIBRARY.iterdir()} - {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    assert len(entries) <= 14
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in LIBRARY.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > LONG_FILES.get(name, 450)} == {}
