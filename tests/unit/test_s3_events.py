"""S3 events in the arrivals queue are converted to sources."""

import json
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_streams import clock
from music_streams.errors import BadEvent
from music_streams.ingest import s3_events
from music_streams.ingest.s3_events import event_of
from music_streams.state.object_keys import Kind
from music_streams.state.sources import Source


def source_of(body: str) -> Source | None:
    return s3_events.source_of(body, "landing")


def announced(event: dict[str, Any]) -> Source:
    source = source_of(json.dumps(event))
    assert source is not None
    return source


def event(key: str = "incoming/a.csv", **changes: Any) -> dict[str, Any]:
    """An event as EventBridge sends it to the queue; `changes` apply to its object."""
    return {
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-11-21T21:03:25Z",
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::landing"],
        "detail": {
            "version": "0",
            "bucket": {"name": "landing"},
            "object": {"key": key, "size": 5, "etag": "e", "version-id": "v1", "sequencer": "0061"} | changes,
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "reason": "PutObject",
        },
    }


def test_an_event_is_converted_to_its_source():
    assert announced(event()) == Source("landing", "incoming/a.csv", "v1", 5, "2026-11-21T21:03:25.000Z")


@pytest.mark.parametrize(
    "key", ["incoming/a+b%20c.csv", "incoming/a b.csv", "incoming/%2B.csv", "incoming/é𝄞.csv", "incoming//../a.csv"]
)
def test_a_key_is_used_unchanged(key):
    assert announced(event(key)).key == key


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300).filter(lambda rest: not rest.endswith("/"))


@given(KEYS.filter(bool), st.sampled_from(["incoming/", "reference/songs/", "reference/users/"]))
def test_the_event_of_a_source_can_be_recreated(rest, prefix):
    source = Source("landing", prefix + rest, "v1", 5, "2026-11-21T21:03:25.123Z")
    assert source_of(event_of(source)) == source


@pytest.mark.parametrize(
    "key",
    [
        *("reference/a.csv", "archive/2026/11/21/0/a.csv", "quarantine/a.csv", "a.csv", "x/incoming/a.csv"),
        *("reference/songs/", "incoming/", "incoming/folder/", "incoming", "Incoming/a.csv"),
    ],
)
def test_other_prefixes_and_folder_markers_are_ignored_and_need_no_version(key):
    assert source_of(json.dumps(event(key))) is None
    assert source_of(json.dumps(event(key, **{"version-id": ""}))) is None


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("incoming/a.csv", Kind.STREAMS),
        ("incoming/reference/songs/a.csv", Kind.STREAMS),
        ("reference/songs/2026/a.csv", Kind.SONGS),
        ("reference/users/a.csv", Kind.USERS),
    ],
)
def test_the_prefix_decides_the_kind_of_a_source(key, kind):
    assert announced(event(key)).kind is kind


@pytest.mark.parametrize("version", [{"version-id": ""}, {"version-id": None}])
def test_an_event_without_a_version_is_rejected_with_advice(version):
    with pytest.raises(BadEvent, match="versioning"):
        source_of(json.dumps(event(**version)))


def without(path: str) -> dict[str, Any]:
    """The event without one of its parts."""
    complete = parent = event()
    *parents, part = path.split(".")
    for name in parents:
        parent = parent[name]
    del parent[part]
    return complete


