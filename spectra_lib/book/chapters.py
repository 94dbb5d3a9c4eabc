"""Chapters of the book: parameterised notebooks, checked beforehand and executed.

A chapter is a MyST-Markdown notebook in ``notebooks/``. Its cell tagged ``parameters`` declares,
one a line, ``name: type = value  # what it means``. Executing a chapter turns the text into a
notebook with Jupytext and runs it with papermill in the folder of the source, so that relative
paths mean the same in a book, from the command line and in JupyterLab.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import textwrap
import tokenize
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import yaml
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.localinterfaces import localhost
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillException, PapermillExecutionError
from pydantic import TypeAdapter, ValidationError
from traitlets import default

from spectra_lib._base import errors
from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.datasets.named import list_datasets
from spectra_lib.experiments.campaign import SEEDS
from spectra_lib.experiments.profiles import list_profiles
from spectra_lib.paper.published import published_validation_losses
from spectra_lib.runs.protocol import list_protocols

NOTEBOOKS = "notebooks"
"""Folder of the chapters' sources, in the project."""

TYPES: Mapping[str, Any] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "list[int]": list[int],
    "list[str]": list[str],
}
"""Types that a parameter may be declared with."""


class ChapterError(SpectraError):
    """A chapter, or a parameter of a chapter, that cannot be used as asked, or that failed."""


def _models() -> Sequence[str]:
    from spectra_lib.networks import list_models

    return list_models()


def _backends() -> Sequence[str]:
    from spectra_lib.training.backend import EXECUTIONS  # imports keras

    return list(EXECUTIONS)


def _published_curves() -> Sequence[str]:
    return list(published_validation_losses().model.unique())


CHOICES: Mapping[str, Callable[[], Sequence[str | int]]] = {
    "profile": list_profiles,
    "protocol": list_protocols,
    "dataset": list_datasets,
    "model": _models,
    "models": _models,
    "seeds": lambda: list(SEEDS),
    "backends": _backends,
    "curve": _published_curves,
    "curve_seed": lambda: list(SEEDS),
}
"""Allowed values of parameters that name something; the same in every chapter."""

NOT_NEGATIVE = ("seed", "label", "peak")
"""Parameters that count from 0; how far depends on the dataset, and the chapter says so."""


@dataclass(frozen=True)
class Parameter:
    """A parameter that a chapter declares.

    Attributes
    ----------
    name : str
        Its name.
    type : str
        A key of `TYPES`.
    default : object
        Its value if none is given.
    help : str
        What it means.
    """

    name: str
    type: str
    default: Any
    help: str = ""

    def check(self, chapter: str, value: Any) -> Any:
        """Give the value in the declared type.

        Parameters
        ----------
        chapter : str
        value : object

        Returns
        -------
        object

        Raises
        ------
        ChapterError
            If the value has another type or is not among the allowed ones, or a list is empty whose default is not.

        Examples
        --------
        >>> Parameter("label", "int", 17).check("dataset", "seven")
        Traceback (most recent call last):
        ...
        spectra_lib.book.chapters.ChapterError: chapter 'dataset': parameter 'label' must be of type int, ...
        """
        checked = self.check_type(chapter, value)
        several = isinstance(checked, list)
        expected, received = "", checked
        if self.name in NOT_NEGATIVE and checked < 0:
            expected = "0 or more"
        elif several and self.default and not checked:
            expected = f"a list that is not empty, such as {self.default}"
        elif self.name in CHOICES and (checked or not several):
            allowed = CHOICES[self.name]()
            wrong = [item for item in (checked if several else [checked]) if item not in allowed]
            if wrong:
                expected, received = f"{'a list of' if several else 'one of'} {', '.join(map(str, allowed))}", wrong[0]
        if expected:
            raise ChapterError(
                f"chapter {chapter!r}: parameter {self.name!r} must be {expected}; received {received!r}"
            )
        return checked

    def check_type(self, chapter: str, value: Any) -> Any:
        """Give the value in the declared type, whether or not what it names exists.

        Parameters
        ----------
        chapter : str
        value : object

        Returns
        -------
        object

        Raises
        ------
        ChapterError
            If the value has another type.
        """
        try:
            return TypeAdapter(TYPES[self.type]).validate_python(value, strict=True)
        except ValidationError:
            raise ChapterError(
                f"chapter {chapter!r}: parameter {self.name!r} must be of type {self.type}, received {value!r}"
            ) from None

    def read(self, chapter: str, text: str) -> Any:
        """Give the value that a text from the command line stands for, checked.

        Lists are written as in YAML.

        Parameters
        ----------
        chapter : str
        text : str

        Returns
        -------
        object

        Raises
        ------
        ChapterError
            As `check`.

        Examples
        --------
        >>> Parameter("seeds", "list[int]", [0]).read("benchmark", "[0, 1]")
        [0, 1]
        """
        if self.type == "str":
            return self.check(chapter, text)
        try:
            # YAML 1.1 takes 1e-3 for a text.
            value = float(text) if self.type == "float" else yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):
            value = text
        return self.check(chapter, value)


