"""The pipeline on AWS in memory, the files that arrived, and the invariants."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from music_streams import clock
from music_streams.aws.objects import Place
from music_streams.ingest.s3_events import event_of
from music_streams.reconcile.stalled import StalledFinder, StalledSource, StallReason, days_known, request_message
from music_streams.run.executions import Executions
from music_streams.state import requests
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.object_keys import Kind
from music_streams.state.requests import Action, Rebuild
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from music_streams.transform.ports import LISTENS, REJECTED_ROWS
from tests.stateful.cloud import (
    ALL_CALLS,
    FILES,
    LANDING,
    LEASE_SECONDS,
    METRICS,
    STATE_MACHINE_ARN,
    VISIBILITY_SECONDS,
    Cloud,
    Execution,
)
from tests.stateful.files import TRACKS, Listen, Reference, classify, fold, rejected_counts, streams_file
from tests.stateful.memory_lake import Tables
from tests.stateful.memory_s3 import Version
from tests.stateful.product import MAX_REJECTED_RATIO, programs

KEYS = ("incoming/a.csv", "incoming/b.csv", "incoming/c.txt")
_ROUNDS = 12
"""The most rounds of redrives until everything is finished."""

_EDGES = {
    None: {Status.RECEIVED},
    Status.RECEIVED: {Status.RECEIVED, Status.VALID, Status.QUARANTINED, Status.FAILED},
    Status.VALID: {Status.RUNNING},
    Status.RUNNING: {Status.PUBLISHED, Status.QUARANTINED, Status.FAILED},
    Status.PUBLISHED: {Status.ARCHIVED},
    Status.ARCHIVED: {Status.VALID, Status.RETRACTED},
    Status.QUARANTINED: {Status.VALID},
    Status.FAILED: {Status.VALID},
    Status.RETRACTED: set(),
}


@dataclass(frozen=True)
class Arrival:
    """An object version that a producer has put."""

    source: Source
    content: bytes
    is_deleted: bool = False


class World:
    """The pipeline as tests use and inspect it."""

    def __init__(self, *, track_metrics: bool) -> None:
        self._track_metrics = track_metrics
        self._references = [Reference()]
        self._read_by: dict[str, Reference] = {}
        self._violations: list[str] = []
        self._requests: set[tuple[str, int, Action]] = set()
        """source_id, attempt and action of every request."""
        self._has_dropped_metrics = False
        self.arrivals: dict[str, Arrival] = {}
        self.tables = Tables()
        made = programs(self.reference_of, track_metrics=track_metrics)
        self.cloud = Cloud(made, self.tables, self._watch, self._on_delete)
        self.ledger = Ledger(FILES, self.cloud.dynamodb)

    # ── Actions ──────────────────────────────────────────────────────────────────────────────────────────────
    def put(self, key: str, rows: list[str], deliveries: int, *, is_deleted: bool = False) -> None:
        """Put a streams file, deliver its event that many times, and perhaps delete the file before it is read."""
        source = self._land(key, streams_file(rows), deliveries)
        if is_deleted:
            self.cloud.record(f"{self._name(source)} is deleted")
            self.arrivals[source.source_id] = Arrival(source, b"", is_deleted=True)
            self.cloud.s3.delete_object(**source.s3_arguments)

    def put_reference(self, genres: dict[str, tuple[str, ...]], countries: dict[str, str], deliveries: int) -> None:
        """Replace the songs and users under reference/."""
        self.cloud.now = self.cloud.now.replace(microsecond=0)
        self.cloud.advance(1)
        version = int(self.cloud.now.timestamp() * 1_000)
        self._references.append(Reference(genres, countries, version))
        songs = [f"{track},,,1000,{genre}" for track, known in sorted(genres.items()) for genre in known]
        content = "\n".join(["track_id,track_name,artists,duration_ms,track_genre", *songs]).encode()
        self._land("reference/songs/songs.csv", content, deliveries)

    def request(self, entry: Entry, action: Action, deliveries: int) -> None:
        """Request an action on a source, as an operator does."""
        self.cloud.record(
            f"{action} of {self._name(entry.source)} ({entry.status}, attempt {entry.attempt}) is requested"
        )
        self._requests.add((entry.source.source_id, entry.attempt, action))
        self.cloud.send(request_message(entry, action), deliveries)

    def rebuild(self, days: list[str]) -> None:
        """Request a rebuild of days, as an operator does, if listens were committed already."""
        if self.tables.tables[LISTENS].snapshots:
            self.cloud.record(f"rebuild of {days} is requested")
            self.cloud.send(requests.to_message(Rebuild(days, self.cloud.timestamp())))

    def drop_metrics(self) -> None:
        """Recreate MetricsTable empty; :meth:`drain` rebuilds it."""
        self.cloud.record("MetricsTable is dropped and recreated")
        self._has_dropped_metrics = True
        for item in self.cloud.dynamodb.items(METRICS):
            self.cloud.dynamodb.delete_item(TableName=METRICS, Key={"pk": item["pk"], "sk": item["sk"]})

    def run_all(self, *, newest_first: bool = False) -> None:
        """Receive every visible message and run every program to its end, in turns, step by step.

        With `newest_first` the program that started last ends first, so that executions finish in the opposite order.
        """
        cloud = self.cloud
        while cloud.running or cloud.visible():
            if waiting := cloud.visible():
                cloud.validate(waiting)
            for running in cloud.running[-1:] if newest_first else list(cloud.running):
                cloud.go(running, ALL_CALLS)

    def drain(self, *, is_fault_free: bool) -> None:
        """Finish all work without further faults: deliver what is in flight, and redrive until nothing is left to do.

        If there were no faults at all (`is_fault_free`), there must be nothing to redrive.
        """
        cloud = self.cloud
        cloud.record("there are no faults from now on")
        cloud.s3.damages_copies = False
        if not self._references[-1].genres:
            self.put_reference({TRACKS[0]: ("pop",)}, {}, deliveries=1)
        for _ in range(_ROUNDS):
            cloud.redrive_dead_letters()
            while cloud.running or cloud.queue or cloud.failure_events:
                self.run_all()
                for event in list(cloud.failure_events):
                    cloud.deliver_failure(event)
                self.run_all()
                self._pass_visibility_timeout()
            self._pass_visibility_timeout()
            self.check()
            executions = Executions(cloud.step_functions, STATE_MACHINE_ARN)  # type: ignore[arg-type]  # a fake
            repairs = list(StalledFinder(cloud.s3, self.ledger, executions, LANDING).find())  # type: ignore[arg-type]  # fake
            if not repairs and not cloud.dead_letters and not self._has_dropped_metrics:
                return
            if self._has_dropped_metrics and (days := days_known(self.ledger)):
                self.rebuild(days)
            self._has_dropped_metrics = False
            stalled = [f"{self._name(repair.source)}: {repair.reason}" for repair in repairs]
            unexpected = [repair for repair in repairs if not self._may_be_stalled(repair)]
            assert not (is_fault_free and unexpected), f"there was no fault, but these need a redrive: {stalled}"
            for repair in repairs:
                cloud.record(f"redrive of {self._name(repair.source)}: {repair.reason}")
                cloud.send(repair.message)
                if repair.entry:
                    self._requests.add((repair.source.source_id, repair.entry.attempt, Action.REDRIVE))
        raise AssertionError(f"these do not finish: {stalled}")

    def _may_be_stalled(self, repair: StalledSource) -> bool:
        """Whether a source may need a redrive although there was no fault.

        One that failed by itself; and one with several concurrent requests: one of them wins, and the manifest may be
        the other's.
        """
        actions = [action for source_id, _, action in self._requests if source_id == repair.source.source_id]
        return repair.reason is StallReason.FAILED or len(actions) > 1

    def _pass_visibility_timeout(self) -> None:
        """Let time pass until messages are visible again and no program seems to be running."""
        self.cloud.advance(VISIBILITY_SECONDS + 1)

    def close(self) -> None:
        """End all threads."""
        for running in list(self.cloud.running):
            running.process.kill()

    # ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────
    def reference_of(self, execution: str) -> Reference:
        """Return the reference data that the execution read first."""
        return self._read_by.setdefault(execution, self._references[-1])

    def entries(self) -> list[Entry]:
        """Return every entry of the ledger."""
        entries = self.ledger.entries(self.arrivals)
        return [entries[source_id] for source_id in self.arrivals if source_id in entries]

    def alive(self) -> list[Execution]:
        """Return the running executions."""
        return [execution for execution in self.cloud.executions.values() if execution.status == "RUNNING"]

    # ── Invariants ────────────────────────────────────────────────────────────────────────────────────────────
    def check(self) -> None:
        """Check what must hold at any time."""
        assert not self._violations, self._violations
        entries = {entry.source.source_id: entry for entry in self.entries()}
        for source_id, arrival in self.arrivals.items():
            entry = entries.get(source_id)
            name = self._name(arrival.source)
            if entry and entry.status is Status.ARCHIVED and not arrival.is_deleted:
                self._check_archived(entry, arrival)
            elif not arrival.is_deleted:
                is_in_place = self._content(entry.place if entry else arrival.source) == arrival.content
                # A published file may have been moved just before the function that moved it died.
                assert is_in_place or self._has_copy(source_id), f"{name} is lost"

    def _check_archived(self, entry: Entry, arrival: Arrival) -> None:
        name = self._name(entry.source)
        assert self.cloud.s3.content(LANDING, entry.archive_key) == arrival.content, f"{name} has no copy"
        if entry.source.kind is not Kind.STREAMS or entry.is_retracted:
            return
        assert self._content(entry.source) is None, f"{name} is archived and was not removed"
        execution = entry.execution_arn.rsplit(":", 1)[-1]
        expected = self._accepted(entry, arrival)
        held = [row for row in self.tables.tables[LISTENS].rows if row.source_id == entry.source.source_id]
        assert set(held) >= set(expected), f"{name} is archived, but not committed by {execution}"
        for day in {row.day for row in expected}:
            fence = self._fences().get(day, {"version": 0})
            committed = self.tables.commit_versions[execution]
            assert fence["version"] >= committed, f"{name} is archived, but {day} was not published"

    def check_final_state(self) -> None:
        """Check what must hold when all work is finished."""
        entries = {entry.source.source_id: entry for entry in self.entries()}
        accepted: list[Listen] = []
        for source_id, arrival in self.arrivals.items():
            name = self._name(arrival.source)
            entry = entries.get(source_id)
            if entry is None:
                assert arrival.is_deleted, f"{name} is lost"
            else:
                accepted += self._check_final_entry(entry, arrival, name)
        lake = self.tables.tables
        once = [row for row in lake[LISTENS].rows if row.execution not in self.cloud.retried_transforms]
        assert len(once) == len(set(once)), "the lake contains a row twice"
        assert set(lake[LISTENS].rows) == set(accepted), "the rows of the lake are not the accepted ones"
        assert {row.source_id for row in lake[REJECTED_ROWS].rows} <= {
            source_id for source_id, entry in entries.items() if entry.status is Status.ARCHIVED
        }, "the lake contains rejected rows of files that are not accepted"
        self._check_metrics(accepted)

    def _check_final_entry(self, entry: Entry, arrival: Arrival, name: str) -> list[Listen]:
        """Check the final entry of a source; return its accepted listens."""
        source_id, status = entry.source.source_id, entry.status
        if status is Status.RETRACTED:
            assert Action.RETRACT in self._actions(source_id), f"{name} was retracted without a request"
        elif arrival.is_deleted:
            assert (status, entry.reason) == (Status.FAILED, "object_gone"), f"{name} was deleted, and is {status}"
            return []
        if not entry.source.kind.is_reference:
            assert self._content(entry.source) is None, f"{name} is {status} and was not removed"
        if status is Status.RETRACTED:
            return []
        has_bad_key = entry.source.key.endswith(".txt")
        if status is Status.QUARANTINED:
            is_put_aside = entry.reason == "too_many_attempts" and Action.PUT_ASIDE in self._actions(source_id)
            is_bad = has_bad_key or is_put_aside or self._is_too_bad(entry, arrival)
            assert is_bad, f"{name} is quarantined: {entry.reason}"
            return []
        assert status is Status.ARCHIVED, f"{name} is {status}"
        assert not has_bad_key, f"{name} is archived"
        if entry.source.kind.is_reference:
            return []
        assert not self._is_too_bad(entry, arrival) or Action.RELEASE in self._actions(source_id), f"{name} is archived"
        accepted = self._accepted(entry, arrival)
        rejected = rejected_counts(self._classified(entry, arrival))
        assert entry.rejected == rejected, f"{name}: {entry.rejected} were rejected, not {rejected}"
        assert (entry.rows_accepted, entry.days) == (len(accepted), sorted({row.day for row in accepted})), name
        return accepted

    def _check_metrics(self, accepted: list[Listen]) -> None:
        expected = fold(accepted, track_metrics=self._track_metrics)
        found = {}
        for item in self.cloud.dynamodb.items(METRICS):
            names = ("listen_count", "unique_listeners", "total_listening_time_ms")
            found[item["pk"], item["sk"]] = {
                "day": item.get("track_day") or item.get("day"),
                **{name: item[name] for name in names},
                "avg_hundredths_ms": int(item["avg_listening_time_per_user_ms"] * 100),
            }
        assert found == expected, "the metrics are not those of the accepted files"

    def _classified(self, entry: Entry, arrival: Arrival) -> list[Any]:
        execution = entry.execution_arn.rsplit(":", 1)[-1]
        return classify(arrival.content, entry.source.source_id, execution, self.reference_of(execution))

    def _accepted(self, entry: Entry, arrival: Arrival) -> list[Listen]:
        return [row for row in self._classified(entry, arrival) if isinstance(row, Listen)]

    def _is_too_bad(self, entry: Entry, arrival: Arrival) -> bool:
        rows = self._classified(entry, arrival)
        return rejected_counts(rows).get("bad_user_id", 0) > MAX_REJECTED_RATIO * len(rows)

    def _fences(self) -> dict[str, dict[str, Any]]:
        items = self.cloud.dynamodb.items(FILES)
        return {item["source_id"].removeprefix("FENCE#"): item for item in items if "status" not in item}

    def _actions(self, source_id: str) -> set[Action]:
        """Return the requested actions on a source."""
        return {action for requested_id, _, action in self._requests if requested_id == source_id}

    # ── Observers ───────────────────────────────────────────────────────────────────────────────────────────
    def _watch(self, table: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        if table != FILES or not {"status"} & {*(before or {}), *(after or {})}:
            return
        if after is None:
            self._violations.append(f"{before} was deleted from the ledger")
            return
        was = Status(before["status"]) if before else None
        name = self._name(self.arrivals[after["source_id"]].source)
        reason = f" ({after['reason']})" if after.get("reason") else ""
        self.cloud.record(f"      {name}: {was} → {after['status']}{reason}, attempt {after['attempt']}")
        self._violations += [f"{name} {violation}" for violation in self._violations_of(was, before or {}, after)]

    def _violations_of(self, was: Status | None, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
        """Yield what is not permitted about a source's change of status."""
        status = Status(after["status"])
        if status not in _EDGES[was]:
            yield f"went {was} → {status}"
        if before and after["attempt"] < before["attempt"]:
            yield f"went back from attempt {before['attempt']} to {after['attempt']}"
        if was is status is Status.RECEIVED:
            until = clock.parse(before["updated_at"]) + timedelta(seconds=LEASE_SECONDS)
            if self.cloud.now <= until:
                yield "was taken over before its lease expired"
        if status is Status.RUNNING:
            execution = after["execution_arn"].rsplit(":", 1)[-1]
            if execution != f"{after['batch_id']}-{after['attempt']}":
                yield f"is VALID for attempt {after['attempt']} at another batch, but was claimed by {execution}"
        if status is Status.VALID and was is not Status.RECEIVED:
            renewed = after["source_id"], before["attempt"]
            if not any((*renewed, action) in self._requests for action in Action):
                yield f"begins attempt {after['attempt']} without a request that expects attempt {before['attempt']}"

    def _on_delete(self, bucket: str, key: str, version: Version) -> None:
        if bucket != LANDING:
            return
        landed = Source(bucket, key, version.version_id, 0, "").source_id
        source_id = landed if landed in self.arrivals else key.split("/")[-2]
        if self.arrivals[source_id].is_deleted:  # deleted by a producer
            return
        if not self._has_copy(source_id, besides=key):
            self._violations.append(f"{key} was deleted without a copy")

    def _content(self, place: Place) -> bytes | None:
        return self.cloud.s3.content(place.bucket, place.key, place.version_id)

    def _has_copy(self, source_id: str, besides: str = "") -> bool:
        """Whether there is a complete copy of a source under a key other than `besides`."""
        kept = [key for prefix in ("archive/", "quarantine/") for key in self.cloud.s3.keys(LANDING, prefix)]
        copies = [key for key in kept if key != besides and f"/{source_id}/" in key]
        content = self.arrivals[source_id].content
        return any(self.cloud.s3.content(LANDING, key) == content for key in copies)

    def _land(self, key: str, content: bytes, deliveries: int) -> Source:
        version_id = self.cloud.s3.put_object(Bucket=LANDING, Key=key, Body=content)["VersionId"]
        source = Source(LANDING, key, version_id, len(content), self.cloud.timestamp())
        self.arrivals[source.source_id] = Arrival(source, content)
        self.cloud.record(
            f"{self._name(source)} lands, its event is sent {deliveries} times: {content.decode().split()[1:]}"
        )
        self.cloud.send(event_of(source), deliveries)
        return source

    def _name(self, source: Source) -> str:
        return f"{source.key.rsplit('/', 1)[-1]}@{source.version_id}"
