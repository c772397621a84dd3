"""`music-streams sample`."""

import pytest


def written(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_options_give_the_same_files(run, tmp_path):
    options = ("--rows", 30, "--files", 2, "--songs", 10, "--users", 10, "--day", "2024-02-29", "--seed", 3)
    for folder in ("a", "b"):
        assert run("sample", tmp_path / folder, *options).exit_code == 0
    made = written(tmp_path / "a")
    assert made == written(tmp_path / "b")
    assert sorted(made) == ["songs.csv", "streams_2024-02-29_1.csv", "streams_2024-02-29_2.csv", "users.csv"]
    assert len(made["streams_2024-02-29_1.csv"].splitlines()) == 31


def test_existing_files_stay_unless_forced_and_the_next_step_is_shown(run, tmp_path):
    small = ("--rows", 3, "--files", 1, "--songs", 3, "--users", 3)
    (tmp_path / "songs.csv").write_text("mine")
    ended = run("sample", tmp_path, *small)
    assert ended.exit_code == 2
    assert "songs.csv exists already" in ended.stderr
    assert (tmp_path / "songs.csv").read_text() == "mine"
    forced = run("sample", tmp_path, *small, "--force")
    assert forced.exit_code == 0
    assert f"next: music-streams put {tmp_path}/songs.csv --reference songs" in forced.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--rows 10 --dirty 0.9 --duplicates 0.9", "lower them"),
        ("--rows 50 --day 0001-01-01 --late 9", "error: date value out of range"),
    ],
)
def test_impossible_shares_and_days_before_the_calendar_are_wrong_usage(run, tmp_path, options, words):
    ended = run("sample", tmp_path, *options.split())
    assert ended.exit_code == 2
    assert words in ended.stderr
    assert not list(tmp_path.glob("*.csv"))
