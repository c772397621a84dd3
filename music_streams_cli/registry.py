"""Registration of the commands in the modules of `commands`."""

from collections.abc import Callable
from typing import Any, TypeVar

import typer

from music_streams_cli import options

_Function = TypeVar("_Function", bound=Callable[..., Any])

commands = typer.Typer()


def command(
    name: str, short_help: str, *examples: str, within: typer.Typer = commands
) -> Callable[[_Function], _Function]:
    """Register a function as a command of the program or of a group; its docstring is the help text."""
    return within.command(name, short_help=short_help, epilog=options.examples(*examples))


def group(name: str, short_help: str, explanation: str, *examples: str) -> typer.Typer:
    """Add a command that has subcommands."""
    made = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    commands.add_typer(made, name=name, short_help=short_help, help=explanation, epilog=options.examples(*examples))
    return made
