"""`music-streams dlq`: messages that could not be taken, and the way back for them."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.table import Table

from music_streams import display
from music_streams.stack import Stack, find_stack
from music_streams_cli import dead_letters, options, output
from music_streams_cli.dead_letters import DeadLetter
from music_streams_cli.operation import How, Operation, carry_out, operating
from music_streams_cli.registry import command, group

_Limit = Annotated[int, typer.Option(min=1, metavar="N", help="Messages at most.")]

dlq = group(
    "dlq",
    "Messages that could not be taken.",
    "Messages that could not be taken, and the way back for them.",
    "music-streams dlq list",
    "music-streams dlq redrive",
)


@command("list", "What could not be taken.", "music-streams dlq list --limit 100", within=dlq)
def list_(limit: _Limit = 20, as_json: options.Json = False, stack_name: options.StackName = None) -> None:
    """List the dead letters of both queues: arrivals that validate could not take, failures that were not recorded.

    While it looks, for a second or two, nobody else sees them. Looking counts as receiving.
    """
    stack = find_stack(stack_name)
    with dead_letters.held(stack, limit) as held:
        letters = list(held)
    if as_json:
        output.show_json([letter.as_json() for letter in letters])
    elif not letters:
        output.show(output.stdout(), "no dead letters")
    else:
        output.show(output.stdout(), _table(letters), "", "next: once the cause is mended: music-streams dlq redrive")


@command(
    "redrive",
    "Send it back to where it came from.",
    "music-streams dlq redrive --dry-run",
    "music-streams dlq redrive",
    within=dlq,
)
@operating(without=("wait", "timeout"))
def redrive(how: How, limit: _Limit = 1_000) -> None:
    """Send the dead letters of both queues back to where they came from.

    Each is deleted only after it was sent, and twice does no harm. What nothing could take stays where it is.

    Exit code: 0 all are back, or there are none; 1 some stay; 2 wrong usage; 3 no pipeline.
    """
    stack = find_stack(how.stack_name)
    with dead_letters.held(stack, limit) as held:
        carry_out(Letters(stack, held), how)


@dataclass
class Letters(Operation):
    """Dead letters that are held; they go back where they came from, or stay."""

    stack: Stack
    held: list[DeadLetter]  # those that were sent back leave it
    name: str = "dlq redrive"

    def __post_init__(self) -> None:
        self._found = list(self.held)
        self._refused: list[DeadLetter] = []

    @property
    def amount(self) -> str:
        """How many messages can go back."""
        return display.plural(len(self._movable), "message") if self._movable else ""

    def plan(self) -> list[RenderableType]:
        """What they are about, and which stay."""
        stay = [f"left alone, nothing could take it: {letter.shown}" for letter in self._found if not letter.payload]
        table: RenderableType = _table(self._movable) if self._movable else "no dead letter can go back"
        return [table if self._found else "no dead letters", *stay]

    def plan_as_json(self) -> dict[str, Any]:
        """All that were found."""
        return {"messages": [letter.as_json() for letter in self._found]}

    def send(self) -> None:
        """Back to where they came from."""
        dead_letters.send_back(self.stack, self.held)
        self._refused = [letter for letter in self._movable if letter in self.held]

    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """There is nothing to wait for: what becomes of each message is another command's story."""

    def result(self) -> list[RenderableType]:
        """How many went back."""
        stay = [f"left alone, AWS refused it: {letter.shown}" for letter in self._refused]
        return [f"sent back: {display.plural(self._sent, 'message')}", *stay, "next: music-streams status"]

    def result_as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {"sent_back": self._sent}

    @property
    def has_trouble(self) -> bool:
        """Whether some stay."""
        return self._sent < len(self._found)

    @property
    def _sent(self) -> int:
        return len(self._movable) - len(self._refused)

    @property
    def _movable(self) -> list[DeadLetter]:
        return [letter for letter in self._found if letter.payload]


def _table(letters: list[DeadLetter]) -> Table:
    table = output.table("queue", "about", "received", "age", right=("received", "age"), elastic="about")
    for letter in letters:
        age = display.span(display.age(letter.sent_at))
        table.add_row(letter.queue, letter.shown, f"{letter.received:,}", age)
    return table
