"""The commands up, airflow, down, env and logs."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from local import airflow, control
from local.airflow_home import Launch
from local.errors import LocalCloudError, ServerError, TemplateError
from local.log import LINE, concerns, follow
from local.samconfig import parse_overrides
from local.state import DEFAULT_STATE, StateDir

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="A local AWS for a SAM template.", pretty_exceptions_enable=False
)
console = Console(soft_wrap=True, highlight=False)

StateOption = Annotated[
    Path, typer.Option("--state-dir", envvar="LOCAL_CLOUD_STATE", help="Folder of the cloud's state.")
]


@app.command()
def up(
    template: Annotated[Path, typer.Option(help="The SAM template.")] = Path("template.yaml"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete all data and start empty.")] = False,
    upload: Annotated[
        list[str] | None,
        typer.Option(help="DIR=s3://bucket/prefix: upload a folder before the deployment. Repeatable."),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE: override a template parameter of samconfig.toml. Repeatable."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the endpoint; 0 selects a free one.")] = 0,
    state_dir: StateOption = DEFAULT_STATE,
) -> None:
    """Start the cloud, or update a running one, and deploy the template."""
    state = StateDir(state_dir)
    from local.bring_up import bring_up  # noqa: PLC0415  importing it takes a second, which `down` and `logs` avoid

    with state.exclusively():
        bring_up(
            state,
            template,
            fresh=fresh,
            uploads=upload or [],
            parameters=parse_overrides(parameter or []),
            port=port,
            report=report,
        )


@app.command("airflow")
def start_airflow(
    python: Annotated[Path, typer.Option(help="Python interpreter of the environment with Airflow.")],
    dags: Annotated[Path, typer.Option(help="Folder of DAGs.")] = Path("dags"),
    plugins: Annotated[Path, typer.Option(help="Folder of plug-ins.")] = Path("plugins"),
    pythonpath: Annotated[Path, typer.Option(help="Folder of packages that DAGs and plug-ins import.")] = Path(),
    port: Annotated[int, typer.Option(envvar="AIRFLOW_PORT", help="Port of the API and the user interface.")] = 8080,
    state_dir: StateOption = DEFAULT_STATE,
) -> None:
    """Start Airflow next to the running cloud; `down` stops both."""
    state = StateDir(state_dir)
    with state.exclusively():
        airflow.start(state, Launch(python, dags, plugins, pythonpath, port), report)


@app.command()
def down(state_dir: StateOption = DEFAULT_STATE) -> None:
    """Stop the cloud and Airflow, and check that no process is left."""
    state = StateDir(state_dir)
    with state.exclusively():
        ended = control.stop(state)
    if ended:
        report(f"stopped: {ended} {'process' if ended == 1 else 'processes'} ended, none is left")
    else:
        report(f"nothing is running for {state.root}")


@app.command("env")
def print_environment(state_dir: StateOption = DEFAULT_STATE) -> None:
    """Print shell commands that point the AWS CLI and every SDK to the running cloud: eval "$(… env)"."""
    server = StateDir(state_dir).live_server()
    if server is None:
        raise ServerError(f"no cloud is running for {state_dir}: start it with `python -m local up`")
    variables = {
        **server.credentials.environment,
        "AWS_DEFAULT_REGION": server.region,
        "AWS_ENDPOINT_URL": server.endpoint,
    }
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.write("unset AWS_PROFILE AWS_SESSION_TOKEN\n")


@app.command()
def logs(
    follow_log: Annotated[bool, typer.Option("-f", "--follow", help="Follow the log until interrupted.")] = False,
    part: Annotated[str | None, typer.Option(help="Only one part: lambda, lambda/NAME, glue, queue, states …")] = None,
    state_dir: StateOption = DEFAULT_STATE,
) -> None:
    """Show the log of all parts of the cloud."""
    state = StateDir(state_dir)
    if not state.log_file.is_file():
        raise TemplateError(f"no log in {state.root}: start the cloud with `python -m local up`")
    for line in follow(state.log_file, keep_following=lambda: follow_log):
        if concerns(line, part):
            _print_log_line(line)


def _print_log_line(line: str) -> None:
    line = _printable(line)
    match = LINE.match(line)
    if not console.is_terminal or match is None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        return
    console.print(f"[dim]{match['time']}[/] [cyan]{escape(match['part']):<22}[/] {escape(match['text'])}")


def _printable(text: str) -> str:
    # Jobs and functions can print anything, and control characters could change what the terminal shows.
    return "".join(c if c.isprintable() or c in "\t\n" else c.encode("unicode_escape").decode() for c in text)


def report(text: str) -> None:
    """Print a line for the user, without styles if the output is piped."""
    console.print(escape(_printable(text)))
    console.file.flush()


def _fail(text: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {escape(_printable(text))}")
    sys.exit(1)


def main() -> None:
    """Run the command line. An expected error is one line on stderr, with exit code 1."""
    try:
        app()
    except LocalCloudError as error:
        _fail(str(error))
    except (BotoCoreError, Boto3Error, ClientError) as error:
        _fail(f"the cloud's endpoint failed: {error}: see `python -m local logs`")
    except BrokenPipeError:
        os._exit(1)  # the reader has closed the pipe
