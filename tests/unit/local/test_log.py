from datetime import UTC, datetime

import pytest

from local.log import LINE, CloudLog, concerns, follow, format_line


def test_a_line_has_time_part_and_text():
    line = format_line("lambda/validate", "hello  world", datetime(2026, 11, 21, 21, 3, 25, 123456, UTC))
    assert line == "2026-11-21T21:03:25.123Z lambda/validate        hello  world\n"
    assert LINE.findall(line) == [("2026-11-21T21:03:25.123Z", "lambda/validate", "hello  world")]


@pytest.mark.parametrize(
    ("part", "is_shown"),
    [(None, True), ("glue", True), ("glue/transform", True), ("glue/trans", False), ("queue", False)],
)
def test_a_part_includes_its_subparts(part, is_shown):
    line = format_line("glue/transform", "text", datetime(2026, 1, 1, tzinfo=UTC))
    assert concerns(line, part) is is_shown


def test_text_of_several_lines_becomes_several_entries(tmp_path):
    log = CloudLog(tmp_path / "log")
    log.write("a", "one\n\ntwo")
    log.close()
    log.write("a", "too late")
    texts = [line.split()[-1] for line in follow(tmp_path / "log", keep_following=lambda: False)]
    assert texts == ["one", "two"]


def test_following_waits_for_the_rest_of_a_line(tmp_path):
    path = tmp_path / "log"
    path.write_text("first\nfollow")

    def keep_following():
        if path.read_text().endswith("follow"):
            with path.open("a") as file:
                file.write("ing\n")
            return True
        return False

    assert list(follow(path, keep_following=keep_following)) == ["first", "following"]