@dataclass(frozen=True)
class Chapter:
    """A chapter's source.

    Attributes
    ----------
    name : str
        File name without its ending.
    title : str
        First heading.
    path : Path
        The source.
    parameters : tuple of Parameter
        What it declares.
    """

    name: str
    title: str
    path: Path
    parameters: tuple[Parameter, ...]

    def parameter(self, name: str) -> Parameter:
        """Look up a parameter.

        Parameters
        ----------
        name : str

        Returns
        -------
        Parameter

        Raises
        ------
        ChapterError
            If the chapter does not declare it.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = [parameter.name for parameter in self.parameters]
        types = ", ".join(f"{parameter.name} {parameter.type}" for parameter in self.parameters)
        raise ChapterError(f"chapter {self.name!r}: {UnknownNameError('parameter', name, known)} (types: {types})")

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give the values in their declared types.

        Parameters
        ----------
        values : mapping of str to object

        Returns
        -------
        dict of str to object

        Raises
        ------
        ChapterError
            If a parameter is unknown, or a value has another type or is not among the allowed ones.
        """
        return {name: self.parameter(name).check(self.name, value) for name, value in values.items()}


def list_chapters(project: Path = Path()) -> list[str]:
    """Names of the chapters of a project, by name.

    Parameters
    ----------
    project : Path

    Returns
    -------
    list of str

    Raises
    ------
    ChapterError
        If the project has no chapters.
    """
    names = sorted(path.stem for path in (project / NOTEBOOKS).glob("*.md"))
    if not names:
        raise ChapterError(f"there are no chapters in {project / NOTEBOOKS}; call this in the project's folder")
    return names


def read_chapter(name: str, project: Path = Path()) -> Chapter:
    """Read a chapter's title and parameters.

    Parameters
    ----------
    name : str
        A name of `list_chapters`.
    project : Path

    Returns
    -------
    Chapter

    Raises
    ------
    UnknownNameError
        If there is no such chapter.
    ChapterError
        If its parameters cell is missing or is not made of declarations alone.
    """
    known = list_chapters(project)
    if name not in known:
        raise UnknownNameError("chapter", name, known)
    path = project / NOTEBOOKS / f"{name}.md"
    notebook = jupytext.read(path)
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ChapterError(f"chapter {name!r}: expected one cell tagged 'parameters' in {path}, found {len(cells)}")
    headings = [
        line[2:].strip()
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("# ")
    ]
    if not headings:
        raise ChapterError(f"chapter {name!r}: expected a first heading '# ...' in {path}, found none")
    return Chapter(name, headings[0], path, _declarations(name, cells[0].source))


def _declarations(chapter: str, source: str) -> tuple[Parameter, ...]:
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters = []
    for statement in ast.parse(source).body:
        parameter = _declaration(statement, comments)
        if parameter is None:
            raise ChapterError(
                f"chapter {chapter!r}: the parameters cell must hold only lines 'name: type = literal  # meaning' "
                f"with a type of {', '.join(TYPES)}; found {ast.unparse(statement)!r}"
            )
        if CHOICES.get(parameter.name) in (_models, _backends):
            # To look them up starts a backend, which reading a chapter should not; a test looks.
            parameter.check_type(chapter, parameter.default)
        else:
            parameter.check(chapter, parameter.default)
        parameters.append(parameter)
    return tuple(parameters)


def _declaration(statement: ast.stmt, comments: Mapping[int, str]) -> Parameter | None:
    """Read one statement of the parameters cell; None if it is anything but a declaration."""
    if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value):
        return None
    declared = ast.unparse(statement.annotation)
    try:
        default_value = ast.literal_eval(statement.value)
    except ValueError:
        return None
    help_text = comments.get(statement.end_lineno or statement.lineno, "")
    return Parameter(statement.target.id, declared, default_value, help_text) if declared in TYPES else None


class LocalKernelManager(AsyncKernelManager):
    """Starts kernels that talk over files of this user, not over ports that other users can reach."""

    @default("transport")
    def _transport(self) -> str:
        return "tcp" if sys.platform == "win32" else "ipc"

    @default("ip")
    def _ip(self) -> str:
        # With the transport "ipc" this begins the names of the sockets, which otherwise lie in the chapters' folder.
        if self.transport == "tcp":
            return localhost()
        runtime = Path(jupyter_runtime_dir())
        runtime.mkdir(parents=True, exist_ok=True)
        return str(runtime / f"chapter-{uuid.uuid4().hex[:12]}")


