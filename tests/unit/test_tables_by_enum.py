"""Tables of texts by an enum have a text for every member: a missing one would be a KeyError where a file is shown."""

import pytest

from music_streams.ingest import operator_requests
from music_streams.run import quarantine
from music_streams.state.requests import Action
from music_streams.state.sources import Treatment
from music_streams.validation.file_verdicts import Verdict
from music_streams_cli.commands import show


@pytest.mark.parametrize(
    ("table", "members"),
    [
        (show._TREATMENTS, set(Treatment) - {Treatment.NORMAL}),
        (quarantine._ADVICE, set(Verdict)),
        (operator_requests._RENEWED, set(Action)),
    ],
    ids=["treatments", "advice", "actions"],
)
def test_every_member_has_its_entry(table, members):
    assert set(table) == members
