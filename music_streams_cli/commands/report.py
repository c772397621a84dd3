"""`music-streams report`: one day as a page to read, print or send."""

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
# 1970 begins up to 18 hours earlier where clocks are ahead, and no listen is earlier; later days have none around them.
_FIRST, _LAST = date(1969, 12, 31), date(9998, 12, 31)


@command(
    "report",
    "A day as one HTML page.",
    "music-streams report latest --open",
    "music-streams report 2024-06-25 --output reports/2024-06-25.html",
)
def report(
    day: Annotated[str, options.argument("DAY", "The UTC day, YYYY-MM-DD, or: latest.")],
    place: Annotated[
        Path | None, options.unset("FILE", "Else music-streams-DAY.html here.", "--output", "-o", dir_okay=False)
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    stack_name: options.StackName = None,
) -> None:
    """Write one day as a self-contained HTML page: health, numbers, charts, songs, files.

    The page asks no server for anything: send it by mail, print it, keep it.
    """
    from music_streams_cli.report import data, page  # noqa: PLC0415  the other commands need no templates

    wanted = None if day == _LATEST else _parsed(day)
    stack = find_stack(stack_name)
    found = data.gather(stack, wanted or data.latest_day(stack.ledger, stack.reader))
    content = page.render(found).encode()
    place = place or Path(f"music-streams-{found.day}.html")
    try:
        place.write_bytes(content)
    except OSError as error:
        raise BadUsage(
            f"{place} cannot be written: {error.strerror}",
            next_steps=["name a file in a folder of yours with --output"],
        ) from error
    output.show(output.stdout(), f"wrote {place}  ({display.size(len(content))})")
    if open_ and not webbrowser.open(place.resolve().as_uri()):
        output.show(output.stderr(), "no browser was found to open it")


def _parsed(text: str) -> date:
    with suppress(ValueError):
        if _FIRST <= (day := date.fromisoformat(text)) <= _LAST:
            return day
    raise BadUsage(
        f"{text} is no day from {_FIRST} to {_LAST}",
        next_steps=["music-streams report 2024-06-25", "music-streams report latest"],
    )