def execute_chapter(name: str, values: Mapping[str, Any], output: Path, project: Path = Path()) -> Path:
    """Execute a chapter and write the notebook with its results.

    Parameters
    ----------
    name : str
        The chapter.
    values : mapping
        Values of parameters; the others keep their defaults.
    output : Path
        Folder for the executed notebook, made if need be.
    project : Path
        Folder of the project.

    Returns
    -------
    Path
        ``output/NAME.ipynb``. It appears only when every cell has run; after a failure the notebook as far
        as it came is ``output/NAME.failed.ipynb``.

    Raises
    ------
    ChapterError
        If a parameter is wrong, or a cell fails.
    """
    chapter = read_chapter(name, project)
    changed = {key: value for key, value in chapter.check(values).items() if value != chapter.parameter(key).default}
    output.mkdir(parents=True, exist_ok=True)
    finished, failed = output / f"{name}.ipynb", output / f"{name}.failed.ipynb"
    source, result = output / f".{name}.source.ipynb", output / f".{name}.running.ipynb"
    for old in (finished, failed):
        old.unlink(missing_ok=True)
    try:
        notebook = jupytext.read(chapter.path)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, source)
        papermill.execute_notebook(
            source,
            result,
            parameters=changed,
            cwd=chapter.path.parent,
            kernel_name="python3",
            kernel_manager_class=LocalKernelManager,
            progress_bar=False,
        )
        _remove_paths(result)
    except PapermillExecutionError as error:
        result.replace(failed)
        if error.ename in _names_of_own_errors():  # the message says it all
            raise ChapterError(
                f"chapter {name!r}: {error.evalue}\nThe notebook as far as it came is {failed}"
            ) from error
        raise ChapterError(
            f"chapter {name!r}: a cell failed with {error.ename}: {error.evalue or _last_stderr(failed)}\n"
            f"{textwrap.indent(error.source, '    ')}\nThe notebook as far as it came is {failed}"
        ) from error
    except (PapermillException, DeadKernelError, NoSuchKernel) as error:
        raise ChapterError(f"chapter {name!r} could not be executed: {error}") from error
    else:
        result.replace(finished)
    finally:
        source.unlink(missing_ok=True)
        result.unlink(missing_ok=True)
    return finished


def _names_of_own_errors() -> set[str]:
    """Names of the errors that say what was expected, what came and what to do."""
    return {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, SpectraError)}


def _remove_paths(path: Path) -> None:
    """Take the paths of this machine out of an executed notebook."""
    notebook = nbformat.read(path, as_version=4)
    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    nbformat.write(notebook, path)


def _last_stderr(path: Path) -> str:
    """What the failing cell wrote to stderr: IPython reports some errors there alone."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.metadata.get("papermill", {}).get("exception"):
            return "".join(output.text for output in cell.outputs if output.get("name") == "stderr").strip()
    return ""


def figure_faults(notebook: nbformat.NotebookNode) -> list[str]:
    """Say what the figures of an executed chapter lack: a name, a caption, an alternative text.

    A figure is a picture that a cell shows, as an image or inside HTML.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    list of str
        One sentence for each figure with a fault.

    Examples
    --------
    >>> picture = nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg/>"})
    >>> cell = nbformat.v4.new_code_cell("draw()", outputs=[picture])
    >>> figure_faults(nbformat.v4.new_notebook(cells=[cell]))
    ["the figure of the cell that ends in 'draw()' has no name, no caption, no alternative text"]
    """
    faults = []
    for cell in notebook.cells:
        if "remove-cell" in cell.metadata.get("tags", ()):
            continue
        shown = [output.get("data", {}) for output in cell.get("outputs", ())]
        images = [data for data in shown if any(kind.startswith("image/") for kind in data)]
        tags = [tag for data in shown for tag in re.findall("<img[^>]*>", "".join(data.get("text/html", "")))]
        if not images and not tags:
            continue
        options = cell.metadata.get("mystnb", {})
        figure = options.get("figure", {})
        missing = [key for key in ("name", "caption") if not str(figure.get(key, "")).strip()]
        without = images and not str(options.get("image", {}).get("alt", "")).strip()
        if without or not all(re.search(r'\salt="[^"]+"', tag) for tag in tags):
            missing.append("alternative text")
        if missing:
            last = cell.source.strip().splitlines()[-1]
            faults.append(f"the figure of the cell that ends in {last!r} has {', '.join(f'no {m}' for m in missing)}")
    return faults
