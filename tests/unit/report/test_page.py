"""The page: what it tells, that it asks nobody for anything, that no name from outside can break it."""

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
    told={"verdict": "missing_columns", "detail": "the header row lacks: track_id", "what_to_do": "mend the header"},
    next_steps=("mend the file, then: music-streams put FILE --key q.csv",),
)


def told(**changes):
    return parse(page.render(report(**changes)))


def everything():
    """A day with something in every part of the page."""
    return report(files=[*report().files, WAITING, BROKEN, file("f.csv", Status.FAILED, reason="States.Timeout")])


def test_it_begins_with_the_day_and_its_health_and_keeps_the_order():
    found = parse(page.render(everything()))
    assert found.one("h1").text == "Tuesday, 25 June 2024"
    assert found.one("div", class_="health ATTENTION").words == (
        "ATTENTION: 1 file failed (f.csv), 1 file in quarantine (q.csv), 1 file on the way (r.csv), 2 files published."
    )
    charts = ["Top genres", "Countries", "Listens per day", "Rejected rows", "Time by stage"]
    tables = ["Top songs by genre", "Top songs by country", "Files", "Quarantined and failed files"]
    assert [each.text for each in found.find("h2")] == [*charts, *tables]


def test_the_numbers_of_the_day():
    numbers = {each.one("dt").text: each.one("dd").words for each in told().one(class_="numbers").find("div")}
    assert numbers == {
        "Listens": "1,000 +100.0 % vs 24 Jun",
        "Listeners": "250 +100.0 % vs 24 Jun",
        "Hours listened": "50.0 2 genres, 2 countries",
        "Average per listener": "12.0 min 720,000.50 ms",
        "Files": "2 2 published, 200 rows",
        "Version": "7 updated 2024-06-26 00:12:30 UTC",
    }


def test_bars_carry_their_names_values_and_lengths():
    chart = told().one("section", id="genres").one("svg", class_="chart")
    assert [each.text for each in chart.find("text", class_="label")] == ["jazz", "techno"]
    assert [each.text for each in chart.find("tspan", class_="count")] == ["800", "200"]
    assert [each.text for each in chart.find("tspan", class_="share")] == ["80.0 %", "20.0 %"]
    assert [each.attributes["width"] for each in chart.find("rect", class_="bar")] == ["100.0%", "25.0%"]


def test_only_what_the_chart_leaves_out_needs_a_table():
    many = [country(f"country {n}", 50 - n) for n in range(11)]
    found = told(countries=many)
    assert found.one("section", id="countries").one("summary").text == "All 11 countries"
    assert len(found.one("section", id="countries").one("tbody").find("tr")) == 11
    assert not found.one("section", id="genres").find("details")


def test_columns_carry_their_days_and_values():
    chart = told().one("section", id="trend").one("svg", class_="chart")
    assert [each.text for each in chart.find("text", class_="count")] == ["500", "1.0k", "250"]
    assert [each.text for each in chart.find("text", class_="day")] == ["24", "25", "26"]
    assert [each.attributes["height"] for each in chart.find("rect", class_="bar")] == ["75.0", "150.0", "37.5"]
    assert chart.one("g", class_="column chosen").one("text", class_="day").text == "25"


def test_stages_carry_their_seconds():
    chart = told(files=[file("a.csv")]).one("section", id="stages").one("svg", class_="chart")
    assert chart.one("text", class_="tick").text == "2.0 + 3.0 + 40.0 + 1.0 s"
    assert chart.one("tspan", class_="count").text == "46.0 s"
    begins = [chart.one("rect", class_=f"stage-{n}").attributes["x"] for n in range(4)]
    assert begins == ["0.0%", "4.348%", "10.87%", "97.826%"]


def test_rejected_rows_are_summed_over_the_files():
    section = told().one("section", id="rejected")
    assert "6 of the 200 rows" in section.words
    labels = [each.text for each in section.find("text", class_="label")]
    counts = [each.text for each in section.find("tspan", class_="count")]
    assert list(zip(labels, counts, strict=True)) == [("duplicate", "4"), ("bad_user_id", "2")]


def test_rows_of_files_that_brought_no_listens_are_not_among_them():
    refused = file("q.csv", Status.QUARANTINED, rows_read=50, rejected={"bad_user_id": 50})
    assert "6 of the 200 rows" in told(files=[*report().files, refused]).one("section", id="rejected").words


def test_every_chart_has_a_title_and_a_description_with_its_values():
    charts = parse(page.render(everything())).find("svg", role="img")
    assert len(charts) == 5
    for chart in charts:
        title, desc = chart.attributes["aria-labelledby"].split()
        assert chart.one("title", id=title).text
        assert re.search(r": .*\d", chart.one("desc", id=desc).text)


def test_numbers_of_files_lead_to_these_files():
    found = parse(page.render(everything()))
    links = {each.words: each.attributes["href"] for each in found.one(class_="health ATTENTION").find("a")}
    assert links == {
        "1 file failed": "#failed",
        "1 file in quarantine": "#quarantined",
        "1 file on the way": "#waiting",
        "2 files published": "#published",
    }
    published = found.one("tbody", id="published").find("th", scope="row")
    assert [each.words.split()[0] for each in published] == ["a.csv", "b.csv"]


