"""What the lake reads from a table's metadata, and which listens it selects for days.

Commits and deletions in Iceberg: test_iceberg.py.
"""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from music_streams.errors import LakeChanged
from music_streams.transform.ports import LISTENS, REJECTED_ROWS, FoundRows, Pinned, RowsToDelete
from music_streams.transform.spark.lake import IcebergLake
from music_streams.transform.spark.rows_to_delete import deletion_condition, found_condition
from music_streams.transform.table_state import TableState

PLACE = "s3://lake/warehouse/listens/metadata/00002.json"


def snapshot(number: int, sequence: int, **summary: str) -> dict[str, Any]:
    """Return a snapshot whose parent is the one with the number less ten."""
    own = {"snapshot-id": number, "sequence-number": sequence, "timestamp-ms": 100 * number, "summary": summary}
    return {**own, "parent-snapshot-id": number - 10} if number > 10 else own


METADATA: dict[str, Any] = {
    "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
    "current-snapshot-id": 30,
    "snapshots": [snapshot(10, 1, execution="a-1"), snapshot(30, 7, execution="b-1"), snapshot(20, 2)],
}


def test_the_version_is_the_sequence_number_of_the_current_snapshot():
    state = TableState(METADATA)
    assert (state.uuid, state.snapshot_id, state.version) == ("9c12d441-03fe-4693-9a96-a0705ddf69c1", 30, 7)
    assert state.committed_at_ms == 3000


@pytest.mark.parametrize(("execution", "is_there"), [("a-1", True), ("b-1", True), ("b-2", False), ("b", False)])
def test_a_commit_is_found_by_its_execution(execution, is_there):
    assert TableState(METADATA).has_commit_of(execution) is is_there


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def test_every_snapshot_is_listed_until_one_expires_and_then_those_since_the_oldest():
    assert TableState(METADATA).lists_all_since(at(0))
    expired = TableState(METADATA | {"snapshots": METADATA["snapshots"][1:]})
    assert [expired.lists_all_since(at(instant)) for instant in (1999, 2000, 9999)] == [False, True, True]


@pytest.mark.parametrize(("instant", "commit"), [(999, None), (1000, 1000), (2999, 2000), (3000, 3000), (9999, 3000)])
def test_the_last_commit_before_an_instant_is_that_of_the_snapshot_current_then(instant, commit):
    assert TableState(METADATA).last_commit_before(at(instant)) == (commit and at(commit))


@pytest.mark.parametrize("current", [{}, {"current-snapshot-id": -1}, {"current-snapshot-id": None}])
def test_a_table_without_a_snapshot_is_detected(current):
    state = TableState({"table-uuid": "x", **current})
    assert not state.has_commit_of("a-1")
    assert (state.lists_all_since(at(0)), state.snapshots, state.total("data-files")) == (True, 0, 0)
    with pytest.raises(LakeChanged, match="no snapshot"):
        _ = state.snapshot_id


@pytest.mark.parametrize(("hours", "reads_rows"), [(1, True), (25, False)])
def test_rows_are_searched_for_a_commit_only_if_its_snapshot_may_have_expired(spark, hours, reads_rows):
    """An execution ends within a day: a list whose oldest snapshot is older has all of its snapshots."""
    oldest = datetime.now(UTC).timestamp() * 1000 - hours * 3_600_000
    listed = {"snapshot-id": 30, "parent-snapshot-id": 20, "timestamp-ms": int(oldest), "summary": {}}
    session = Tables(spark.createDataFrame([], "execution STRING"))
    catalog = Catalog(PLACE, {"current-snapshot-id": 30, "snapshots": [listed]})
    assert not lake(session, catalog)._has_committed(LISTENS, "b-1")
    assert ("table" in session.requested) is reads_rows


class Catalog:
    """A Glue catalog with one table or none, and the S3 that has its metadata file."""

    def __init__(self, location: str | None, metadata: dict[str, Any] = METADATA) -> None:
        self._metadata = metadata
        self._location = location
        self.reads: list[str] = []

    def get_table(self, **_: Any) -> dict[str, Any]:
        if self._location is None:
            raise ClientError({"Error": {"Code": "EntityNotFoundException", "Message": "none"}}, "GetTable")
        return {"Table": {"Parameters": {"metadata_location": self._location}}}

    def get_object(self, **where: str) -> dict[str, Any]:
        self.reads.append(f"s3://{where['Bucket']}/{where['Key']}")
        return {"Body": io.BytesIO(json.dumps(self._metadata).encode())}


