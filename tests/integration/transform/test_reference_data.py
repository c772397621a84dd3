"""Every reference file is read by its own header, and their rows are merged on Spark."""

import os
from decimal import Decimal

import pytest

from music_streams.reference.of_run import ReferenceOfRun
from music_streams.state.run_files import Manifest, ManifestSource, RunFolder
from music_streams.transform.spark.reference_data import MergedReference, SongsAndUsers
from tests.entries import all_published
from tests.integration.transform.directory_s3 import DirectoryS3

LAKE, LANDING = "lake-of-reference", "landing-of-reference"
SONG_FILES = {
    "songs.csv": 'id,track_id,track_name,artists,duration_ms,track_genre\n1,{a},"a, ""b""",x,1000,pop\n',
    "sub/other order.CSV": "track_genre,extra,track_id,duration_ms\nrock,e,{b},2000\n",
    "_hidden.csv": "track_id,duration_ms,track_genre\n{c},3000,hidden\n",
    ".dotted.csv": "track_id,duration_ms,track_genre\n{d},3000,dotted\n",
    "[x]{{y}}*.csv": "track_id,duration_ms,track_genre\n{e},3000,globbed\n",
    "case.csv": "Track_ID,track_id,DURATION_MS,duration_ms,track_genre,`,\nno,{f},no,4000,case,x,y\n",
    "bom.csv": "\ufeff\r\ntrack_id,duration_ms,track_genre\r\n{g},5000,bom\r\n",
    "breaks.csv": 'track_id,track_name,duration_ms,track_genre\n{h},"two\nlines",1,breaks\n\n{i},"\r\n",1,breaks\n',
    "short.csv": "track_id,duration_ms,track_genre,track_name\n{j},7000,short\n{k},7000,short,n,more\n",
    "backslash.csv": 'track_id,track_name,duration_ms,track_genre\n{l},"a\\",8000,slash\n{m},"\\""b",8000,slash\n',
    "empty.csv": "",
    "header only.csv": "track_id,duration_ms,track_genre\n",
    "no columns.csv": "a,b\n1,2\n",
    "line ends.csv": "track_id,duration_ms,track_genre\n{n},1,ends\r\n{o},1,ends\r{p},1,ends\n",
    "broken quotes.csv": "track_id,track_name,duration_ms,track_genre\n"
    '{z},"x,1,q\n{q},x,1,quotes\n{z},"x"x,1,q\n{r},"",1,quotes',
}
NEWEST = 1_700_000_123_000


def track(name: str) -> str:
    return name.ljust(22, "0")


@pytest.fixture(scope="module")
def s3(spark, tmp_path_factory):
    s3 = DirectoryS3(tmp_path_factory.mktemp("s3"))
    s3.mount(spark, LAKE)
    return s3


def put(s3: DirectoryS3, bucket: str, key: str, body: bytes, modified: int) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    os.utime(s3.path(bucket, key), (modified / 1000, modified / 1000))


def read(spark, s3: DirectoryS3, execution: str = "batch-1", bucket: str = LANDING) -> SongsAndUsers:
    merged = MergedReference(spark, LAKE)
    folder = RunFolder(LAKE, "batch")
    reader = ReferenceOfRun(s3, bucket, all_published, Decimal("0.2"), folder, execution, "jr_1")  # type: ignore[arg-type]  # a fake
    streams = ManifestSource("0" * 32, "streams", "a.csv", [], "", 1)
    pinned = reader.read(Manifest("batch", [streams]), merged.write).pinned
    assert pinned
    return merged.read(pinned)


@pytest.fixture(scope="module")
def reference(spark, s3):
    for name, content in SONG_FILES.items():
        body = content.format(**{letter: track(letter) for letter in "abcdefghijklmnopqrz"}).encode()
        put(s3, LANDING, f"reference/songs/{name}", body, NEWEST - 5000)
    put(s3, LANDING, "reference/users/u.csv", b"user_country,user_id\nDE,1\nFR,01\n,2\n", NEWEST)
    return read(spark, s3)


def test_every_reference_file_is_read_by_its_own_header_and_the_newest_determines_the_version(reference):
    songs = {
        row["track_id"][0]: (row["track_name"], row["duration_ms"], row["genres"]) for row in reference.songs.collect()
    }
    assert songs == {
        "a": ('a, "b"', 1000, ["pop"]),
        "b": ("", 2000, ["rock"]),
        "c": ("", 3000, ["hidden"]),
        "d": ("", 3000, ["dotted"]),
        "e": ("", 3000, ["globbed"]),
        "f": ("", 4000, ["case"]),
        "g": ("", 5000, ["bom"]),
        "h": ("two\nlines", 1, ["breaks"]),
        "i": ("\r\n", 1, ["breaks"]),
        "l": ("a\\", 8000, ["slash"]),
        "m": ('\\"b', 8000, ["slash"]),
        "n": ("", 1, ["ends"]),
        "o": ("", 1, ["ends"]),
        "p": ("", 1, ["ends"]),
        "q": ("x", 1, ["quotes"]),
        "r": ("", 1, ["quotes"]),
    }
    assert [tuple(row) for row in reference.users.collect()] == [(1, "DE")]
    assert reference.version == NEWEST


@pytest.mark.parametrize("columns", [20_481, 60_000])
def test_a_record_of_very_many_fields_is_left_out(spark, s3, columns):
    bucket = f"landing-of-{columns}"
    header, song = "track_id,duration_ms,track_genre\n", f"{track('a')},1000,pop\n"
    put(s3, bucket, "reference/songs/a.csv", f"{header}{',' * (columns - 1)}\n{song}".encode(), NEWEST)
    assert [row["genres"] for row in read(spark, s3, f"wide-{columns}", bucket).songs.collect()] == [["pop"]]


def test_a_landing_bucket_without_reference_files_has_no_rows(spark, s3):
    none = read(spark, s3, "none-1", "landing-of-nothing")
    assert (none.songs.count(), none.users.count(), none.version) == (0, 0, 0)
