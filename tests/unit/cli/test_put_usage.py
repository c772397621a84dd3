"""Arguments that `put` rejects before it looks for a pipeline."""

import pytest


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("none.csv", "none.csv cannot be read: No such file or directory"),
        ("a.csv other/a.csv", "two files are named a.csv"),
        ("a.csv b.csv.gz --key 2024", "next: --key 2024/     uses it as the prefix of all files"),
        ("b.csv.gz --reference songs", "b.csv.gz is not named .csv"),
        ("a.csv --reference songs --key x.csv", "--key and --reference exclude each other"),
    ],
)
def test_invalid_files_and_keys_are_wrong_usage(run, tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "other/a.csv", "b.csv.gz"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    ended = run("put", *args.split())
    assert ended.exit_code == 2
    assert words in ended.stderr
