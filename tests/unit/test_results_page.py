"""The pages have the last results."""

import pytest

from benchmarks import results_page
from benchmarks.blocks import DOCS, with_blocks


@pytest.mark.parametrize("page", results_page.PAGES)
def test_the_tables_and_charts_of_a_page_are_up_to_date(page):
    text = (DOCS / page).read_text("utf-8")
    fix = "run `python -m benchmarks.results_page`, and check the text around the tables"
    assert with_blocks(results_page.PAGES, page) == text, fix
