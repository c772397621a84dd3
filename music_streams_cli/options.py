"""Options that several commands share."""

from datetime import datetime
from typing import Annotated, Any

import typer

from music_streams import policy

DAY, DAY_FORMATS = "YYYY-MM-DD", ["%Y-%m-%d"]


def unset(metavar: str, explanation: str, *names: str, **settings: Any) -> Any:  # noqa: ANN401 - typer's
    """Return an option whose help text shows no default, or `show_default`; typer defines the settings."""
    return typer.Option(*names, metavar=metavar, help=explanation, **{"show_default": False, **settings})


def argument(metavar: str, explanation: str, **settings: Any) -> Any:  # noqa: ANN401 - the same
    """Return an argument without a default; typer defines the settings."""
    return typer.Argument(metavar=metavar, help=explanation, show_default=False, **settings)


def day(name: str, explanation: str) -> Any:  # noqa: ANN401 - the same
    """Return an option for a day."""
    return unset(DAY, explanation, name, formats=DAY_FORMATS)


def whole(least: int, most: int, explanation: str, metavar: str = "N") -> Any:  # noqa: ANN401 - the same
    """Return an option for an integer within bounds."""
    return typer.Option(min=least, max=most, metavar=metavar, help=explanation)


def of_stack(default: int, parameter: str) -> str:
    """Return the text for a default that a parameter of the stack can override."""
    return f"{default}, or the stack's {parameter}"


def examples(*commands: str) -> str:
    """Return the examples of a help text, whose lines are not wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


_STACK = "The CloudFormation stack on AWS to use, instead of the local cloud."
StackName = Annotated[str | None, unset("NAME", _STACK, "--stack-name", envvar="MUSIC_STREAMS_STACK")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the metrics are published.")]
Follow = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all work has ended.")]
Timeout = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Maximum seconds to wait; then exit code 4.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be done, and stop.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
FilesListed = Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of files to list.")]
_FIRST, _LAST = day("--from", "First day of listens (UTC)."), day("--to", "Last day of listens (UTC).")
From = Annotated[datetime | None, _FIRST]
To = Annotated[datetime | None, _LAST]
FirstArrival = Annotated[datetime | None, day("--from", "First date of arrival (UTC).")]
LastArrival = Annotated[datetime | None, day("--to", "Last date of arrival (UTC).")]
FromDay = Annotated[datetime, _FIRST]
ToDay = Annotated[datetime, _LAST]
_SOURCE = argument("SOURCE", "A file's name, key or source_id (or its beginning), or a batch_id.")
Sources = Annotated[list[str], _SOURCE]
SomeSources = Annotated[list[str] | None, _SOURCE]
STALL = of_stack(policy.STALL_SECONDS, "StallSeconds")
