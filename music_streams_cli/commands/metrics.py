"""`music-streams metrics`: show the metrics that consumers read."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from music_streams import display
from music_streams.reader import CountryDay, DayMetrics, GenreDay, TopSong
from music_streams.stack import Stack, find_stack
from music_streams_cli import metric_tables, options, output
from music_streams_cli.errors import BadData, BadUsage
from music_streams_cli.registry import group
from music_streams_cli.report.data import known_days

_LATEST_FILES = 50
_ELSE_LATEST = "By default the latest day with metrics."
_FIRST, _LAST = date(1970, 1, 1), date(9999, 12, 31)
_MOST_DAYS = 400  # of a range; each day is a read


class Form(Enum):
    """The output format."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, one row per item.")]
Day = Annotated[datetime | None, options.day("--day", _ELSE_LATEST)]
Name = Annotated[str, options.argument("NAME", "The name, as in the data.")]

metrics = group(
    "metrics",
    "Show metrics of a genre, a country or a day.",
    "Show metrics of a genre, a country or a day, as a table, JSON or CSV.",
    "music-streams metrics day 2024-06-25",
    "music-streams metrics genre jazz --from 2024-06-01 --to 2024-06-30",
    "music-streams metrics country Brazil --csv",
    "music-streams metrics songs --country Brazil --day 2024-06-25",
)


def _add_days_of(kind: str, help_text: str, example: str) -> None:
    """Add the command that shows the daily metrics of a genre or country."""

    @metrics.command(kind, help=help_text, epilog=options.examples(f"music-streams metrics {kind} {example}"))
    def days_of(
        name: Name,
        first: options.From = None,
        last: options.To = None,
        as_json: options.Json = False,
        as_csv: Csv = False,
        stack_name: options.StackName = None,
    ) -> None:
        reader = find_stack(stack_name).reader
        read = reader.genre_days if kind == "genre" else reader.country_days
        _show_days(f"{kind} {name}", read(name, *_range(first, last)), _form(as_json, as_csv))


_add_days_of("genre", "Daily metrics of a genre.", "jazz --from 2024-06-01")
_add_days_of("country", 'Daily metrics of a country, or of "unknown".', "Brazil --csv")


@metrics.command("range", epilog=options.examples("music-streams metrics range --from 2024-06-01 --to 2024-06-30"))
def range_(
    first: options.FromDay,
    last: options.ToDay,
    as_json: options.Json = False,
    as_csv: Csv = False,
    stack_name: options.StackName = None,
) -> None:
    """Daily metrics of all listens."""
    begin, end = _range(first, last)
    if (end - begin).days >= _MOST_DAYS:
        raise BadUsage(f"{begin} … {end} is more than {_MOST_DAYS} days", next_steps=["request fewer days"])
    _show_days("all listens", find_stack(stack_name).reader.days(begin, end), _form(as_json, as_csv))


@metrics.command("day", epilog=options.examples("music-streams metrics day 2024-06-25"))
def day(
    which: Annotated[datetime | None, options.argument(options.DAY, _ELSE_LATEST, formats=options.DAY_FORMATS)] = None,
    as_json: options.Json = False,
    as_csv: Csv = False,
    stack_name: options.StackName = None,
) -> None:
    """Metrics of a day: total, genres and countries."""
    form = _form(as_json, as_csv)
    stack = find_stack(stack_name)
    wanted = _day(stack, which)
    items = stack.reader.items_of_day(wanted)
    if form is not Form.TABLE:
        _write(items, form)
        return
    summary = stack.reader.day(wanted)
    if summary is None:
        raise _nothing(f"day {wanted}")
    console = output.stdout()
    metric_tables.show_day(console, stack.reader, summary)
    countries = [(item.country, item) for item in items if isinstance(item, CountryDay)]
    output.show(console, "", metric_tables.by_name("Countries", "country", countries))


@metrics.command("genres", epilog=options.examples("music-streams metrics genres --day 2024-06-25"))
def genres(
    which: Day = None, as_json: options.Json = False, as_csv: Csv = False, stack_name: options.StackName = None
) -> None:
    """Metrics of all genres of a day."""
    stack = find_stack(stack_name)
    wanted = _day(stack, which)
    items = stack.reader.genres_of_day(wanted)
    table = metric_tables.by_name(f"Genres on {wanted}", "genre", [(item.genre, item) for item in items])
    _answer(items, _form(as_json, as_csv), f"day {wanted}", table)


