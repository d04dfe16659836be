"""The pages of the guide hang together: every link leads somewhere, every page is listed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\((?!https?://)([^)\s#]*)(#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```", re.S | re.M)


def links(page):
    """Paths and anchors that a page links to, outside of code."""
    return LINK.findall(FENCE.sub("", page.read_text()))


def anchors(page):
    """What a forge calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.M)
    words = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return {re.sub(r"\s", "-", heading) for heading in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor[1:] in anchors(target), path + anchor


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.stem)
def test_page_is_listed(page):
    lists = [ROOT / "docs" / f"{name}.md" for name in ("index", "guide", "project")]
    listed = {path for contents in lists for path, _ in links(contents)}
    assert page.name in listed | {"index.md"}
