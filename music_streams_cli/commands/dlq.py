"""`music-streams dlq`: list and redrive dead letters."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.table import Table

from music_streams import display
from music_streams.stack import Stack, find_stack
from music_streams_cli import dead_letters, options, output
from music_streams_cli.dead_letters import DeadLetter
from music_streams_cli.operation import CommonOptions, Operation, carry_out, with_common_options
from music_streams_cli.registry import command, group

_Limit = Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of messages.")]

dlq = group(
    "dlq",
    "List or redrive dead letters.",
    "List or redrive dead letters: messages that repeatedly failed processing.",
    "music-streams dlq list",
    "music-streams dlq redrive",
)


@command("list", "List dead letters.", "music-streams dlq list --limit 100", within=dlq)
def list_(limit: _Limit = 20, as_json: options.Json = False, stack_name: options.StackName = None) -> None:
    """List the dead letters of both queues: arrivals that validate failed to process, failures that were not recorded.

    Listing hides them from other readers for a second or two, and counts as a receive.
    """
    stack = find_stack(stack_name)
    with dead_letters.held(stack, limit) as held:
        letters = list(held)
    if as_json:
        output.show_json([letter.as_json() for letter in letters])
    elif not letters:
        output.show(output.stdout(), "no dead letters")
    else:
        output.show(output.stdout(), _table(letters), "", "next: after fixing the cause: music-streams dlq redrive")


@command(
    "redrive",
    "Send dead letters back to where they came from.",
    "music-streams dlq redrive --dry-run",
    "music-streams dlq redrive",
    within=dlq,
)
@with_common_options(without=("wait", "timeout"))
def redrive(common: CommonOptions, limit: _Limit = 1_000) -> None:
    """Send the dead letters of both queues back to where they came from.

    Each is deleted only after it was sent; the command is idempotent. A message that is neither an event nor a
    request stays in the queue.

    Exit code: 0 all were sent back, or there are none; 1 some messages are still in the queue; 2 wrong usage;
    3 no pipeline.
    """
    stack = find_stack(common.stack_name)
    with dead_letters.held(stack, limit) as held:
        carry_out(Letters(stack, held), common)


@dataclass
class Letters(Operation):
    """The operation that sends held dead letters back."""

    stack: Stack
    held: list[DeadLetter]  # sending a letter back removes it from the list
    name: str = "dlq redrive"

    def __post_init__(self) -> None:
        self._letters = list(self.held)
        self._rejected: list[DeadLetter] = []

    @property
    def amount(self) -> str:
        """Return the number of messages that can be sent back."""
        return display.plural(len(self._movable), "message") if self._movable else ""

    def plan(self) -> list[RenderableType]:
        """Return the messages, and which of them stay."""
        stay = [
            f"cannot be sent back (not a valid message): {letter.shown}"
            for letter in self._letters
            if not letter.payload
        ]
        table: RenderableType = _table(self._movable) if self._movable else "no dead letter can be sent back"
        return [table if self._letters else "no dead letters", *stay]

    def plan_as_json(self) -> dict[str, Any]:
        """Return all messages as JSON."""
        return {"messages": [letter.as_json() for letter in self._letters]}

    def send(self) -> None:
        """Send the messages back to where they came from."""
        dead_letters.send_back(self.stack, self.held)
        self._rejected = [letter for letter in self._movable if letter in self.held]

    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Return at once: what happens to the messages is shown by other commands."""

    def result(self) -> list[RenderableType]:
        """Return how many messages were sent back."""
        stay = [f"still in the queue, because AWS rejected it: {letter.shown}" for letter in self._rejected]
        return [f"sent back: {display.plural(self._sent, 'message')}", *stay, "next: music-streams status"]

    def result_as_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {"sent_back": self._sent}

    @property
    def has_problems(self) -> bool:
        """Return whether some messages stay."""
        return self._sent < len(self._letters)

    @property
    def _sent(self) -> int:
        return len(self._movable) - len(self._rejected)

    @property
    def _movable(self) -> list[DeadLetter]:
        return [letter for letter in self._letters if letter.payload]


def _table(letters: list[DeadLetter]) -> Table:
    table = output.table("queue", "about", "received", "age", right=("received", "age"), elastic="about")
    for letter in letters:
        age = display.span(display.age(letter.sent_at))
        table.add_row(letter.queue, letter.shown, f"{letter.received:,}", age)
    return table
