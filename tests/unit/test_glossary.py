"""docs/glossary.md: each term once, in alphabetical order, with a link to the page that has the rule."""

import re
from pathlib import Path

from music_streams.state.sources import Treatment
from music_streams.state.statuses import Status

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
ENTRIES = re.findall(r"^- \*\*([^*]+)\*\*: (.+?)(?=^- \*\*|\Z)", PAGE, re.MULTILINE | re.DOTALL)


def entry(term: str) -> str:
    """Return the definition of a term in one line."""
    [definition] = [text for name, text in ENTRIES if name == term]
    return " ".join(definition.split())


def test_terms_are_defined_once_in_alphabetical_order():
    terms = [term.casefold() for term, _ in ENTRIES]
    assert len(terms) == PAGE.count("\n- ")
    assert terms == sorted(set(terms))


def test_every_term_links_to_the_page_that_has_the_rule():
    assert [term for term, text in ENTRIES if not re.search(r"\]\([\w./-]+\.md(#[\w-]+)?\)\s*\Z", text)] == []


def test_the_page_names_every_status_and_treatment():
    assert all(status in entry("Status") for status in Status)
    assert all(f"`{treatment}`" in entry("Treatment") for treatment in Treatment if treatment)
