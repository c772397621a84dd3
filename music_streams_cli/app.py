"""The program `music-streams`: its commands and its error handling."""

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

# In the order of the help text; each name is a module in `commands`.
_NAMES = (
    *("up", "demo", "put", "status", "show", "report", "cost", "logs", "sample"),
    *("reconcile", "redrive", "replay", "retract", "rebuild", "forget", "maintain"),
    *("down", "metrics", "quarantine", "dlq"),
)
_INTERRUPTED = 130  # 128 + SIGINT, the convention of shells


class _Commands(TyperGroup):
    """The command group; it turns expected errors of any command into a message and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - typer defines it
        return list(_NAMES)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer does not export the type
        try:
            return super().invoke(ctx)
        except CommandError as error:
            raise _exit(error) from error
        except ClientError as error:
            raise _exit(_aws_error(error)) from error
        except BotoCoreError as error:
            raise _exit(_unreachable(no_access(error, "the pipeline"))) from error
        except NoPipeline as error:
            raise _exit(_unreachable(error)) from error
        except MusicStreamsError as error:
            raise _exit(NoCloud(str(error))) from error
        except TyperException as error:
            error.message = output.plain(error.message)  # it quotes the command line
            raise
        except KeyboardInterrupt as interrupt:
            output.show(output.stderr(), "interrupted; uploaded files are still processed: music-streams status")
            raise typer.Exit(_INTERRUPTED) from interrupt


def _exit(error: CommandError) -> typer.Exit:
    output.report(error)
    return typer.Exit(error.exit_code)


def _aws_error(error: ClientError) -> NoCloud:
    operation = error.operation_name
    if "AccessDenied" in error_code(error):
        return NoCloud(
            f"access denied to {operation}",
            details=[str(error)],
            next_steps=[
                "aws sts get-caller-identity     shows your identity; attach a policy with the permission named above"
            ],
        )
    return _unreachable(no_access(error, f"{operation} of the pipeline"))


def _unreachable(error: NoPipeline) -> NoCloud:
    return NoCloud(str(error), details=error.details, next_steps=error.next_steps)


_EPILOG = """\b
Exit codes:
  0 done, or nothing to do
  1 something failed, was quarantined or could not be done,
    there is nothing to show, or you answered no
  2 wrong usage
  3 no pipeline found, access denied, or no response
  4 timeout

Help for one command: music-streams put --help"""

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
    """Turn music-stream files in S3 into exact daily metrics in DynamoDB.

    Commands use the local cloud, or a stack on AWS with --stack-name (or MUSIC_STREAMS_STACK).
    """


for _name in _NAMES:
    import_module(f"music_streams_cli.commands.{_name}")
app.add_typer(commands)
