"""States from the events of GetExecutionHistory."""

from datetime import UTC, datetime, timedelta

from music_streams.operate import history

BEGIN = datetime(2024, 6, 25, 12, tzinfo=UTC)


def event(second: float, kind: str, **details):
    return {"timestamp": BEGIN + timedelta(seconds=second), "type": kind, **details}


def entered(second: float, name: str):
    return event(second, "TaskStateEntered", stateEnteredEventDetails={"name": name})


SCHEDULED = {"taskScheduledEventDetails": {"resourceType": "glue", "parameters": "{}"}}


def test_each_state_has_its_duration_except_the_current_one():
    claimed = [event(0, "ExecutionStarted"), entered(0, "Claim"), event(1.5, "TaskStateExited")]
    states = history.states([*claimed, entered(2, "Transform")])
    assert [(state.name, state.seconds) for state in states] == [("Claim", 1.5), ("Transform", None)]


def test_a_retried_state_has_the_number_of_tries_and_the_last_error():
    failed = {"error": "Glue.ConcurrentRunsExceededException", "cause": "busy"}
    [state] = history.states(
        [
            entered(0, "Transform"),
            event(0, "TaskScheduled", **SCHEDULED),
            event(1, "TaskFailed", taskFailedEventDetails=failed),
            event(5, "TaskScheduled", **SCHEDULED),
            event(9, "TaskStateExited"),
        ]
    )
    assert (state.tries, state.seconds) == (2, 9)
    assert state.error == "Glue.ConcurrentRunsExceededException: busy"


def test_the_last_state_ends_with_its_execution():
    [state] = history.states([entered(0, "Transform"), event(7, "ExecutionAborted")])
    assert state.seconds == 7
