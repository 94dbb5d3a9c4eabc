"""What a reader does with the book: search, leaf through it, move sliders, switch to dark."""

import pytest
import yaml


@pytest.fixture
def opened(visit):
    """Open a page that is closed in the end."""
    pages = []

    def open_page(*arguments):
        seen = visit(*arguments)
        pages.append(seen.page)
        return seen.page

    yield open_page
    for page in pages:
        page.close()


def test_search_finds_a_term_and_leads_to_it(opened):
    page = opened("notebooks/intro.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("fingerprint")
    page.keyboard.press("Enter")
    # Said once all pages are listed, which takes longer than the first of them.
    page.wait_for_function("document.querySelector('#search-results .search-summary')?.innerText.includes('found')")
    links = page.locator("#search-results ul.search li a")
    assert any("dataset" in link.get_attribute("href") for link in links.all())
    links.filter(has_text="The universal synthetic dataset").first.click()
    page.wait_for_selector("article h1")
    assert "fingerprint" in page.inner_text("article").lower()


def test_search_says_so_when_there_is_nothing(opened):
    page = opened("search.html?q=xyzzyplugh")
    page.wait_for_function("document.querySelector('#search-results').innerText.includes('did not match')")


def test_next_and_previous_lead_through_the_whole_book(opened, html):
    toc = yaml.safe_load((html.parent / "source" / "_toc.yml").read_text(encoding="utf-8"))
    files = [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]
    page = opened("index.html")
    page.wait_for_url("**/notebooks/intro.html")
    for direction, order in (("next", files), ("prev", files[::-1])):
        for here, there in zip(order, [*order[1:], None], strict=True):
            assert page.url.split("#")[0].endswith(f"/{here}.html")
            link = page.locator(f".prev-next-area a.{'right-next' if direction == 'next' else 'left-prev'}")
            assert bool(link.count()) == bool(there)
            if there:
                link.click()
                page.wait_for_url(f"**/{there}.html")


def pages_with(html, markup):
    found = sorted(path for path in html.rglob("*.html") if markup in path.read_text(encoding="utf-8"))
    return [str(path.relative_to(html)) for path in found]


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_sliders_change_the_picture_and_say_what_is_shown(opened, html, size):
    pages = pages_with(html, '<div class="frames"')
    assert pages
    for path in pages:
        page = opened(path, size)
        for box in page.locator("div.frames").all():
            slider, said, images = box.locator("input[type=range]"), box.locator("output"), box.locator("img")
            labels = box.get_attribute("data-labels").split("|")
            assert images.count() == len(labels) > 1
            slider.focus()
            for key, position in (("End", len(labels) - 1), ("ArrowLeft", len(labels) - 2), ("Home", 0)):
                page.keyboard.press(key)
                assert [image.is_visible() for image in images.all()] == [n == position for n in range(len(labels))]
                assert said.inner_text() == labels[position]


def test_dark_mode_can_be_chosen(opened):
    page = opened("notebooks/intro.html")
    for _ in range(3):
        if page.evaluate("document.documentElement.dataset.mode") == "dark":
            break
        page.locator("button.theme-switch-button:visible").first.click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_folded_parts_unfold(opened, html):
    pages = pages_with(html, "</details>")
    if not pages:
        pytest.skip("no page of this book has a folded part")
    for path in pages:
        folded = opened(path).locator("article details").first
        assert folded.get_attribute("open") is None
        folded.locator("summary").click()
        assert folded.get_attribute("open") is not None
