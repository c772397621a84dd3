"""Files in flight and unsettled repairs; a module of its own, so that waiting does not import the lake's readers."""

from collections.abc import Sequence

from music_streams.aws import objects
from music_streams.reconcile.files import FileInspector
from music_streams.reconcile.findings import State, Window
from music_streams.reconcile.plan import Repair
from music_streams.reconcile.stalled import StalledFinder
from music_streams.run.archive import awaits_archiving
from music_streams.run.executions import ALIVE
from music_streams.stack import Stack
from music_streams.state.ledger import Entry
from music_streams.state.statuses import ENDED, Status

_IN_FLIGHT = {State.IN_FLIGHT, State.LATE}


def file_inspector(stack: Stack, grace_seconds: float | None = None) -> FileInspector:
    """Return the inspector of a pipeline's files.

    Args:
        stack: the pipeline.
        grace_seconds: a file that changed or landed more recently is in flight; None: the stack's StallSeconds.
    """
    grace = stack.policy.stall_seconds if grace_seconds is None else grace_seconds
    finder = StalledFinder(stack.s3, stack.ledger, stack.executions, stack.landing_bucket, grace)
    return FileInspector(stack.s3, stack.ledger, finder, stack.landing_bucket, stack.policy.latency_sla_seconds)


def in_flight(stack: Stack, prefix: str, grace_seconds: float | None = None) -> dict[str, str]:
    """Return the files in flight under a prefix, names by source_id; for `grace_seconds` see :func:`file_inspector`."""
    inspector = file_inspector(stack, grace_seconds)
    files = inspector.findings(inspector.take_inventory(Window.of_unfinished(prefix)))
    return {file.source_id: file.name for file in files if file.state in _IN_FLIGHT}


def unsettled(stack: Stack, repairs: Sequence[Repair]) -> list[Repair]:
    """Return the repairs that have neither succeeded nor failed yet."""
    entries = stack.ledger.entries(repair.source_id for repair in repairs if repair.source_id)
    return [repair for repair in repairs if not _is_settled(stack, repair, entries.get(repair.source_id))]


def _is_settled(stack: Stack, repair: Repair, entry: Entry | None) -> bool:
    if repair.batch_id:
        return stack.executions.status(stack.executions.arn(repair.batch_id, 1)) not in {"", *ALIVE}
    if entry is None or entry.attempt < repair.attempt or entry.status not in ENDED or awaits_archiving(entry):
        return False
    # The status is QUARANTINED before the object is removed from where it landed.
    return entry.status is not Status.QUARANTINED or not objects.exists(stack.s3, entry.source)
