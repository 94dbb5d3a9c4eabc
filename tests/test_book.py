"""The book: what is assembled, and that neither a missing chapter nor a warning gets through."""

import re
import shutil
import zipfile
from pathlib import Path

import nbformat
import pytest

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.book.chapters import ChapterError, figure_faults
from spectra_lib.book.rendering import BookError, assemble, book_chapters, build_book, render_book, render_single_page

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


def make_project(folder):
    """Make a book of one chapter and one page, with this project's configuration and style."""
    shutil.copy(PROJECT / "_config.yml", folder)
    shutil.copytree(PROJECT / "book" / "static", folder / "book" / "static")
    shutil.copy(PROJECT / "book" / "references.bib", folder / "book")
    (folder / "_toc.yml").write_text(TOC)
    (folder / "book" / "chapters.yml").write_text("trial:\n  label: 8\n")
    (folder / "book" / "page.md").write_text("# A page\n\nBack to {doc}`../notebooks/trial`.\n")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "trial.md").write_text(CHAPTER)
    return folder


@pytest.fixture
def project(tmp_path):
    """Such a book, nothing of which has been executed."""
    return make_project(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Such a book, built outside of any repository, what it said, and its start page; not to be changed."""
    folder = make_project(tmp_path_factory.mktemp("built"))
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITHUB_REPOSITORY", raising=False)
        patch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
        start = build_book(folder, said.append)
    return folder, said, start


@pytest.fixture
def executed(built, tmp_path):
    """A copy of that book, to be changed and rendered again."""
    return shutil.copytree(built[0], tmp_path / "book")


def test_builds_with_the_books_parameters(built):
    project, said, start = built
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


@pytest.mark.parametrize("fault", ["See {numref}`fig-that-is-not`.", "A formula $\\nosuchcommand$."])
def test_a_warning_or_an_unknown_command_in_a_formula_fails_the_book(fault, executed):
    (executed / "book" / "page.md").write_text(f"# A page\n\n{fault}\n")
    with pytest.raises(BookError, match="was not rendered without warnings"):
        render_book(executed)


def test_a_chapter_that_was_not_executed_is_named(project):
    with pytest.raises(BookError, match="chapter 'trial' has not been executed"):
        assemble(project)


PICTURE = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}
SLIDER = {"text/html": '<div class="frames"><img src="data:," alt="one"><img src="data:," alt="two" hidden></div>'}
OPTIONS = {"figure": {"name": "fig-a", "caption": "A figure."}, "image": {"alt": "A line."}}


def shown(data, options):
    """An executed notebook whose one cell shows something."""
    output = nbformat.v4.new_output("display_data", data)
    cell = nbformat.v4.new_code_cell("x = 1\ndraw(x)", metadata={"mystnb": options}, outputs=[output])
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A chapter"), cell])


@pytest.mark.parametrize(
    ("data", "options", "missing"),
    [
        (PICTURE, OPTIONS, ""),
        (SLIDER, {"figure": OPTIONS["figure"]}, ""),
        ({"text/plain": "3"}, {}, ""),
        (PICTURE, OPTIONS | {"figure": {"name": "fig-a"}}, "no caption"),
        (PICTURE, OPTIONS | {"figure": {"name": "fig-a", "caption": " "}}, "no caption"),
        (PICTURE, OPTIONS | {"figure": {"caption": "A figure."}}, "no name"),
        (PICTURE, {"figure": OPTIONS["figure"]}, "no alternative text"),
        (PICTURE, {}, "no name, no caption, no alternative text"),
        ({"text/html": SLIDER["text/html"].replace(' alt="two"', "")}, OPTIONS, "no alternative text"),
    ],
)
def test_a_figure_has_name_caption_and_alternative_text(data, options, missing):
    faults = figure_faults(shown(data, options))
    assert faults == ([f"the figure of the cell that ends in 'draw(x)' has {missing}"] if missing else [])


def test_a_chapter_with_a_bare_figure_does_not_get_into_the_book(project):
    executed = project / "_build" / "executed"
    executed.mkdir(parents=True)
    nbformat.write(shown(PICTURE, {}), executed / "trial.ipynb")
    with pytest.raises(
        BookError, match=r"chapter 'trial': the figure of the cell that ends in 'draw\(x\)' has no name"
    ):
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


def prose():
    """The text of each chapter and page."""
    pages = [*(PROJECT / "notebooks").glob("*.md"), *(PROJECT / "book").glob("*.md")]
    return {page.name: page.read_text(encoding="utf-8") for page in pages}


def test_every_reference_is_cited_and_can_be_found():
    entries = re.split(r"\n(?=@)", (PROJECT / "book" / "references.bib").read_text(encoding="utf-8").strip())
    keys = [re.match(r"@\w+\{(\w+),", entry)[1] for entry in entries]
    assert len(set(keys)) == len(keys)
    for key, entry in zip(keys, entries, strict=True):
        assert re.search(r"^\s*(doi|isbn)\s*=\s*\{\S+\}", entry, re.MULTILINE), key
    text = "\n".join(prose().values())
    cited = {key.strip() for group in re.findall(r"\{cite:\w+\}`([^`]+)`", text) for key in group.split(",")}
    assert cited == set(keys)


def test_terms_are_in_the_glossary():
    pages = prose()
    defined = set(re.findall(r"^(\S[^\n]*)\n  \S", pages["glossary.md"], re.MULTILINE))
    for page, text in pages.items():
        for term in re.findall(r"\{term\}`([^`]+)`", text):
            name = re.sub(r"^.*<(.*)>$", r"\1", " ".join(term.split()))
            assert name in defined, (page, term)


def test_launch_buttons_and_badges_come_with_a_known_repository(executed, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/spectra")
    render_book(executed)
    page = (executed / "_build" / "html" / "notebooks" / "trial.html").read_text(encoding="utf-8")
    assert "https://mybinder.org/v2/gh/someone/spectra/main?urlpath=lab/tree/notebooks/trial.md" in page
    assert "trial.ipynb?" not in page
    assert "initThebeSBT()" in page
    assert 'href="https://github.com/someone/spectra/actions"' in page  # the start page has badges
    assert page.count("const THEBE_JS_URL") == 1


def test_without_a_repository_nothing_points_to_one(built):
    pages = [*(built[0] / "_build" / "html").rglob("*.html")]
    assert len(pages) >= 3
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert not [place for place in ("mybinder.org/v2", "github.com/someone", "initThebeSBT()") if place in text]


def test_the_start_page_has_the_card_that_a_known_repository_links():
    text = (PROJECT / "notebooks" / "intro.md").read_text(encoding="utf-8")
    assert ":link: binder\n:link-type: ref\n" in text


def test_a_chapter_offers_itself_and_its_numbers(project):
    """The second chapter has a table and a figure; the start page has no box."""
    code = """from spectra_lib.figures import style, tables
import pandas as pd

style.use_in_notebook()
tables.Table("tab-a", "A table.", pd.DataFrame({"Network": ["CNN2"], "Errors": [38]}))
```

```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-a
    caption: A figure.
  image:
    alt: A line.
---
figure, (axes,) = style.new_figure(2.0)
axes.plot([1, 2], [3.0, 4.5])
axes.set_xlabel("Position (points)");"""
    other = CHAPTER.replace('glue("twice", str(2 * label), display=False)', code).replace("Twice the", "The")
    other = other.replace("{glue:text}`twice`", "$\\sigma_1$").replace("from myst_nb import glue\n", "")
    (project / "notebooks" / "other.md").write_text(other)
    (project / "book" / "chapters.yml").write_text("trial: {}\nother: {}\n")
    (project / "_toc.yml").write_text(TOC + "  - file: notebooks/other\n")
    (project / "book" / "page.md").write_text("# A page\n\n(rerun)=\n## Rerun\n\nSo.\n")
    html = build_book(project, lambda line: None).parent
    page = (html / "notebooks" / "other.html").read_text(encoding="utf-8")
    assert re.search(r"\d+ min to read", page)
    assert "<msub>" in page and "tex-mml" not in page  # no program that draws formulas
    assert "make chapter NAME=other\n" in re.sub(r"<[^>]*>", "", page)
    assert "Run this chapter" not in (html / "notebooks" / "trial.html").read_text(encoding="utf-8")
    (archive,) = re.findall(r'href="\.\./(_downloads/\w+/other\.zip)"', page)
    with zipfile.ZipFile(html / archive) as numbers:
        assert numbers.read("tab-a.csv").decode() == "Network,Errors\nCNN2,38\n"
        drawn = numbers.read("fig-a.csv").decode()
        assert sorted(numbers.namelist()) == ["fig-a.csv", "tab-a.csv"]
    assert drawn.startswith("# panel 1: x Position (points); y unnamed\n") and "1,1,line,,2,4.5,\n" in drawn
    (notebook,) = re.findall(r'href="\.\./(_downloads/\w+/other\.ipynb)"', page)
    cells = nbformat.read(html / notebook, as_version=4).cells
    assert not any("text/csv" in output.get("data", {}) for cell in cells for output in cell.get("outputs", ()))


def test_the_single_page_has_everything(executed):
    page = render_single_page(executed)
    text = page.read_text(encoding="utf-8")
    assert page == executed / "_build" / "singlehtml" / "book.html"
    assert 'Twice the label is <span class="pasted-text">16</span>' in text and "A page" in text
    styles = re.findall(r'<link[^>]*href="([^"?:#]+\.css)', text)
    assert styles and all((page.parent / style).exists() for style in styles)
