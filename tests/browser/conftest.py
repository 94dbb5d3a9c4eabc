"""The built book, served on this machine, and Chromium to read it with; `make test-browser` runs these tests.

They are all marked ``browser``, so that `make test` leaves them out, and says how many.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HTML = Path(os.environ.get("SPECTRA_BOOK", HERE.parents[1] / "_build" / "html"))
PAGES = sorted(str(path.relative_to(HTML)) for path in HTML.glob("*/*.html") if path.parent.name != "_static")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_generate_tests(metafunc):
    if "path" in metafunc.fixturenames:
        metafunc.parametrize("path", PAGES or ["no book"], scope="module")


@pytest.fixture(scope="session")
def html() -> Path:
    """Folder of the rendered book."""
    if not PAGES:
        pytest.fail(f"{HTML} holds no book; run make book, or name another folder in SPECTRA_BOOK")
    return HTML


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that says nothing."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def site(html) -> str:
    """Address of the book."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=html))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, or the one that Playwright installed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page in the browser, what the browser complained of, and what it asked other hosts for."""

    page: object
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def visit(chromium, site):
    """Open pages at a given size and colour scheme; what a page asks of other hosts gets an empty answer."""

    def inside(url):
        return url.startswith((site, "data:", "blob:"))

    @functools.cache
    def context(size, scheme):
        width, height = SIZES[size]
        made = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            has_touch=size == "phone",
            is_mobile=size == "phone",
            reduced_motion="reduce",
        )
        made.set_default_timeout(60_000)
        made.route(lambda url: not inside(url), lambda route: route.fulfill(body=""))
        return made

    def visit(path, size="desktop", scheme="light"):
        page = context(size, scheme).new_page()
        seen = Visit(page)
        page.on(
            "console", lambda said: seen.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda asked: seen.elsewhere.append(asked.url) if not inside(asked.url) else None)
        page.on("requestfailed", lambda asked: seen.complaints.append(f"{asked.url}: {asked.failure}"))
        page.goto(f"{site}/{path}", wait_until="load")
        return seen

    return visit
