"""What becomes of a message in the arrivals queue."""

from enum import StrEnum


class Outcome(StrEnum):
    """What became of one message."""

    VALID = "valid"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    GONE = "gone"
    UNREADABLE = "unreadable"
    """S3 does not give its bytes."""
    RENEWED = "renewed"
    """Another attempt begins."""
    RESUMED = "resumed"
    """What stood still was carried on."""
    REFUSED = "refused"
    """The file is still one that cannot be processed."""
    ORDERED = "ordered"
    """A run without sources of its own begins."""
