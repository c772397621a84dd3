"""Documents that settling a run stores: its summary, the reason of a quarantine, and the event for consumers."""

import json
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

from music_streams.aws.alert_sender import Alerts
from music_streams.operate.files import reason_of
from music_streams.reader import MetricsPublished
from music_streams.run.quarantine import Quarantine
from music_streams.run.settle import Settlement
from music_streams.state.ledger import Entry
from music_streams.state.run_files import find_summary
from music_streams.state.statuses import Status
from music_streams.validation.file_verdicts import Verdict
from tests.compatibility.stored.kinds import Stored, in_s3, of_run
from tests.compatibility.stored.moves import before_settling, ledger_of, without_copies
from tests.compatibility.stored.run import ARN, BATCH, DAY, FOLDER, JOB_RUN, NEXT_DAY, RUN, SETTLED
from tests.compatibility.stored.sources import ARRIVED, PACKED
from tests.compatibility.world import LANDING, Document, World


def _settle(world: World) -> Any:
    """Settle; return the client that sent the event."""
    before_settling(world)
    events = MagicMock(put_events=MagicMock(return_value={"FailedEntryCount": 0}))
    quarantine = Quarantine(world.s3, ledger_of(world), Alerts(MagicMock(), "alerts"))
    with without_copies():
        settlement = Settlement(world.s3, events, ledger_of(world), quarantine, 0.2)
        settlement.settle(FOLDER.manifest_uri, ARN, RUN, lambda: True, [JOB_RUN, JOB_RUN])
    return events


def _published_event(world: World) -> Document:
    [entry] = _settle(world).put_events.call_args.kwargs["Entries"]
    return {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}


def _reason(s3: Any, _: str) -> object:
    """Read the reason beside a quarantined file, located by the ledger's entry."""
    entry = Entry(PACKED, Status.QUARANTINED, ARRIVED, 1, archive_key=PACKED.kept_key("quarantine"))
    stack: Any = SimpleNamespace(s3=s3)
    reason = reason_of(stack, entry)
    assert reason is not None
    return {**reason, "verdict": Verdict(reason["verdict"])}


_OLDER: dict[str, object] = {"content.forgotten": replace(SETTLED, forgotten=[])}
_REASON = {
    "source_id": PACKED.source_id,
    "object": PACKED.uri,
    "received_at": ARRIVED,
    "size": 400,
    "verdict": Verdict.TOO_MANY_BAD_ROWS,
    "detail": "of 4 rows read these were rejected: 3 bad_user_id",
    "what_to_do": "see the rejected counts; mend the producer, "  # codespell:ignore mend - stored text
    "or raise MaxRejectedRatio; put it again",
}
SETTLE = [
    in_s3("runs/summary", _settle, f"{BATCH}/summary.json", of_run(find_summary), SETTLED, _OLDER),
    in_s3("quarantine/reason", _settle, "/reason.json", _reason, _REASON, bucket=LANDING),
    Stored(
        "messages/metrics-published",
        _published_event,
        lambda _, document: MetricsPublished.of_event(document),
        MetricsPublished(BATCH, 7, (date.fromisoformat(DAY), date.fromisoformat(NEXT_DAY)), 1, 8),
    ),
]
