"""The program `music-streams`: its commands, and what an error becomes."""

from importlib import import_module
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperGroup
from typer.exceptions import TyperException

from music_streams.aws.clients import error_code
from music_streams.errors import MusicStreamsError, NoPipeline
from music_streams.stack import no_access
from music_streams_cli import output
from music_streams_cli.errors import CommandError, NoCloud
from music_streams_cli.registry import commands

# In the order of the help; each is a module of `commands`.
_NAMES = (
    *("up", "demo", "put", "status", "show", "report", "cost", "logs", "sample"),
    *("reconcile", "redrive", "replay", "retract", "rebuild", "forget", "maintain"),
    *("down", "metrics", "quarantine", "dlq"),
)
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class _Commands(TyperGroup):
    """Turns expected trouble into words and an exit code, in whichever command it comes up."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - whatever the context
        return list(_NAMES)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer keeps the types of its contexts to itself
        try:
            return super().invoke(ctx)
        except CommandError as error:
            raise _ended(error) from error
        except ClientError as error:
            raise _ended(_explained(error)) from error
        except BotoCoreError as error:
            raise _ended(_unreachable(no_access(error, "the pipeline"))) from error
        except NoPipeline as error:
            raise _ended(_unreachable(error)) from error
        except MusicStreamsError as error:
            raise _ended(NoCloud(str(error))) from error
        except TyperException as error:
            error.message = output.plain(error.message)  # it repeats words of the command line
            raise
        except KeyboardInterrupt as interrupt:
            output.show(output.stderr(), "interrupted; files that were put go on by themselves: music-streams status")
            raise typer.Exit(_INTERRUPTED) from interrupt


def _ended(error: CommandError) -> typer.Exit:
    output.report(error)
    return typer.Exit(error.exit_code)


def _explained(error: ClientError) -> NoCloud:
    operation = error.operation_name
    if "AccessDenied" in error_code(error):
        return NoCloud(
            f"these credentials do not allow {operation}",
            details=[str(error)],
            next_steps=["aws sts get-caller-identity     tells who you are; ask for the permission named above"],
        )
    return _unreachable(no_access(error, f"{operation} of the pipeline"))


def _unreachable(error: NoPipeline) -> NoCloud:
    return NoCloud(str(error), details=error.details, next_steps=error.next_steps)


_EPILOG = """\b
Exit codes:
  0 done
  1 files were quarantined or failed, something asked for was not done,
    or there is nothing to show
  2 wrong usage
  3 no pipeline, no access, no answer
  4 time-out

Every command explains itself: music-streams put --help"""

app = typer.Typer(
    name="music-streams",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)


@app.callback()
def main() -> None:
    """Music-stream files land in S3; exact metrics stand in DynamoDB. Run it, feed it, see what it does.

    Commands speak to the local cloud, or with --stack-name (or MUSIC_STREAMS_STACK) to a stack on AWS.
    """


for _name in _NAMES:
    import_module(f"music_streams_cli.commands.{_name}")
app.add_typer(commands)
