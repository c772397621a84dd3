"""Options that several commands share."""

from datetime import datetime
from typing import Annotated

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
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE", help="A file's name, key or source_id (or its beginning), or a batch_id.", show_default=False
    ),
]
SomeSources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE", help="A file's name, key or source_id (or its beginning), or a batch_id.", show_default=False
    ),
]
_DAY_FORMAT = ["%Y-%m-%d"]
From = Annotated[
    datetime | None,
    typer.Option("--from", formats=_DAY_FORMAT, metavar="YYYY-MM-DD", help="First day.", show_default=False),
]
To = Annotated[
    datetime | None,
    typer.Option("--to", formats=_DAY_FORMAT, metavar="YYYY-MM-DD", help="Last day.", show_default=False),
]


def of_stack(default: int, parameter: str) -> str:
    """What a help text says of a default that a parameter of the stack may set."""
    return f"{default}, or the stack's {parameter}"


def examples(*commands: str) -> str:
    """The end of a help text; its lines stay as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)
