"""docs/cost.md and docs/scale.md have what the model says."""

import pytest

from benchmarks import cost_page


@pytest.mark.parametrize("page", cost_page.PAGES)
def test_the_tables_and_charts_of_a_page_are_the_models(page):
    text = (cost_page.DOCS / page).read_text("utf-8")
    assert cost_page.made(page) == text, "run `python -m benchmarks.cost_page`, and read what stands around them"
