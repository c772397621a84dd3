"""`up` and `down` where there is little to do."""

from music_streams_cli import local_cloud


def test_down_where_nothing_runs_is_no_error(run, tmp_path):
    ended = run("down")
    assert ended.exit_code == 0
    assert ended.stdout == f"nothing runs for {tmp_path / 'cloud'}\n"


def test_up_tells_why_the_jobs_could_not_be_packaged(run, tmp_path, monkeypatch):
    (tmp_path / "Makefile").write_text("jobs:\n\t@echo 'no compiler' >&2; exit 1\n")
    monkeypatch.setattr(local_cloud, "CHECKOUT", tmp_path)
    ended = run("up")
    assert ended.exit_code == 3
    assert "error: what the Glue jobs run could not be packaged\n  no compiler\n" in ended.stderr
    assert "next: make jobs" in ended.stderr


def test_up_says_in_words_that_there_is_no_template(run, tmp_path, monkeypatch):
    (tmp_path / "Makefile").write_text("jobs:\n\techo 0123456789ab > version\n")
    monkeypatch.setattr(local_cloud, "CHECKOUT", tmp_path)
    monkeypatch.setattr(local_cloud, "JOBS", tmp_path)
    monkeypatch.setattr(local_cloud, "TEMPLATE", tmp_path / "template.yaml")
    ended = run("up")
    assert ended.exit_code == 3
    assert ended.stderr.startswith("error: ")
    assert "template.yaml" in ended.stderr
    assert "starting" not in ended.stderr
