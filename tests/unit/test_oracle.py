"""The oracle, with cases that are computed by hand, one for each rule of sections 3 and 4 of the design."""

import gzip
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from tests.oracle import (
    Batch,
    NoReferenceDataError,
    Outcome,
    Reference,
    Source,
    StreamFile,
    differences,
    evaluate,
    scan_items,
)

ARRIVED = datetime(2024, 6, 26, tzinfo=UTC)
DAY = "2024-06-25"
NOON = f"{DAY} 12:00:00"
A, B, C, D = (letter * 22 for letter in "ABCD")
SONGS = f"id,track_id,artists,track_name,duration_ms,track_genre\n1,{A},Ann,Alpha,1000,pop\n2,{B},Bob,Beta,2000,rock\n"
USERS = "user_id,user_country\n1,France\n2,Japan\n"


def reference(songs: str = SONGS, users: str = USERS, version: int = 1) -> Reference:
    return Reference([songs.encode()], [users.encode()], version)


def stream(*lines: str, source_id: str = "s1", header: str = "user_id,track_id,listen_time") -> StreamFile:
    return StreamFile(source_id, "\n".join([header, *lines]).encode(), ARRIVED)


def run(*streams: StreamFile, songs: str = SONGS, users: str = USERS) -> Outcome:
    return evaluate([Batch(streams, reference(songs, users))], max_rejected_ratio="1")


def listen(user: int | str = 1, track: str = A, time: str = "12:00:00") -> str:
    return f"{user},{track},{DAY} {time}"


def source_of(*lines: str) -> Source:
    return run(stream(*lines)).sources["s1"]


def sources_of_lines(lines: Iterable[str]) -> dict[str, Source]:
    """Evaluate each line as the only one of its file."""
    return run(*(stream(line, source_id=line) for line in lines)).sources


# --- rows -----------------------------------------------------------------------------------------------------------


LINES = {
    "malformed_row": [
        *(f"1,{A}", f"{listen()},", f'1,"{A},{NOON}', f'1,"{A}"x,{NOON}', f'1,{A}"",{NOON}', "plain text", '""'),
    ],
    "missing_user_id": [",,", f'"",{A},{NOON}'],
    "bad_user_id": [
        "x,,",
        *(listen(user) for user in (" 1", "+1", "0", "000", "٣", "9223372036854775808", "00000000000000000001")),
    ],
    "missing_track_id": ["1,,"],
    "bad_track_id": [f"1,{A}A,", f"1,{A[1:]},", f"1,{A[1:]} ,", f"1,{A[1:]}é,"],
    "missing_listen_time": [f"1,{A},"],
    "unknown_track": [listen(track=C)],
    None: [listen("9223372036854775807"), listen("0000000000000000001")],
}
REASONS = {line: reason for reason, lines in LINES.items() for line in lines}


def test_a_row_has_the_first_reason_that_applies() -> None:
    reasons = {line: next(iter(source.rejected), None) for line, source in sources_of_lines(REASONS).items()}
    assert reasons == REASONS


DAYS = {
    "2024-06-25 00:00:00": DAY,
    "2024-06-25T23:59:59": DAY,
    "2024-06-25 12:00:00.1": DAY,
    "2024-06-25 23:59:59.999999999": DAY,
    "2024-06-25 12:00:00Z": DAY,
    "2024-06-25 00:00:00+00:01": "2024-06-24",
    "2024-06-25 23:59:00-0001": "2024-06-26",
    "2024-06-25 00:00:00+18:00": "2024-06-24",
    "2024-06-25 12:00:00-18:00": "2024-06-26",
    "2024-02-29 12:00:00": "2024-02-29",
    "1970-01-01 00:00:00": "1970-01-01",
    "2024-06-27 00:00:00": "2024-06-27",  # exactly 24 h after the arrival
}


def test_a_listen_time_is_an_instant_with_a_utc_day() -> None:
    sources = sources_of_lines(f"1,{A},{listen_time}" for listen_time in DAYS)
    assert {line: source.days for line, source in sources.items()} == {
        f"1,{A},{listen_time}": (day,) for listen_time, day in DAYS.items()
    }


