"""Control codes in text from outside do not reach the terminal: one module writes, and it removes them."""

import ast
import contextlib
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group

import music_streams_cli
from music_streams_cli import output
from music_streams_cli.errors import CommandError

HOSTILE = "\x1b]0;PWNED\x1b\\\x1b[2J\x1b[31m\x9b2J\u202e\r\n\x07\ud800 [red]x[/red] [/] [link=a]"
OWN_STYLES = re.compile(r"\x1b\[[0-9;]*m")
PACKAGE = Path(music_streams_cli.__file__).parent
TEXTS = st.text(st.characters(), max_size=30)  # half a surrogate pair too
VALUES = st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=10)


class Terminal(io.StringIO):
    """A stream that is a terminal, or is not."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def screen(request, monkeypatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal(is_terminal=request.param)


def lines_of(screen: Terminal, write: Callable[[], None]) -> list[str]:
    """Return the lines that are written, without styles; check that they contain no control codes."""
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        write()
    text = screen.getvalue()
    lines = (OWN_STYLES.sub("", text) if screen.isatty() else text).split("\n")
    assert all(line.isprintable() for line in lines)
    return lines


def test_no_part_passes_control_codes_to_the_terminal(screen):
    table = output.table(HOSTILE, "b", title=HOSTILE)
    table.add_row(HOSTILE, output.styled((HOSTILE, "bold"), HOSTILE))
    table.caption = HOSTILE
    parts = (HOSTILE, table, Group(HOSTILE), output.facts([(HOSTILE, HOSTILE)]), output.styled(HOSTILE))

    def write() -> None:
        output.show(output.stdout(), *parts)
        output.show_line(output.stdout(), "unchanged", HOSTILE)

    assert "[red]x[/red] [/] [link=a]" in lines_of(screen, write)[0]


def test_an_error_passes_no_control_codes_to_the_terminal(screen):
    error = CommandError(HOSTILE, details=["error: forged\nerror: forged"], next_steps=[HOSTILE, HOSTILE])
    lines = lines_of(screen, lambda: output.report(error))
    assert [line[:6] for line in lines if line.startswith(("error:", "next: "))] == ["error:", "next: "]


def test_a_question_passes_no_control_codes_to_the_terminal(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("typer.confirm", lambda text, **_: asked.append(text))
    monkeypatch.setattr("typer.prompt", lambda text, **_: asked.append(text))
    output.confirm(HOSTILE)
    output.ask(HOSTILE)
    assert [text.isprintable() for text in asked] == [True, True]


@given(VALUES)
def test_json_keeps_any_text_and_passes_no_control_codes_to_the_terminal(value):
    for is_terminal in (True, False):
        raw = io.BytesIO()
        with pytest.MonkeyPatch.context() as patch:
            stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
            patch.setattr(stream, "isatty", lambda is_terminal=is_terminal: is_terminal, raising=False)
            patch.setattr(sys, "stdout", stream)
            output.show_json(value)
        text = raw.getvalue().decode()
        assert json.loads(text) == value
        assert text.replace("\n", "").isprintable()
        assert not is_terminal or text.isascii()


def test_json_is_written_to_an_ascii_output(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    output.show_json("Señal 星空 🎵")
    assert json.loads(raw.getvalue()) == "Señal 星空 🎵"


def test_only_one_module_writes():
    writers = {"print", "echo", "secho", "confirm", "prompt", "write", "writelines", "Console", "Text", "from_markup"}
    for path in sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "output.py"}):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            where = f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                is_ours = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "output"
                assert name not in writers or is_ours or name == "confirm", where
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "sys":
                assert node.attr not in {"stdout", "stderr", "__stdout__", "__stderr__"}, where
            if isinstance(node, ast.ImportFrom) and node.module in {"rich", "rich.markup"}:
                raise AssertionError(where)
