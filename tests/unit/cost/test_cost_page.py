"""docs/cost.md and docs/scale.md have the values of the model."""

import pytest

from benchmarks import cost_page
from benchmarks.blocks import DOCS, with_blocks


@pytest.mark.parametrize("page", cost_page.PAGES)
def test_the_tables_and_charts_of_a_page_are_up_to_date(page):
    text = (DOCS / page).read_text("utf-8")
    fix = "run `python -m benchmarks.cost_page`, and check the text besides the tables"
    assert with_blocks(cost_page.PAGES, page) == text, fix
