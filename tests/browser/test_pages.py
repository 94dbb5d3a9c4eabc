"""Every page of the book as a reader meets it, on a desktop and on a phone, in light and in dark."""

import pytest

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module", params=["desktop", "phone"])
def size(request):
    return request.param


@pytest.fixture(scope="module")
def seen(path, visit, size):
    """A page with all its images loaded."""
    seen = visit(path, size)
    seen.page.evaluate("Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode(); }))")
    yield seen
    seen.page.close()


def test_the_browser_has_nothing_to_complain_of(seen):
    assert seen.complaints == []


def test_pages_are_complete_without_a_network(seen):
    assert seen.elsewhere == []


def test_pages_are_light(seen):
    """A page with its pictures and all that the theme adds to it."""
    loaded = seen.page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map(entry => [entry.name, entry.encodedBodySize])"
    )
    assert 5e3 < sum(size for _, size in loaded) < 3e6, sorted(loaded, key=lambda entry: -entry[1])[:5]


def test_formulas_are_drawn(seen):
    formulas = seen.page.evaluate(
        "[...document.querySelectorAll('math')].map(m => [m.getBoundingClientRect().width, m.textContent])"
    )
    assert all(width > 3 for width, _ in formulas)
    assert "\\(" not in seen.page.inner_text("article")


def test_images_are_there_and_described(seen):
    images = seen.page.evaluate(
        "[...document.images].map(i => [i.currentSrc.slice(0, 80), i.naturalWidth, (i.alt || '').trim()])"
    )
    assert [source for source, width, alt in images if not width or not alt] == []


def test_nothing_scrolls_sideways(seen):
    wide = seen.page.evaluate(
        """(() => {
            const width = document.documentElement.clientWidth;
            window.scrollTo(100, 0);
            const moved = window.scrollX;
            window.scrollTo(0, 0);
            if (!moved && document.documentElement.scrollWidth <= width) return [];
            const beyond = e => e.getBoundingClientRect().right > width + 1;
            const wide = [...document.querySelectorAll('body *')].filter(beyond);
            return wide.slice(0, 5).map(e => e.outerHTML.slice(0, 150));
        })()"""
    )
    assert wide == []


def violations(page, options=None):
    """Give what axe objects to: rule, why it matters, and where."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=options).response["violations"]
    return [
        (rule["id"], rule["impact"], rule["help"], [node["html"][:200] for node in rule["nodes"][:3]])
        for rule in found
        if rule["impact"] in SERIOUS
    ]


def test_axe_finds_nothing_serious(seen):
    assert violations(seen.page) == []


def test_dark_pages_are_legible(visit, path):
    seen = visit(path, scheme="dark")
    assert seen.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert seen.complaints == []
    assert violations(seen.page, {"runOnly": ["color-contrast", "link-in-text-block"]}) == []
    # Figures are drawn for paper: each is a light sheet, whatever surrounds it.
    sheets = seen.page.evaluate(
        "[...document.querySelectorAll('.cell_output img')].map(i => getComputedStyle(i).backgroundColor)"
    )
    assert set(sheets) <= {"rgb(255, 255, 255)"}
    seen.page.close()


def test_on_a_phone_text_is_large_enough(visit):
    seen = visit("notebooks/intro.html", "phone")
    assert seen.page.evaluate("parseFloat(getComputedStyle(document.querySelector('article p')).fontSize)") >= 15
    seen.page.close()
