"""The reader without AWS: rejected arguments, retries, imported modules."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import Mock, patch

import pytest

from music_streams.reader import MetricsPublished, MetricsReader, UnreadableMetrics

ROOT = Path(__file__).parents[2]
DAY = date(2024, 6, 25)
DETAIL = {"batch_id": "0" * 32, "version": 7, "days": ["2024-06-25"], "sources": 1, "rows_accepted": 8}

# Run in a new process, because modules that this test's own process has imported must not count.
_LIST_MODULES = """
import json, sys
sys.path.insert(0, sys.argv[1])
import boto3, botocore.config
before = set(sys.modules)
import music_streams.reader
new = {name: module for name, module in sys.modules.items() if name not in before}
print(json.dumps({name: getattr(module, "__file__", None) or "" for name, module in new.items()}))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, str]:
    """The modules that the reader imports in addition to boto3, with their files."""
    command = [sys.executable, "-I", "-B", "-c", _LIST_MODULES, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules: dict[str, str] = json.loads(done.stdout)
    return modules


def test_the_reader_imports_boto3_the_standard_library_and_little_of_the_package(imported):
    packages = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert packages == {"music_streams", "boto3"}
    modules = {name.removeprefix("music_streams.") for name in imported if name.startswith("music_streams.")}
    assert modules == {"aws", "aws.clients", "aws.batch_get", "clock", "errors", "reader"}


def test_the_reader_and_what_it_imports_run_on_python_3_9(imported):
    files = [path for name, path in imported.items() if name.startswith("music_streams")]
    files.append(str(ROOT / "music_streams" / "schemas" / "__init__.py"))
    vermin = [Path(sys.executable).parent / "vermin", "--target=3.9-", "--no-tips", "--violations", *files]
    done = subprocess.run(vermin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    # Annotations are not evaluated, so they may use the syntax of newer Python versions.
    texts = [Path(file).read_text() for file in files]
    assert all("from __future__ import annotations" in text for text in texts if "->" in text)


@pytest.fixture
def unused() -> MetricsReader:
    """A reader whose client fails on every call."""
    return MetricsReader("metrics", object())


@pytest.mark.parametrize("day", [datetime(2024, 6, 25, tzinfo=UTC), "2024-06-25", None])
def test_a_day_must_be_a_date(unused, day):
    for ask in (unused.day, unused.items_of_day, lambda day: unused.genre_day("pop", day)):
        with pytest.raises(TypeError, match=r"a day must be a datetime\.date"):
            ask(day)
    for ask_range in (unused.days, lambda *days: unused.genre_days("pop", *days)):
        for days in ((day, DAY), (DAY, day)):
            with pytest.raises(TypeError, match=r"a day must be a datetime\.date"):
                ask_range(*days)


def test_a_range_that_ends_before_it_begins_is_rejected(unused):
    for ask in (unused.days, lambda *days: unused.track_days("0" * 22, *days)):
        with pytest.raises(ValueError, match="2024-06-25 is after 2024-06-24"):
            ask(DAY, date(2024, 6, 24))


def test_a_table_that_keeps_leaving_keys_unread_raises_an_error_after_retries():
    throttled = Mock()
    throttled.batch_get_item = lambda RequestItems: {"Responses": {}, "UnprocessedKeys": RequestItems}  # noqa: N803 - DynamoDB's own name
    with patch("time.sleep") as sleep, pytest.raises(UnreadableMetrics, match="table metrics is throttled"):
        MetricsReader("metrics", throttled).days(date(2024, 6, 1), date(2024, 6, 7))
    assert sleep.called


def test_the_event_is_parsed():
    event = {"detail-type": "MetricsPublished", "source": "music-streams", "detail": {**DETAIL, "new": "attribute"}}
    assert MetricsPublished.of_event(event) == MetricsPublished("0" * 32, 7, (DAY,), 1, 8)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"detail-type": "Object Created", "detail": DETAIL},
        {"detail-type": "MetricsPublished"},
        {"detail-type": "MetricsPublished", "detail": {**DETAIL, "days": ["yesterday"]}},
        {"detail-type": "MetricsPublished", "detail": {**DETAIL, "days": None}},
        {"detail-type": "MetricsPublished", "detail": {**DETAIL, "version": "seven"}},
        {"detail-type": "MetricsPublished", "detail": "batch"},
    ],
)
def test_another_event_is_rejected(event):
    with pytest.raises(UnreadableMetrics, match="not an event MetricsPublished"):
        MetricsPublished.of_event(event)
