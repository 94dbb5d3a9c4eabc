"""The book: what is assembled, and that neither a missing chapter nor a warning gets through."""

import shutil
from pathlib import Path

import pytest

from spectra_lib.book import BookError, assemble, book_chapters, build_book, render_book
from spectra_lib.chapters import ChapterError
from spectra_lib.errors import UnknownNameError

PROJECT = Path(__file__).parents[1]

CHAPTER = """---
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

```{code-cell} ipython3
:tags: [parameters]

label: int = 3
```

Twice the label is {glue:text}`twice`.

```{code-cell} ipython3
from myst_nb import glue

glue("twice", str(2 * label), display=False)
```
"""

TOC = """format: jb-book
root: notebooks/trial
chapters:
  - file: book/page
"""


@pytest.fixture
def project(tmp_path):
    """A book of one chapter and one page, with this project's configuration and style."""
    shutil.copy(PROJECT / "_config.yml", tmp_path)
    shutil.copytree(PROJECT / "book" / "static", tmp_path / "book" / "static")
    shutil.copy(PROJECT / "book" / "references.bib", tmp_path / "book")
    (tmp_path / "_toc.yml").write_text(TOC)
    (tmp_path / "book" / "chapters.yml").write_text("trial:\n  label: 8\n")
    (tmp_path / "book" / "page.md").write_text("# A page\n\nBack to {doc}`../notebooks/trial`.\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "trial.md").write_text(CHAPTER)
    return tmp_path


def test_builds_with_the_books_parameters(project):
    said = []
    start = build_book(project, said.append)
    assert start == project / "_build" / "html" / "index.html"
    assert said == ["executing chapter trial", "rendering the book"]
    page = (project / "_build" / "html" / "notebooks" / "trial.html").read_text(encoding="utf-8")
    assert 'Twice the label is <span class="pasted-text">16</span>' in page
    assert (project / "_build" / "html" / "_static" / "book.css").exists()


def test_a_failing_chapter_fails_the_book_and_is_named(project):
    last_line = 'glue("twice", str(2 * label), display=False)'
    for name, code in (("trial", "raise ValueError('no such luck')"), ("other", "1 / 0")):
        (project / "notebooks" / f"{name}.md").write_text(CHAPTER.replace(last_line, code))
    (project / "book" / "chapters.yml").write_text("trial: {}\nother: {}\n")
    with pytest.raises(ChapterError) as caught:
        build_book(project, lambda line: None)
    assert "chapter 'trial': a cell failed with ValueError: no such luck" in str(caught.value)
    assert "chapter 'other': a cell failed with ZeroDivisionError" in str(caught.value)
    assert not (project / "_build" / "html").exists()


def test_a_warning_fails_the_book(project):
    executed = build_book(project, lambda line: None)
    (project / "book" / "page.md").write_text("# A page\n\nSee {numref}`fig-that-is-not`.\n")
    with pytest.raises(BookError, match="was not rendered without warnings"):
        render_book(project)
    assert executed.name == "index.html"


def test_a_chapter_that_was_not_executed_is_named(project):
    with pytest.raises(BookError, match="chapter 'trial' has not been executed"):
        assemble(project)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("trial: {lable: 1}", ChapterError, "chapter 'trial': unknown parameter 'lable'"),
        ("trial: {label: one}", ChapterError, "parameter 'label' must be of type int, received 'one'"),
        ("trail: {}", UnknownNameError, "unknown chapter 'trail'"),
        ("- trial", BookError, "expected a line"),
        ("trial: [", BookError, "is not valid YAML"),
    ],
)
def test_a_wrong_list_of_chapters_is_refused(project, text, error, message):
    (project / "book" / "chapters.yml").write_text(text)
    with pytest.raises(error, match=message):
        book_chapters(project)


def test_a_folder_that_is_no_project(tmp_path):
    with pytest.raises(BookError, match="chapters.yml is missing; call this in the project's folder"):
        book_chapters(tmp_path)


def test_every_page_is_in_the_table_of_contents():
    import yaml

    toc = yaml.safe_load((PROJECT / "_toc.yml").read_text(encoding="utf-8"))
    listed = {toc["root"]} | {entry["file"] for part in toc["parts"] for entry in part["chapters"]}
    pages = {f"book/{path.stem}" for path in (PROJECT / "book").glob("*.md")}
    assert listed == pages | {f"notebooks/{name}" for name in book_chapters(PROJECT)}
