"""The pages have what was measured last."""

import pytest

from benchmarks import results_page
from benchmarks.blocks import DOCS, with_blocks


@pytest.mark.parametrize("page", results_page.PAGES)
def test_the_tables_and_charts_are_the_results(page):
    text = (DOCS / page).read_text("utf-8")
    mend = "run `python -m benchmarks.results_page`, and read what stands around them"
    assert with_blocks(results_page.PAGES, page) == text, mend
