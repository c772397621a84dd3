"""The commands."""

import sys

import typer
from rich.console import Console

from music_streams_cli import demo
from music_streams_cli.stack import StackNotFound, find_stack

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Music-stream files in S3 become metrics in DynamoDB."""


@app.command("demo")
def run_demo() -> None:
    """Send sample files through the running pipeline and show what comes out."""
    console = Console()
    try:
        stack = find_stack()
    except StackNotFound as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(3) from None
    sys.exit(demo.run(stack, console))


if __name__ == "__main__":
    app()
