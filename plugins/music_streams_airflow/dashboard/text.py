"""Make untrusted text displayable. The templates escape it for HTML."""

import re

from music_streams.operate.next_steps import NextStep

_COMMAND_CHARACTERS = 300
_COLUMN_GAP = re.compile(r"\s{3,}")


def visible(text: object) -> str:
    """Return the text in one line, with invisible characters (control characters, bidi marks) as U+FFFD."""
    flat = " ".join(str(text).split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in flat)


def shortened(text: object, limit: int) -> str:
    """Return the visible text, cut to at most `limit` characters."""
    shown = visible(text)
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def name(key: str, limit: int = 64) -> str:
    """Return the last segment of a key, cut in the middle: file names mostly differ at the end."""
    shown = visible(key.rsplit("/", 1)[-1]) or visible(key)
    if len(shown) <= limit:
        return shown
    end = shown[-limit // 2 :]
    return shown[: limit - len(end) - 1] + "…" + end


def step(step_text: str) -> NextStep:
    """Parse a step of NoPipeline: a command, three or more spaces, its purpose. It contains no names of files."""
    command, *rest = _COLUMN_GAP.split(step_text, maxsplit=1)
    return NextStep("", command, f" {rest[0]}" if rest else "")


def is_displayable(next_step: NextStep) -> bool:
    """Return whether a step can be shown unchanged: a shortened or altered command would do something else."""
    return next_step.command.isprintable() and len(next_step.command) <= _COMMAND_CHARACTERS
