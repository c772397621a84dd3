"""Metrics as tables."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from music_streams import display
from music_streams.reader import DayMetrics, DaySummary, MetricsReader, TopGenre, TopSong
from music_streams_cli import output

_MEASURES = ("listens", "listeners", "hours")


def songs(title: str, ranking: Iterable[TopSong]) -> Table:
    """Return a table of the most played songs."""
    table = output.table("#", "song", *_MEASURES, right=("#", *_MEASURES), elastic="song", title=title)
    for song in ranking:
        table.add_row(str(song.rank), name_of(song), *_measures(song))
    return table


def genres(title: str, ranking: Iterable[tuple[TopGenre, str]]) -> Table:
    """Return a table of the most played genres, each with its top song."""
    columns = ("#", "genre", *_MEASURES, "top song")
    table = output.table(*columns, right=("#", *_MEASURES), elastic="top song", title=title)
    for genre, top_song in ranking:
        table.add_row(str(genre.rank), genre.genre, *_measures(genre), top_song)
    return table


def by_day(title: str, days: Sequence[DayMetrics]) -> Table:
    """Return a table with one row per day."""
    columns = ("day", *_MEASURES, "min/listener", "version")
    table = output.table(*columns, right=columns[1:], title=title)
    for day in days:
        table.add_row(str(day.day), *_measures(day), minutes(day), str(day.version))
    return table


def by_name(title: str, heading: str, items: Sequence[tuple[str, DayMetrics]]) -> Table:
    """Return a table with one row per genre or country, the most played first."""
    columns = (heading, *_MEASURES, "min/listener")
    table = output.table(*columns, right=columns[1:], elastic=heading, title=title)
    for name, item in sorted(items, key=lambda pair: (-pair[1].listen_count, pair[0])):
        table.add_row(name, *_measures(item), minutes(item))
    return table


def show_day(console: output.Screen, reader: MetricsReader, day: DaySummary) -> None:
    """Print a one-line summary of a day and its top genres."""
    output.show(
        console,
        output.styled(
            (str(day.day), "bold"),
            f": {day.listen_count:,} listens by {day.unique_listeners:,} listeners, "
            f"{display.hours(day.total_listening_time_ms)} hours, {minutes(day)} min per listener; "
            f"version {day.version}",
        ),
        "",
        genres("Top genres", [(genre, _top_song(reader, day, genre)) for genre in day.top_genres]),
    )


def name_of(song: TopSong) -> str:
    """Return track and artists in one line."""
    return " ".join(f"{song.track_name or song.track_id} -- {song.artists}".split())


def minutes(metrics: DayMetrics) -> str:
    """Return the average listening time per listener in minutes."""
    return f"{metrics.avg_listening_time_per_user_ms / 60_000:,.1f}"


def _top_song(reader: MetricsReader, day: DaySummary, genre: TopGenre) -> str:
    item = reader.genre_day(genre.genre, day.day)
    return name_of(item.top_songs[0]) if item else ""


def _measures(entry: TopSong | TopGenre | DayMetrics) -> tuple[str, str, str]:
    return f"{entry.listen_count:,}", f"{entry.unique_listeners:,}", display.hours(entry.total_listening_time_ms)
