"""The log of all parts of a cloud, a line for each entry: `<time> <part> <text>`."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

LINE = re.compile(r"^(?P<time>\S+Z) (?P<part>\S+) +(?P<text>.*)$")
_PART_WIDTH = 22


def format_line(part: str, text: str, instant: datetime) -> str:
    """Return a line of the log with its line end."""
    timestamp = instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return f"{timestamp} {part:<{_PART_WIDTH}} {text}\n"


class CloudLog:
    """Appends lines from any thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        self._lock = threading.Lock()

    def write(self, part: str, text: str) -> None:
        """Write an entry for each line of the text."""
        now = datetime.now(UTC)
        lines = [format_line(part, line.rstrip(), now) for line in text.splitlines() if line.strip()]
        with self._lock:
            if not self._file.closed:
                self._file.write("".join(lines))

    def close(self) -> None:
        """Close the log; later writes are dropped."""
        with self._lock:
            self._file.close()


def follow(path: Path, *, keep_following: Callable[[], bool]) -> Iterator[str]:
    """Yield the lines of the log, then new ones as they come, as long as keep_following returns True."""
    with path.open(encoding="utf-8") as log:
        unfinished = ""
        while True:
            chunk = log.readline()
            if chunk.endswith("\n"):
                yield (unfinished + chunk).rstrip("\n")
                unfinished = ""
            elif chunk:
                unfinished += chunk
            elif keep_following():
                time.sleep(0.2)
            else:
                return


def concerns(line: str, part: str | None) -> bool:
    """Return whether a line is of a part; `glue` includes `glue/transform`."""
    if part is None:
        return True
    match = LINE.match(line)
    return match is not None and (match["part"] == part or match["part"].startswith(f"{part}/"))
