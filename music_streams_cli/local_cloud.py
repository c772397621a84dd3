"""The local cloud of this checkout."""

from pathlib import Path

from local.errors import LocalCloudError
from local.state import StateDir
from music_streams.stack import state_folder
from music_streams_cli.errors import NoCloud

CHECKOUT = Path(__file__).resolve().parents[1]
TEMPLATE = CHECKOUT / "template.yaml"
JOBS = CHECKOUT / ".build" / "package" / "jobs"
WARM_UP = Path(__file__).with_name("warm_up.py")
JOBS_PLACE = "s3://music-streams-artifacts/jobs"


def state() -> StateDir:
    """Return the folder in which the local cloud keeps its files."""
    return StateDir(state_folder())


def as_command_error(error: LocalCloudError, *next_steps: str) -> NoCloud:
    """Return an error of the local cloud as an error of the commands."""
    message, *details = str(error).splitlines() or [""]
    return NoCloud(message, details=details, next_steps=list(next_steps))
