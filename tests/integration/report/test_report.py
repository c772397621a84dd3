"""The report of a day from tables and buckets: its files, the days around it, and the command."""

from datetime import date
from pathlib import Path
from unittest.mock import Mock

import pytest
from boto3.dynamodb.conditions import Attr

from music_streams.state.sources import Source
from music_streams_cli.errors import BadData
from music_streams_cli.report import data
from tests.integration.cli.conftest import put_entry, source

DAY = date(2024, 6, 25)


def arrived(name: str, at: str, key: str = "") -> Source:
    return Source("landing", key or f"incoming/{name}", f"version-of-{name}", 10, at)


@pytest.fixture
def put(stack):
    """Write ledger entries, and delete them after the test."""
    written = []

    def write(item: Source, status: str, **attributes) -> Source:
        content = {"status": status, "updated_at": "2026-11-21T21:06:00.000Z", **attributes}
        put_entry(stack, item, **content)
        written.append(item)
        return item

    yield write
    files = stack.session.resource("dynamodb").Table("files")
    for item in written:
        files.delete_item(Key={"source_id": item.source_id})


def groups(stack) -> dict[str, str]:
    """Return the groups of the files of the day, by name."""
    return {file.entry.source.name: file.group for file in data.gather(stack, DAY).files}


def test_a_day_is_read_with_its_genres_countries_neighbours_and_files(stack):
    found = data.gather(stack, DAY)
    assert (found.summary.listen_count, found.summary.version) == (590, 7)
    assert [each.genre for each in found.genres] == ["jazz"]
    assert [each.country for each in found.countries] == ["Türkiye"]
    assert [(str(each.day), each.listen_count) for each in found.trend] == [("2024-06-24", 400), ("2024-06-25", 590)]
    assert found.before == found.trend[0]
    assert found.rejected == [("duplicate", 8), ("bad_user_id", 2)]
    assert found.is_settled


def test_files_without_days_belong_to_a_day_by_name_or_by_arrival(stack, put):
    same_date, other_date = "2026-11-21T23:59:59.000Z", "2026-11-20T21:00:00.000Z"
    put(arrived("same-date.csv", same_date), "FAILED", reason="object_gone")
    put(arrived("other-date.csv", other_date), "FAILED", reason="object_gone")
    put(arrived("streams_2024-06-25.csv", other_date), "RECEIVED")
    put(arrived("streams_2024-06-24.csv", same_date), "RECEIVED")
    put(arrived("part-1.csv", other_date, "incoming/2024/06/25/part-1.csv"), "VALID")
    put(arrived("of-another-day.csv", same_date), "ARCHIVED", days=["2024-06-24"])
    assert groups(stack) == {
        "good.csv": "published",
        "refused.csv": "quarantined",
        "failed.csv": "failed",
        "same-date.csv": "failed",
        "streams_2024-06-25.csv": "waiting",
        "part-1.csv": "waiting",
    }


def test_a_file_that_runs_again_or_was_retracted_is_found_by_its_days(stack, put):
    long_ago = "2024-06-26T00:00:00.000Z"
    put(arrived("again.csv", long_ago), "RUNNING", days=["2024-06-25"], attempt=2, published_at=long_ago)
    put(arrived("taken-back.csv", long_ago), "RETRACTED", days=["2024-06-25"])
    group_of = groups(stack)
    assert (group_of["again.csv"], group_of["taken-back.csv"]) == ("waiting", "retracted")


def test_a_quarantined_file_is_fixed_once_its_key_was_published_later(stack, put):
    later = Source("landing", source("refused.csv").key, "next version", 10, "2026-11-21T22:00:00.000Z")
    put(later, "ARCHIVED", days=["2024-06-25"], published_at="2026-11-21T22:01:00.000Z")
    refused = next(file for file in data.gather(stack, DAY).files if file.entry.status == "QUARANTINED")
    assert refused.group == "fixed"


