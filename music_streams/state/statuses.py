"""The statuses of a source in the ledger, and named sets of them. The transitions: docs/design.md, section 5."""

from enum import StrEnum

from music_streams.aws.telemetry import Metric


class Status(StrEnum):
    """The status of a source."""

    RECEIVED = "RECEIVED"
    VALID = "VALID"
    RUNNING = "RUNNING"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"
    QUARANTINED = "QUARANTINED"
    FAILED = "FAILED"
    RETRACTED = "RETRACTED"

    @property
    def metric(self) -> Metric:
        """The metric that counts the files that reach it."""
        return Metric(f"Files{self.title()}")


UNPUBLISHED = (Status.RECEIVED, Status.VALID, Status.RUNNING)
"""Its metrics are not published yet."""
IN_PROGRESS = (*UNPUBLISHED, Status.PUBLISHED)
"""In flight: the pipeline still has work to do on it."""
UNFINISHED = (*IN_PROGRESS, Status.FAILED)
"""In flight, or waiting for a redrive."""
FINISHED = (Status.ARCHIVED, Status.QUARANTINED, Status.RETRACTED)
"""In a terminal state: nothing happens to it unless somebody requests it.

Exception: ARCHIVED with the treatment `retract` becomes RETRACTED (`awaits_archiving`)."""
ENDED = (*FINISHED, Status.FAILED)
"""The attempt has ended, with or without success."""
RENEWABLE = (Status.FAILED, Status.ARCHIVED, Status.QUARANTINED)
"""A new attempt can begin."""
REFUSED_OR_FAILED = (Status.QUARANTINED, Status.FAILED)
"""The attempt ended without success: the entry has a reason."""
WITHOUT_ROWS = (Status.QUARANTINED, Status.RETRACTED)
"""The lake has no rows of it, and no metrics are due."""
WITHOUT_TIMESTAMP = (Status.RECEIVED, Status.QUARANTINED, Status.FAILED, Status.RETRACTED)
"""The entry has no timestamp for this status other than `updated_at`."""
