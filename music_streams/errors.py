"""The exceptions of the package and their base class; some, such as UnreadableMetrics, are in the raising module."""

from __future__ import annotations


class MusicStreamsError(Exception):
    """Base class of all errors raised on purpose; the message says what was wrong, where, and what to do."""


class BadEvent(MusicStreamsError):
    """A queue message is neither a request nor an S3 object-created event of a versioned bucket."""


class BadSetting(MusicStreamsError):
    """An environment variable is missing or invalid."""


class ObjectGone(MusicStreamsError):
    """The object version was deleted before it was read."""


class Unreadable(MusicStreamsError):
    """The object exists, but S3 does not return its bytes: it is archived, or its key cannot be used.

    Attributes:
        may_lack_permission: the error code is one that S3 also returns if a permission is missing.
    """

    def __init__(self, message: str, *, may_lack_permission: bool) -> None:
        super().__init__(message)
        self.may_lack_permission = may_lack_permission


class DamagedObject(MusicStreamsError):
    """A JSON object of the pipeline at `uri` is not JSON or lacks the expected fields: somebody else wrote it."""

    def __init__(self, uri: str, problem: str, what_to_do: str) -> None:
        super().__init__(f"{uri} is damaged: {problem}; {what_to_do}")
        self.uri = uri


class TooManyMembers(MusicStreamsError):
    """A gzip file has more members than any tool writes; the message says how many are allowed."""


class ArchiveMismatch(MusicStreamsError):
    """A copy in the archive differs from its original."""


class NoReferenceData(MusicStreamsError):
    """There is no valid songs row. The message begins with the reason ``no_reference_data``."""


class UnparsableReference(MusicStreamsError):
    """The parser failed on a reference file that validation accepted."""


class RunIsOver(MusicStreamsError):
    """An execution continued after it was recorded as failed: it was redriven in Step Functions."""


class JobRunsAlive(MusicStreamsError):
    """Job runs of an ended execution are still running."""


class FailureNotRecorded(MusicStreamsError):
    """An execution ended without success, and its files are not FAILED yet."""


class EventRefused(MusicStreamsError):
    """EventBridge rejected an event."""


class QueueRefused(MusicStreamsError):
    """The arrivals queue rejected a message."""


class ForgetFailed(MusicStreamsError):
    """A run that erases users failed; the message is the original one, with user ids masked."""


class TableThrottled(MusicStreamsError):
    """DynamoDB left keys of a table unread in all retries."""


class LakeChanged(MusicStreamsError):
    """The lake table is not what the run expects."""


class NoPipeline(MusicStreamsError):
    """There is no pipeline, or access to it was denied, or it did not answer.

    Attributes:
        details: further lines, such as the places that were searched.
        next_steps: commands or actions that help, one a line.
    """

    def __init__(self, message: str, *, details: list[str] | None = None, next_steps: list[str] | None = None) -> None:
        super().__init__(message)
        self.details = details or []
        self.next_steps = next_steps or []
