"""The pages have what was measured last."""

import pytest

from benchmarks import results_page
from benchmarks.blocks import DOCS


@pytest.mark.parametrize("page", results_page.PAGES)
def test_the_tables_and_charts_are_the_results(page):
    text = (DOCS / page).read_text("utf-8")
    assert results_page.made(page) == text, "run `python -m benchmarks.results_page`, and read what stands around them"
