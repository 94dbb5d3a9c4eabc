"""Claims in chapters: each link leads to an anchor that the chapter on claims has."""

import re
from pathlib import Path

from spectra_lib.claims import GROUPS, evaluate_claims, list_claims
from spectra_lib.figures.claims import ClaimsList, claims_here

PROJECT = Path(__file__).parents[1]


def test_links_lead_to_the_list():
    shown = claims_here([29, 30], store="no-such-folder")
    listed = ClaimsList(shown.findings)
    assert shown.name == "tab-claims-29-30"
    for kind, link, target in (
        ("text/markdown", r"\{ref\}`\d+ <([\w-]+)>`", r"^\(([\w-]+)\)=$"),
        ("text/html", r'href="claims\.md#([\w-]+)"', r'id="([\w-]+)"'),
    ):
        links = re.findall(link, shown._repr_mimebundle_()[kind])
        assert links == re.findall(target, listed._repr_mimebundle_()[kind], re.MULTILINE) == ["claim-29", "claim-30"]


def test_the_list_says_verdict_reason_and_rule():
    (finding,) = evaluate_claims("no-such-folder", [29])
    text = ClaimsList((finding,)).markdown()
    assert text.startswith(
        f":::{{dropdown}} **29** {finding.claim.wording} *undecided*\n:class-container: claim claim-un"
    )
    for part in (finding.verdict.sentence, finding.claim.rule, finding.claim.section, finding.verdict.n_text):
        assert part in text


def test_the_chapter_on_claims_lists_every_claim():
    source = (PROJECT / "notebooks" / "claims.md").read_text(encoding="utf-8")
    listed = re.findall(r'^shown\("(\w+)"\)$', source, re.MULTILINE)
    assert {claim.group for claim in list_claims()} == set(GROUPS) == set(listed)


def test_claims_that_chapters_show_exist():
    for page in (PROJECT / "notebooks").glob("*.md"):
        for numbers in re.findall(r"claims_here\(\[([\d, ]+)\]", page.read_text(encoding="utf-8")):
            list_claims([int(number) for number in numbers.split(",")])
