"""Options that several commands share."""

from datetime import datetime
from typing import Annotated, Any

import typer

StackName = Annotated[
    str | None,
    typer.Option(
        "--stack-name",
        metavar="NAME",
        envvar="MUSIC_STREAMS_STACK",
        help="The CloudFormation stack on AWS to speak to, instead of the local cloud.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no hints: results and errors only.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the metrics stand.")]
Follow = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all is done.")]
Timeout = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Seconds to wait at most; then exit code 4.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")]
FilesListed = Annotated[int, typer.Option(min=1, metavar="N", help="Files to list at most.")]
_SOURCE = typer.Argument(
    metavar="SOURCE", help="A file's name, key or source_id (or its beginning), or a batch_id.", show_default=False
)
Sources = Annotated[list[str], _SOURCE]
SomeSources = Annotated[list[str] | None, _SOURCE]


def day(name: str, explanation: str) -> Any:  # noqa: ANN401 - typer says no more of what it makes
    """An option that takes a day."""
    return typer.Option(name, formats=DAY_FORMATS, metavar=DAY, help=explanation, show_default=False)


def whole(least: int, most: int, explanation: str, metavar: str = "N") -> Any:  # noqa: ANN401 - the same
    """An option that takes a whole number within bounds."""
    return typer.Option(min=least, max=most, metavar=metavar, help=explanation)


DAY, DAY_FORMATS = "YYYY-MM-DD", ["%Y-%m-%d"]
_FIRST, _LAST = day("--from", "First day."), day("--to", "Last day.")
From = Annotated[datetime | None, _FIRST]
To = Annotated[datetime | None, _LAST]
FromDay = Annotated[datetime, _FIRST]
ToDay = Annotated[datetime, _LAST]


def of_stack(default: int, parameter: str) -> str:
    """What a help text says of a default that a parameter of the stack may set."""
    return f"{default}, or the stack's {parameter}"


def examples(*commands: str) -> str:
    """The end of a help text; its lines stay as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)