class Tables:
    """A session with one table under any name."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.requested: dict[str, Any] = {}
        self.statements: list[str] = []

    @property
    def read(self) -> "Tables":
        return self

    def option(self, name: str, value: Any) -> "Tables":
        self.requested[name] = value
        return self

    def table(self, name: str) -> Any:
        self.requested["table"] = name
        return self._frame

    def sql(self, statement: str) -> None:
        self.statements.append(statement)


def lake(session: Any, catalog: Catalog) -> IcebergLake:
    return IcebergLake(session, catalog, catalog)  # type: ignore[arg-type]  # fakes with the calls that it makes


def test_a_snapshot_is_pinned_by_one_read_of_the_metadata_file_that_the_catalog_names():
    catalog = Catalog(PLACE)
    assert lake(Tables(None), catalog).pin() == Pinned(30, 7, METADATA["table-uuid"])
    assert catalog.reads == [PLACE]


def test_a_missing_table_is_created_and_read_again():
    session = Tables(None)
    with pytest.raises(LakeChanged, match="just created"):
        lake(session, Catalog(None)).state(LISTENS)
    (statement,) = session.statements
    assert statement.startswith("CREATE TABLE IF NOT EXISTS lake.music_streams.listens ")


INSTANTS = [
    *("2024-02-27T23:59:59.999999", "2024-02-28T00:00:00", "2024-02-29T12:00:00", "2024-02-29T23:59:59.999999"),
    *("2024-03-01T00:00:00", "2024-03-02T00:00:00", "2024-12-31T23:59:59.999999", "2025-01-01T00:00:00"),
]


@pytest.mark.parametrize(
    "days",
    [
        ["2024-02-28"],
        ["2024-03-01", "2024-02-28", "2024-02-29"],
        ["2024-02-28", "2024-03-01"],
        ["2024-12-31", "2025-01-01", "2024-02-27"],
        ["2023-01-01"],
        [],
    ],
)
def test_exactly_the_listens_of_the_days_are_selected_from_the_snapshot(spark, days):
    values = [(datetime.fromisoformat(instant).replace(tzinfo=UTC),) for instant in INSTANTS]
    session = Tables(spark.createDataFrame(values, "listened_at TIMESTAMP"))
    rows = lake(session, Catalog(None)).listens_at(30, days).collect()
    assert {row["listened_at"].isoformat() for row in rows} == {instant for instant in INSTANTS if instant[:10] in days}
    assert session.requested == {"snapshot-id": 30, "table": "lake.music_streams.listens"}


HOSTILE_TEXTS = ["1) OR (1=1) /*", "x' OR '1'='1", ".*", "a;b", "a\n", "", "é"]


@pytest.mark.parametrize("table", [LISTENS, REJECTED_ROWS])
@pytest.mark.parametrize("user", [*HOSTILE_TEXTS, "7", 0, -1, 2**63, True, 7.0, None])
def test_no_sql_is_built_from_a_user_that_is_no_user_id(table, user):
    with pytest.raises(ValueError, match="must be a whole number"):
        deletion_condition(table, RowsToDelete("b-1", [], [], [7, user]))


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_sql_is_built_from_a_name_of_unexpected_form(text):
    for to_delete in (
        RowsToDelete("b-1", [text], [], []),
        RowsToDelete(text, ["a"], [], []),
        RowsToDelete("b-1", [], [text], []),
    ):
        with pytest.raises(ValueError, match="must be a name"):
            deletion_condition(LISTENS, to_delete)
    with pytest.raises(ValueError, match="must be a name"):
        found_condition(LISTENS, RowsToDelete("b-1", [], ["a"], []), FoundRows({}, {text}))


def test_a_condition_on_users_matches_only_their_rows(spark):
    near = [1, 7, 17, 70, 71, 77, 2**63 - 1]
    listens = spark.createDataFrame([(user,) for user in near], "user_id BIGINT")
    rejected = spark.createDataFrame([(f"{user},,",) for user in near] + [("a.7,b",), ("07,x",), ("x",)], "raw STRING")
    to_delete = RowsToDelete("b-1", [], [], [7])
    assert [row["user_id"] for row in listens.where(deletion_condition(LISTENS, to_delete)).collect()] == [7]
    matched = {row["raw"] for row in rejected.where(deletion_condition(REJECTED_ROWS, to_delete)).collect()}
    assert matched == {"7,,", "07,x"}
