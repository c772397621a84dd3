"""Output: results to stdout, progress and errors to stderr.

All output goes through this module, which removes control characters: names, keys and errors come from outside. Off a
terminal, text is plain and lines are not cut.
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from music_streams import display
from music_streams_cli.errors import CommandError

_ENDLESS = 10_000  # columns: the output to a pipe is not wrapped
_NAME_CHARACTERS = 80
_NARROW = 100  # columns; narrower tables omit some columns
_NARROW_STATUS = 18  # columns: the longest verdict
PROGRESS_SECONDS = 10.0  # between progress lines off a terminal


class Screen(Console):
    """A console that prints text literally, without markup, control codes or line breaks."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - defined by rich
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:  # noqa: ANN401 - defined by rich
        """Return the text for rich, which calls this for every text, also in tables."""
        return super().render_str(plain(text), **settings)


def stdout() -> Screen:
    """Return the console for results."""
    return _screen(is_error=False)


def stderr(*, quiet: bool = False) -> Screen:
    """Return the console for progress and errors."""
    return _screen(is_error=True, quiet=quiet)


def is_narrow() -> bool:
    """Return whether the terminal is narrow."""
    return stdout().width < _NARROW


def is_interactive() -> bool:
    """Return whether a user can answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _screen(*, is_error: bool, quiet: bool = False) -> Screen:
    stream = sys.stderr if is_error else sys.stdout
    return Screen(stderr=is_error, quiet=quiet, width=None if stream.isatty() else _ENDLESS)


def show(console: Screen, *parts: RenderableType) -> None:
    """Print parts; off a terminal, without trailing blanks."""
    for part in parts:
        if console.is_terminal:
            console.print(part)
        else:
            with console.capture() as captured:
                console.print(part)
            for line in captured.get().splitlines():
                console.out(line.rstrip(), highlight=False)


def show_line(console: Screen, line: str, rendered: RenderableType) -> None:
    """Print a log line: rendered on a terminal, unchanged off one."""
    if console.is_terminal:
        console.print(rendered, soft_wrap=True)
    else:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def show_json(content: object) -> None:
    """Print JSON; characters that are not printable are escaped, and on a terminal all that are not ASCII."""
    is_ascii = sys.stdout.isatty() or (sys.stdout.encoding or "utf-8").lower() != "utf-8"
    for line in json.dumps(content, ensure_ascii=is_ascii, indent=2, default=str).split("\n"):
        sys.stdout.write("".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line) + "\n")


def show_csv(rows: Sequence[dict[str, Any]]) -> None:
    """Print CSV; on a terminal, texts are escaped."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    shown = display.escaped if sys.stdout.isatty() else str
    writer = csv.DictWriter(sys.stdout, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: shown(value) if isinstance(value, str) else value for name, value in row.items()})


def confirm(question: str) -> bool:
    """Ask a yes-or-no question on the terminal."""
    return typer.confirm(plain(question), err=True)


def ask(question: str) -> str:
    """Ask for a text on the terminal."""
    return str(typer.prompt(plain(question), err=True))


def styled(*parts: str | tuple[str, str] | Text) -> Text:
    """Join texts, some of them with a style."""
    made = Text()
    for part in parts:
        if isinstance(part, Text):
            made.append_text(part)
        else:
            text, style = (part, "") if isinstance(part, str) else part
            made.append(plain(text), style)
    return made


def name(text: str) -> str:
    """Return a file's name for a table, shortened in the middle if it is long."""
    return display.cut(text, _NAME_CHARACTERS)


def table(
    *columns: str, right: Iterable[str] = (), elastic: str = "", breaking: str = "status", title: str = ""
) -> Table:
    """Return a table without lines.

    Args:
        columns: the headings.
        right: the headings of columns with numbers.
        elastic: the column that wraps on a narrow terminal.
        breaking: a second such column, which wraps between words only.
        title: the title above the table.
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
            max_width=_NARROW_STATUS if name == breaking and is_narrow() else None,
        )
    return made


def facts(rows: Iterable[tuple[str, str]], indent: int = 2) -> Table:
    """Return names and values in two columns; long values wrap within their column."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(" " * indent + name, value)
    return made


def report(error: CommandError) -> None:
    """Print what failed, where, and what to do next."""
    console = stderr()
    show(console, styled(("error:", "bold red"), f" {error}"))
    for line in error.details:
        show(console, f"  {line}")
    for number, step in enumerate(error.next_steps):
        show(console, f"{'next:' if number == 0 else '     '} {step}")


def plain(text: str) -> str:
    """Replace the characters that are not printable, so that no control code reaches the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
