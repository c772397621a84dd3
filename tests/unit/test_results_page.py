"""docs/performance.md has what was measured last."""

from benchmarks import results_page
from benchmarks.blocks import DOCS


def test_the_tables_and_charts_are_the_results():
    text = (DOCS / results_page.PAGE).read_text("utf-8")
    assert results_page.made() == text, "run `python -m benchmarks.results_page`, and read what stands around them"
