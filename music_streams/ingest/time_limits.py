"""A file is judged within its share of the function's time, so that no file holds up those of its batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams import policy
from music_streams.aws import objects
from music_streams.errors import MusicStreamsError
from music_streams.state.ledger import Entry
from music_streams.validation.verdicts import Validation, Verdict, validate

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Shares of the function's time. A file begins while the first is left, is read for VALIDATE_FILE_SHARE at most, and
# stops in any case while the second is left, so that what was validated before it is staged and launched.
_BEGIN_SHARE, _LAUNCH_SHARE = 0.25, 0.2


class OutOfTime(MusicStreamsError):
    """Too little of the function's time is left for the file: the message goes back to the queue."""


@dataclass(frozen=True)
class FileValidator:
    """Judges the files of one invocation.

    Attributes:
        seconds_left: answers how much of the function's time remains.
        timeout_seconds: all of the function's time.
        max_file_bytes: the largest accepted file, uncompressed.
    """

    s3: "S3Client"
    seconds_left: Callable[[], float]
    timeout_seconds: float
    max_file_bytes: int

    def has_time(self) -> bool:
        """Whether enough is left to begin another file."""
        return self.seconds_left() > _BEGIN_SHARE * self.timeout_seconds

    def __call__(self, entry: Entry) -> Validation:
        """Judge a file within its share of the function's time; a file that outlasts it is too slow.

        Raises:
            ObjectGone, Unreadable: its bytes cannot be had.
            OutOfTime: not its share ran out but the invocation, which others have used.
        """
        share = policy.VALIDATE_FILE_SHARE * self.timeout_seconds
        begun_at = self.seconds_left()
        until = max(begun_at - share, _LAUNCH_SHARE * self.timeout_seconds)
        content = objects.chunks(self.s3, entry.place)
        validation = validate(entry.source.key, content, self.max_file_bytes, lambda: self.seconds_left() > until)
        if validation.verdict is Verdict.TOO_SLOW and begun_at - until < share:
            raise OutOfTime(f"too little time was left for {entry.place.uri}: it is validated by another invocation")
        return validation
