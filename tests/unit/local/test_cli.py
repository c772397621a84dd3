"""Text of the log and of errors cannot control the terminal."""

import io

import pytest
from rich.console import Console

from local import cli


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\x85", "\u2028", "\r"])
@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("start", ["2026-01-01T00:00:00.000Z glue/job              ", ""])
def test_control_characters_are_printed_as_escapes(monkeypatch, capsys, character, is_terminal, start):
    screen = io.StringIO()
    monkeypatch.setattr(cli, "console", Console(file=screen, force_terminal=is_terminal, color_system=None))
    cli._print_log_line(f"{start}before{character}[2J after é")
    printed = screen.getvalue() + capsys.readouterr().out
    assert character not in printed
    escape = character.encode("unicode_escape").decode()
    assert f"before{escape}[2J after é" in printed


def test_tabs_in_the_log_are_printed_unchanged(monkeypatch, capsys):
    monkeypatch.setattr(cli, "console", Console(file=io.StringIO()))
    cli._print_log_line("a\tb")
    assert capsys.readouterr().out == "a\tb\n"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_control_characters_of_progress_and_errors_are_printed_as_escapes(monkeypatch, capsys, is_terminal):
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    screen = io.StringIO()
    monkeypatch.setattr(cli, "console", Console(file=screen, force_terminal=is_terminal, color_system=None))
    text = "one \x1b]0;x\x07\nanother \u202e"
    cli.report(text)
    with pytest.raises(SystemExit):
        cli._fail(text)
    printed = screen.getvalue() + capsys.readouterr().err
    assert printed.count("one \\x1b]0;x\\x07\nanother \\u202e\n") == 2