BAD_LISTEN_TIMES = [
    *("2024-02-30 12:00:00", "2023-02-29 12:00:00", "2024-13-01 12:00:00", "2024-00-01 12:00:00"),
    *("2024-06-25 24:00:00", "2024-06-25 12:60:00", "2024-06-25 12:00:60", "1969-12-31 23:59:59"),
    *("2024-06-25", "2024-06-25 12:00", "2024-6-25 12:00:00", "24-06-25 12:00:00", "2024-06-25  12:00:00"),
    *("2024-06-25t12:00:00", "2024-06-25 12:00:00z", "2024-06-25 12:00:00 Z", " 2024-06-25 12:00:00"),
    *("2024-06-25 12:00:00.", "2024-06-25 12:00:00.1234567890", '"2024-06-25 12:00:00,5"'),
    *("2024-06-25 12:00:00+18:01", "2024-06-25 12:00:00-19:00", "2024-06-25 12:00:00+05:60"),
    *("2024-06-25 12:00:00+05", "2024-06-25 12:00:00+5:30", "٢٠٢٤-06-25 12:00:00", "1719316800"),
]


def test_a_bad_listen_time_is_rejected() -> None:
    sources = sources_of_lines(f"1,{A},{listen_time}" for listen_time in BAD_LISTEN_TIMES)
    assert len(sources) == len(BAD_LISTEN_TIMES)
    assert [line for line, source in sources.items() if source.rejected != {"bad_listen_time": 1}] == []


def test_a_listen_more_than_24_hours_after_the_arrival_is_in_the_future() -> None:
    assert source_of(f"1,{A},2024-06-27 00:00:00.000001").rejected == {"future_listen_time": 1}
    assert source_of(f"1,{A},2024-06-27 01:00:00.000001+01:00").rejected == {"future_listen_time": 1}


