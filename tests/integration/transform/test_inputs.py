"""Spark reads the lines of each staged file completely and in order."""

import gzip
import re
from datetime import UTC, datetime

import pytest

from music_streams.state.run_files import Manifest, ManifestSource, RunFolder
from music_streams.transform.spark import inputs, row_reasons
from music_streams.validation import csv_line
from tests.integration.transform.directory_s3 import DirectoryS3

LAKE = "lake-of-inputs"
BOM = b"\xef\xbb\xbf"
HEADER = "user_id,track_id,listen_time"
STRANGE = [
    *('a,"b, ""c""",d', '"unclosed', "back\\slash \\n \\", " leading and trailing ", "\ttabs\t", "null", "NULL"),
    *("#comment", "\\N", "'single'", '""', "é 𝄞 \u2028 \u0085 \ufeff", "a;b|c", "\x01\x1f", ",", "," * 60_000),
    "x" * 65_536,
]


def text(ends: str, *lines: str) -> bytes:
    return "".join(line + ends for line in (HEADER, *lines)).encode()


FILES = {
    "LF": text("\n", "1", "2", "3"),
    "CRLF": text("\r\n", "1", "2", "3"),
    "CR": text("\r", "1", "2", "3"),
    "no line end at the end": text("\n", "1", "2")[:-1],
    "byte order mark": BOM + text("\n", "1", "2"),
    "blank lines before the header": b"\n\r\n \t\n" + text("\n", "1", "2"),
    "byte order mark and blank lines": BOM + b"\n\n" + text("\r\n", "1", "2"),
    "blank lines between": text("\n", "", "1", " ", "\t", "2", ""),
    "CR and blank lines": b"\r\r" + text("\r", "1", "", "2"),
    "blank lines before the header fill a split": b"\n" * 20_000 + text("\n", "1", HEADER, "2"),
    "header only": text("\n"),
    "header without a line end": HEADER.encode(),
    "a line like the header": text("\n", HEADER, "1", HEADER),
    "strange": text("\n", *STRANGE[:-2]),
    "long": text("\n", *STRANGE[-2:]),
    "quoted header": b'"user_id","track_id","listen_time"\n1\n',
    "gzip": gzip.compress(text("\n", "1", "2")),
    "gzip of several members": gzip.compress(BOM + text("\n", "1")[:10]) + gzip.compress(text("\n", "1", "2")[10:]),
    "many lines": text("\n", *(f"{n},{'x' * (n % 97)}" for n in range(5000))),
    "many lines ended by CRLF": text("\r\n", *(f"{n},{'x' * (n % 97)}" for n in range(2000))),
    "many lines ended by CR": text("\r", *(f"{n},{'x' * (n % 97)}" for n in range(2000))),
}


def lines_of(data: bytes) -> list[str]:
    """Return the lines, the header first, by a simple implementation."""
    content = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).removeprefix(BOM).decode()
    return [line for line in re.split("[\r\n]", content) if line.strip(csv_line.BLANK)]


@pytest.fixture(scope="module")
def s3(spark, tmp_path_factory):
    s3 = DirectoryS3(tmp_path_factory.mktemp("s3"))
    s3.mount(spark, LAKE)
    return s3


@pytest.fixture(scope="module")
def read(spark, s3):
    """The lines of all files, read by one job in splits of 8 KiB."""
    folder = RunFolder(LAKE, "batch")
    listed = []
    for number, data in enumerate(FILES.values()):
        source_id = f"{number:032x}"
        name = source_id + (".csv.gz" if data[:2] == b"\x1f\x8b" else ".csv")
        s3.put_object(Bucket=LAKE, Key=folder.key(f"input/{name}"), Body=data)
        listed.append(ManifestSource(source_id, "streams", name, HEADER.split(","), "2026-11-21T21:03:25.123Z", 1_000))
    spark.conf.set("spark.sql.files.maxPartitionBytes", "8k")
    try:
        lines = inputs.lines(spark, folder, Manifest("batch", listed)).collect()
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")
    return lines


@pytest.mark.parametrize("name", FILES)
def test_the_lines_of_a_file_are_complete_and_in_order(read, name):
    source_id = f"{list(FILES).index(name):032x}"
    of_file = sorted((row["position"], row["raw"]) for row in read if row["source_id"] == source_id)
    assert [raw for _, raw in of_file] == lines_of(FILES[name])


def test_a_large_file_is_read_in_several_splits(read):
    source_id = f"{list(FILES).index('many lines'):032x}"
    assert len({row["position"]["block"] for row in read if row["source_id"] == source_id}) > 3


@pytest.mark.parametrize("name", FILES)
def test_the_header_is_separated_from_the_rows(read, name, spark):
    source_id = f"{list(FILES).index(name):032x}"
    lines = spark.createDataFrame([row for row in read if row["source_id"] == source_id], row_reasons.LINES)
    sources = spark.createDataFrame([(source_id, datetime(2026, 11, 21, tzinfo=UTC), 3, 0, 1, 2)], row_reasons.SOURCES)
    classified = row_reasons.classify(lines, sources).orderBy("position").select("raw").collect()
    assert [row["raw"] for row in classified] == lines_of(FILES[name])[1:]


def test_every_line_belongs_to_a_file_of_the_manifest(read):
    assert {row["source_id"] for row in read} <= {f"{number:032x}" for number in range(len(FILES))}


def test_spark_and_python_agree_on_the_fields_of_a_line(spark):
    lines = [
        *STRANGE[:-2],
        "a,b",
        "",
        "a,,",
        '"a","b"',
        '"",""',
        '"a,b",c',
        '""""',
        '"""a"""',
        '",",","',
        'a"',
        'a"b"c,d',
        '"a"b,c',
        'a,"b"c',
        '"a" ,b',
        '"""',
        '"a"b"',
        "$1,\\1",
    ]
    frame = spark.createDataFrame([(line,) for line in lines], "line STRING")
    parsed = frame.select("line", row_reasons.split_fields(frame.line).alias("fields")).collect()
    assert {row["line"]: row["fields"] for row in parsed} == {line: csv_line.fields(line) for line in lines}