def test_a_quarantined_file_has_its_reason_and_what_to_do(stack):
    refused = next(file for file in data.gather(stack, DAY).files if file.group == "quarantined")
    assert refused.reason["detail"] == "the header row lacks: track_id"
    assert refused.next_steps == ["upload a fixed file: music-streams put FIXED.csv --key refused.csv"]


def test_the_stages_of_a_file_are_the_times_between_its_timestamps(stack):
    good = next(file for file in data.gather(stack, DAY).files if file.group == "published")
    assert good.stages == [3, 1.5, 60.5, 1]
    assert good.seconds == 65


def test_the_trend_has_fourteen_days_with_listens_and_some_after(stack):
    template = stack.metrics.get_item(Key={"pk": "DAY#2024-06-25", "sk": "SUMMARY"})["Item"]
    days = [f"2024-{month:02}-{day:02}" for month in (7, 8) for day in range(1, 29, 2)]
    for day in days:
        stack.metrics.put_item(Item={**template, "pk": f"DAY#{day}", "day": day})
    try:
        middle = data.gather(stack, date(2024, 7, 27)).trend
        latest = data.gather(stack, date(2024, 8, 27)).trend
    finally:
        for day in days:
            stack.metrics.delete_item(Key={"pk": f"DAY#{day}", "sk": "SUMMARY"})
    assert [str(each.day) for each in middle] == days[3:17]
    assert [str(each.day) for each in latest] == days[-14:]


def test_the_latest_day_is_the_last_day_with_metrics(stack, put):
    put(arrived("gone.csv", "2026-11-22T00:00:00.000Z"), "ARCHIVED", days=["2024-06-30"])
    assert data.latest_day(stack.ledger, stack.reader) == DAY


def test_the_error_for_a_day_far_from_all_others_names_the_nearest(stack):
    with pytest.raises(BadData) as error:
        data.gather(stack, date(2020, 1, 1))
    assert error.value.details == ["the nearest days with metrics: 2024-06-24, 2024-06-25"]


def test_reading_changes_nothing(stack):
    before = list(stack.ledger.search(Attr("key").exists()))
    data.gather(stack, DAY)
    assert list(stack.ledger.search(Attr("key").exists())) == before


def test_the_command_writes_the_page_and_prints_its_path(run, tmp_path):
    place = tmp_path / "day.html"
    ended = run("report", DAY, "--output", place)
    assert ended.exit_code == 0
    assert ended.stdout == f"wrote {place}  ({place.stat().st_size / 1000:.1f} kB)\n"
    text = place.read_text()
    assert "Tuesday, 25 June 2024" in text
    assert "Señal de [radio]" in text
    assert "Türkiye" in text


def test_latest_is_written_to_the_current_folder_under_the_name_of_its_day(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("report", "latest").exit_code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["music-streams-2024-06-25.html"]


def test_open_shows_the_page_in_the_browser(run, tmp_path, monkeypatch):
    shown = Mock(return_value=True)
    monkeypatch.setattr("webbrowser.open", shown)
    place = tmp_path / "a day.html"
    assert run("report", DAY, "-o", place, "--open").exit_code == 0
    shown.assert_called_once_with(place.as_uri())


def test_a_day_without_metrics_is_exit_code_1_with_the_nearest_days(run, tmp_path):
    place = tmp_path / "day.html"
    ended = run("report", "2024-07-01", "--output", place)
    assert ended.exit_code == 1
    assert "there are no metrics of 2024-07-01" in ended.stderr
    assert "the nearest days with metrics: 2024-06-24, 2024-06-25" in ended.stderr
    assert not place.exists()


@pytest.mark.parametrize("day", ["yesterday", "2024-02-30", "0001-01-01", "9999-12-31"])
def test_an_invalid_day_is_wrong_usage(run, day):
    ended = run("report", day)
    assert ended.exit_code == 2
    assert f"{day} is not a day" in ended.stderr


def test_a_place_that_cannot_be_written_is_wrong_usage(run, tmp_path):
    ended = run("report", DAY, "--output", Path(tmp_path / "no such folder" / "day.html"))
    assert ended.exit_code == 2
    assert "--output" in ended.stderr
