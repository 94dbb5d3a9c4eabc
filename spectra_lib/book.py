"""The book: executed chapters and prose pages assembled in one folder and rendered by Jupyter Book.

Sources are the top-level ``_config.yml`` and ``_toc.yml``, the prose and static files in ``book/``
and the chapters in ``notebooks/``; ``book/chapters.yml`` lists which chapters run with which
parameters. Everything generated goes to one folder that can be deleted at any time.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from spectra_lib.chapters import NOTEBOOKS, ChapterError, execute_chapter, read_chapter
from spectra_lib.errors import SpectraError

PAGES = "book"
"""Folder of prose pages and static files, in the project."""

BUILD = "_build"
"""Folder for everything generated, in the project."""


class BookError(SpectraError):
    """A book that cannot be assembled or rendered."""


def book_chapters(project: Path = Path()) -> dict[str, dict[str, Any]]:
    """Give the chapters of the book in order, with the parameters that the book sets, all checked.

    Raises
    ------
    BookError
        If ``book/chapters.yml`` is missing or is not a mapping of chapters to parameters.
    ChapterError
        If a chapter or a parameter does not exist, or a value is wrong.
    """
    path = project / PAGES / "chapters.yml"
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BookError(f"{path} is missing; call this in the project's folder") from None
    except yaml.YAMLError as error:
        raise BookError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(listed, dict) or not all(isinstance(values, dict | type(None)) for values in listed.values()):
        raise BookError(f"{path}: expected a line 'chapter: {{parameter: value, ...}}' for each chapter")
    return {name: read_chapter(name, project).check(values or {}) for name, values in listed.items()}


def build_book(project: Path = Path(), report: Callable[[str], None] = print) -> Path:
    """Execute the chapters of the book and render it.

    Parameters
    ----------
    project : Path
        Folder of the project.
    report : callable
        Called with a line of text before each step.

    Returns
    -------
    Path
        The start page.

    Raises
    ------
    ChapterError
        If a parameter is wrong or chapters fail; all chapters are tried, and all failures named.
    BookError
        If the book cannot be assembled, or renders with a warning.
    """
    executed = project / BUILD / "executed"
    failures = []
    for name, values in book_chapters(project).items():
        report(f"executing chapter {name}")
        try:
            execute_chapter(name, values, executed, project)
        except ChapterError as error:
            failures.append(str(error))
    if failures:
        raise ChapterError("\n\n".join(failures))
    report("rendering the book")
    return render_book(project)


def render_book(project: Path = Path()) -> Path:
    """Render the book from chapters that have been executed before.

    Raises
    ------
    BookError
        If a chapter has not been executed, or the book renders with a warning.
    """
    source = assemble(project)
    # The command that was installed with this Python, whatever PATH says.
    command = Path(sysconfig.get_path("scripts")) / "jupyter-book"
    output = project / BUILD
    shutil.rmtree(output / "html", ignore_errors=True)
    arguments: Mapping[str, Path] = {"--path-output": project, "--config": source / "_config.yml"}
    options = [str(part) for pair in arguments.items() for part in pair]
    done = subprocess.run(
        [command, "build", "-W", "-n", "--keep-going", "--all", "-q", *options, str(source)], check=False
    )
    start = output / "html" / "index.html"
    if done.returncode or not start.exists():
        raise BookError("the book was not rendered without warnings (see above); mend the pages that they name")
    return start


def assemble(project: Path = Path()) -> Path:
    """Put configuration, prose pages and executed chapters into one folder for Jupyter Book.

    Pages keep the paths that they have in the project.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    BookError
        If a chapter has not been executed.
    """
    source = project / BUILD / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(project / PAGES, source / PAGES, ignore=shutil.ignore_patterns("static", "chapters.yml"))
    # Jupyter Book takes up style sheets and scripts from a folder of this name.
    shutil.copytree(project / PAGES / "static", source / "_static")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(project / name, source)
    (source / NOTEBOOKS).mkdir()
    for name in book_chapters(project):
        executed = project / BUILD / "executed" / f"{name}.ipynb"
        if not executed.exists():
            raise BookError(
                f"chapter {name!r} has not been executed ({executed} is missing); run 'spectra-lib book build'"
            )
        shutil.copy(executed, source / NOTEBOOKS)
    return source
