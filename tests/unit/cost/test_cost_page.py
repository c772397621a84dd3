"""docs/cost.md and docs/scale.md have what the model says."""

import pytest

from benchmarks import cost_page
from benchmarks.blocks import DOCS, with_blocks


@pytest.mark.parametrize("page", cost_page.PAGES)
def test_the_tables_and_charts_of_a_page_are_the_models(page):
    text = (DOCS / page).read_text("utf-8")
    mend = "run `python -m benchmarks.cost_page`, and read what stands around them"
    assert with_blocks(cost_page.PAGES, page) == text, mend