GARBAGE = {
    "an empty object": "{}",
    "S3's own test message": '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"landing"}',
    "a detail that is text": '{"detail":"x","time":"2026-11-21T21:03:25Z"}',
    "a key that is a number": json.dumps(event(5)),  # type: ignore[arg-type]  # deliberately wrong
    "a key that is null": json.dumps(event(None)),  # type: ignore[arg-type]  # deliberately wrong
    "a time that is not a time": json.dumps(event() | {"time": "yesterday"}),
    "a time that is a number": json.dumps(event() | {"time": 5}),
    **{f"no {path}": json.dumps(without(path)) for path in ("detail", "detail.bucket", "detail.bucket.name", "time")},
    **{f"no {path}": json.dumps(without(path)) for path in ("detail.object", "detail.object.key")},
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_a_message_that_is_not_an_s3_event_is_rejected(body):
    with pytest.raises(BadEvent):
        source_of(body)


SIZES = ["x", "5", -1, 5.0, True, [5], 10**400]
HOSTILE = {
    **{f"a size of {str(size)[:20]!r}": event(size=size) for size in SIZES},
    "another bucket": event() | {"detail": event()["detail"] | {"bucket": {"name": "elsewhere"}}},
    "another kind of event": event() | {"detail-type": "Object Deleted"},
    "another sender": event() | {"source": "aws.s33"},
    "an empty key": event(""),
    "a key of 1,025 bytes": event("incoming/" + "a" * 1016),
    "a key of 1,024 characters and more bytes": event("incoming/" + "é" * 1015),
    "half a surrogate pair": event("incoming/\ud800.csv"),
    "a version that is a number": event(**{"version-id": 5}),  # type: ignore[arg-type]  # deliberately wrong
    "a version with a line break": event(**{"version-id": "v1\n"}),
    "a version with SQL in it": event(**{"version-id": "v1' OR '1'='1"}),
    "a version of 1,025 bytes": event(**{"version-id": "v" * 1025}),
    "a time without a zone": event() | {"time": "2026-11-21T21:03:25"},
    "a time before S3": event() | {"time": "1970-01-01T00:00:00Z"},
    "a time far ahead": event() | {"time": "9999-12-31T23:59:59Z"},
    "a date that does not exist": event() | {"time": "2026-02-30T00:00:00Z"},
    "a time before year 1 in UTC": event() | {"time": "0001-01-01T00:00:00+23:59"},
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_an_event_that_s3_cannot_have_sent_is_rejected(hostile):
    with pytest.raises(BadEvent):
        source_of(json.dumps(hostile))


@pytest.mark.parametrize("body", ["", "{", "5", "[]", "null", '{"a": 1, "a": 2}', '{"a": NaN}', f"[{'1' * 5_000}]"])
def test_a_message_that_is_not_a_json_object_is_rejected_as_such(body):
    with pytest.raises(BadEvent, match=r"must be a JSON object$"):
        source_of(body)


def test_the_longest_key_and_version_are_accepted():
    key, version = "incoming/" + "a" * 1015, "v" * 1024
    expected = Source("landing", key, version, 0, "2026-11-21T21:03:25.000Z")
    assert announced(event(key, size=0, **{"version-id": version})) == expected


def test_an_event_without_a_size_is_for_an_empty_object():
    assert announced(without("detail.object.size")).size == 0


@pytest.mark.parametrize(("hours_ahead", "is_accepted"), [(0, True), (23, True), (25, False)])
def test_an_arrival_time_is_accepted_up_to_a_day_ahead(hours_ahead, is_accepted):
    arrived = clock.timestamp(datetime.now(UTC) + timedelta(hours=hours_ahead))
    body = event() | {"time": arrived}
    if is_accepted:
        assert announced(body).received_at == arrived
    else:
        with pytest.raises(BadEvent, match="a day from now"):
            announced(body)


@pytest.mark.parametrize("body", ["[" * 100_000, '{"detail":' * 100_000], ids=["lists", "objects"])
def test_a_message_that_is_nested_too_deeply_is_rejected(body):
    with pytest.raises(BadEvent, match="nested"):
        source_of(body)


@given(st.text("é\n\u202e", min_size=300, max_size=400))
def test_an_error_is_one_printable_line(key):
    with pytest.raises(BadEvent) as caught:
        source_of(json.dumps(event("incoming/" + key, **{"version-id": ""})))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "body",
    [
        '{"Request": "forget", "user_id": 4711471147, "requested_at": "x"}',
        '{"request" "forget", "user_id": 4711471147}',
        '"forget 4711471147"',
        "user_id,track_id\n4711471147,4dBa8T7oDV9WvGr7kVS4Ez",
        json.dumps(event() | {"time": "4711471147"}),
        json.dumps(event() | {"time": 4711471147}),
        json.dumps(event() | {"detail": {"4711471147": 1}}),
    ],
)
def test_a_rejected_message_is_not_quoted(body):
    with pytest.raises(BadEvent) as caught:
        source_of(body)
    assert "4711471147" not in "".join(traceback.format_exception(caught.value))