def test_every_link_leads_somewhere_in_the_page_and_no_id_is_given_twice():
    found = parse(page.render(everything()))
    ids = [each.attributes["id"] for each in found.find() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for link in found.find("a"):
        assert link.attributes["href"].removeprefix("#") in ids


def test_a_file_tells_its_rows_and_seconds():
    rows = told(files=[file("a.csv")]).one("tbody", id="published").find("td")
    assert [each.text for each in rows] == ["ARCHIVED", "100 = 97 + 3", "45.0 s"]


def test_a_quarantined_file_tells_why_and_what_to_do():
    words = told(files=[BROKEN]).one("article").words
    assert "Reason missing_columns: the header row lacks: track_id What to do mend the header" in words
    assert "mend the file, then: music-streams put FILE --key q.csv" in words
    assert f"music-streams show {BROKEN.entry.source.source_id[:8]}" in words


def test_a_file_that_was_run_again_shows_no_stages():
    section = told(files=[file("a.csv", attempt=2)]).one("section", id="stages")
    assert not section.find("svg", class_="chart")
    assert "run again" in section.words


def test_a_day_alone_and_without_files_still_makes_a_page():
    found = told(files=[], trend=[summary()])
    assert "the ledger knows no file of this day" in found.one(class_="health OK").words
    assert "No other day" in found.one("section", id="trend").words


def test_a_day_that_is_being_published_says_so():
    assert "A run was publishing" in told(summary=summary(version=8)).one(class_="health OK").words
    assert "A run was publishing" not in told().one(class_="health OK").words


def is_asking_outside(attribute: str, value: str) -> bool:
    if attribute in {"src", "srcset", "poster", "data", "action", "formaction", "xlink:href", "ping"}:
        return True
    return attribute == "href" and not value.startswith("#") and value != "data:,"


def test_it_asks_nobody_for_anything():
    text = page.render(everything())
    found = parse(text)
    asking = [
        (each.tag, name)
        for each in found.find()
        for name, value in each.attributes.items()
        if is_asking_outside(name, value) or name.startswith("on")
    ]
    assert asking == []
    assert not {"script", "iframe", "object", "embed", "img", "base", "form"} & {each.tag for each in found.find()}
    assert set(re.findall(r"url\((.)", text)) == {"#"}
    assert "@import" not in text
    assert "//" not in re.sub(r"<p>Read .*</p>", "", text)
    policy = found.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_it_fits_phones_darkness_and_paper():
    text = page.render(report())
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert "@media print" in text


def overfull(name: str):
    """More of everything than a page can hold, all of it called that."""
    songs = tuple(song(rank, f"{name}{rank}", name) for rank in (1, 2, 3))
    bad = {"verdict": name, "detail": name, "what_to_do": name}
    many = [file(f"{n}{name}", rejected={f"{name}{m}": 9 for m in range(10)}) for n in range(1_000)]
    many += [file(f"q{n}{name}", Status.QUARANTINED, reason=name, told=bad, next_steps=(name,)) for n in range(300)]
    many += [file(f"f{n}{name}", Status.FAILED, reason=name) for n in range(300)]
    return report(
        where=name,
        genres=[genre(f"{n}{name}", 300 - n, *songs) for n in range(300)],
        countries=[country(f"{n}{name}", 300 - n, *songs) for n in range(300)],
        trend=[summary(10**12, DAY + timedelta(days=n)) for n in range(14)],
        files=many,
    )


@pytest.mark.parametrize("name", [NASTY, '"' * 1_000, "星" * 1_000, "\U0001f3b5" * 500])
def test_it_stays_small_and_whole_whatever_the_names(name):
    text = page.render(overfull(name))
    assert len(text.encode()) < MOST_BYTES
    found = parse(text)
    assert not {"script", "img"} & {each.tag for each in found.find()}
    assert not set("\x00\x1b\u202e") & set(text)


def test_what_has_no_room_is_counted():
    found = parse(page.render(overfull("x")))
    words = found.one("table", class_="files").words
    assert "Failed: 300 files" in words
    assert "and 150 more" in words
    assert "Published: 1,000 files" in words
    assert "and 1,000 more" in words
    assert "and 575 more" in found.one("section", id="trouble").words
    assert "and 150 more" in found.one("section", id="genres").words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is", "as it is"),
        ("two\nlines\tof", "two lines of"),
        ("twelve cells", "twelve cells"),
        ("thirteen cells", "thirteen ce…"),
        ("星星星星星星", "星星星星星星"),
        ("星星星星星星星", "星星星星星…"),
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_names_are_cut_to_their_cells(text, shown):
    assert page.short(text, 12) == shown


def test_file_names_are_cut_in_the_middle():
    assert page.short_name("streams_2024-06-25_part-00017.csv", 20) == "streams_2…-00017.csv"
    assert page.short_name("a.csv", 20) == "a.csv"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (999, "999"), (1_000, "1.0k"), (9_949, "9.9k"), (9_950, "10k"), (31_619, "32k"), (4_100_000, "4.1M")],
)
def test_compact_numbers(count, shown):
    assert page.compact(count) == shown
