"""The book: executed chapters and prose pages assembled in one folder and rendered by Jupyter Book.

Sources are the top-level ``_config.yml`` and ``_toc.yml``, the prose and static files in ``book/``
and the chapters in ``notebooks/``; ``book/chapters.yml`` lists which chapters run with which
parameters. Everything generated goes to one folder that can be deleted at any time.

If it is known where the source is published (:mod:`spectra_lib.book.repository`), pages get launch buttons
for Binder and live code, links to the source and badges; otherwise they have none.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sysconfig
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml

from spectra_lib._base.errors import SpectraError
from spectra_lib.book.chapters import NOTEBOOKS, Chapter, ChapterError, execute_chapter, figure_faults, read_chapter
from spectra_lib.book.repository import BINDER, BRANCH, Repository, find_repository
from spectra_lib.figures.light_svg import lighten

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

DOWNLOADS = "downloads"
"""Folder for what the pages offer for download, among the sources of the pages."""

READING = "*{sub-ref}`wordcount-minutes` min to read*"
"""Line below the title of a chapter; MyST counts the words."""

RUN = """:::{{admonition}} Run this chapter
:class: run-chapter

```bash
{commands}
```

Any of the parameters above can be set ({{ref}}`how <rerun>`). Download {links}.
:::"""
"""Box below the parameters of a chapter."""

HIDING = ("remove-cell", "remove-input")
"""Tags of cells that a page does not show, or not the code of."""


class BookError(SpectraError):
    """A book that cannot be assembled or rendered."""


def book_chapters(project: Path = Path()) -> dict[str, dict[str, Any]]:
    """Give the chapters of the book in order, with the parameters that the book sets, all checked.

    Parameters
    ----------
    project : Path
        Folder of the project.

    Returns
    -------
    dict of str to dict of str to object
        Values of the parameters, by chapter and parameter.

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

    Parameters
    ----------
    project : Path
        Folder of the project.

    Returns
    -------
    Path
        First page, ``index.html``.

    Raises
    ------
    BookError
        If a chapter has not been executed, or the book renders with a warning.
    """
    source = assemble(project)
    html = _run_jupyter_book(project, source, "html")
    start = html / "index.html"
    known = find_repository(project) is not None
    for page in html.rglob("*.html"):
        page.write_text(_mend_page(page.read_text(encoding="utf-8"), page.stem, known), encoding="utf-8")
    config, root = (yaml.safe_load((source / name).read_text(encoding="utf-8")) for name in ("_config.yml", "_toc.yml"))
    # Jupyter Book's own has neither title nor language.
    start.write_text(INDEX.format(title=config["title"], page=f"{root['root']}.html"), encoding="utf-8")
    return start


def render_single_page(project: Path = Path()) -> Path:
    """Render the book as one long page, to be printed, from chapters that have been executed before.

    Parameters
    ----------
    project : Path
        Folder of the project.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    BookError
        If a chapter has not been executed, or the book renders with a warning.
    """
    source = assemble(project)
    html = _run_jupyter_book(project, source, "singlehtml")
    root = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))["root"]
    # Sphinx takes the page for one in the top folder: its links to pictures and style sheets lead there.
    return (html / f"{root}.html").replace(html / "book.html")


def _run_jupyter_book(project: Path, source: Path, builder: str) -> Path:
    """Let Jupyter Book render a folder, and give the folder of the pages."""
    # The command that was installed with this Python, whatever PATH says.
    command = Path(sysconfig.get_path("scripts")) / "jupyter-book"
    html = project / BUILD / builder
    shutil.rmtree(html, ignore_errors=True)
    arguments: Mapping[str, Path | str] = {
        "--builder": builder,
        "--path-output": project,
        "--config": source / "_config.yml",
    }
    options = [str(part) for pair in arguments.items() for part in pair]
    done = subprocess.run(
        [command, "build", "-W", "-n", "--keep-going", "--all", "-q", *options, str(source)], check=False
    )
    if done.returncode or not (html / "index.html").exists():
        raise BookError("the book was not rendered without warnings (see above); mend the pages that they name")
    return html


def _mend_page(text: str, name: str, known: bool) -> str:
    """Mend what the theme gets wrong in a page.

    Launch buttons take the executed chapters for the sources that the repository holds; a script that declares
    constants comes twice, which the browser reports as an error, and is of no use in a book without live code; what
    is called a list has children that are no list items, which confuses screen readers; a computed percentage
    may be parted from its sign at the end of a line; and a script of 1.5 MB draws icons that the style sheet has too.
    """
    live = r"<script>const THEBE_JS_URL[^<]*</script>"
    text = re.sub(rf"({live})(.*?)\1", r"\1\2", text, flags=re.DOTALL) if known else re.sub(live, "", text)
    text = re.sub(r'<script defer src="[^"]*/fontawesome\.js[^"]*"></script>', "", text)
    path = f"urlpath=lab/tree/{NOTEBOOKS}/{name}"
    text = text.replace(f"{path}.ipynb", f"{path}.md")
    text = re.sub(r'(<span class="pasted-text">[^<]*?\d) (?=%)', "\\1\N{NO-BREAK SPACE}", text)
    return text.replace('<div role="list" class="citation-list">', '<div class="citation-list">')


def assemble(project: Path = Path()) -> Path:
    """Put configuration, prose pages and executed chapters into one folder for Jupyter Book.

    Pages keep the paths that they have in the project.

    Parameters
    ----------
    project : Path
        Folder of the project.

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
        notebook = nbformat.read(executed, as_version=4)
        faults = figure_faults(notebook)
        if faults:
            raise BookError(f"chapter {name!r}: {'; '.join(faults)}; give it under 'mystnb' at the head of the cell")
        page = f"{NOTEBOOKS}/{name}"
        values = _take_values(notebook)
        if page != start:
            _offer_downloads(notebook, values, read_chapter(name, project), source / DOWNLOADS)
        if repository:
            _make_live(notebook)
            if page == start:
                _link_start_page(notebook, repository, f"{start}.md")
        nbformat.write(notebook, source / NOTEBOOKS / executed.name)
    return source


