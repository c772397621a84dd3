"""`music-streams report`: write one day as an HTML page."""

import webbrowser
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from music_streams import display
from music_streams.stack import find_stack
from music_streams_cli import options, output
from music_streams_cli.errors import BadUsage
from music_streams_cli.registry import command

_LATEST = "latest"
# The earliest listen is of 1970-01-01 at +18:00; the last day leaves room for the days around it.
_FIRST, _LAST = date(1969, 12, 31), date(9998, 12, 31)


@command(
    "report",
    "Write a day as one HTML page.",
    "music-streams report latest --open",
    "music-streams report 2024-06-25 --output reports/2024-06-25.html",
)
def report(
    day: Annotated[str, options.argument("DAY", "The UTC day, YYYY-MM-DD, or: latest.")],
    place: Annotated[
        Path | None, options.unset("FILE", "By default ./music-streams-DAY.html.", "--output", "-o", dir_okay=False)
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    stack_name: options.StackName = None,
) -> None:
    """Write one day as a self-contained HTML page: health, numbers, charts, songs, files.

    The page loads nothing from a server: it can be mailed, printed and kept.
    """
    from music_streams_cli.report import data, page  # noqa: PLC0415  the other commands need no templates

    wanted = None if day == _LATEST else _parsed(day)
    stack = find_stack(stack_name)
    gathered = data.gather(stack, wanted or data.latest_day(stack.ledger, stack.reader))
    content = page.render(gathered).encode()
    place = place or Path(f"music-streams-{gathered.day}.html")
    try:
        place.write_bytes(content)
    except OSError as error:
        raise BadUsage(
            f"{place} cannot be written: {error.strerror}",
            next_steps=["choose another file with --output"],
        ) from error
    output.show(output.stdout(), f"wrote {place}  ({display.size(len(content))})")
    if open_ and not webbrowser.open(place.resolve().as_uri()):
        output.show(output.stderr(), "no browser was found")


def _parsed(text: str) -> date:
    with suppress(ValueError):
        if _FIRST <= (day := date.fromisoformat(text)) <= _LAST:
            return day
    raise BadUsage(
        f"{text} is not a day from {_FIRST} to {_LAST}",
        next_steps=["music-streams report 2024-06-25", "music-streams report latest"],
    )
