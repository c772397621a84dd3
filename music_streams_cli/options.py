"""Options that several commands share."""

from datetime import datetime
from typing import Annotated, Any

import typer

from music_streams import policy

DAY, DAY_FORMATS = "YYYY-MM-DD", ["%Y-%m-%d"]


def unset(metavar: str, explanation: str, *names: str, **settings: Any) -> Any:  # noqa: ANN401 - typer's
    """An option whose default the help does not show, or shows as `show_default`; the settings are typer's."""
    return typer.Option(*names, metavar=metavar, help=explanation, **{"show_default": False, **settings})


def argument(metavar: str, explanation: str, **settings: Any) -> Any:  # noqa: ANN401 - the same
    """An argument without a default; the settings are typer's."""
    return typer.Argument(metavar=metavar, help=explanation, show_default=False, **settings)


def day(name: str, explanation: str) -> Any:  # noqa: ANN401 - the same
    """An option that takes a day."""
    return unset(DAY, explanation, name, formats=DAY_FORMATS)


def whole(least: int, most: int, explanation: str, metavar: str = "N") -> Any:  # noqa: ANN401 - the same
    """An option that takes a whole number within bounds."""
    return typer.Option(min=least, max=most, metavar=metavar, help=explanation)


def of_stack(default: int, parameter: str) -> str:
    """What a help text says of a default that a parameter of the stack may set."""
    return f"{default}, or the stack's {parameter}"


def examples(*commands: str) -> str:
    """The end of a help text; its lines stay as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


_STACK = "The CloudFormation stack on AWS to speak to, instead of the local cloud."
StackName = Annotated[str | None, unset("NAME", _STACK, "--stack-name", envvar="MUSIC_STREAMS_STACK")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no hints: results and errors only.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the metrics stand.")]
Follow = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all is done.")]
Timeout = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Seconds to wait at most; then exit code 4.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")]
FilesListed = Annotated[int, typer.Option(min=1, metavar="N", help="Files to list at most.")]
_FIRST, _LAST = day("--from", "First day."), day("--to", "Last day.")
From = Annotated[datetime | None, _FIRST]
To = Annotated[datetime | None, _LAST]
FromDay = Annotated[datetime, _FIRST]
ToDay = Annotated[datetime, _LAST]
_SOURCE = argument("SOURCE", "A file's name, key or source_id (or its beginning), or a batch_id.")
Sources = Annotated[list[str], _SOURCE]
SomeSources = Annotated[list[str] | None, _SOURCE]
STALL = of_stack(policy.STALL_SECONDS, "StallSeconds")