def _offer_downloads(
    notebook: nbformat.NotebookNode, values: Mapping[str, str], chapter: Chapter, folder: Path
) -> None:
    """Say below a chapter's title how long it takes to read, and below its parameters how to run it.

    There are also links to the executed notebook and to the numbers of its figures and tables, which are put into a
    folder beside the pages.
    """
    folder.mkdir(exist_ok=True)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            title, _, rest = cell.source.partition("\n")
            cell.source = f"{title}\n\n{READING}\n{rest}"
            break
    with zipfile.ZipFile(folder / f"{chapter.name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in values.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.csv"), text, zipfile.ZIP_DEFLATED)
    nbformat.write(notebook, folder / f"{chapter.name}.ipynb")
    links = [f"{{download}}`this page as a notebook </{DOWNLOADS}/{chapter.name}.ipynb>`"]
    if values:
        links.append(f"{{download}}`the numbers of its figures and tables </{DOWNLOADS}/{chapter.name}.zip>` (CSV)")
    commands = [f"make chapter NAME={chapter.name}"]
    if any(parameter.name == "profile" for parameter in chapter.parameters):
        commands.append(f"{commands[0]} PARAMS='-p profile laptop'")
    box = RUN.format(commands="\n".join(commands), links=" and ".join(links))
    (place,) = (n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    notebook.cells.insert(place + 1, nbformat.v4.new_markdown_cell(box))


def _take_values(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Take the numbers of figures and tables out of a chapter, and what nobody sees out of its pictures.

    Jupyter Book does not know what to do with CSV.
    """
    values = shown_values(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            data.pop("text/csv", None)
            if "image/svg+xml" in data:
                data["image/svg+xml"] = lighten(data["image/svg+xml"])
    return values


def shown_values(notebook: nbformat.NotebookNode) -> dict[str, str]:
    r"""Give the numbers of an executed chapter's figures and tables as CSV, by the names of figures and tables.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The executed chapter.

    Returns
    -------
    dict of str to str
        CSV by name.

    Examples
    --------
    >>> table = ":::{table} Errors.\n:name: tab-errors\n\n| Network | Errors |\n|:--|--:|\n| CNN2 | 38 |\n:::"
    >>> shown = nbformat.v4.new_output("execute_result", {"text/markdown": table})
    >>> cell = nbformat.v4.new_code_cell(outputs=[shown])
    >>> shown_values(nbformat.v4.new_notebook(cells=[cell]))
    {'tab-errors': 'Network,Errors\nCNN2,38\n'}
    """
    values = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
            if "text/csv" in data and name:
                values[name] = data["text/csv"]
            table = re.search(r":::\{table\}.*?\n:name: (\S+)\n(.*?)\n:::", data.get("text/markdown", ""), re.DOTALL)
            if table:
                rows = [row for row in table[2].splitlines() if row.startswith("|") and not row.startswith("|:")]
                written = io.StringIO()
                writer = csv.writer(written, lineterminator="\n")
                writer.writerows([c.strip() for c in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows)
                values[table[1]] = written.getvalue()
    return values


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
