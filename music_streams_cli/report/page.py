"""The report as one self-contained HTML page.

Each list is limited, so that the page stays under 500 KB.
"""

import unicodedata
from datetime import date
from pathlib import Path
from statistics import median

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from music_streams import display
from music_streams_cli import metric_tables
from music_streams_cli.report import charts, data, verdict
from music_streams_cli.report.data import DayFile, DayReport

BARS = 10  # per chart
GENRES = COUNTRIES = 150  # per table
RANKED = 5  # genres and countries whose songs are listed
FILES = 150
REASONS = 3  # per file
TIMELINES = 12
PROBLEMS = 25
COMMAND_CHARACTERS = 300
COLUMN_HEIGHT = 150  # pixels


def render(report: DayReport) -> str:
    """Return the HTML of a report."""
    listens = report.summary.listen_count
    limits = {"bars": BARS, "genres": GENRES, "countries": COUNTRIES}
    limits |= {"ranked": RANKED, "files": FILES, "problems": PROBLEMS}
    trend = [(each.day, each.listen_count) for each in report.trend]
    template = _environment().get_template("page.html.j2")
    return template.render(
        report=report,
        verdict=verdict.day_verdict(report.files),
        genre_bars=charts.bars([(each.genre, each.listen_count) for each in report.genres[:BARS]], listens),
        country_bars=charts.bars([(each.country, each.listen_count) for each in report.countries[:BARS]], listens),
        trend_columns=charts.columns(trend, report.day, COLUMN_HEIGHT),
        rejected_bars=charts.bars(report.rejected, sum(count for _, count in report.rejected)),
        timelines=_timelines(report.files),
        median_seconds=_median_seconds(report.files),
        file_groups=_groups(report.files),
        problems=[file for file in report.files if file.group in {"failed", "quarantined"}][:PROBLEMS],
        limits=limits,
        column_height=COLUMN_HEIGHT,
        stages=charts.STAGES,
    )


def anchor(file: DayFile) -> str:
    """Return the HTML id of its row."""
    return f"file-{file.entry.source.source_id[:12]}"


def short(text: object, cells: int) -> str:
    """Return a text in one line of at most `cells` cells, with U+FFFD for characters that are not printable.

    Wide characters, such as Chinese ones, take two cells.
    """
    flat = " ".join(str(text).split())
    shown, used = "", 0
    for char in flat:
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used > cells:
            return shown[:-1].rstrip() + "…"
        shown += char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
    return shown


def short_name(name: str, cells: int) -> str:
    """Return a file's name like ``short``, but shortened in the middle: names mostly differ at the end."""
    flat = short(name, len(name) * 2)
    if short(flat, cells) == flat:
        return flat
    end = flat[-cells // 2 :]
    return short(flat, cells - len(end)) + end


def compact(count: int) -> str:
    """Return a number with two digits: ``1.2k``, ``32k``, ``4.1M``."""
    for unit, size in (("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            return f"{count / size:.1f}{unit}" if count < 9.95 * size else f"{count / size:.0f}{unit}"
    return str(count)


def change(now: int, before: int) -> str:
    """Return the change from an earlier number: ``+4.2 %``."""
    return f"{100 * (now - before) / before:+,.1f} %".replace("-", "−") if before else ""


def main_counts(rejected: dict[str, int]) -> str:
    """Return the most frequent reasons: ``5 duplicate, 2 bad_user_id and 4 more reasons``."""
    main = sorted(rejected.items(), key=lambda pair: (-pair[1], pair[0]))[:REASONS]
    more = len(rejected) - len(main)
    return display.counts(dict(main)) + (f" and {display.plural(more, 'more reason')}" if more else "")


def is_command(step: str) -> bool:
    """Return whether a step can be shown unchanged; shortened or escaped, its command would differ."""
    return step.isprintable() and len(step) <= COMMAND_CHARACTERS


def _timelines(day_files: list[DayFile]) -> list[charts.Timeline]:
    """Return the timelines of the slowest published files."""
    published = [file for file in day_files if file.group == "published" and file.stages]
    slowest = sorted(published, key=lambda file: -sum(file.stages))[:TIMELINES]
    return charts.timelines([(file.entry.source.name, file.stages) for file in slowest])


def _median_seconds(day_files: list[DayFile]) -> float | None:
    spans = [sum(file.stages) for file in day_files if file.group == "published" and file.stages]
    return median(spans) if spans else None


def _groups(day_files: list[DayFile]) -> list[tuple[str, int, list[DayFile]]]:
    """Return the groups with files, the worst first: name, number of files, and the files shown."""
    groups = []
    room = FILES
    for name in verdict.GROUPS:
        members = [file for file in day_files if file.group == name]
        if members:
            groups.append((name, len(members), members[:room]))
            room = max(room - len(members), 0)
    return groups


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        short=short,
        short_name=short_name,
        compact=compact,
        anchor=anchor,
        file_name=lambda file: file.entry.source.name,
        plural=display.plural,
        number=lambda count: f"{count:,}",
        hours=display.hours,
        seconds=display.seconds,
        main_counts=main_counts,
        minutes=metric_tables.minutes,
        instant=data.shown_instant,
        timestamp=data.shown_timestamp,
        long_day=_long_day,
        short_day=lambda day: f"{day.day} {day:%b}",
        fixed=lambda value, digits=1: f"{value:.{digits}f}",
    )
    environment.globals.update(change=change)
    environment.tests.update(command=is_command)
    return environment


def _long_day(day: date) -> str:
    return f"{day:%A}, {day.day} {day:%B %Y}"
