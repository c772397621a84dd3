"""Metrics as tables."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from music_streams import display
from music_streams.reader import DayMetrics, DaySummary, MetricsReader, TopGenre, TopSong
from music_streams_cli import output

_MEASURES = ("listens", "listeners", "hours")


def songs(title: str, ranking: Iterable[TopSong]) -> Table:
    """The most heard songs."""
    table = output.table("#", "song", *_MEASURES, right=("#", *_MEASURES), elastic="song", title=title)
    for song in ranking:
        table.add_row(str(song.rank), name_of(song), *_measures(song))
    return table


def genres(title: str, ranking: Iterable[tuple[TopGenre, str]]) -> Table:
    """The most heard genres, each with its first song."""
    columns = ("#", "genre", *_MEASURES, "first song")
    table = output.table(*columns, right=("#", *_MEASURES), elastic="first song", title=title)
    for genre, first_song in ranking:
        table.add_row(str(genre.rank), genre.genre, *_measures(genre), first_song)
    return table


def by_day(title: str, days: Sequence[DayMetrics]) -> Table:
    """A row a day."""
    columns = ("day", *_MEASURES, "min/listener", "version")
    table = output.table(*columns, right=columns[1:], title=title)
    for each in days:
        table.add_row(str(each.day), *_measures(each), minutes(each), str(each.version))
    return table


def by_name(title: str, heading: str, items: Sequence[tuple[str, DayMetrics]]) -> Table:
    """A row a genre or country, the most heard first."""
    columns = (heading, *_MEASURES, "min/listener")
    table = output.table(*columns, right=columns[1:], elastic=heading, title=title)
    for name, each in sorted(items, key=lambda pair: (-pair[1].listen_count, pair[0])):
        table.add_row(name, *_measures(each), minutes(each))
    return table


def show_day(console: output.Screen, reader: MetricsReader, day: DaySummary) -> None:
    """A day in a sentence and its top genres."""
    output.show(
        console,
        output.styled(
            (str(day.day), "bold"),
            f": {day.listen_count:,} listens by {day.unique_listeners:,} listeners, "
            f"{display.hours(day.total_listening_time_ms)} hours, {minutes(day)} min a listener; version {day.version}",
        ),
        "",
        genres("Top genres", [(genre, _first_song(reader, day, genre)) for genre in day.top_genres]),
    )


def name_of(song: TopSong) -> str:
    """A song as people call it; a break in its name is shown as a blank."""
    return " ".join(f"{song.track_name or song.track_id} -- {song.artists}".split())


def minutes(metrics: DayMetrics) -> str:
    """Average listening time of a listener in minutes."""
    return f"{metrics.avg_listening_time_per_user_ms / 60_000:,.1f}"


def _first_song(reader: MetricsReader, day: DaySummary, genre: TopGenre) -> str:
    item = reader.genre_day(genre.genre, day.day)
    return name_of(item.top_songs[0]) if item else ""


def _measures(entry: TopSong | TopGenre | DayMetrics) -> tuple[str, str, str]:
    return f"{entry.listen_count:,}", f"{entry.unique_listeners:,}", display.hours(entry.total_listening_time_ms)
