"""`up` and `down` without a running cloud."""

from music_streams_cli import local_cloud


def test_down_without_a_running_cloud_is_no_error(run, tmp_path):
    ended = run("down")
    assert ended.exit_code == 0
    assert ended.stdout == f"no local cloud is running in {tmp_path / 'cloud'}\n"


def test_up_reports_why_packaging_the_jobs_failed(run, tmp_path, monkeypatch):
    (tmp_path / "Makefile").write_text("jobs:\n\t@echo 'no compiler' >&2; exit 1\n")
    monkeypatch.setattr(local_cloud, "CHECKOUT", tmp_path)
    ended = run("up")
    assert ended.exit_code == 3
    assert "error: packaging the code of the Glue jobs failed\n  no compiler\n" in ended.stderr
    assert "next: make jobs" in ended.stderr


def test_up_reports_a_missing_template_without_a_traceback(run, tmp_path, monkeypatch):
    (tmp_path / "Makefile").write_text("jobs:\n\techo 0123456789ab > version\n")
    monkeypatch.setattr(local_cloud, "CHECKOUT", tmp_path)
    monkeypatch.setattr(local_cloud, "JOBS", tmp_path)
    monkeypatch.setattr(local_cloud, "TEMPLATE", tmp_path / "template.yaml")
    ended = run("up")
    assert ended.exit_code == 3
    assert ended.stderr.startswith("error: ")
    assert "template.yaml" in ended.stderr
    assert "starting" not in ended.stderr
