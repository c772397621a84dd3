"""Where text goes: results to stdout, progress and errors to stderr; plain, and no line cut where nobody looks.

Nothing is written past this module, and text steers no terminal: names, keys and errors come from outside.
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

_ENDLESS = 10_000  # columns: a pipe has no edge at which to wrap
_NAME_CHARACTERS = 80
_NARROW = 100  # columns; on less, tables leave out what they can
_NARROW_STATE = 18  # columns: the longest verdict
PROGRESS_SECONDS = 10.0  # between progress lines off a terminal


class Screen(Console):
    """A console that shows a text as it is: no markup is read in it, and nothing in it is a code or a line break."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - rich's own
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401 - rich's own
        """What rich calls for every text, a table's too."""
        return super().render_str(plain(text), **how)


def stdout() -> Screen:
    """For results."""
    return _screen(is_error=False)


def stderr(*, quiet: bool = False) -> Screen:
    """For progress and errors."""
    return _screen(is_error=True, quiet=quiet)


def is_narrow() -> bool:
    """Whether the terminal has little room."""
    return stdout().width < _NARROW


def is_interactive() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _screen(*, is_error: bool, quiet: bool = False) -> Screen:
    stream = sys.stderr if is_error else sys.stdout
    return Screen(stderr=is_error, quiet=quiet, width=None if stream.isatty() else _ENDLESS)


def show(console: Screen, *parts: RenderableType) -> None:
    """Print; off a terminal without the blanks that fill table rows."""
    for part in parts:
        if console.is_terminal:
            console.print(part)
        else:
            with console.capture() as captured:
                console.print(part)
            for line in captured.get().splitlines():
                console.out(line.rstrip(), highlight=False)


def show_line(console: Screen, line: str, words: RenderableType) -> None:
    """Print a line of a log: on a terminal its words, which the terminal breaks; else the line as it is."""
    if console.is_terminal:
        console.print(words, soft_wrap=True)
    else:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def show_json(content: object) -> None:
    """Print JSON; any text in it is escaped where it does not print, and on a terminal, where it is not ASCII."""
    is_ascii = sys.stdout.isatty() or (sys.stdout.encoding or "utf-8").lower() != "utf-8"
    for line in json.dumps(content, ensure_ascii=is_ascii, indent=2, default=str).split("\n"):
        sys.stdout.write("".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line) + "\n")


def show_csv(rows: Sequence[dict[str, Any]]) -> None:
    """Print CSV: names as they are into a file or a pipe, escaped on a terminal."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    shown = display.escaped if sys.stdout.isatty() else str
    writer = csv.DictWriter(sys.stdout, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: shown(value) if isinstance(value, str) else value for name, value in row.items()})


def confirm(question: str) -> bool:
    """Ask on the terminal for a yes."""
    return typer.confirm(plain(question), err=True)


def ask(question: str) -> str:
    """Ask on the terminal for a text."""
    return str(typer.prompt(plain(question), err=True))


def styled(*parts: str | tuple[str, str] | Text) -> Text:
    """Texts in one, some of them with a style."""
    made = Text()
    for part in parts:
        if isinstance(part, Text):
            made.append_text(part)
        else:
            text, style = (part, "") if isinstance(part, str) else part
            made.append(plain(text), style)
    return made


def name(text: str) -> str:
    """A file's name as rows show it: a long one loses its middle, or it would widen every row."""
    return display.cut(text, _NAME_CHARACTERS)


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
    show(console, styled(("error:", "bold red"), f" {error}"))
    for line in error.details:
        show(console, f"  {line}")
    for number, step in enumerate(error.next_steps):
        show(console, f"{'next:' if number == 0 else '     '} {step}")


def plain(text: str) -> str:
    """A text with nothing in it that the terminal would obey."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
