"""Other users of the lake, in this order: the queries of docs/analysts.md, then a column that the lake's owner adds.

Run by test_iceberg.py.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from music_streams.load.items import Provenance, item
from music_streams.reconcile.drift import differences
from music_streams.reconcile.lake import LakeReader
from music_streams.reconcile.recount import recount
from music_streams.stack import Stack
from music_streams.transform.ports import LISTENS, REJECTED_ROWS
from tests.integration.transform import computed
from tests.integration.transform.iceberg_cases import (
    DAY,
    LISTENS_COLUMNS,
    NEXT_DAY,
    REJECTED_COLUMNS,
    Tables,
    aws,
    lake,
    older,
    spark,
)

__all__ = ["aws", "lake", "spark"]

PAGE = (Path(__file__).parents[3] / "docs" / "analysts.md").read_text()
QUERIES: list[tuple[str, str]] = re.findall(r"```sql\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGE, re.DOTALL)
SPARK_FORMS: list[tuple[str, str]] = re.findall(
    r"^\| `(.+)` \| `(.+)` \|$", PAGE.partition("| Athena |")[2], re.MULTILINE
)
ADDS_A_COLUMN = "ALTER TABLE"
A, B = "a" * 32, "b" * 32
LANTERN, ENGINE = "PaperLantern0000000001", "MidnightEngine00000001"


def listen(user: int, track: str, at: str, source_id: str, genres: list[str], version: int) -> tuple[Any, ...]:
    instant, name = datetime.fromisoformat(at).replace(tzinfo=UTC), track[:8]
    execution = f"{source_id[:4]}-1"
    return (user, track, instant, 200_000 + 20_000 * version, name, "", genres, "DE", source_id, execution, version)


# Both files contain one event; the copy of the second file is newer, has other genres and is longer.
FIRST = [
    listen(1, LANTERN, "2024-06-25 10:00:00", A, ["pop"], 0),
    listen(2, LANTERN, "2024-06-25 23:59:59.999999", A, ["pop", "jazz"], 0),
    listen(2, ENGINE, "2024-06-25 11:00:00", A, ["pop"], 0),
    listen(1, ENGINE, "2024-06-26 00:00:00", A, ["pop"], 0),
]
SECOND = [
    listen(1, LANTERN, "2024-06-25 10:00:00", B, ["folk", "jazz"], 1),
    listen(3, LANTERN, "2024-06-25 12:00:00", B, ["jazz", "pop"], 1),
]
ARRIVAL = datetime(2024, 6, 26, 0, 5, tzinfo=UTC)
REJECTED = [
    ("x,y,z", "bad_user_id", A, "aaaa-1", ARRIVAL),
    ("1,t,2024-06-25 10:00:00", "unknown_track", A, "aaaa-1", ARRIVAL),
    ("2,t,2024-06-25 10:00:00", "unknown_track", A, "aaaa-1", ARRIVAL),
    ("1,t,2024-06-25 11:00:00", "unknown_track", B, "bbbb-1", ARRIVAL),
]


@pytest.fixture(scope="module")
def filled(lake: Tables) -> Tables:
    """The lake with the rows of two files."""
    lake.append(REJECTED_ROWS, lake.spark.createDataFrame(REJECTED, REJECTED_COLUMNS), "files-1")
    for rows in (FIRST, SECOND):
        lake.append(LISTENS, lake.spark.createDataFrame(rows, LISTENS_COLUMNS), rows[0][9])
    return lake


@pytest.fixture(scope="module")
def analyst(filled: Tables) -> SparkSession:
    """A session of another user, whose default catalog is the lake's."""
    session = filled.spark.newSession()
    session.sql("USE lake")
    return session


def spark_form(query: str) -> str:
    for athena, spark_sql in SPARK_FORMS:
        query = query.replace(athena, spark_sql)
    return query


def result_of(analyst: SparkSession, query: str) -> str:
    """Return the result in the format of the page."""
    frame = analyst.sql(spark_form(query))
    lines = [frame.columns, *(map(str, row) for row in frame.collect())]
    return "".join(f"{' | '.join(line)}\n" for line in lines)


def query_with(words: str) -> str:
    [match] = [query for query, _ in QUERIES if words in query]
    return match


def test_every_query_has_the_result_that_the_page_shows(analyst, filled):
    first = next(snapshot["snapshot-id"] for snapshot in filled.state(LISTENS).metadata["snapshots"])
    shown = [(query, answer) for query, answer in QUERIES if answer]
    assert len(shown) == len(QUERIES) - 2  # the list of snapshots, and the new column
    for query, answer in shown:
        assert result_of(analyst, re.sub(r"AS OF [0-9]+", f"AS OF {first}", query)) == answer, query


def test_athena_queries_with_a_spark_form_fail_on_spark(analyst):
    for athena, _ in SPARK_FORMS:
        [query] = [query for query, _ in QUERIES if athena in query]
        with pytest.raises(AnalysisException):
            analyst.sql(query)
    assert len(SPARK_FORMS) == 2


