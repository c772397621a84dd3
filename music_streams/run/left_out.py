"""Reports reference files that a run could not read, and went on without."""

from music_streams.aws.alert_sender import Alerts, listed
from music_streams.display import plural
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.run_files import PinnedReference, Summary

_WHY = {
    "object_gone": "it was deleted before it was read",
    "unreadable": "S3 does not return its bytes: it is archived, or encrypted with a key that the pipeline cannot use",
}


def report(
    ledger: Ledger, alerts: Alerts, summary: Summary, pinned: PinnedReference | None, entries: list[Entry]
) -> None:
    """Send one alert about the reference files that this run left out, except those that an earlier alert named.

    The ledger remembers of which published files the alert was sent; after a crash it is sent again. `entries` are of
    the sources of the run.
    """
    failed = {entry.source.source_id: summary.sources[entry.source.source_id].failure for entry in entries}
    lines = [
        f"{entry.source.uri}: {_WHY.get(why, why)} (source_id {entry.source.source_id})"
        for entry in entries
        if (why := failed[entry.source.source_id])
    ]
    left_out = pinned.left_out if pinned else {}
    known = ledger.entries(left_out)
    new = {source_id: why for source_id, why in left_out.items() if not known[source_id].left_out}
    lines += [f"{why} (source_id {source_id})" for source_id, why in new.items()]
    if lines:
        count = plural(len(lines), "reference file")
        alerts.send(
            f"music-streams: {count} not read",
            [
                f"{count} not read. Runs use the version before it, if there is one.",
                "What to do: upload the file again, or delete it: docs/runbooks.md#a-reference-file-is-not-read",
                *listed(lines),
            ],
        )
    for source_id, why in new.items():
        ledger.note_left_out(known[source_id], why)
