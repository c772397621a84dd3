"""What becomes of an error of AWS, in whichever command it comes up."""

from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from music_streams.reader import UnreadableMetrics
from music_streams_cli.commands import status
from music_streams_cli.errors import BadData, BadUsage, NoCloud, TimedOut


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Query")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refusal("AccessDeniedException"), "these credentials do not allow Query"),
        (refusal("ExpiredTokenException"), "Query of the pipeline: access denied or no answer"),
        (EndpointConnectionError(endpoint_url="https://example"), "the pipeline: access denied or no answer"),
        (NoCredentialsError(), "Unable to locate credentials"),
        (UnreadableMetrics("table metrics: there is no such table"), "there is no such table"),
    ],
)
def test_no_access_and_no_answer_are_exit_code_3_without_a_traceback(run, monkeypatch, error, words):
    monkeypatch.setattr(status, "find_stack", Mock(side_effect=error))
    ended = run("status")
    assert ended.exit_code == 3
    assert ended.stderr.startswith("error: ")
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_interruption_says_that_files_go_on(run, monkeypatch):
    monkeypatch.setattr(status, "find_stack", Mock(side_effect=KeyboardInterrupt))
    ended = run("status")
    assert ended.exit_code == 130
    assert "go on by themselves" in ended.stderr


def test_each_kind_of_trouble_has_an_exit_code_of_its_own():
    assert [kind.exit_code for kind in (BadData, BadUsage, NoCloud, TimedOut)] == [1, 2, 3, 4]
