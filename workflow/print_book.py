"""Print the book, rendered as one page, into a PDF file with bookmarks. Needs the extra `browser` and Chromium.

python workflow/print_book.py OUTPUT
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from spectra_lib.book.rendering import render_single_page

PREPARE = """async () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
  // What leads to another file of this machine would be dead elsewhere.
  for (const link of document.querySelectorAll("a[href]"))
    if (link.protocol === "file:" && !link.getAttribute("href").startsWith("#")) link.removeAttribute("href");
  const images = [...document.images];
  for (const image of images) image.loading = "eager";
  await Promise.all(images.map((image) => image.decode()));
}"""
FOOTER = '<div style="font-size: 8px; width: 100%; text-align: center"><span class="pageNumber"></span></div>'
MARGINS = {"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"}


def print_page(page: Path, output: Path) -> None:
    """Let Chromium print a page; nothing is fetched from elsewhere."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        context = browser.new_context(color_scheme="light")
        context.route(lambda url: not url.startswith(("file:", "data:")), lambda route: route.abort())
        shown = context.new_page()
        shown.goto(page.resolve().as_uri(), wait_until="load")
        shown.evaluate(PREPARE)
        output.parent.mkdir(parents=True, exist_ok=True)
        shown.pdf(
            path=output, format="A4", scale=0.75, margin=MARGINS, outline=True, tagged=True,
            display_header_footer=True, header_template="<span></span>", footer_template=FOOTER,
        )  # fmt: skip
        browser.close()


def main() -> int:
    """Print the book; give the exit status."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    output = Path(sys.argv[1])
    print_page(render_single_page(), output)
    print(f"print_book: {output}, {output.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
