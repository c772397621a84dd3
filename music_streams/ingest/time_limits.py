"""Limits the time in which a file is validated, so that a slow file does not delay the others of its batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from music_streams import policy
from music_streams.aws import objects
from music_streams.errors import MusicStreamsError
from music_streams.state.ledger import Entry
from music_streams.validation.file_verdicts import Validation, Verdict, validate

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Shares of the function's timeout. Validation of a file begins only if _BEGIN_SHARE is left, takes VALIDATE_FILE_SHARE
# at most, and stops when _LAUNCH_SHARE is left, which is needed to stage the valid files and start their execution.
_BEGIN_SHARE, _LAUNCH_SHARE = 0.25, 0.2


class InvocationOutOfTime(MusicStreamsError):
    """Too little of the function's time is left: the message returns to the queue."""


@dataclass(frozen=True)
class FileValidator:
    """Validates the files of one invocation.

    Attributes:
        seconds_left: returns how much of the function's time remains.
        timeout_seconds: the function's timeout.
        max_file_bytes: the largest accepted file, uncompressed.
    """

    s3: "S3Client"
    seconds_left: Callable[[], float]
    timeout_seconds: float
    max_file_bytes: int

    def has_time(self) -> bool:
        """Return whether enough time is left to validate another file."""
        return self.seconds_left() > _BEGIN_SHARE * self.timeout_seconds

    def __call__(self, entry: Entry) -> Validation:
        """Validate a file within its share of the function's time; the verdict is TOO_SLOW if that does not suffice.

        Raises:
            ObjectGone, Unreadable: its bytes cannot be read.
            InvocationOutOfTime: earlier files used so much of the time that less than a full share was left.
        """
        share = policy.VALIDATE_FILE_SHARE * self.timeout_seconds
        begun_at = self.seconds_left()
        until = max(begun_at - share, _LAUNCH_SHARE * self.timeout_seconds)
        content = objects.read_chunks(self.s3, entry.place)
        validation = validate(entry.source.key, content, self.max_file_bytes, lambda: self.seconds_left() > until)
        if validation.verdict is Verdict.TOO_SLOW and begun_at - until < share:
            raise InvocationOutOfTime(
                f"too little time is left to validate {entry.place.uri}: another invocation does it"
            )
        return validation
