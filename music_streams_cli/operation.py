"""What the operators' commands share: say what will be done, ask, send, follow to the end, say what was done.

A command finds out what is to be done, and hands it over as an :class:`Operation`. Everything that is sent may be sent
again without harm, so an interrupted command is simply repeated.
"""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import RenderableType

from music_streams import policy
from music_streams.stack import Stack
from music_streams_cli import options, output
from music_streams_cli.errors import BadData, BadUsage


@dataclass(frozen=True)
class How:
    """The options that operations share."""

    dry_run: options.DryRun = False
    yes: options.Yes = False
    wait: options.Follow = True
    timeout: options.Timeout = policy.COMMAND_WAIT_SECONDS
    quiet: options.Quiet = False
    as_json: options.Json = False
    stack_name: options.StackName = None


def operating(*, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its parameter `how`, the options that operations share, some left out."""
    shared = [each for each in inspect.signature(How).parameters.values() if each.name not in without]

    def give(command: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(command).parameters.values() if each.name != "how"]

        @functools.wraps(command)
        def with_options(**given: Any) -> None:  # noqa: ANN401 - as typer reads them
            how = How(**{each.name: given.pop(each.name) for each in shared})
            command(**given, how=how)

        with_options.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]  # what typer looks at
        return with_options

    return give


class Operation(ABC):
    """Something that an operator asks for.

    Attributes:
        name: the command's.
        is_destructive: it is never begun unless somebody has said yes to it.
    """

    name: str
    stack: Stack
    is_destructive = False

    @property
    @abstractmethod
    def amount(self) -> str:
        """How much there is to do, ``3 files``; '' where nothing is."""

    @abstractmethod
    def plan(self) -> list[RenderableType]:
        """What would be done, and what not; where nothing is, why."""

    @abstractmethod
    def plan_as_json(self) -> dict[str, Any]:
        """The same for programs."""

    @abstractmethod
    def send(self) -> None:
        """Begin it."""

    @abstractmethod
    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Wait until it is done.

        Raises:
            TimedOut: it is not by then.
        """

    @abstractmethod
    def result(self) -> list[RenderableType]:
        """What was done."""

    @abstractmethod
    def result_as_json(self) -> dict[str, Any]:
        """The same for programs."""

    @property
    @abstractmethod
    def has_trouble(self) -> bool:
        """Whether something that was asked for could not be done."""

    def confirm(self) -> bool:
        """Ask on the terminal whether to begin."""
        return output.confirm(f"{self.name} {self.amount}?")


def nothing_more(_: object) -> list[str]:
    """No further words."""
    return []


def carry_out(operation: Operation, how: How) -> None:
    """Do what the options say about an operation: show it, or do it.

    Raises:
        BadUsage: nobody is there who could say yes to what cannot be undone.
        TimedOut: it was begun, and is not done in time.
    """
    is_sent = operation.amount != "" and not how.dry_run
    if is_sent:
        _begin(operation, how)
    is_awaited = is_sent and how.wait
    if is_awaited:
        operation.follow(output.stderr(quiet=how.quiet), how.timeout)
    if how.as_json:
        output.show_json(
            {
                "command": operation.name,
                "dry_run": how.dry_run,
                "plan": operation.plan_as_json(),
                "sent": is_sent,
                "result": operation.result_as_json() if is_awaited else None,
            }
        )
    elif is_awaited:
        output.show(output.stdout(), *operation.result())
    elif is_sent:
        output.show(output.stdout(), f"sent: {operation.name} {operation.amount}")
    else:
        output.show(output.stdout(), *_heading(operation), *operation.plan())
        if operation.amount:
            output.show(output.stdout(), "", "a dry run: nothing was sent")
    if operation.has_trouble:
        raise typer.Exit(BadData.exit_code)


def _begin(operation: Operation, how: How) -> None:
    asks = output.is_interactive() and not how.yes
    if operation.is_destructive and not (asks or how.yes):
        raise BadUsage(
            f"{operation.name} cannot be undone, and nobody is here to be asked",
            next_steps=["--dry-run     says what it would do", "--yes         does it"],
        )
    output.show(output.stderr(quiet=how.quiet and not asks), *_heading(operation), *operation.plan())
    if asks and not operation.confirm():
        output.show(output.stderr(), "nothing was sent")
        raise typer.Exit(BadData.exit_code)
    operation.send()


def _heading(operation: Operation) -> list[RenderableType]:
    if not operation.amount:
        return []
    return [output.styled((operation.name, "bold"), f": {operation.amount}, {operation.stack.where}"), ""]
