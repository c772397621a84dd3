"""Where a source stands in the ledger, and the sets of statuses that mean something together.

Which moves there are between them: docs/design.md, section 5.
"""

from enum import StrEnum

from music_streams.aws.telemetry import Metric


class Status(StrEnum):
    """Where a source stands."""

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
        """What counts the files that come to it."""
        return Metric(f"Files{self.title()}")


UNPUBLISHED = (Status.RECEIVED, Status.VALID, Status.RUNNING)
"""On its way to its metrics."""
IN_PROGRESS = (*UNPUBLISHED, Status.PUBLISHED)
"""Something is still to happen by itself."""
NOT_AT_REST = (*IN_PROGRESS, Status.FAILED)
"""Something is still to happen, by itself or by a redrive."""
AT_REST = (Status.ARCHIVED, Status.QUARANTINED, Status.RETRACTED)
"""Nothing is to happen any more, unless somebody asks for it."""
ENDED = (*AT_REST, Status.FAILED)
"""The attempt is over, well or badly."""
RENEWABLE = (Status.FAILED, Status.ARCHIVED, Status.QUARANTINED)
"""Another attempt may begin."""
REFUSED_OR_FAILED = (Status.QUARANTINED, Status.FAILED)
"""The attempt ended badly: there is a reason."""
WITHOUT_ROWS = (Status.QUARANTINED, Status.RETRACTED)
"""The lake has no row of it, and no metrics of it are owed."""
WITHOUT_STAMP = (Status.RECEIVED, Status.QUARANTINED, Status.FAILED, Status.RETRACTED)
"""The entry has no stamp of its own for it: `updated_at` is when it came there."""
