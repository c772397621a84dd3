"""What operators ask for, as messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_streams.errors import BadEvent
from music_streams.requests import Action, Attempt, Forget, Rebuild, parse, to_message

STAMP = "2026-11-21T21:03:25.123Z"
REQUESTS = st.one_of(
    st.builds(
        Attempt, st.text("0123456789abcdef", min_size=32, max_size=32), st.integers(1, 99), st.sampled_from(Action)
    ),
    st.builds(Rebuild, st.lists(st.dates().map(str)), st.just(STAMP)),
    st.builds(Forget, st.integers(1, 2**63 - 1), st.just(STAMP)),
)


@given(REQUESTS)
def test_a_request_is_read_as_it_was_written(request):
    assert parse(to_message(request)) == request


def test_the_messages_are_those_of_the_design():
    assert json.loads(to_message(Attempt("ab", 2, Action.RETRACT))) == {
        "request": "attempt",
        "source_id": "ab",
        "attempt": 2,
        "action": "retract",
    }
    assert json.loads(to_message(Rebuild(["2024-06-25"], STAMP))) == {
        "request": "rebuild",
        "days": ["2024-06-25"],
        "requested_at": STAMP,
    }
    assert json.loads(to_message(Forget(7, STAMP))) == {"request": "forget", "user_id": 7, "requested_at": STAMP}


@pytest.mark.parametrize("body", ["", "{", "5", "null", "[]", "{}", '{"detail-type": "Object Created"}', '["request"]'])
def test_what_does_not_say_that_it_is_a_request_is_none(body):
    assert parse(body) is None


@pytest.mark.parametrize(
    "content",
    [
        {"request": "delete everything"},
        {"request": None},
        {"request": ["attempt"]},
        {"request": "attempt"},
        {"request": "attempt", "source_id": "ab", "attempt": 1},
        {"request": "attempt", "source_id": "ab", "attempt": 1, "action": "explode"},
        {"request": "attempt", "source_id": "ab", "attempt": "one", "action": "redrive"},
        {"request": "attempt", "source_id": "ab", "attempt": 1, "action": "redrive", "more": 1},
        {"request": "rebuild", "days": []},
        {"request": "forget", "requested_at": STAMP},
    ],
)
def test_a_request_that_is_not_known_is_refused(content):
    with pytest.raises(BadEvent, match="no request that is known"):
        parse(json.dumps(content))


def test_requests_are_told_apart_by_when_they_were_made():
    earlier, later = Rebuild(["2024-06-25"], STAMP), Rebuild(["2024-06-25"], STAMP.replace("25.", "26."))
    assert earlier.batch_id != later.batch_id
    assert earlier.batch_id == Rebuild(["2024-06-25"], STAMP).batch_id
    assert Forget(7, STAMP).batch_id != Forget(8, STAMP).batch_id
