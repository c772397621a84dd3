"""Options that several commands share."""

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


def examples(*commands: str) -> str:
    """The end of a help text; its lines stay as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)
