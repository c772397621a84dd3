"""Text from outside, made fit to be shown. Escaping it for HTML is the templates' part."""

import re

from music_streams.operate.next_steps import NextStep

_COMMAND_CHARACTERS = 300
_GAP = re.compile(r"\s{3,}")


def visible(text: object) -> str:
    """The text in one line, what cannot be seen (control characters, marks of direction) as U+FFFD."""
    flat = " ".join(str(text).split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in flat)


def shortened(text: object, limit: int) -> str:
    """The visible text in so many characters at most, cut at its end."""
    shown = visible(text)
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def name(key: str, limit: int = 64) -> str:
    """The last segment of a key, cut in its middle: what tells files apart mostly stands at the end."""
    shown = visible(key.rsplit("/", 1)[-1]) or visible(key)
    if len(shown) <= limit:
        return shown
    end = shown[-limit // 2 :]
    return shown[: limit - len(end) - 1] + "…" + end


def step(told: str) -> NextStep:
    """A step of NoPipeline: the command, a gap, what it is for; all are words of this program, no name is in them."""
    command, *rest = _GAP.split(told, maxsplit=1)
    return NextStep("", command, f" {rest[0]}" if rest else "")


def is_fit(told: NextStep) -> bool:
    """Whether a step can be shown; cut or mended, its command would do something else."""
    return told.command.isprintable() and len(told.command) <= _COMMAND_CHARACTERS
