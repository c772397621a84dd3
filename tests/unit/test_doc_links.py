"""Every link in the documentation leads to an existing file and heading."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

PROGRAMS = [path for name in ("music_streams", "plugins", "dags") for path in sorted((ROOT / name).rglob("*.py"))]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub and others generate for a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_section_that_an_alert_names_exists():
    named = {link for path in PROGRAMS for link in re.findall(r"\b(docs/[\w/-]+\.md)#([\w-]+)", path.read_text())}
    assert ("docs/runbooks.md", "runs-fail") in named
    assert [link for link in named if link[1] not in anchors(ROOT / link[0])] == []
