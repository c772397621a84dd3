"""The exceptions of the package and their base; a few more, such as UnreadableMetrics, are where they are raised."""

from __future__ import annotations


class MusicStreamsError(Exception):
    """Base of all errors raised on purpose; its message says what was wrong, where, and what to do."""


class BadEvent(MusicStreamsError):
    """A queue message that is no S3 object-created event of a versioned bucket."""


class BadSetting(MusicStreamsError):
    """An environment variable is missing or has an impossible value."""


class ObjectGone(MusicStreamsError):
    """The object version was deleted before it was read."""


class Unreadable(MusicStreamsError):
    """The object is there, and S3 gives its bytes to nobody here: archived, or under a key that is not ours.

    Attributes:
        may_be_our_rights: S3 gave an answer that it also gives where a right is missing.
    """

    def __init__(self, what: str, *, may_be_our_rights: bool) -> None:
        super().__init__(what)
        self.may_be_our_rights = may_be_our_rights


class DamagedObject(MusicStreamsError):
    """A JSON object of ours in S3 is no JSON, or not of the form that its reader needs: its writer was another.

    Attributes:
        uri: where it lies.
    """

    def __init__(self, uri: str, trouble: str, what_to_do: str) -> None:
        super().__init__(f"{uri} is damaged: {trouble}; {what_to_do}")
        self.uri = uri


class TooManyMembers(MusicStreamsError):
    """A gzip file has more members than any tool writes; its message says how many are allowed."""


class ArchiveMismatch(MusicStreamsError):
    """A copy in the archive differs from its original."""


class NoReferenceData(MusicStreamsError):
    """There is no valid songs row at all. The message begins with the reason ``no_reference_data``."""


class RunIsOver(MusicStreamsError):
    """An execution that was recorded as failed was taken up again."""


class JobRunsAlive(MusicStreamsError):
    """Job runs of an execution that is over have not ended yet."""


class FailureNotRecorded(MusicStreamsError):
    """An execution is over, and its files are not FAILED yet."""


class EventRefused(MusicStreamsError):
    """EventBridge did not take an event."""


class QueueRefused(MusicStreamsError):
    """The arrivals queue did not take a message."""


class ForgetFailed(MusicStreamsError):
    """A run that erases users failed; the message is that of the error, with their ids masked."""


class TableThrottled(MusicStreamsError):
    """DynamoDB leaves keys of a table unread, however often they are asked for."""


class LakeChanged(MusicStreamsError):
    """The lake table is not what the run expects."""


class NoPipeline(MusicStreamsError):
    """There is no pipeline to speak to, or it does not let us in, or it does not answer.

    Attributes:
        details: further lines about it: where was looked.
        next_steps: commands or acts that help, one a line.
    """

    def __init__(self, what: str, *, details: list[str] | None = None, next_steps: list[str] | None = None) -> None:
        super().__init__(what)
        self.details = details or []
        self.next_steps = next_steps or []
