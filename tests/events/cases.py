"""The cases of the event files: event, state of AWS before it, result of the function, statuses of sources after it.

S3 generates the ids of object versions. In the files each key has a placeholder, which is replaced by the actual id
when the file is used.
"""

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from music_streams.state.requests import Action, Forget, Rebuild, SourceRequest, to_message
from music_streams.state.run_files import SourceOutcome
from music_streams.state.sources import Treatment
from music_streams.state.statuses import Status
from tests.events.messages import (
    bare_status_change,
    job_state_change,
    message_id,
    object_created,
    queue_batch,
    scheduled,
    status_change,
    step_input,
)

STREAMS = b"user_id,track_id,listen_time\n7,4dBa8T7oDV9WvGr7kVS4Ez,2024-06-25 17:43:13\n"
SONGS = b"track_id,track_name,artists,duration_ms,track_genre\n4dBa8T7oDV9WvGr7kVS4Ez,Song,Band,200000,pop\n"
NO_TRACKS = b"user_id,listen_time\n7,2024-06-25 17:43:13\n"

Answer = dict[str, Any]


@dataclass(frozen=True)
class SourceState:
    """The state of a source before the event.

    Attributes:
        kept: ``archive`` or ``quarantine`` if the file was moved there, else ''.
    """

    status: Status
    kept: str = ""
    treatment: Treatment = Treatment.NORMAL


