"""Chapters: what they declare, what is refused beforehand, and what a failure leaves behind."""

import dataclasses
from pathlib import Path

import jupytext
import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.book.chapters import ChapterError, Parameter, execute_chapter, list_chapters, read_chapter
from spectra_lib.book.rendering import book_chapters

PROJECT = Path(__file__).parents[1]

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A chapter

"""

PARAMETERS = """```{code-cell} ipython3
:tags: [parameters]

profile: str = "paper"  # which data
label: int = 3
seeds: list[int] = [0, 1]
scale: float = 1.0  # a factor
```
"""


def write_chapter(project: Path, code: str = "", parameters: str = PARAMETERS, name: str = "trial") -> None:
    (project / "notebooks").mkdir(exist_ok=True)
    cell = f"\n```{{code-cell}} ipython3\n{code}\n```\n" if code else ""
    (project / "notebooks" / f"{name}.md").write_text(HEADER + parameters + cell, encoding="utf-8")


def output_text(path: Path) -> str:
    notebook = nbformat.read(path, as_version=4)
    return "".join(
        output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    )


def test_reads_title_and_parameters(tmp_path):
    write_chapter(tmp_path)
    chapter = read_chapter("trial", tmp_path)
    assert chapter.title == "A chapter"
    assert chapter.parameters == (
        Parameter("profile", "str", "paper", "which data"),
        Parameter("label", "int", 3),
        Parameter("seeds", "list[int]", [0, 1]),
        Parameter("scale", "float", 1.0, "a factor"),
    )


def test_unknown_chapter_names_the_known_ones(tmp_path):
    write_chapter(tmp_path)
    with pytest.raises(UnknownNameError, match="unknown chapter 'trail'; known: trial. Did you mean 'trial'"):
        read_chapter("trail", tmp_path)


def test_folder_without_chapters(tmp_path):
    with pytest.raises(ChapterError, match="there are no chapters in .*notebooks"):
        list_chapters(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lable": 3}, "chapter 'trial': unknown parameter 'lable'; .* Did you mean 'label'"),
        ({"label": "3"}, "chapter 'trial': parameter 'label' must be of type int, received '3'"),
        ({"label": True}, "parameter 'label' must be of type int, received True"),
        ({"label": None}, "parameter 'label' must be of type int, received None"),
        ({"seeds": 1}, r"parameter 'seeds' must be of type list\[int\], received 1"),
        ({"seeds": [0, "1"]}, r"parameter 'seeds' must be of type list\[int\]"),
        ({"profile": "big"}, "parameter 'profile' must be one of paper, laptop; received 'big'"),
        ({"seeds": [0, 7]}, "parameter 'seeds' must be a list of 0, 1, 2, 3, 4; received 7"),
        ({"seeds": []}, r"parameter 'seeds' must be a list that is not empty, such as \[0, 1\]; received \[\]"),
        ({"label": -1}, "parameter 'label' must be 0 or more; received -1"),
    ],
)
def test_wrong_values_are_refused_before_anything_runs(tmp_path, values, message):
    write_chapter(tmp_path, "raise SystemExit")
    with pytest.raises(ChapterError, match=message):
        execute_chapter("trial", values, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_right_values_are_taken(tmp_path):
    write_chapter(tmp_path)
    assert read_chapter("trial", tmp_path).check({"label": 4, "seeds": [4], "scale": 2}) == {
        "label": 4,
        "seeds": [4],
        "scale": 2.0,
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("label", "7", 7), ("seeds", "[2, 3]", [2, 3]), ("scale", "1e-1", 0.1), ("profile", "laptop", "laptop")],
)
def test_texts_from_the_command_line(tmp_path, name, text, value):
    write_chapter(tmp_path)
    assert read_chapter("trial", tmp_path).parameter(name).read("trial", text) == value


def test_unreadable_text_from_the_command_line(tmp_path):
    write_chapter(tmp_path)
    with pytest.raises(ChapterError, match=r"'seeds' must be of type list\[int\], received '\[2, 3'"):
        read_chapter("trial", tmp_path).parameter("seeds").read("trial", "[2, 3")


@pytest.mark.parametrize(
    "line",
    ["x = 1", "x: int", "x: dict = {}", "import os", "x: int = 1 + y", "x: int = 'one'", "profile: str = 'big'"],
)
def test_a_parameters_cell_holds_declarations_alone(tmp_path, line):
    write_chapter(tmp_path, parameters=f"```{{code-cell}} ipython3\n:tags: [parameters]\n\n{line}\n```\n")
    with pytest.raises(ChapterError, match="chapter 'trial': .*(must hold only lines|must be)"):
        read_chapter("trial", tmp_path)


def test_a_chapter_without_the_tag_is_refused(tmp_path):
    write_chapter(tmp_path, parameters=PARAMETERS.replace(":tags: [parameters]\n", ""))
    with pytest.raises(ChapterError, match="expected one cell tagged 'parameters' .*, found 0"):
        read_chapter("trial", tmp_path)


def test_executes_with_parameters_in_the_folder_of_the_source(tmp_path):
    write_chapter(tmp_path, "import os\nprint(label, seeds, os.path.basename(os.getcwd()))")
    path = execute_chapter("trial", {"label": 8}, tmp_path / "out", tmp_path)
    assert path == tmp_path / "out" / "trial.ipynb"
    assert output_text(path) == "8 [0, 1] notebooks\n"
    assert [file.name for file in path.parent.iterdir()] == ["trial.ipynb"]
    assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_a_failing_cell_names_the_chapter_and_leaves_no_result(tmp_path):
    write_chapter(tmp_path, "print('fine')")
    result = execute_chapter("trial", {}, tmp_path / "out", tmp_path)
    assert result.exists()
    write_chapter(tmp_path, "print('so far')\nvalue = 1 / 0")
    with pytest.raises(ChapterError, match="chapter 'trial': a cell failed with ZeroDivisionError") as caught:
        execute_chapter("trial", {}, tmp_path / "out", tmp_path)
    assert "value = 1 / 0" in str(caught.value)
    assert not result.exists()
    assert "so far" in output_text(tmp_path / "out" / "trial.failed.ipynb")


def test_an_error_that_explains_itself_is_told_without_the_cell(tmp_path):
    write_chapter(tmp_path, "import spectra_lib as sl\nsl.make_dataset('smok')")
    with pytest.raises(ChapterError, match="chapter 'trial': unknown dataset 'smok'; known: .*") as caught:
        execute_chapter("trial", {}, tmp_path / "out", tmp_path)
    assert "make_dataset" not in str(caught.value)
    assert (tmp_path / "out" / "trial.failed.ipynb").exists()


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("models", ["cnn9"], "must be a list of .*cnn2.*; received 'cnn9'"),
        ("model", "cnn9", "must be one of .*cnn2.*; received 'cnn9'"),
        ("protocol", "mine", "must be one of paper, code; received 'mine'"),
        ("backends", ["theano"], "must be a list of tensorflow, jax, torch; received 'theano'"),
        ("curve", "vgg", "must be one of cnn2, cnn_bn, resnet; received 'vgg'"),
    ],
)
def test_names_are_checked_against_what_there_is(parameter, value, message):
    declared = Parameter(parameter, "list[str]" if isinstance(value, list) else "str", value)
    with pytest.raises(ChapterError, match=message):
        declared.check("trial", value)


def test_an_error_of_the_shell_itself_is_told(tmp_path):
    write_chapter(tmp_path, "%no_such_magic")
    with pytest.raises(ChapterError, match="(?s)a cell failed with .*no_such_magic.* not found"):
        execute_chapter("trial", {}, tmp_path / "out", tmp_path)


def test_a_kernel_that_dies_names_the_chapter(tmp_path):
    write_chapter(tmp_path, "import os\nos._exit(1)")
    with pytest.raises(ChapterError, match="chapter 'trial' could not be executed"):
        execute_chapter("trial", {}, tmp_path / "out", tmp_path)
    assert not list((tmp_path / "out").glob("trial.ipynb"))


# The chapters of this project


@pytest.mark.parametrize("name", list_chapters(PROJECT))
def test_declarations_of_the_projects_chapters(name):
    parameters = {p.name: p for p in read_chapter(name, PROJECT).parameters}
    assert "profile" not in parameters or parameters["profile"].default == "paper"
    assert all(p.help for p in parameters.values())
    # At the head of a line such a name would call the shell's magic instead.
    assert not set(parameters) & set(InteractiveShell().magics_manager.lsmagic()["line"])


def test_every_chapter_is_in_the_book():
    assert sorted(book_chapters(PROJECT)) == list_chapters(PROJECT)


@pytest.mark.parametrize("name", list_chapters(PROJECT))
def test_every_figure_has_name_caption_and_alternative_text(name):
    notebook = jupytext.read(read_chapter(name, PROJECT).path)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "style.new_" in cell.source:
            options = cell.metadata["mystnb"]
            assert options["figure"]["name"].startswith("fig-")
            assert len(options["figure"]["caption"]) > 100
            assert "make_frames" in cell.source or len(options["image"]["alt"]) > 40


@pytest.mark.parametrize("name", list_chapters(PROJECT))
def test_code_is_short(name):
    for cell in jupytext.read(read_chapter(name, PROJECT).path).cells:
        hidden = {"remove-input", "remove-cell", "hide-input"} & set(cell.metadata.get("tags", []))
        if cell.cell_type == "code" and not hidden:
            lines = cell.source.splitlines()
            assert len(lines) <= 20, cell.source
            assert max(len(line) for line in lines) <= 85, max(lines, key=len)


@pytest.mark.parametrize("name", list_chapters(PROJECT))
def test_defaults_are_among_what_exists(name):
    for parameter in read_chapter(name, PROJECT).parameters:
        without = dataclasses.replace(parameter, default=None)  # a value at its default is not looked up
        if parameter.default != []:
            assert without.check(name, parameter.default) == parameter.default
