"""Log lines of functions and jobs are JSON with the keys to follow a file or a run."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from music_streams.aws import logs

EXECUTION = "3f" * 16 + "-2"


@pytest.fixture(autouse=True)
def package() -> Iterator[logging.Logger]:
    """The package's logger, restored after the test."""
    logger = logging.getLogger("music_streams")
    before = list(logger.handlers), logger.level, logger.propagate
    yield logger
    logger.handlers, logger.level, logger.propagate = before


@pytest.fixture
def output(monkeypatch) -> io.StringIO:
    """The stderr of a job."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.write_job_lines("transform-streams", **logs.of_execution(EXECUTION))
    return stream


def test_a_line_of_a_job_has_the_keys_of_a_function_and_of_its_run(output):
    logging.getLogger("music_streams.transform.job").info("%s rows", 3, extra={"source_id": "s"})
    [line] = map(json.loads, output.getvalue().splitlines())
    assert line.pop("location").startswith("test_a_line_of_a_job")
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "message": "3 rows",
        "service": "transform-streams",
        "batch_id": "3f" * 16,
        "execution": EXECUTION,
        "source_id": "s",
    }


def test_a_message_of_many_lines_and_its_traceback_are_one_line(output):
    try:
        raise ValueError("broken\nin two")
    except ValueError as error:
        logging.getLogger("music_streams.load.job").exception("%s", error)
    [line] = map(json.loads, output.getvalue().splitlines())
    assert line["message"] == "broken\nin two"
    assert line["exception_name"] == "ValueError"
    assert "Traceback" in line["exception"]


def test_lines_of_other_packages_are_not_written(output):
    logging.getLogger("py4j").warning("not ours")
    assert output.getvalue() == ""


def test_a_later_handler_replaces_the_earlier_one(output):
    other = io.StringIO()
    logs.write_by(logging.StreamHandler(other))
    logging.getLogger("music_streams.state.ledger").info("moved")
    assert (output.getvalue(), other.getvalue()) == ("", "moved\n")


@pytest.mark.parametrize("prefix", ["", "arn:aws:states:us-east-1:123456789012:execution:process-streams:"])
def test_the_batch_is_part_of_the_name_of_an_execution(prefix):
    assert logs.of_execution(prefix + EXECUTION) == {"batch_id": "3f" * 16, "execution": EXECUTION}
