"""What `put` refuses before it looks for a pipeline."""

import pytest


@pytest.fixture
def files(tmp_path):
    made = [tmp_path / "a.csv", tmp_path / "other" / "a.csv", tmp_path / "b.csv.gz"]
    for file in made:
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    return made


def test_a_file_that_is_not_there(run, tmp_path):
    ended = run("put", tmp_path / "none.csv")
    assert ended.exit_code == 2
    assert "none.csv cannot be read: No such file or directory" in ended.stderr


def test_two_files_of_one_name(run, files):
    ended = run("put", *files[:2])
    assert ended.exit_code == 2
    assert "two of the files are named a.csv" in ended.stderr


def test_one_key_for_several_files(run, files):
    ended = run("put", files[0], files[2], "--key", "2024")
    assert ended.exit_code == 2
    assert "next: --key 2024/ makes it the prefix of all" in ended.stderr


def test_reference_data_that_no_run_would_read(run, files):
    ended = run("put", files[2], "--reference", "songs")
    assert ended.exit_code == 2
    assert "must be named .csv, but not b.csv.gz" in ended.stderr


def test_a_key_for_reference_data(run, files):
    assert run("put", files[0], "--reference", "songs", "--key", "x.csv").exit_code == 2
