"""The geometry of the charts."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from music_streams_cli.report import charts


def test_bars_are_percent_of_the_longest_and_have_their_share_of_the_total():
    [first, second] = charts.bars([("jazz", 300), ("techno", 75)], 400)
    assert (first.width, first.share) == (100, 75)
    assert (second.width, second.share) == (25, 18.75)


def test_bars_without_values_are_empty():
    [bar] = charts.bars([("jazz", 0)], 0)
    assert (bar.width, bar.share) == (0, 0)


def test_columns_fill_the_width_and_the_highest_fills_the_height():
    days = [date(2024, 6, 24 + n) for n in range(7)]
    columns = charts.columns([(day, 10 * (n + 1)) for n, day in enumerate(days)], days[2], 140)
    assert [column.height for column in columns] == [20, 40, 60, 80, 100, 120, 140]
    assert [column.is_chosen for column in columns] == [n == 2 for n in range(7)]
    assert columns[-1].left + columns[-1].width < 100
    assert columns[0].left == round(100 - columns[-1].left - columns[-1].width, 3)


def test_few_columns_stay_narrow():
    [column] = charts.columns([(date(2024, 6, 25), 10)], date(2024, 6, 25), 100)
    assert column.width < 15


def test_the_first_column_of_a_month_is_marked():
    days = [date(2024, 5, 31), date(2024, 6, 1), date(2024, 6, 30), date(2025, 6, 1)]
    columns = charts.columns([(day, 1) for day in days], days[0], 100)
    assert [column.starts_month for column in columns] == [True, True, False, True]


def test_stages_are_consecutive_and_scaled_to_the_slowest_file():
    slow, fast = charts.timelines([("slow", [5, 5, 30, 10]), ("fast", [2.5, 0, 10, 0])])
    assert [(part.left, part.width) for part in slow.segments] == [(0, 10), (10, 10), (20, 60), (80, 20)]
    assert [(part.left, part.width) for part in fast.segments] == [(0, 5), (5, 0), (5, 20), (25, 0)]
    assert fast.seconds == 12.5


@given(st.lists(st.lists(st.floats(0, 1e6), max_size=4), max_size=5))
def test_no_stage_leaves_the_chart(files):
    for line in charts.timelines([("file", stages) for stages in files]):
        for part in line.segments:
            assert part.left + part.width <= 100.01
