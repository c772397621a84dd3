"""One local cloud for all end-to-end tests: started empty from this checkout, stopped at the end."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from music_streams.stack import Stack, find_stack

ROOT = Path(__file__).parents[2]
Found = TypeVar("Found")


def awaited(find: Callable[[], Found | None], seconds: float = 60, every: float = 0.2) -> Found:
    """Return the result of `find` as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(every)
    raise AssertionError(f"nothing within {seconds} s")


def shared_data() -> Path:
    """Return the folder with real input, which is not a part of the project."""
    return Path(os.environ.get("MUSIC_STREAMS_SHARED_DATA", ROOT.parent / "shared" / "data"))


@contextlib.contextmanager
def running_cloud(state: Path) -> Iterator[Path]:
    """Start a local cloud with the pipeline; yield its state folder."""
    commands, environment = ROOT / "music-streams", {**os.environ, "LOCAL_CLOUD_STATE": str(state)}
    try:
        subprocess.run([commands, "up"], env=environment, check=True)
        yield state
    finally:
        subprocess.run([commands, "down"], env=environment, check=True)


def music_streams(cloud: Path, *args: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command of the program in a folder, against the cloud of a state folder."""
    environment = {**os.environ, "LOCAL_CLOUD_STATE": str(cloud), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "music_streams_cli", *args]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="package")
def cloud(tmp_path_factory) -> Iterator[Path]:
    """The cloud that the tests share."""
    with running_cloud(tmp_path_factory.mktemp("cloud")) as state:
        yield state


@pytest.fixture(scope="package")
def stack(cloud) -> Stack:
    """The pipeline."""
    return find_stack(environment={"LOCAL_CLOUD_STATE": str(cloud)})


def reference_files(stack: Stack, kind: str) -> list[bytes]:
    """Return the songs or users files in the bucket: those of all tests so far."""
    listed = stack.s3.list_objects_v2(Bucket=stack.landing_bucket, Prefix=f"reference/{kind}/").get("Contents", [])
    return [
        stack.s3.get_object(Bucket=stack.landing_bucket, Key=item["Key"])["Body"].read()
        for item in sorted(listed, key=lambda item: item["LastModified"])
    ]
