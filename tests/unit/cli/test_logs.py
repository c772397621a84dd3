"""`music-streams logs`: lines as words, and which are about a file."""

import json

from music_streams_cli.commands.logs import About, readable

SOURCE = "3f" * 16
LOG = f"""\
2026-11-21T21:00:00.000Z events                 Object Created → rule
2026-11-21T21:00:01.000Z states/process-streams {SOURCE}-1 RUNNING
2026-11-21T21:00:02.000Z glue/transform-streams jr_aa RUNNING
2026-11-21T21:00:03.000Z glue/transform-streams INFO rows judged
"""


def test_a_structured_line_is_told_in_words():
    line = json.dumps({"level": "INFO", "message": "file taken", "timestamp": "now", "outcome": "valid"})
    assert readable(line) == "INFO file taken outcome=valid"
    assert readable("plain text") == "plain text"
    assert readable('{"broken') == '{"broken'


def test_metrics_are_told_by_name():
    groups = {"CloudWatchMetrics": [{"Metrics": [{"Name": "FilesValid"}]}]}
    assert readable(json.dumps({"_aws": groups, "FilesValid": [3.0]})) == "metrics FilesValid=3.0"


def test_only_lines_that_name_it_where_the_cloud_has_stopped():
    about = About(SOURCE, None)
    assert [about.covers(line) for line in LOG.splitlines()] == [False, True, False, False]


def test_off_a_terminal_the_log_comes_as_it_is(run, tmp_path):
    folder = tmp_path / "cloud"
    folder.mkdir()
    (folder / "cloud.log").write_text(LOG)
    assert run("logs").stdout == LOG
    assert run("logs", "--file", "unheard-of.csv").exit_code == 2
    assert run("logs", "--part", "glue").stdout == "".join(LOG.splitlines(keepends=True)[2:])
