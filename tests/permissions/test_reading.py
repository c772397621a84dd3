"""A consumer that uses the typed reader calls only what MetricsReaderPolicy grants, and the policy grants no more."""

from collections.abc import Callable
from datetime import date

from music_streams.reader import MetricsReader
from tests.integration.cli.conftest import stack
from tests.permissions.acting import acting
from tests.permissions.statements import policy_statements, unused

__all__ = ["stack"]


def test_policy_grants_every_read_of_the_reader_and_nothing_else(stack, template):
    statements = policy_statements(template, "MetricsReaderPolicy")
    reader: MetricsReader = stack.reader
    first, last = date(2024, 6, 24), date(2024, 6, 25)
    reads: list[Callable[[], object]] = [
        lambda: reader.genre_day("jazz", last),
        lambda: reader.genre_days("jazz", first, last),
        lambda: reader.country_day("Türkiye", last),
        lambda: reader.country_days("Türkiye", first, last),
        lambda: reader.track_days("t" * 22, first, last),
        lambda: reader.day(last),
        lambda: reader.days(first, last),
        lambda: reader.genres_of_day(last),
        lambda: reader.countries_of_day(last),
        lambda: reader.items_of_day(last),
    ]
    with acting(statements, {"metrics": "MetricsTable"}) as acts:
        for read in reads:
            assert read() is not None
    assert acts.refused == []
    assert unused(statements, acts.granted) == set()
