"""The outcomes of messages in the arrivals queue."""

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of processing one message."""

    VALID = "valid"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    """Claimed or done before; what a crashed invocation left is completed."""
    IGNORED = "ignored"
    GONE = "gone"
    UNREADABLE = "unreadable"
    """S3 refuses to return the file's bytes."""
    RENEWED = "renewed"
    """A new attempt begins."""
    RESUMED = "resumed"
    """A stalled source was continued."""
    REFUSED = "refused"
    """The file still fails validation, or the action does not apply to reference data."""
    ORDERED = "ordered"
    """The run of a rebuild or forget starts."""
