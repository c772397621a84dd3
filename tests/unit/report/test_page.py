"""The page: its content, that it loads nothing, and that no name from outside can break it."""

import re
from datetime import timedelta

import pytest

from music_streams.state.statuses import Status
from music_streams_cli.report import page
from tests.unit.report.days import DAY, country, file, genre, parse, report, song, summary

MOST_BYTES = 500_000
NASTY = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;{{ 7 * 7 }}\x00\x1b[31m\u202etxt\n"
WAITING = file("r.csv", Status.RUNNING)
BROKEN = file(
    "q.csv",
    Status.QUARANTINED,
    reason="missing_columns",
    reason_json={
        "verdict": "missing_columns",
        "detail": "the header row lacks: track_id",
        "what_to_do": "fix the header",
    },
    next_steps=("upload a fixed file: music-streams put FIXED.csv --key q.csv",),
)


def rendered(**changes):
    return parse(page.render(report(**changes)))


def everything():
    """Return a day with content in every part of the page."""
    return report(files=[*report().files, WAITING, BROKEN, file("f.csv", Status.FAILED, reason="States.Timeout")])


def test_the_page_begins_with_the_day_and_its_health_and_keeps_the_order():
    found = parse(page.render(everything()))
    assert found.one("h1").text == "Tuesday, 25 June 2024"
    assert found.one("div", class_="health ATTENTION").words == (
        "ATTENTION: 1 file failed (f.csv), 1 file quarantined (q.csv), 1 file in flight (r.csv), 2 files published."
    )
    charts = ["Top genres", "Countries", "Listens per day", "Rejected rows", "Time by stage"]
    tables = ["Top songs by genre", "Top songs by country", "Files", "Quarantined and failed files"]
    assert [each.text for each in found.find("h2")] == [*charts, *tables]


def test_the_metrics_of_the_day_are_shown():
    numbers = {number.one("dt").text: number.one("dd").words for number in rendered().one(class_="numbers").find("div")}
    assert numbers == {
        "Listens": "1,000 +100.0 % vs 24 Jun",
        "Listeners": "250 +100.0 % vs 24 Jun",
        "Hours listened": "50.0 2 genres, 2 countries",
        "Average per listener": "12.0 min 720,000.50 ms",
        "Files": "2 2 published, 200 rows",
        "Version": "7 updated 2024-06-26 00:12:30 UTC",
    }


def test_bars_have_names_values_and_lengths():
    chart = rendered().one("section", id="genres").one("svg", class_="chart")
    assert [each.text for each in chart.find("text", class_="label")] == ["jazz", "techno"]
    assert [each.text for each in chart.find("tspan", class_="count")] == ["800", "200"]
    assert [each.text for each in chart.find("tspan", class_="share")] == ["80.0 %", "20.0 %"]
    assert [each.attributes["width"] for each in chart.find("rect", class_="bar")] == ["100.0%", "25.0%"]


def test_a_table_is_shown_only_if_the_chart_is_incomplete():
    many = [country(f"country {n}", 50 - n) for n in range(11)]
    found = rendered(countries=many)
    assert found.one("section", id="countries").one("summary").text == "All 11 countries"
    assert len(found.one("section", id="countries").one("tbody").find("tr")) == 11
    assert not found.one("section", id="genres").find("details")


def test_columns_have_days_and_values():
    chart = rendered().one("section", id="trend").one("svg", class_="chart")
    assert [each.text for each in chart.find("text", class_="count")] == ["500", "1.0k", "250"]
    assert [each.text for each in chart.find("text", class_="day")] == ["24", "25", "26"]
    assert [each.attributes["height"] for each in chart.find("rect", class_="bar")] == ["75.0", "150.0", "37.5"]
    assert chart.one("g", class_="column chosen").one("text", class_="day").text == "25"


def test_stages_have_their_seconds():
    chart = rendered(files=[file("a.csv")]).one("section", id="stages").one("svg", class_="chart")
    assert chart.one("text", class_="tick").text == "2.0 + 3.0 + 40.0 + 1.0 s"
    assert chart.one("tspan", class_="count").text == "46.0 s"
    begins = [chart.one("rect", class_=f"stage-{n}").attributes["x"] for n in range(4)]
    assert begins == ["0.0%", "4.348%", "10.87%", "97.826%"]


def test_rejected_rows_are_summed_over_the_files():
    section = rendered().one("section", id="rejected")
    assert "6 of the 200 rows" in section.words
    labels = [each.text for each in section.find("text", class_="label")]
    counts = [each.text for each in section.find("tspan", class_="count")]
    assert list(zip(labels, counts, strict=True)) == [("duplicate", "4"), ("bad_user_id", "2")]


def test_rejected_rows_of_files_without_listens_are_not_counted():
    quarantined = file("q.csv", Status.QUARANTINED, rows_read=50, rejected={"bad_user_id": 50})
    assert "6 of the 200 rows" in rendered(files=[*report().files, quarantined]).one("section", id="rejected").words


def test_every_chart_has_a_title_and_a_description_with_its_values():
    charts = parse(page.render(everything())).find("svg", role="img")
    assert len(charts) == 5
    for chart in charts:
        title, desc = chart.attributes["aria-labelledby"].split()
        assert chart.one("title", id=title).text
        assert re.search(r": .*\d", chart.one("desc", id=desc).text)


def test_counts_of_files_link_to_these_files():
    found = parse(page.render(everything()))
    links = {each.words: each.attributes["href"] for each in found.one(class_="health ATTENTION").find("a")}
    assert links == {
        "1 file failed": "#failed",
        "1 file quarantined": "#quarantined",
        "1 file in flight": "#waiting",
        "2 files published": "#published",
    }
    published = found.one("tbody", id="published").find("th", scope="row")
    assert [each.words.split()[0] for each in published] == ["a.csv", "b.csv"]


def test_every_link_has_a_target_and_no_id_is_used_twice():
    found = parse(page.render(everything()))
    ids = [each.attributes["id"] for each in found.find() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for link in found.find("a"):
        assert link.attributes["href"].removeprefix("#") in ids


def test_a_file_shows_its_rows_and_seconds():
    rows = rendered(files=[file("a.csv")]).one("tbody", id="published").find("td")
    assert [each.text for each in rows] == ["ARCHIVED", "100 = 97 + 3", "45.0 s"]


def test_a_quarantined_file_shows_why_and_what_to_do():
    words = rendered(files=[BROKEN]).one("article").words
    assert "Reason missing_columns: the header row lacks: track_id What to do fix the header" in words
    assert "upload a fixed file: music-streams put FIXED.csv --key q.csv" in words
    assert f"music-streams show {BROKEN.entry.source.source_id[:8]}" in words


def test_a_file_that_ran_again_shows_no_stages():
    section = rendered(files=[file("a.csv", attempt=2)]).one("section", id="stages")
    assert not section.find("svg", class_="chart")
    assert "ran again" in section.words


def test_a_single_day_without_files_has_a_page():
    found = rendered(files=[], trend=[summary()])
    assert "the ledger has no file of this day" in found.one(class_="health OK").words
    assert "No other day" in found.one("section", id="trend").words


def test_a_day_that_is_being_published_says_so():
    assert "A run was publishing" in rendered(summary=summary(version=8)).one(class_="health OK").words
    assert "A run was publishing" not in rendered().one(class_="health OK").words


def is_external(attribute: str, value: str) -> bool:
    if attribute in {"src", "srcset", "poster", "data", "action", "formaction", "xlink:href", "ping"}:
        return True
    return attribute == "href" and not value.startswith("#") and value != "data:,"


def test_the_page_loads_nothing():
    text = page.render(everything())
    found = parse(text)
    external = [
        (each.tag, name)
        for each in found.find()
        for name, value in each.attributes.items()
        if is_external(name, value) or name.startswith("on")
    ]
    assert external == []
    assert not {"script", "iframe", "object", "embed", "img", "base", "form"} & {each.tag for each in found.find()}
    assert set(re.findall(r"url\((.)", text)) == {"#"}
    assert "@import" not in text
    assert "//" not in re.sub(r"<p>Read .*</p>", "", text)
    policy = found.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_the_page_supports_phones_dark_mode_and_print():
    text = page.render(report())
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text


def overfull(name: str):
    """Return a day with more of everything than the page shows, all with this name."""
    songs = tuple(song(rank, f"{name}{rank}", name) for rank in (1, 2, 3))
    bad = {"verdict": name, "detail": name, "what_to_do": name}
    many = [file(f"{n}{name}", rejected={f"{name}{m}": 9 for m in range(10)}) for n in range(1_000)]
    many += [
        file(f"q{n}{name}", Status.QUARANTINED, reason=name, reason_json=bad, next_steps=(name,)) for n in range(300)
    ]
    many += [file(f"f{n}{name}", Status.FAILED, reason=name) for n in range(300)]
    return report(
        where=name,
        genres=[genre(f"{n}{name}", 300 - n, *songs) for n in range(300)],
        countries=[country(f"{n}{name}", 300 - n, *songs) for n in range(300)],
        trend=[summary(10**12, DAY + timedelta(days=n)) for n in range(14)],
        files=many,
    )


@pytest.mark.parametrize("name", [NASTY, '"' * 1_000, "星" * 1_000, "\U0001f3b5" * 500])
def test_the_page_stays_small_and_well_formed_with_any_names(name):
    text = page.render(overfull(name))
    assert len(text.encode()) < MOST_BYTES
    found = parse(text)
    assert not {"script", "img"} & {each.tag for each in found.find()}
    assert not set("\x00\x1b\u202e") & set(text)


def test_items_that_are_not_shown_are_counted():
    found = parse(page.render(overfull("x")))
    words = found.one("table", class_="files").words
    assert "Failed: 300 files" in words
    assert "and 150 more" in words
    assert "Published: 1,000 files" in words
    assert "and 1,000 more" in words
    assert "and 575 more" in found.one("section", id="problems").words
    assert "and 150 more" in found.one("section", id="genres").words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unchanged", "unchanged"),
        ("two\nlines\tof", "two lines of"),
        ("twelve cells", "twelve cells"),
        ("thirteen cells", "thirteen ce…"),
        ("星星星星星星", "星星星星星星"),
        ("星星星星星星星", "星星星星星…"),
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_names_are_shortened_to_their_cells(text, shown):
    assert page.short(text, 12) == shown


def test_file_names_are_shortened_in_the_middle():
    assert page.short_name("streams_2024-06-25_part-00017.csv", 20) == "streams_2…-00017.csv"
    assert page.short_name("a.csv", 20) == "a.csv"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (999, "999"), (1_000, "1.0k"), (9_949, "9.9k"), (9_950, "10k"), (31_619, "32k"), (4_100_000, "4.1M")],
)
def test_compact_numbers_have_two_digits(count, shown):
    assert page.compact(count) == shown
