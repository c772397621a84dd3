"""The local cloud as the commands drive it: from the checkout that they are part of."""

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
    """Where the cloud keeps its files."""
    return StateDir(state_folder())


def trouble(error: LocalCloudError, *next_steps: str) -> NoCloud:
    """The local cloud's own words as an error of the commands."""
    what, *details = str(error).splitlines() or [""]
    return NoCloud(what, details=details, next_steps=list(next_steps))