@dataclass(frozen=True)
class Case:
    """An event file.

    Attributes:
        function: the handler's folder.
        objects: content by key in the landing bucket.
        before: states of the objects that are in the ledger, by key; they belong to the run.
        outcomes: the outcomes of the run's transform, by key.
        forget: users that the run forgets; all objects contain rows of them.
        is_stopped: whether the run's execution exists in Step Functions and was stopped.
        after: the expected statuses of sources, by key; None if the ledger has no entry.
    """

    function: str
    name: str
    event: dict[str, Any]
    answer: Answer | None
    objects: dict[str, bytes] = field(default_factory=dict)
    before: dict[str, SourceState] = field(default_factory=dict)
    outcomes: dict[str, SourceOutcome] = field(default_factory=dict)
    forget: list[int] = field(default_factory=list)
    is_stopped: bool = False
    after: dict[str, Status | None] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Path below events/."""
        return f"{self.function}/{self.name}.json"

    @property
    def batch_id(self) -> str:
        """Id of the run whose manifest the event names, if any."""
        return batch_id(self.function, self.name)


def batch_id(function: str, name: str) -> str:
    return hashlib.sha256(f"{function}/{name}".encode()).hexdigest()[:32]


def version_in_file(key: str) -> str:
    """Return the placeholder for the version id of an object in an event file."""
    return hashlib.sha256(f"version of {key}".encode()).hexdigest()[:32]


def source_in_file(key: str) -> str:
    """Return the placeholder for the source_id of a key in an event file."""
    return hashlib.sha256(f"source of {key}".encode()).hexdigest()[:32]


# ── validate ──────────────────────────────────────────────────────────────────────────────────────────────────────

ODD_KEYS = [
    "incoming/a b.csv",
    "incoming/a+b.csv",
    "incoming/a%2Bb.csv",
    "incoming/2024/06/25/../25/.hidden.csv",
    "incoming/_underscore[1]{2}*?.csv",
    "incoming/Türkiye-東京-🎵.csv",
    "incoming/quote\"apostrophe'back\\slash.csv",
    "incoming//double//slash.csv",
    f"incoming/{'long/' * 200}x.csv",
    "incoming/UPPER.CSV",
]


def arrival(key: str, content: bytes = STREAMS) -> str:
    return json.dumps(object_created(key, len(content), version_in_file(key)), ensure_ascii=False)


def failures(*numbers: int) -> Answer:
    return {"batchItemFailures": [{"itemIdentifier": message_id(number)} for number in numbers]}


def _single() -> Case:
    key = "incoming/2024-06-25/streams.csv"
    return Case("validate", "single", queue_batch(arrival(key)), failures(), {key: STREAMS}, after={key: Status.VALID})


def _mixed() -> Case:
    objects = {
        "incoming/mixed/plain.csv": STREAMS,
        "incoming/mixed/packed.csv.gz": gzip.compress(STREAMS, mtime=0),
        "incoming/mixed/no-tracks.csv": NO_TRACKS,
        "incoming/mixed/streams.txt": STREAMS,
        "reference/songs/mixed.csv": SONGS,
    }
    gone = "incoming/mixed/gone.csv"
    plain, packed, no_tracks, text, songs = (arrival(key, content) for key, content in objects.items())
    test_event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "elsewhere"})
    event = queue_batch(
        plain,
        packed,
        plain,  # 3: a duplicate
        no_tracks,
        text,
        songs,
        arrival(gone),
        arrival("incoming/mixed/"),  # a folder marker
        "no JSON",  # 9
        test_event,  # 10
        json.dumps(object_created("incoming/mixed/plain.csv", len(STREAMS), None)),  # 11: a bucket without versioning
    )
    after = dict.fromkeys(objects, Status.VALID) | {
        "incoming/mixed/no-tracks.csv": Status.QUARANTINED,
        "incoming/mixed/streams.txt": Status.QUARANTINED,
        gone: Status.FAILED,
        "incoming/mixed/": None,
    }
    return Case("validate", "mixed-batch", event, failures(9, 10, 11), objects, after=after)


def _odd_keys() -> Case:
    objects = dict.fromkeys(ODD_KEYS, STREAMS)
    event = queue_batch(*map(arrival, objects))
    return Case("validate", "odd-keys", event, failures(), objects, after=dict.fromkeys(objects, Status.VALID))


def _requests() -> Case:
    requested_at = "2024-06-27T09:00:00.000Z"
    event = queue_batch(
        to_message(Rebuild(["2024-06-25"], requested_at)),
        to_message(Forget(7, requested_at)),
        json.dumps({"request": "unheard of"}),
    )
    return Case("validate", "requests", event, failures(3))


def _attempts() -> Case:
    """Requests of operators for files at their locations, each of which begins a new attempt or finishes one."""
    attempts = {
        "failed": (SourceState(Status.FAILED), Action.REDRIVE, Status.VALID),
        "abandoned": (SourceState(Status.RUNNING), Action.REDRIVE, Status.VALID),
        "unarchived": (SourceState(Status.PUBLISHED), Action.REDRIVE, Status.ARCHIVED),
        "archived": (SourceState(Status.ARCHIVED, "archive"), Action.REPLAY, Status.VALID),
        "quarantined": (SourceState(Status.QUARANTINED, "quarantine"), Action.RELEASE, Status.VALID),
        "unfinished": (SourceState(Status.PUBLISHED, treatment=Treatment.RETRACT), Action.REDRIVE, Status.RETRACTED),
        "unwanted": (SourceState(Status.ARCHIVED, "archive"), Action.RETRACT, Status.VALID),
    }
    by_key = {f"incoming/attempts/{name}.csv": attempt for name, attempt in attempts.items()}
    messages = [to_message(SourceRequest(source_in_file(key), 1, action)) for key, (_, action, _) in by_key.items()]
    return Case(
        "validate",
        "attempts",
        queue_batch(*messages),
        failures(),
        dict.fromkeys(by_key, STREAMS),
        {key: state for key, (state, _, _) in by_key.items()},
        after={key: status for key, (_, _, status) in by_key.items()},
    )


# ── the steps of the state machine ────────────────────────────────────────────────────────────────────────────────

KEY = "incoming/2024-06-25/{}.csv"
DAY = "2024-06-25"
ALL = {"left": 0}  # everything is done
CLAIMED = {**ALL, "forgets": False, "workers": 2}
GOOD = SourceOutcome(1, 1, {}, [DAY])
BAD = SourceOutcome(4, 0, {"bad_user_id": 3}, [], "too_many_bad_rows")


def _step(
    function: str, name: str, answer: Answer, before: SourceState, after: Status, outcome: Any = None, key: str = ""
) -> Case:
    key = key or KEY.format(f"{function}-{name}")
    outcomes = {key: outcome} if outcome else {}
    event = step_input(batch_id(function, name))
    return Case(function, name, event, answer, {key: STREAMS}, {key: before}, outcomes, after={key: after})


def _failure(name: str, before: Status, after: Status, failed: int, *, is_bare: bool = False, **change: str) -> Case:
    key = KEY.format(f"record-failure-{name}")
    event = (bare_status_change if is_bare else status_change)(batch_id("record_failure", name), **change)
    answer, states = {"failed": failed}, {key: SourceState(before)}
    return Case("record_failure", name, event, answer, {key: STREAMS}, states, is_stopped=is_bare, after={key: after})


def _maintenance() -> Case:
    event = job_state_change("maintain-lake", "FAILED", "CommitFailedException: cannot commit")
    return Case("record_failure", "maintenance", event, {"failed": 0})


def _erase() -> Case:
    keys = {KEY.format(f"erase-{place}"): place for place in ("archive", "quarantine")}
    statuses = {"archive": Status.ARCHIVED, "quarantine": Status.QUARANTINED}
    return Case(
        "erase",
        "forgotten",
        step_input(batch_id("erase", "forgotten")),
        ALL,
        dict.fromkeys(keys, STREAMS),
        {key: SourceState(statuses[place], place) for key, place in keys.items()},
        forget=[7],
        after={key: statuses[place] for key, place in keys.items()},
    )


def _erase_whole() -> Case:
    """Files that cannot be searched: one is damaged gzip, and one was too large to copy."""
    damaged, uncopied = KEY.format("erase-damaged"), KEY.format("erase-uncopied")
    return Case(
        "erase",
        "deleted-whole",
        step_input(batch_id("erase", "deleted-whole")),
        ALL,
        {damaged: gzip.compress(STREAMS, mtime=0)[:-5], uncopied: STREAMS},
        {damaged: SourceState(Status.QUARANTINED, "quarantine"), uncopied: SourceState(Status.QUARANTINED)},
        forget=[7],
        after=dict.fromkeys((damaged, uncopied), Status.QUARANTINED),
    )


def _measure() -> Case:
    key = KEY.format("measure-backlog")
    event = scheduled("music-streams-MeasureFunctionEveryFiveMinutes")
    before = SourceState(Status.RUNNING)
    return Case("measure", "backlog", event, None, {key: STREAMS}, {key: before}, after={key: Status.RUNNING})


CASES = [
    _single(),
    _mixed(),
    _odd_keys(),
    _requests(),
    _attempts(),
    _step("claim", "waiting", {**CLAIMED, "has_work": True}, SourceState(Status.VALID), Status.RUNNING),
    _step("claim", "none", {**CLAIMED, "has_work": False}, SourceState(Status.FAILED), Status.FAILED),
    _step("settle", "published", ALL, SourceState(Status.RUNNING), Status.PUBLISHED, GOOD),
    _step("settle", "too-many-bad-rows", ALL, SourceState(Status.RUNNING), Status.QUARANTINED, BAD),
    _step("settle", "bad-when-replayed", ALL, SourceState(Status.RUNNING, "archive"), Status.QUARANTINED, BAD),
    _step("archive", "published", ALL, SourceState(Status.PUBLISHED), Status.ARCHIVED),
    _step("archive", "released", ALL, SourceState(Status.PUBLISHED, "quarantine"), Status.ARCHIVED),
    _step(
        "archive", "reference", ALL, SourceState(Status.PUBLISHED), Status.ARCHIVED, key="reference/users/archived.csv"
    ),
    _step("archive", "retracted", ALL, SourceState(Status.PUBLISHED, treatment=Treatment.RETRACT), Status.RETRACTED),
    _step("archive", "again", ALL, SourceState(Status.ARCHIVED, "archive"), Status.ARCHIVED),
    _erase(),
    _erase_whole(),
    _measure(),
    _failure("failed", Status.RUNNING, Status.FAILED, 1, status="FAILED", error="States.TaskFailed", cause="no memory"),
    _failure("timed-out", Status.RUNNING, Status.FAILED, 1, status="TIMED_OUT"),
    _failure("aborted-before-claim", Status.VALID, Status.FAILED, 1, status="ABORTED"),
    _failure("failed-after-publishing", Status.PUBLISHED, Status.PUBLISHED, 0, status="FAILED", error="States.Timeout"),
    _failure("bare", Status.RUNNING, Status.FAILED, 1, is_bare=True, status="ABORTED"),
    _maintenance(),
]
