"""The book: executed chapters and prose pages assembled in one folder and rendered by Jupyter Book.

Sources are the top-level ``_config.yml`` and ``_toc.yml``, the prose and static files in ``book/``
and the chapters in ``notebooks/``; ``book/chapters.yml`` lists which chapters run with which
parameters. Everything generated goes to one folder that can be deleted at any time.

If it is known where the source is published (:mod:`spectra_lib.repository`), pages get launch buttons
for Binder and live code, links to the source and badges; otherwise they have none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml

from spectra_lib.chapters import NOTEBOOKS, ChapterError, execute_chapter, figure_faults, read_chapter
from spectra_lib.errors import SpectraError
from spectra_lib.repository import BINDER, BRANCH, Repository, find_repository

PAGES = "book"
"""Folder of prose pages and static files, in the project."""

BUILD = "_build"
"""Folder for everything generated, in the project."""

INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta http-equiv="refresh" content="0; url={page}">
</head>
<body><p><a href="{page}">{title}</a></p></body>
</html>
"""
"""The page that leads to the start page."""

HIDING = ("remove-cell", "remove-input")
"""Tags of cells that a page does not show, or not the code of."""


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
    _mend_pages(output / "html")
    config, root = (yaml.safe_load((source / name).read_text(encoding="utf-8")) for name in ("_config.yml", "_toc.yml"))
    # Jupyter Book's own has neither title nor language.
    start.write_text(INDEX.format(title=config["title"], page=f"{root['root']}.html"), encoding="utf-8")
    return start


def _mend_pages(html: Path) -> None:
    """Mend what the theme gets wrong in pages.

    Launch buttons take the executed chapters for the sources that the repository holds; a script that declares
    constants comes twice, which the browser reports as an error; and what is called a list has children that are
    no list items, which confuses screen readers.
    """
    twice = re.compile(r"(<script>const THEBE_JS_URL[^<]*</script>)(.*?)\1", re.DOTALL)
    for page in html.rglob("*.html"):
        path = f"urlpath=lab/tree/{NOTEBOOKS}/{page.stem}"
        text = page.read_text(encoding="utf-8")
        text = twice.sub(r"\1\2", text).replace(f"{path}.ipynb", f"{path}.md")
        page.write_text(text.replace('<div role="list" class="citation-list">', '<div class="citation-list">'), "utf-8")


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
    shutil.copy(project / "_toc.yml", source)
    repository = find_repository(project)
    config = yaml.safe_load((project / "_config.yml").read_text(encoding="utf-8"))
    if repository:
        config |= {
            "repository": {"url": repository.url, "branch": BRANCH},
            "launch_buttons": {"binderhub_url": BINDER, "notebook_interface": "jupyterlab", "thebe": True},
        }
        config["html"] |= {"use_repository_button": True}
    (source / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    start = yaml.safe_load((project / "_toc.yml").read_text(encoding="utf-8"))["root"]
    (source / NOTEBOOKS).mkdir()
    for name in book_chapters(project):
        executed = project / BUILD / "executed" / f"{name}.ipynb"
        if not executed.exists():
            raise BookError(
                f"chapter {name!r} has not been executed ({executed} is missing); run 'spectra-lib book build'"
            )
        faults = figure_faults(nbformat.read(executed, as_version=4))
        if faults:
            raise BookError(f"chapter {name!r}: {'; '.join(faults)}; give it under 'mystnb' at the head of the cell")
        if not repository:
            shutil.copy(executed, source / NOTEBOOKS)
            continue
        notebook = nbformat.read(executed, as_version=4)
        _make_live(notebook)
        if f"{NOTEBOOKS}/{name}" == start:
            _link_start_page(notebook, repository, f"{start}.md")
        nbformat.write(notebook, source / NOTEBOOKS / executed.name)
    return source


def _make_live(notebook: nbformat.NotebookNode) -> None:
    """Let Thebe execute all cells of a page, in order, when a reader asks for live code.

    Cells and inputs that the page does not show must be there nonetheless; the style sheet hides them.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            cell.metadata["tags"] = ["thebe-init", *(f"thebe-{tag}" if tag in HIDING else tag for tag in tags)]


def _link_start_page(notebook: nbformat.NotebookNode, repository: Repository, path: str) -> None:
    """Give the start page badges, and let its card for Binder start Binder."""
    launch = repository.binder_url(path)
    badges = " ".join(
        f"{{bdg-link-primary-line}}`{text} <{url}>`"
        for text, url in {
            "Launch on Binder": launch,
            "Source": repository.url,
            "Tests": f"{repository.url}/actions",
            "Questions": f"{repository.url}/issues",
        }.items()
    )
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace(":link: binder\n:link-type: ref\n", f":link: {launch}\n")
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(badges))
