"""`music-streams up`: start the local cloud with the pipeline."""

import os
import subprocess
import time
from typing import Annotated

import typer

from local.errors import LocalCloudError
from music_streams.stack import find_stack
from music_streams_cli import local_cloud, options, output
from music_streams_cli.errors import NoCloud
from music_streams_cli.registry import command


@command("up", "Start the local cloud with the pipeline.", "music-streams up", "music-streams up --fresh")
def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Start empty, without the data of earlier runs.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Start the local cloud, or update a running one, with the pipeline of this checkout.

    It runs on this machine only and needs no AWS account. It is ready when the command ends.
    """
    console = output.stderr(quiet=quiet)
    began = time.monotonic()
    jobs = _package_jobs()
    state = local_cloud.state()
    os.environ.setdefault("LOCAL_CLOUD_WARM_UP", str(local_cloud.WARM_UP))
    from local.bring_up import bring_up  # noqa: PLC0415  slow to import

    def report(text: str) -> None:
        if not text.startswith("  "):  # indented lines name the commands of `local`
            output.show(console, f"{time.monotonic() - began:5.1f} s  {text}")

    try:
        with state.exclusively():
            bring_up(
                state,
                local_cloud.TEMPLATE,
                fresh=fresh,
                uploads=[f"{local_cloud.JOBS / jobs}={local_cloud.JOBS_PLACE}/{jobs}"],
                parameters={"JobsVersion": jobs},
                port=0,
                report=report,
            )
    except LocalCloudError as error:
        raise local_cloud.as_command_error(
            error, "music-streams logs     shows its log", "music-streams down"
        ) from error
    except OSError as error:
        raise NoCloud(f"the local cloud did not start: {error}") from error
    if not quiet:
        _say_ready()


def _package_jobs() -> str:
    """Package the code of the Glue jobs, as a deployment to AWS does, and return its version."""
    completed = subprocess.run(
        ["make", "--silent", "jobs"], cwd=local_cloud.CHECKOUT, capture_output=True, text=True, check=False
    )
    if completed.returncode:
        raise NoCloud(
            "packaging the code of the Glue jobs failed",
            details=completed.stderr.strip().splitlines()[-5:],
            next_steps=["make jobs         shows the whole output"],
        )
    return (local_cloud.JOBS / "version").read_text("utf-8").strip()


def _say_ready() -> None:
    stack, state = find_stack(environment={"LOCAL_CLOUD_STATE": str(local_cloud.state().root)}), local_cloud.state()
    rows = [
        ("endpoint", f"{stack.endpoint}  (every AWS API of the pipeline)"),
        ("files", f"s3://{stack.landing_bucket}/incoming/"),
        ("state", f"{state.root}/"),
        ("", ""),
        ("try", "music-streams demo"),
        ("put", "music-streams put FILE…"),
        ("watch", "music-streams status --watch"),
        ("logs", "music-streams logs --follow"),
        ("stop", "music-streams down"),
    ]
    output.show(output.stdout(), "ready", output.facts(rows))