def test_the_arrival_may_be_in_any_zone() -> None:
    arrived = datetime(2024, 6, 24, 17, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    rows = f"user_id,track_id,listen_time\n1,{A},{DAY} 12:00:00\n1,{A},{DAY} 12:00:01\n"
    assert run(StreamFile("s1", rows.encode(), arrived)).sources["s1"].rejected == {"future_listen_time": 1}


PAIRS = [
    (listen(), listen(), True),
    (listen(user="007"), listen(user=7), True),
    (listen(), f'"1","{A}","{DAY}T12:00:00Z"', True),
    (listen(), f"1,{A},{DAY} 17:30:00+0530", True),
    (listen(), f"1,{A},{DAY} 17:30:00+05:30", True),
    (listen(), f"1,{A},{DAY} 12:00:00.000000999", True),
    (listen(), f"1,{A},{DAY} 12:00:00.000001", False),
    (listen(), listen(user=2), False),
    (listen(), listen(track=B), False),
]


def test_a_duplicate_is_the_same_event_in_any_notation() -> None:
    sources = run(*(stream(first, second, source_id=str(n)) for n, (first, second, _) in enumerate(PAIRS))).sources
    for n, (first, second, is_duplicate) in enumerate(PAIRS):
        assert sources[str(n)].rejected == ({"duplicate": 1} if is_duplicate else {}), f"{first} and {second}"


def test_a_parked_row_has_duplicates_and_a_rejected_row_has_none() -> None:
    assert source_of(listen(track=C), listen(track=C)).rejected == {"unknown_track": 1, "duplicate": 1}
    assert source_of(listen(user="x"), listen(user="x")).rejected == {"bad_user_id": 2}
    assert source_of(f"{listen()},surplus", listen()).rejected == {"malformed_row": 1}


# --- files ----------------------------------------------------------------------------------------------------------

PLAIN = f"user_id,track_id,listen_time\n1,{A},{DAY} 12:00:00\n2,{B},{DAY} 13:00:00\n"


FORMS = {
    "no last line end": PLAIN.rstrip("\n").encode(),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "CRLF": PLAIN.replace("\n", "\r\n").encode(),
    "CR": PLAIN.replace("\n", "\r").encode(),
    "blank lines": PLAIN.replace("\n", "\n\n \t\r\n").encode(),
    "blank lines before the header": b"\n \n" + PLAIN.encode(),
    "gzip": gzip.compress(PLAIN.encode()),
    "gzip of two members": gzip.compress(b"\xef\xbb\xbf" + PLAIN[:40].encode()) + gzip.compress(PLAIN[40:].encode()),
    "other columns, quotes": f'listen_time,note,user_id,"track_id"\n{DAY} 12:00:00,"a, ""b""",1,{A}\n'
    f'{DAY} 13:00:00,,"2",{B}\n'.encode(),
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_files_of_different_formats_have_the_same_result(content: bytes) -> None:
    outcome = run(StreamFile("s1", content, ARRIVED))
    assert outcome.sources == {"s1": Source(verdict=None, rows_read=2, rows_accepted=2, days=(DAY,))}
    assert outcome.items == run(StreamFile("s1", PLAIN.encode(), ARRIVED)).items


def test_a_quoted_line_break_makes_two_malformed_rows() -> None:
    assert source_of(f'1,"{A}', f'{A}",{DAY} 12:00:00').rejected == {"malformed_row": 2}


def test_a_unicode_line_separator_is_no_line_end() -> None:
    assert source_of(f"1,{A},{DAY} 12:00:00\u2028").rejected == {"bad_listen_time": 1}


REFUSED = {
    "nothing": (b"", "empty_file"),
    "blank lines": (b"\xef\xbb\xbf\r\n \t\n", "empty_file"),
    "gzip of a blank line": (gzip.compress(b"\n"), "empty_file"),
    "not UTF-8": (PLAIN.encode() + b"\xff\n", "not_utf8"),
    "not UTF-8 and a NUL": (PLAIN.encode() + b"\0\xff\n", "not_utf8"),
    "NUL": (PLAIN.encode() + b"\0\n", "not_csv"),
    "gzip cut off": (gzip.compress(PLAIN.encode())[:-9], "not_csv"),
    "line too long": (PLAIN.encode() + b"x" * 65_537, "not_csv"),
    "column twice": (b"user_id,track_id,listen_time,user_id\n", "not_csv"),
    "column in other case": (b"user_id,Track_id,listen_time\n", "missing_columns"),
    "column with a blank": (b"user_id, track_id,listen_time\n", "missing_columns"),
}


@pytest.mark.parametrize(("content", "verdict"), REFUSED.values(), ids=REFUSED)
def test_a_quarantined_file_has_a_verdict_and_no_rows(content: bytes, verdict: str) -> None:
    outcome = run(StreamFile("s1", content, ARRIVED), stream(listen(), source_id="s2"))
    assert outcome.sources["s1"] == Source(verdict=verdict)
    assert outcome.sources["s2"].rows_accepted == 1


def test_a_line_of_64_kib_is_allowed() -> None:
    assert run(StreamFile("s1", PLAIN.encode() + b"x" * 65_536, ARRIVED)).sources["s1"].rejected == {"malformed_row": 1}


def test_a_header_without_rows_is_valid() -> None:
    assert run(stream()).sources == {"s1": Source(verdict=None)}
    assert evaluate([Batch([stream()], reference())], max_rejected_ratio="0").items == {}


def test_a_file_with_too_many_bad_rows_keeps_its_counts_and_commits_nothing() -> None:
    lines = [listen(), listen(user=2), listen(track=C), listen(), "bad"]
    one_in_five = evaluate([Batch([stream(*lines)], reference())])
    assert one_in_five.sources["s1"].verdict is None
    assert one_in_five.sources["s1"].rows_accepted == 2

    one_in_four = evaluate([Batch([stream(*lines[1:])], reference())])
    rejected = {"malformed_row": 1, "unknown_track": 1}
    assert one_in_four.sources["s1"] == Source("too_many_bad_rows", rows_read=4, rows_accepted=0, rejected=rejected)
    assert one_in_four.items == {}


# --- songs and users ------------------------------------------------------------------------------------------------


def song_rows(*rows: str) -> str:
    return "\n".join(["id,track_id,artists,track_name,duration_ms,track_genre", *rows])


@pytest.mark.parametrize(
    ("rows", "description"),
    [
        ([f"10,{A},x,Ten,10,pop", f"9,{A},x,Nine,9,pop"], ("Nine", "x", 9)),
        ([f"010,{A},x,Ten,10,pop", f"9,{A},x,Nine,9,pop"], ("Nine", "x", 9)),
        ([f",{A},a,None,1,pop", f"99,{A},z,With,99,pop"], ("With", "z", 99)),
        ([f"z,{A},a,Not a number,1,pop", f"99,{A},z,With,99,pop"], ("With", "z", 99)),
        ([f"1,{A},a,b,1,pop", f"1,{A},z,B,2,pop"], ("B", "z", 2)),
        ([f",{A},b,same,1,pop", f",{A},a,same,2,pop"], ("same", "a", 2)),
        ([f",{A},a,same,10,pop", f",{A},a,same,9,pop"], ("same", "a", 9)),
        ([f"1,{A},a,\uffff,1,pop", f"1,{A},a,\U0001f600,2,pop"], ("\uffff", "a", 1)),
        ([f"1,{A},,,00012,pop"], ("", "", 12)),
        ([f'1,{A},"a;b","two\nlines, ""quoted""",5,pop'], ('two\nlines, "quoted"', "a;b", 5)),
    ],
)
def test_a_track_is_described_by_its_smallest_row(rows: list[str], description: tuple[object, ...]) -> None:
    item = run(stream(listen()), songs=song_rows(*rows)).items["GENRE#pop", f"DAY#{DAY}"]
    [song] = item["top_songs"]
    assert (song["track_name"], song["artists"], song["total_listening_time_ms"]) == description


BAD_DURATIONS = ("", "0", "-5", "5.0", " 5", "2147483648", "99999999999999999999999999999999999999999")
INVALID_SONGS = [
    *(f"0,{A},a,ignored,{duration},pop" for duration in BAD_DURATIONS),
    *(f"0,{A},a,ignored,5,", f"0,{A[1:]},a,ignored,5,pop", "0,,a,ignored,5,pop"),
]


def test_an_invalid_songs_row_is_ignored() -> None:
    assert run(stream(listen()), songs=SONGS + "\n".join(INVALID_SONGS)).items == run(stream(listen())).items


def test_a_listen_counts_once_in_each_genre_of_its_track() -> None:
    songs = song_rows(f"1,{A},x,Alpha,1000,pop", f"2,{A},x,Alpha,9999,rock", f"3,{A},x,Other,1000,pop")
    items = run(stream(listen()), songs=songs).items
    genres = {key: item["total_listening_time_ms"] for key, item in items.items() if key[0].startswith("GENRE")}
    assert genres == {("GENRE#pop", f"DAY#{DAY}"): 1000, ("GENRE#rock", f"DAY#{DAY}"): 1000}
    assert items[f"DAY#{DAY}", "SUMMARY"]["listen_count"] == 1


@pytest.mark.parametrize(
    ("rows", "country"),
    [
        (["1,France"], "France"),
        (["1,Zambia", "1,Chad", "2,Angola"], "Chad"),
        (["1,Zambia", "1,"], "Zambia"),
        (["001,Zambia", "1,chad"], "Zambia"),
        (["1,Côte d'Ivoire", "1,Cyprus"], "Cyprus"),
        (["1,"], "unknown"),
        (["2,France"], "unknown"),
        (["x,France"], "unknown"),
        (["1, "], " "),
    ],
)
def test_the_country_of_a_listener(rows: list[str], country: str) -> None:
    items = run(stream(listen()), users="\n".join(["user_id,user_country", *rows])).items
    assert [pk for pk, _ in items if pk.startswith("COUNTRY")] == [f"COUNTRY#{country}"]


def test_every_reference_file_is_read() -> None:
    songs = [song_rows(f"1,{A},x,Alpha,1000,pop").encode(), song_rows(f"0,{A},x,Earlier,1000,rock").encode()]
    users = [b"user_id,user_country\n1,Peru\n", b"user_country,user_id\nMali,1\n"]
    items = evaluate([Batch([stream(listen())], Reference(songs, users, 1))]).items
    assert {pk for pk, _ in items} == {"GENRE#pop", "GENRE#rock", "COUNTRY#Mali", f"DAY#{DAY}"}


def test_no_valid_songs_row_is_an_error() -> None:
    with pytest.raises(NoReferenceDataError):
        run(stream(listen()), songs=song_rows("1,short,x,Alpha,1000,pop"))


# --- metrics --------------------------------------------------------------------------------------------------------


def test_a_day_computed_by_hand() -> None:
    # Alpha (1000 ms, pop): user 1 twice, user 2 once; Beta (2000 ms, rock): user 2; user 1 in France, user 2 in Japan.
    lines = [listen(1, A, "08:00:00"), listen(1, A, "09:00:00"), listen(2, A), listen(2, B, "13:00:00")]
    alpha = {"track_id": A, "track_name": "Alpha", "artists": "Ann"}
    beta = {"track_id": B, "track_name": "Beta", "artists": "Bob"}
    genres = [entry(1, {"genre": "pop"}, 3, 2, 3000), entry(2, {"genre": "rock"}, 1, 1, 2000)]
    in_japan = [entry(1, alpha, 1, 1, 1000), entry(2, beta, 1, 1, 2000)]
    outcome = evaluate([Batch([stream(*lines)], reference())], publish_track_metrics=True)
    assert outcome.items == {
        (f"DAY#{DAY}", "SUMMARY"): item(2500, 4, 2, 5000, day=DAY, top_genres=genres),
        ("GENRE#pop", f"DAY#{DAY}"): item(1500, 3, 2, 3000, day=DAY, top_songs=[entry(1, alpha, 3, 2, 3000)]),
        ("GENRE#rock", f"DAY#{DAY}"): item(2000, 1, 1, 2000, day=DAY, top_songs=[entry(1, beta, 1, 1, 2000)]),
        ("COUNTRY#France", f"DAY#{DAY}"): item(2000, 2, 1, 2000, day=DAY, top_songs=[entry(1, alpha, 2, 1, 2000)]),
        ("COUNTRY#Japan", f"DAY#{DAY}"): item(3000, 2, 1, 3000, day=DAY, top_songs=in_japan),
        (f"TRACK#{A}", f"DAY#{DAY}"): item(1500, 3, 2, 3000, track_day=DAY),
        (f"TRACK#{B}", f"DAY#{DAY}"): item(2000, 1, 1, 2000, track_day=DAY),
    }


def metrics(listen_count: int, unique_listeners: int, total: int) -> dict[str, object]:
    return {"listen_count": listen_count, "unique_listeners": unique_listeners, "total_listening_time_ms": total}


def entry(rank: int, about: dict[str, str], *measures: int) -> dict[str, object]:
    return {"rank": rank, **about, **metrics(*measures)}


def item(average: int, *measures: int, **more: object) -> dict[str, object]:
    return {**metrics(*measures), "avg_listening_time_per_user_ms": Decimal(average), **more}


def test_track_items_are_published_only_on_request() -> None:
    assert not [pk for pk, _ in run(stream(listen())).items if pk.startswith("TRACK")]


@pytest.mark.parametrize(
    ("users", "total", "average"),
    [(8, 9, "1.13"), (8, 11, "1.38"), (3, 10, "3.33"), (3, 11, "3.67"), (1, 2147483647, "2147483647.00")],
)
def test_the_average_is_rounded_half_up(users: int, total: int, average: str) -> None:
    songs = song_rows(f"1,{A},x,Short,1,pop", f"2,{B},x,Long,{total - users + 1},pop")
    lines = [listen(user, A if user > 1 else B) for user in range(1, users + 1)]
    summary = run(stream(*lines), songs=songs).items[f"DAY#{DAY}", "SUMMARY"]
    assert (summary["total_listening_time_ms"], summary["unique_listeners"]) == (total, users)
    assert summary["avg_listening_time_per_user_ms"] == Decimal(average)


def test_top_songs_are_ordered_by_listens_then_listeners_then_track_id() -> None:
    songs = song_rows(*(f"1,{track},x,x,1000,pop" for track in (A, B, C, D, "a" * 22)))
    lines = [
        *(listen(1, D, "01:00:00"), listen(1, D, "02:00:00"), listen(1, D, "03:00:00")),
        *(listen(1, C, "01:00:00"), listen(1, C, "02:00:00")),
        *(listen(1, B), listen(2, B)),
        *(listen(1, "a" * 22), listen(2, "a" * 22)),
        listen(1, A),
    ]
    top = run(stream(*lines), songs=songs).items["GENRE#pop", f"DAY#{DAY}"]["top_songs"]
    assert [(song["rank"], song["track_id"]) for song in top] == [(1, D), (2, B), (3, "a" * 22)]


def test_top_genres_are_five_ordered_by_listens_then_listeners_then_code_point() -> None:
    genres = {"e": A, "Z": A, "é": A, "narrow": B, "wide": C, "last": D}
    songs = song_rows(*(f"1,{track},x,x,1000,{genre}" for genre, track in genres.items()))
    lines = [
        *(listen(1, B, "01:00:00"), listen(1, B, "02:00:00")),
        *(listen(1, C), listen(2, C)),
        *(listen(1, A), listen(2, D)),
    ]
    top = run(stream(*lines), songs=songs).items[f"DAY#{DAY}", "SUMMARY"]["top_genres"]
    assert [genre["genre"] for genre in top] == ["wide", "narrow", "Z", "e", "last"]


def test_an_event_in_two_files_counts_once() -> None:
    outcome = run(stream(listen(), source_id="s1"), stream(f"01,{A},{DAY}T12:00:00Z", listen(2), source_id="s2"))
    assert [source.rows_accepted for source in outcome.sources.values()] == [1, 2]
    assert outcome.items[f"DAY#{DAY}", "SUMMARY"]["listen_count"] == 2


def later(version: int) -> Reference:
    """Return reference data in which Alpha is Aleph, longer and of another genre, and user 1 has moved."""
    return reference(song_rows(f"1,{A},Ann,Aleph,1500,jazz"), "user_id,user_country\n1,Chile\n", version)


@pytest.mark.parametrize(
    ("first_version", "first_source", "second_version", "second_source", "winner"),
    [
        (1, "s1", 2, "s2", "Aleph"),
        (2, "s1", 1, "s2", "Alpha"),
        (1, "s1", 1, "s2", "Alpha"),
        (1, "s2", 1, "s1", "Aleph"),
    ],
)
def test_of_copies_that_with_the_greatest_reference_version_then_the_smallest_source_counts(
    first_version: int, first_source: str, second_version: int, second_source: str, winner: str
) -> None:
    batches = [
        Batch([stream(listen(), source_id=first_source)], reference(version=first_version)),
        Batch([stream(listen(), source_id=second_source)], later(second_version)),
    ]
    expected = {"Alpha": {"GENRE#pop", "COUNTRY#France"}, "Aleph": {"GENRE#jazz", "COUNTRY#Chile"}}[winner]
    assert {pk for pk, _ in evaluate(batches).items} == {f"DAY#{DAY}", *expected}


def test_enrichment_is_frozen_but_a_track_has_one_name_in_a_day() -> None:
    batches = [
        Batch([stream(listen(), f"1,{A},2024-06-24 12:00:00", source_id="s1")], reference()),
        Batch([stream(listen(time="13:00:00"), source_id="s2")], later(2)),
    ]
    items = evaluate(batches).items
    song = {"rank": 1, "track_id": A, "artists": "Ann"}
    old = metrics(1, 1, 1000)
    assert items["GENRE#pop", f"DAY#{DAY}"]["top_songs"] == [song | old | {"track_name": "Aleph"}]
    assert items["GENRE#pop", "DAY#2024-06-24"]["top_songs"] == [song | old | {"track_name": "Alpha"}]
    assert items["GENRE#jazz", f"DAY#{DAY}"]["top_songs"] == [song | metrics(1, 1, 1500) | {"track_name": "Aleph"}]
    assert items[f"DAY#{DAY}", "SUMMARY"]["total_listening_time_ms"] == 2500


def test_of_several_batches_of_a_source_the_last_counts() -> None:
    replayed = [
        Batch([stream(listen(), listen(track=C))], reference()),
        Batch([stream(listen(), listen(track=C))], reference(SONGS + f"3,{C},Cid,Gamma,3000,pop", version=2)),
    ]
    outcome = evaluate(replayed)
    assert outcome.sources["s1"] == Source(verdict=None, rows_read=2, rows_accepted=2, days=(DAY,))
    assert outcome == evaluate(replayed[1:])


def test_no_rule_depends_on_the_order_of_the_files() -> None:
    files = [
        stream(*(listen(user, track) for user in range(n, n + 3) for track in (A, B)), source_id=f"s{n}")
        for n in range(9)
    ]
    assert run(*files).items == run(*reversed(files)).items


def test_all_rows_of_the_real_file_are_accepted() -> None:
    folder = Path(os.environ.get("MUSIC_STREAMS_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real input at {folder}: set MUSIC_STREAMS_SHARED_DATA to its folder")
    streams = StreamFile("s1", folder / "streams_2024-06-25_a.csv", ARRIVED)
    outcome = evaluate([Batch([streams], Reference([folder / "songs_for_a.csv"], [folder / "users.csv"], 1))])
    assert outcome.sources["s1"] == Source(verdict=None, rows_read=11_346, rows_accepted=11_346, days=(DAY,))
    assert outcome.items[f"DAY#{DAY}", "SUMMARY"]["listen_count"] == 11_346
    assert sum(pk.startswith("GENRE#") for pk, _ in outcome.items) == 114


# --- comparing ------------------------------------------------------------------------------------------------------

KEY = ("GENRE#pop", f"DAY#{DAY}")
EXPECTED = {
    KEY: {"day": DAY, "listen_count": 2, "average": Decimal("1.50"), "top_songs": [{"rank": 1, "name": "Alpha"}]}
}
VALUES = {"listen_count": Decimal(2), "average": Decimal("1.5"), "top_songs": [{"rank": Decimal(1), "name": "Alpha"}]}
PROVENANCE = {"version": Decimal(7), "batch_id": "b", "updated_at": "2024-06-26T00:00:00Z", "lake_uuid": "u"}
ACTUAL = {"pk": KEY[0], "sk": KEY[1], "day": DAY, **VALUES, **PROVENANCE}


def test_equal_items_have_no_differences() -> None:
    assert differences(EXPECTED, [ACTUAL]) == []


def test_a_missing_item_and_a_ghost_are_differences() -> None:
    ghost = ACTUAL | {"pk": "GENRE#rock"}
    missing, unexpected = differences(EXPECTED, [ghost])
    assert missing == f"GENRE#pop / DAY#{DAY}: is missing"
    assert unexpected.startswith(f"GENRE#rock / DAY#{DAY}: is a ghost")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"listen_count": Decimal(3)}, "listen_count is 3, expected 2"),
        ({"listen_count": "2"}, "listen_count is '2', expected 2"),
        ({"average": Decimal("1.51")}, "average is 1.51, expected 1.50"),
        ({"top_songs": [{"rank": Decimal(1), "name": "Beta"}]}, "top_songs[0].name is 'Beta', expected 'Alpha'"),
        ({"top_songs": []}, "top_songs is [], expected [{rank: 1, name: 'Alpha'}]"),
        ({"mood": "calm"}, "mood is 'calm', expected no such attribute"),
        ({"version": Decimal(0)}, "version is 0, expected a positive integer"),
        ({"version": Decimal("1.5")}, "version is 1.5, expected a positive integer"),
        ({"version": "7"}, "version is '7', expected a positive integer"),
    ],
)
def test_a_changed_attribute_is_a_difference(change: dict[str, object], difference: str) -> None:
    assert differences(EXPECTED, [ACTUAL | change]) == [f"GENRE#pop / DAY#{DAY}: {difference}"]


@pytest.mark.parametrize("attribute", ["day", "top_songs", "version", "batch_id", "updated_at", "lake_uuid"])
def test_a_missing_attribute_is_a_difference(attribute: str) -> None:
    item = {name: value for name, value in ACTUAL.items() if name != attribute}
    [difference] = differences(EXPECTED, [item])
    assert difference.startswith(f"GENRE#pop / DAY#{DAY}: {attribute} is missing")


def test_a_scan_reads_every_page() -> None:
    class TwoPages:
        def scan(self, **kwargs: object) -> dict[str, object]:
            assert kwargs["ConsistentRead"] is True
            if "ExclusiveStartKey" in kwargs:
                assert kwargs["ExclusiveStartKey"] == {"pk": "a"}
                return {"Items": [{"pk": "b"}]}
            return {"Items": [{"pk": "a"}], "LastEvaluatedKey": {"pk": "a"}}

    assert scan_items(TwoPages()) == [{"pk": "a"}, {"pk": "b"}]
