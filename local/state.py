"""The files of a cloud: one directory, `.local` by default.

stack.json      endpoint, region, credentials and outputs of the deployed template, for every other program
server.json     the running server: process, when it started, endpoint, credentials
cloud.log       the log                server.out    output of the server, normally empty
calls.jsonl     AWS API calls of job runs, each different one once
resources.json  the resources of the last deployment
glue/<job>/     a log for each run     functions/    unpacked artifacts
    runtime/        packages of Lambda's runtime        scratch/      working folders of processes

Whoever has the credentials can run code as the developer. Therefore only the owner can read stack.json and server.json
(0600) and a directory that is created here (0700). The server and its processes create all files and folders so.
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
_SAME_START = 1.0  # seconds; with another start time, the process id was reused


@dataclass(frozen=True)
class ServerRecord:
    """The running server of a cloud."""

    pid: int
    started: float
    endpoint: str
    region: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)

    @property
    def credentials(self) -> Credentials:
        """The only credentials that the server accepts."""
        return Credentials(self.access_key_id, self.secret_access_key)

    def is_alive(self, marker: str) -> bool:
        """Return whether this process is still running and belongs to the cloud with the marker."""
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
        """The value that marks the processes of this cloud."""
        return str(self.root.resolve())

    def make(self) -> None:
        """Create the directory for its owner only; one that exists keeps its permissions.

        Raises ServerError if others may write to it: they could add links, and read what we write.
        """
        make_folder(self.root)
        status = self.root.stat()
        if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
            raise ServerError(
                f"others may write to {self.root}: remove their permission (chmod go-w {shlex.quote(str(self.root))}), "
                "or set LOCAL_CLOUD_STATE to another folder"
            )

    def live_server(self) -> ServerRecord | None:
        """Return the server if it is running, else None."""
        try:
            record = ServerRecord(**json.loads(self.server_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None  # missing or of another version; `sweep` finds the process
        return record if record.is_alive(self.marker) else None

    def record_server(self, record: ServerRecord) -> None:
        """Write the record by which others find the server."""
        write_json(self.server_file, asdict(record))

    def _open(self, name: str) -> IO[str]:
        path = self.root / name
        try:
            return open(path, "w", opener=for_owner)
        except OSError as error:
            raise ServerError(f"{path} cannot be written ({error.strerror}): remove it if it is a link") from error

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[None]:
        """Prevent a second `up` or `down` of the same cloud. Raises ServerError if one is running."""
        self.make()
        with self._open("lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ServerError(f"another `up` or `down` is running in {self.root}: wait for it") from error
            yield


def for_owner(path: str, flags: int) -> int:
    """Open a file as `open` does, but not through a link; only its owner can read a new one."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def make_folder(folder: Path) -> None:
    """Create the folder, and the missing ones above it, for their owner only."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)  # `parents=True` would let everyone read the upper ones


def write_json(path: Path, content: Mapping[str, Json]) -> None:
    """Replace the file atomically: a reader sees either the old content or the new. Only the owner may read it."""
    make_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # has mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2, sort_keys=True)
            file.write("\n")
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
