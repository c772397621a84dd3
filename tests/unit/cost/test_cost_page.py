"""docs/cost.md has what the model says."""

from benchmarks import cost_page


def test_the_pages_tables_and_charts_are_the_models():
    page = cost_page.PAGE.read_text("utf-8")
    assert cost_page.made(page) == page, "run `python -m benchmarks.cost_page`, and read what stands around them"
