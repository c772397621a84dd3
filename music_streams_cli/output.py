"""Where text goes: results to stdout, progress and errors to stderr; plain and never cut where nobody looks."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from music_streams_cli.errors import CommandError

_ENDLESS = 10_000  # columns: a pipe has no edge at which to wrap
_NARROW = 100  # columns; on less, tables leave out what they can
_NARROW_STATE = 18  # columns: the longest verdict
PROGRESS_SECONDS = 10.0  # between progress lines off a terminal


def stdout() -> Console:
    """For results."""
    return _console(is_error=False)


def stderr(*, quiet: bool = False) -> Console:
    """For progress and errors."""
    return _console(is_error=True, quiet=quiet)


def is_narrow() -> bool:
    """Whether the terminal has little room."""
    return stdout().width < _NARROW


def is_interactive() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _console(*, is_error: bool, quiet: bool = False) -> Console:
    stream = sys.stderr if is_error else sys.stdout
    return Console(
        stderr=is_error, quiet=quiet, highlight=False, emoji=False, width=None if stream.isatty() else _ENDLESS
    )


def show(console: Console, *parts: RenderableType) -> None:
    """Print; off a terminal without the blanks that fill table rows."""
    for part in parts:
        if console.is_terminal:
            console.print(part)
        else:
            with console.capture() as captured:
                console.print(part)
            for line in captured.get().splitlines():
                console.out(line.rstrip(), highlight=False)


def show_json(content: object) -> None:
    """Print JSON."""
    # Escaped on a terminal: names come from outside, and a terminal obeys control characters.
    sys.stdout.write(json.dumps(content, ensure_ascii=sys.stdout.isatty(), indent=2, default=str) + "\n")


def table(
    *columns: str, right: Iterable[str] = (), elastic: str = "", breaking: str = "state", title: str = ""
) -> Table:
    """A table without lines.

    Args:
        columns: the headings.
        right: the headings of columns with numbers.
        elastic: the column that breaks its lines where the terminal is narrow.
        breaking: a second such column, which breaks between words only.
        title: what stands above it.
    """
    made = Table(
        box=None, title=title or None, title_justify="left", title_style="bold", header_style="bold", pad_edge=False
    )
    for name in columns:
        is_elastic = name == elastic
        made.add_column(
            name,
            justify="right" if name in set(right) else "left",
            no_wrap=not is_elastic and name != breaking,
            overflow="fold" if is_elastic else "ellipsis",
            min_width=12 if is_elastic else None,
            max_width=_NARROW_STATE if name == breaking and is_narrow() else None,
        )
    return made


def facts(rows: Iterable[tuple[str, str]], indent: int = 2) -> Table:
    """Names and values beneath each other; long values wrap under themselves."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(" " * indent + name, value)
    return made


def report(error: CommandError) -> None:
    """Say what went wrong, where, and what to do next."""
    console = stderr()
    show(console, f"[bold red]error:[/] {escape(str(error))}")
    for line in error.details:
        show(console, f"  {escape(line)}")
    for number, step in enumerate(error.next_steps):
        show(console, f"{'next:' if number == 0 else '     '} {escape(step)}")


def plain(text: Any) -> str:  # noqa: ANN401 - whatever is to be shown
    """Text from outside, with nothing in it that the terminal or rich would take for a command."""
    return escape("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text)))
