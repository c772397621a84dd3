"""Pipeline health in one sentence, and as JSON."""

from datetime import UTC, datetime

import pytest

from music_streams.operate.health import Check, Health, Waiting

NOW = datetime(2024, 6, 25, 12, tzinfo=UTC)
FRESH, LATE = Waiting("fresh.csv", "2024-06-25T11:59:18.000Z"), Waiting("late.csv", "2024-06-25T11:00:00.000Z")


@pytest.mark.parametrize(
    ("health", "sentence"),
    [
        (Health([], [], 0, 0, NOW), "OK: no file waits, none failed, no dead letters."),
        (Health([FRESH], [], 0, 0, NOW), "WORKING: 1 file has waited 42 s (fresh.csv), none failed, no dead letters."),
        (
            Health([FRESH, LATE], ["new.csv", "old.csv"], 3, 1, NOW),
            (
                "ATTENTION: 2 files failed (most recent: new.csv), 1 dead letter, 2 files are waiting, "
                "the oldest for 60 min (late.csv, over the latency SLA of 15 min), "
                "3 files quarantined in the last 24 h."
            ),
        ),
        (Health([], [], 0, None, NOW), "OK: no file waits, none failed."),
        (
            Health([], [], 0, 0, NOW, to_archive=2),
            "WORKING: no file waits, 2 files to archive, none failed, no dead letters.",
        ),
        (
            Health(
                [], [], 0, None, NOW, Check(["2024-06-24", "2024-06-25"], "2024-06-25T11:55:00.000Z", ["2024-06-24"])
            ),
            (
                "ATTENTION: 1 day LAKE_LOST, metrics of 1 day differ from the lake, no file waits, none failed, "
                "last reconciliation 5 min ago."
            ),
        ),
    ],
)
def test_the_worst_problem_comes_first(health, sentence):
    assert health.sentence == sentence


def test_the_json_has_the_same_facts():
    health = Health([FRESH, LATE], ["new.csv"], 0, 0, NOW).as_json()
    assert health["level"] == "ATTENTION"
    assert (health["waiting"], health["failed"], health["dead_letters"]) == (2, 1, 0)
    assert health["oldest_waiting"] == {"name": "late.csv", "since": "2024-06-25T11:00:00.000Z"}