@metrics.command("songs", epilog=options.examples("music-streams metrics songs --country Brazil"))
def songs(
    which: Day = None,
    genre_name: Annotated[str | None, options.unset("NAME", "Of this genre.", "--genre")] = None,
    country_name: Annotated[str | None, options.unset("NAME", "In this country.", "--country")] = None,
    as_json: options.Json = False,
    as_csv: Csv = False,
    stack_name: options.StackName = None,
) -> None:
    """The top three songs of a day: of all, of a genre or a country."""
    if genre_name and country_name:
        raise BadUsage("--genre and --country exclude each other: songs are ranked for one of them")
    form = _form(as_json, as_csv)
    stack = find_stack(stack_name)
    wanted = _day(stack, which)
    of = genre_name or country_name
    title = f"Top songs on {wanted}" + (f", {of}" if of else "")
    if of:
        read = stack.reader.genre_day if genre_name else stack.reader.country_day
        item = read(of, wanted)
        ranking = item.top_songs if item else ()
    else:
        ranking = top_of_all(stack.reader.genres_of_day(wanted))
    _answer(ranking, form, f"{of or 'day'} on {wanted}", metric_tables.songs(title, ranking))


def top_of_all(genres_of_day: Sequence[GenreDay]) -> tuple[TopSong, ...]:
    """Return the three most played songs over all genres.

    A listen counts once in each genre of its track, so a song's numbers are the same in all of them, and each of
    the three most played of all is among the three most played of its genre.
    """
    by_track = {song.track_id: song for genre in genres_of_day for song in genre.top_songs}
    ranked = sorted(by_track.values(), key=lambda song: (-song.listen_count, -song.unique_listeners, song.track_id))
    return tuple(TopSong(**(asdict(song) | {"rank": rank})) for rank, song in enumerate(islice(ranked, 3), start=1))


def _form(as_json: bool, as_csv: bool) -> Form:
    if as_json and as_csv:
        raise BadUsage("--json and --csv exclude each other")
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE


def _range(first: datetime | None, last: datetime | None) -> tuple[date, date]:
    begin, end = (first.date() if first else _FIRST), (last.date() if last else _LAST)
    if begin > end:
        raise BadUsage(f"--from {begin} is after --to {end}")
    return begin, end


def _day(stack: Stack, which: datetime | None) -> date:
    """Return the given day, or the latest day in recently published files."""
    if which:
        return which.date()
    days = known_days(stack.ledger, _LATEST_FILES)
    if not days:
        raise BadData(
            "there are no metrics: no file has been published yet",
            next_steps=["music-streams demo", "music-streams status"],
        )
    return max(days)


def _nothing(subject: str) -> BadData:
    return BadData(
        f"there are no metrics of {subject}: it has no listens, or no file with them was published",
        next_steps=["music-streams metrics genres     lists the names of the latest day", "music-streams status"],
    )


def _show_days(title: str, days: Sequence[DayMetrics], form: Form) -> None:
    parts: list[RenderableType] = [metric_tables.by_day(title, days)]
    if len(days) > 1:
        parts += ["", _curve(days)]
    if days and isinstance(last := days[-1], (GenreDay, CountryDay)):
        parts += ["", metric_tables.songs(f"Top songs on {last.day}", last.top_songs)]
    _answer(days, form, title, *parts)


def _curve(days: Sequence[DayMetrics]) -> str:
    """Return the listens as bars: one per day if they fit into a line, otherwise of the last listed days."""
    room = min(output.stdout().width, 120) - 40
    by_day = {each.day: each.listen_count for each in days}
    span = (days[-1].day - days[0].day).days + 1
    if span <= room:
        bars, unit = [by_day.get(days[0].day + timedelta(days=n), 0) for n in range(span)], "day"
    else:
        bars, unit = [each.listen_count for each in days][-room:], "listed day"
    return f"listens  {display.sparkline(bars)}  one bar per {unit}, 0 … {max(bars):,}"


def _answer(items: Sequence[Any], form: Form, subject: str, *parts: RenderableType) -> None:
    """Write the items as JSON or CSV, or show the parts. Raises BadData if there are no items to show."""
    if form is not Form.TABLE:
        _write(items, form)
    elif items:
        output.show(output.stdout(), *parts)
    else:
        raise _nothing(subject)


def _write(items: Sequence[Any], form: Form) -> None:
    """Write items as JSON, or as CSV without the lists."""
    rows = [_plain(asdict(item)) for item in items]
    if form is Form.JSON:
        output.show_json(rows)
        return
    flat = [{name: value for name, value in row.items() if not isinstance(value, (list, tuple))} for row in rows]
    output.show_csv(flat)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field of the reader's types
    if isinstance(value, dict):
        return {name: _plain(field) for name, field in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(element) for element in value]
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else value
