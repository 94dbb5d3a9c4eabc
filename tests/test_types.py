"""A type checker sees the signatures behind the names that are loaded when they are first used."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import spectra_lib
from spectra_lib import networks

PROJECT = Path(__file__).parents[1]

SCRIPT = """\
import spectra_lib as sl
from spectra_lib.networks import build_model

dataset = sl.make_dataset("smoke")
reveal_type(dataset.train.labels)
reveal_type(sl.load_records()[0])
reveal_type(sl.load_records()[:2])
sl.make_dataset(1, 2, nonsense=4)
sl.train("no specification")
build_model("cnn6", n_pints=5000)
sl.make_datasets("smoke")
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What mypy says of the script, by line."""
    file = tmp_path_factory.mktemp("types") / "script.py"
    file.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", file],
        cwd=PROJECT,
        env=os.environ | {"MYPYPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.removeprefix(f"{file}:").partition(": ") for line in done.stdout.splitlines()]
    return {SCRIPT.splitlines()[int(number) - 1]: message for number, _, message in lines if number.isdecimal()}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("reveal_type(dataset.train.labels)", "ndarray"),
        ("reveal_type(sl.load_records()[0])", '"spectra_lib.runs.record.RunRecord"'),
        ("reveal_type(sl.load_records()[:2])", '"tuple[spectra_lib.runs.record.RunRecord, ...]"'),
        ("sl.make_dataset(1, 2, nonsense=4)", "error: "),
        ('sl.train("no specification")', 'has incompatible type "str"; expected "RunSpec"'),
        ('sl.make_datasets("smoke")', 'no attribute "make_datasets"'),
    ],
)
def test_a_type_checker_sees_what_stands_behind_a_name(line, message, said):
    assert message in said[line]


@pytest.mark.parametrize("package", [spectra_lib, networks])
def test_type_checkers_and_programs_find_the_same_names_in_the_same_places(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    places = {alias.name: node.module for node in block.body for alias in node.names}
    homes = {name: f"{package.__name__}.{home}" for name, home in package._HOMES.items()}
    assert places == homes
    assert sorted(package.__all__) == sorted(homes)
    assert all(hasattr(package, name) for name in homes)
