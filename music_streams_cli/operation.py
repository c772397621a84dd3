"""The common steps of the operators' commands: show the plan, ask for confirmation, send, wait, show the result.

A command makes its plan and passes it as an :class:`Operation`. Requests are idempotent, so an interrupted command can
be run again.
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
class CommonOptions:
    """The options that operations share."""

    dry_run: options.DryRun = False
    yes: options.Yes = False
    wait: options.Follow = True
    timeout: options.Timeout = policy.COMMAND_WAIT_SECONDS
    quiet: options.Quiet = False
    as_json: options.Json = False
    stack_name: options.StackName = None


def with_common_options(*, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the parameter `common` of a command with the options that operations share, except `without`."""
    shared = [option for option in inspect.signature(CommonOptions).parameters.values() if option.name not in without]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [option for option in inspect.signature(command).parameters.values() if option.name != "common"]

        @functools.wraps(command)
        def with_options(**given: Any) -> None:  # noqa: ANN401 - typer passes them
            common = CommonOptions(**{option.name: given.pop(option.name) for option in shared})
            command(**given, common=common)

        with_options.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]  # read by typer
        return with_options

    return decorate


class Operation(ABC):
    """An operation that an operator requests.

    Attributes:
        name: the name of the command.
        is_destructive: it cannot be undone, and needs --yes without a terminal. On a terminal every operation asks.
    """

    name: str
    stack: Stack
    is_destructive = False

    @property
    @abstractmethod
    def amount(self) -> str:
        """Return how much there is to do, such as ``3 files``; '' if there is nothing."""

    @abstractmethod
    def plan(self) -> list[RenderableType]:
        """Return what is to be done and what is skipped; if there is nothing to do, why."""

    @abstractmethod
    def plan_as_json(self) -> dict[str, Any]:
        """Return the plan as JSON."""

    @abstractmethod
    def send(self) -> None:
        """Send the requests."""

    @abstractmethod
    def follow(self, progress: output.Screen, timeout_seconds: float) -> None:
        """Wait until it has ended. Raises TimedOut if it has not ended in time."""

    @abstractmethod
    def result(self) -> list[RenderableType]:
        """Return what was done."""

    @abstractmethod
    def result_as_json(self) -> dict[str, Any]:
        """Return the result as JSON."""

    @property
    @abstractmethod
    def has_problems(self) -> bool:
        """Return whether a part of the request failed or was not possible."""

    def confirm(self) -> bool:
        """Ask for confirmation on the terminal."""
        return output.confirm(f"{self.name} {self.amount}?")


def no_lines(_: object) -> list[str]:
    """Return no lines."""
    return []


def carry_out(operation: Operation, common: CommonOptions) -> None:
    """Send an operation and wait for it, or only show its plan: with --dry-run, or if there is nothing to do.

    Raises:
        BadUsage: a destructive operation is not confirmed, and there is no terminal to ask on.
        TimedOut: it was sent and has not ended in time.
        typer.Exit: it was declined, or a part of it failed.
    """
    should_send = operation.amount != "" and not common.dry_run
    if should_send:
        _confirm_and_send(operation, common)
    should_wait = should_send and common.wait
    if should_wait:
        operation.follow(output.stderr(quiet=common.quiet), common.timeout)
    if common.as_json:
        output.show_json(
            {
                "command": operation.name,
                "dry_run": common.dry_run,
                "plan": operation.plan_as_json(),
                "sent": should_send,
                "result": operation.result_as_json() if should_wait else None,
            }
        )
    elif should_wait:
        output.show(output.stdout(), *operation.result())
    elif should_send:
        output.show(output.stdout(), f"sent: {operation.name} {operation.amount}")
    else:
        output.show(output.stdout(), *_heading(operation), *operation.plan())
        if operation.amount:
            output.show(output.stdout(), "", "dry run: nothing was sent")
    if operation.has_problems:
        raise typer.Exit(BadData.exit_code)


def _confirm_and_send(operation: Operation, common: CommonOptions) -> None:
    asks = output.is_interactive() and not common.yes
    if operation.is_destructive and not (asks or common.yes):
        raise BadUsage(
            f"{operation.name} cannot be undone: it needs --yes when not run on a terminal",
            next_steps=["--dry-run     shows what it would do", "--yes         confirms it"],
        )
    output.show(output.stderr(quiet=common.quiet and not asks), *_heading(operation), *operation.plan())
    if asks and not operation.confirm():
        output.show(output.stderr(), "nothing was sent")
        raise typer.Exit(BadData.exit_code)
    operation.send()


def _heading(operation: Operation) -> list[RenderableType]:
    if not operation.amount:
        return []
    return [output.styled((operation.name, "bold"), f": {operation.amount}, {operation.stack.where}"), ""]
