"""`music-streams logs`: the text of a line, and the lines that are about a file."""

import json

from music_streams_cli.commands.logs import About, readable

SOURCE = "3f" * 16
LOG = f"""\
2026-11-21T21:00:00.000Z events                 Object Created → rule
2026-11-21T21:00:01.000Z states/process-streams {SOURCE}-1 RUNNING
2026-11-21T21:00:02.000Z glue/transform-streams jr_aa RUNNING
2026-11-21T21:00:03.000Z glue/transform-streams INFO rows classified
"""


def test_a_structured_line_is_shown_as_text():
    line = json.dumps(
        {"level": "INFO", "message": "file taken: valid", "outcome": "valid", "timestamp": "now", "left": 0}
    )
    assert readable(line) == "INFO file taken: valid left=0"
    assert readable("plain text") == "plain text"
    assert readable('{"broken') == '{"broken'


def test_metrics_are_shown_by_name():
    groups = {"CloudWatchMetrics": [{"Metrics": [{"Name": "FilesValid"}]}]}
    assert readable(json.dumps({"_aws": groups, "FilesValid": [3.0]})) == "metrics FilesValid=3"
    assert readable(json.dumps({"_aws": groups, "FilesValid": [3.5, 1.0]})) == "metrics FilesValid=1…3.5 (2 values)"


def test_the_batch_of_an_execution_is_not_repeated():
    line = json.dumps({"level": "INFO", "message": "done", "batch_id": "b", "execution": "b-1", "left": 0})
    assert readable(line) == "INFO done execution=b-1 left=0"


def test_with_concurrent_jobs_a_line_that_names_its_batch_is_of_that_batch_only():
    def line(batch_id: str, job: str = "transform-streams") -> str:
        return f"2026-11-21T21:00:03.000Z glue/{job} " + json.dumps({"message": "m", "batch_id": batch_id})

    about = About(SOURCE, None)
    about._runs.add("jr_aa")
    assert about.covers("2026-11-21T21:00:02.000Z glue/transform-streams jr_aa RUNNING")
    assert [about.covers(line(batch)) for batch in (SOURCE, "4a" * 16)] == [True, False]
    assert about.covers("2026-11-21T21:00:03.000Z glue/transform-streams a line of Spark")
    assert not about.covers("2026-11-21T21:00:03.000Z glue/load-metrics a line of another job")


def test_with_a_stopped_cloud_only_lines_that_name_the_file_are_shown():
    about = About(SOURCE, None)
    assert [about.covers(line) for line in LOG.splitlines()] == [False, True, False, False]


def test_off_a_terminal_the_log_is_unchanged(run, tmp_path):
    folder = tmp_path / "cloud"
    folder.mkdir()
    (folder / "cloud.log").write_text(LOG)
    assert run("logs").stdout == LOG
    assert run("logs", "--file", "unheard-of.csv").exit_code == 2
    assert run("logs", "--part", "glue").stdout == "".join(LOG.splitlines(keepends=True)[2:])
