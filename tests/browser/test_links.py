"""The pages as files: every link inside the book leads somewhere, and the markup is valid."""

import re
import zipfile
from collections import Counter
from functools import cache
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from spectra_lib.book.repository import find_repository

ADDRESSES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src", "iframe": "src"}


@cache
def parse(path):
    """Parse a page; give its elements and the errors."""
    import html5lib

    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(path.read_text(encoding="utf-8"))
    return list(tree.iter()), parser.errors


def anchors(path):
    return {element.get(name) for element in parse(path)[0] for name in ("id", "name")}


@pytest.fixture
def page(path, html):
    return html / path


def test_markup_is_valid(page):
    elements, errors = parse(page)
    assert [(place, code) for place, code, _ in errors] == []
    ids = Counter(element.get("id") for element in elements if element.get("id"))
    assert [name for name, count in ids.items() if count > 1] == []


def test_links_inside_the_book_lead_somewhere(page, html):
    dead = []
    for element in parse(page)[0]:
        address = element.get(ADDRESSES.get(element.tag, ""), "")
        if not address or urlsplit(address).scheme:
            continue
        where, anchor = urldefrag(address)
        target = (page.parent / unquote(urlsplit(where).path)).resolve() if where else page
        target = target / "index.html" if target.is_dir() else target
        inside = html.resolve() in target.resolve().parents
        there = inside and target.exists()
        if there and anchor and target.suffix == ".html":
            there = unquote(anchor) in anchors(target)
        if not there:
            dead.append(address)
    assert dead == []


def test_links_to_the_repository_are_there_only_if_it_is_known(page, project):
    repository = find_repository(project)
    text = page.read_text(encoding="utf-8")
    launched = set(re.findall(r"mybinder\.org/v2/gh/[^\"]*", text))
    if repository is None:
        assert not launched
        assert "initThebeSBT()" not in text
    elif page.parent.name == "notebooks":
        assert f"{repository.binder_url(f'notebooks/{page.stem}.md')}".partition("://")[2] in launched
        assert repository.url in text


def test_a_chapter_can_be_run_and_downloaded(page):
    if page.parent.name != "notebooks" or page.stem == "intro":
        pytest.skip("not a chapter with parameters")
    text = page.read_text(encoding="utf-8")
    assert re.search(r"\d+ min to read", text)
    assert "Run this chapter" in text
    assert re.search(rf'href="\.\./_downloads/\w+/{page.stem}\.ipynb"', text)
    (data,) = re.findall(rf'href="\.\./(_downloads/\w+/{page.stem}\.zip)"', text)
    with zipfile.ZipFile(page.parents[1] / data) as archive:
        assert archive.testzip() is None
        assert all(name.endswith(".csv") for name in archive.namelist())
    figures = set(re.findall(r'id="(fig-[\w-]+)"', text))
    tables = set(re.findall(r'<table[^>]* id="(tab-[\w-]+)"', text))
    listed = {name.removesuffix(".csv") for name in archive.namelist()}
    pictures_behind_sliders = {"fig-explorer", "fig-moved-peak"}
    assert figures - pictures_behind_sliders <= listed
    assert tables <= listed


def test_the_first_page_leads_to_the_start(html):
    start = html / "index.html"
    elements, errors = parse(start)
    assert errors == []
    (target,) = [element.get("href") for element in elements if element.tag == "a"]
    assert (html / target).exists()
