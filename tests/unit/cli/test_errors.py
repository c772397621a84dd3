"""The handling of AWS errors in any command."""

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
        (refusal("AccessDeniedException"), "access denied to Query"),
        (refusal("ExpiredTokenException"), "Query of the pipeline: access denied or no answer"),
        (EndpointConnectionError(endpoint_url="https://example"), "the pipeline: access denied or no answer"),
        (NoCredentialsError(), "Unable to locate credentials"),
        (UnreadableMetrics("table metrics: there is no such table"), "there is no such table"),
    ],
)
def test_access_denied_and_no_response_are_exit_code_3_without_a_traceback(run, monkeypatch, error, words):
    monkeypatch.setattr(status, "find_stack", Mock(side_effect=error))
    ended = run("status")
    assert ended.exit_code == 3
    assert ended.stderr.startswith("error: ")
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_interruption_says_that_files_are_still_processed(run, monkeypatch):
    monkeypatch.setattr(status, "find_stack", Mock(side_effect=KeyboardInterrupt))
    ended = run("status")
    assert ended.exit_code == 130
    assert "files are still processed" in ended.stderr


def test_each_kind_of_error_has_its_own_exit_code():
    assert [kind.exit_code for kind in (BadData, BadUsage, NoCloud, TimedOut)] == [1, 2, 3, 4]
