"""What a cloud keeps on disk: one directory, `.local` unless told otherwise.

stack.json      endpoint, region, credentials and outputs of the deployed template, for every other program
server.json     the running server: process, when it started, endpoint, credentials
cloud.log       the one log            server.out    what the server printed, empty as a rule
calls.jsonl     what job runs asked of AWS, each kind of request once
resources.json  what the last deployment created
glue/<job>/     a log per job run      functions/    unpacked artifacts
    runtime/        what functions need not bring       scratch/      working folders of processes

Whoever reads the credentials may run code as the developer: stack.json and server.json are for the owner only (0600),
and so is a directory that is made here (0700). The server and what it starts make every file and folder so.
"""

import contextlib
import fcntl
import json
import os
import shlex
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil

from local.credentials import Credentials
from local.errors import ServerError
from local.loose_types import Json
from local.processes import MARKER

DEFAULT_STATE = Path(".local")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_SAME_START = 1.0  # seconds: a process id that started at another time is another process


@dataclass(frozen=True)
class ServerRecord:
    """How to find the server of a cloud."""

    pid: int
    started: float
    endpoint: str
    region: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)

    @property
    def credentials(self) -> Credentials:
        """What it accepts, and nothing else."""
        return Credentials(self.access_key_id, self.secret_access_key)

    def is_alive(self, marker: str) -> bool:
        """Whether this very process still runs, and for the cloud with the marker."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started) < _SAME_START
            return is_same and process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == marker
        except (psutil.Error, OSError):
            return False


class StateDir:
    """The paths of one cloud."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stack_file = root / "stack.json"
        self.server_file = root / "server.json"
        self.resources_file = root / "resources.json"
        self.log_file = root / "cloud.log"
        self.calls_file = root / "calls.jsonl"
        self.server_output = root / "server.out"
        self.functions = root / "functions"
        self.runtime = root / "runtime"
        self.scratch = root / "scratch"
        self.glue = root / "glue"

    @property
    def marker(self) -> str:
        """What marks the processes of this cloud."""
        return str(self.root.resolve())

    def make(self) -> None:
        """Make the directory where it is missing, for its owner only; one that exists keeps its permissions.

        Raises ServerError where others may write there: they could put links in our way, and read what we write.
        """
        make_folder(self.root)
        found = self.root.stat()
        if found.st_uid != os.geteuid() or found.st_mode & _WRITABLE_BY_OTHERS:
            raise ServerError(
                f"others may write to {self.root}: make it yours alone (chmod go-w {shlex.quote(str(self.root))}), "
                "or name another folder with LOCAL_CLOUD_STATE"
            )

    def live_server(self) -> ServerRecord | None:
        """The server, if it runs."""
        try:
            record = ServerRecord(**json.loads(self.server_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None  # half-written or of another version: as good as none, the sweep finds the process
        return record if record.is_alive(self.marker) else None

    def record_server(self, record: ServerRecord) -> None:
        """Lets others find the server."""
        write_json(self.server_file, asdict(record))

    def _opened(self, name: str) -> IO[str]:
        path = self.root / name
        try:
            return open(path, "w", opener=for_owner)
        except OSError as error:
            raise ServerError(f"{path} cannot be written ({error.strerror}): remove it if it is a link") from error

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[None]:
        """Keeps a second `up` or `down` of the same cloud out. Raises ServerError when one is at work."""
        self.make()
        with self._opened("lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ServerError(f"another `up` or `down` is at work in {self.root}: wait for it") from error
            yield


def for_owner(path: str, flags: int) -> int:
    """Open a file as `open` does, but no link; one that is new, only its owner may read."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def make_folder(folder: Path) -> None:
    """Make the folder, and those above it that are missing, for their owner only."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)  # pathlib's `parents` would make those above it for all to read


def write_json(path: Path, content: Mapping[str, Json]) -> None:
    """Replaces the file in one step: a reader sees the old content or the new, never a part.

    Only the owner may read it.
    """
    make_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2, sort_keys=True)
            file.write("\n")
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