def test_snapshots_have_the_execution_that_committed_them(analyst, filled):
    _, *rows = result_of(analyst, query_with("listens$snapshots")).splitlines()
    ids = [snapshot["snapshot-id"] for snapshot in filled.state(LISTENS).metadata["snapshots"]]
    assert rows == [f"append | {name} | {id_}" for name, id_ in zip(["aaaa-1", "bbbb-1"], ids, strict=True)]


def test_the_queries_count_the_events_that_the_metrics_count(analyst, filled):
    listens = filled.listens_at(filled.pin().snapshot_id, [DAY, NEXT_DAY])
    items = computed.items(listens, track_metrics=False).collect()
    days = [(row["day"], row["listen_count"], row["unique_listeners"], row["total_listening_time_ms"]) for row in items
            if row["sk"] == "SUMMARY"]  # fmt: skip
    genres = [(row["day"], row["pk"].removeprefix("GENRE#"), row["listen_count"], row["unique_listeners"])
              for row in items if row["pk"].startswith("GENRE#")]  # fmt: skip
    for words, expected in (("listening_ms", days), ("UNNEST", genres)):
        _, *rows = result_of(analyst, query_with(words)).splitlines()
        assert sorted(rows) == sorted(" | ".join(map(str, row)) for row in expected)


@pytest.mark.parametrize("table", [LISTENS, REJECTED_ROWS])
def test_the_page_names_every_column_with_its_type(filled, table):
    lines = PAGE.split(f"\n`{table}`: ", 1)[1].split("|---|---|---|---|\n", 1)[1].split("\n\n", 1)[0].splitlines()
    documented = [tuple(cell.strip(" `") for cell in line.split("|")[1:4]) for line in lines]
    metadata = filled.state(table).metadata
    [schema] = [each for each in metadata["schemas"] if each["schema-id"] == metadata["current-schema-id"]]
    assert documented == [
        (each["name"], type_name(each["type"]), "no" if each["required"] else "yes") for each in schema["fields"]
    ]


def type_name(kind: Any) -> str:
    return f"list of {kind['element']}" if isinstance(kind, dict) else kind


# ── The following cases change the tables ─────────────────────────────────────────────────────────────────────────────

EARLIER, LATER = "2024-05-01", "2024-05-02"
C, D = "c" * 32, "d" * 32


@pytest.fixture(scope="module")
def widened(lake: Tables, analyst: SparkSession) -> Tables:
    """The lake with rows, and then an additional column in both tables, which its owner has filled in."""
    lake.rejected("before-1", (C, "bad"), (D, "bad"))
    lake.listens("before-1", (C, 1, EARLIER), (D, 2, EARLIER))
    analyst.sql(query_with(ADDS_A_COLUMN))
    analyst.sql(query_with(ADDS_A_COLUMN).replace(LISTENS, REJECTED_ROWS))
    analyst.sql("UPDATE music_streams.listens SET device = 'radio' WHERE execution = 'before-1'")
    return lake


@pytest.fixture(scope="module")
def replayed(widened: Tables) -> Tables:
    """A replay of one of the files: its rows are appended, twice as in a retry, and its older copies are deleted."""
    for _ in range(2):
        widened.rejected("after-1", (C, "bad"))
        widened.listens("after-1", (C, 1, EARLIER), (C, 3, LATER))
    widened.remove(older("after-1", C))
    return widened


def test_runs_append_to_and_delete_from_tables_with_an_added_column(replayed):
    assert replayed.rows(LISTENS, C, D) == [(C, "after-1", "1"), (C, "after-1", "3"), (D, "before-1", "2")]
    assert replayed.rows(REJECTED_ROWS, C, D) == [(C, "after-1", "bad"), (D, "before-1", "bad")]
    devices = replayed.spark.table(replayed._name(LISTENS)).where(f"source_id IN ('{C}', '{D}')")
    assert {row["source_id"]: row["device"] for row in devices.collect()} == {C: None, D: "radio"}


def test_metrics_and_the_recount_ignore_an_added_column(replayed, aws):
    key = aws.credentials
    session = boto3.Session(key.access_key_id, key.secret_access_key, region_name=aws.region)
    listens = LakeReader.of(Stack({}, session, "test", aws.endpoint)).listens()
    pinned, days = replayed.pin(), [EARLIER, LATER]
    assert listens
    assert listens.snapshot == pinned
    again = computed.items(replayed.listens_at(pinned.snapshot_id, days), track_metrics=True).collect()
    counted = recount(listens.rows(days), track_metrics=True).items
    provenance = Provenance(pinned.version, pinned.uuid, "b", "")
    assert list(differences(counted, [item(row.asDict(recursive=True), provenance) for row in again])) == []
    assert {row["day"]: row["listen_count"] for row in again if row["sk"] == "SUMMARY"} == {EARLIER: 2, LATER: 1}
