"""The guarantees of maintenance with concurrent runs and readers; run by test_iceberg.py.

Concurrent actions are deterministic: the catalog performs them when the step's commit reaches it.
"""

import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from moto.glue.responses import GlueResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from benchmarks import iceberg
from benchmarks.iceberg import BUCKET
from checks.translate import translated
from music_streams.maintain import job, report
from music_streams.maintain.tables import SNAPSHOT_RETENTION, TableMaintenance
from music_streams.reconcile.lake import LakeReader, Listens
from music_streams.stack import Stack
from music_streams.transform.ports import LISTENS, REJECTED_ROWS, RowsToDelete
from tests.integration.transform.iceberg_cases import (
    REJECTED_COLUMNS,
    Tables,
    aws,
    lake,
    older,
    sources,
    spark,
)
from tests.permissions.calls import Need, needs_of_missing
from tests.permissions.statements import allows
from tests.template import as_list, role_statements

__all__ = ["aws", "lake", "sources", "spark"]

ROOT = Path(__file__).parents[3]
FEW, MANY = 4, 5  # small files of a day that stay, and that are merged


@pytest.fixture
def day(days=iter(range(1, 1000))) -> str:  # noqa: B008 - one for all
    """A day that no other test has, nor the day before it."""
    return str((datetime(2010, 1, 1, tzinfo=UTC) + timedelta(days=2 * next(days))).date())


@contextmanager
def at_the_commit(action: Callable[[], object]) -> Iterator[None]:
    """Call `action` when the next commit to `listens` reaches the catalog: its files are written, not committed.

    On a busy machine the committer's client times out and retries before the action has ended, so its end is awaited.
    """
    update, pending, has_ended = GlueResponse.update_table, [action], threading.Event()

    def update_table(self):
        if pending and self._get_param("TableInput")["Name"] == LISTENS:
            try:
                pending.pop()()
            finally:
                has_ended.set()
        return update(self)

    GlueResponse.update_table = update_table
    try:
        yield
    finally:
        GlueResponse.update_table = update
    assert not pending, "nothing was committed"
    assert has_ended.wait(300)


@contextmanager
def requests_of_programs() -> Iterator[list[Need]]:
    """Record requests to AWS, also of Spark's JVM, as permissions on S3 objects, buckets and Glue tables."""
    serve, requested = DomainDispatcherApplication.__call__, list[Need]()

    def recording(self, environ, start_response):
        needed = list(needs_of(environ))
        requested.extend(needed)

        def answer(status, headers, *more):
            if status.startswith("404"):
                for need in needed:
                    requested.extend(needs_of_missing("s3", "GetObject", need.resource))
            return start_response(status, headers, *more)

        return serve(self, environ, answer)

    DomainDispatcherApplication.__call__ = recording
    try:
        yield requested
    finally:
        DomainDispatcherApplication.__call__ = serve


def needs_of(environ: dict[str, Any]) -> Iterator[Need]:
    """Yield the permissions that an HTTP request needs; buckets are in the path here."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        yield Need(f"glue:{target.rpartition('.')[2]}", f"table/LakeDatabase/{LISTENS}")
        return
    method, query = environ["REQUEST_METHOD"], parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    key = environ["PATH_INFO"].removeprefix(f"/{BUCKET}").lstrip("/")
    if "delete" in query:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
        for name in re.findall(rb"<Key>(.*?)</Key>", body):
            yield Need("s3:DeleteObject", f"LakeBucket/{name.decode()}")
    elif key:
        action = {"GET": "GetObject", "HEAD": "GetObject", "DELETE": "DeleteObject"}.get(method, "PutObject")
        yield Need(f"s3:{action}", f"LakeBucket/{key}")
    else:
        yield Need("s3:ListBucket", "LakeBucket", {"s3:prefix": query.get("prefix", [])})


def maintenance_of(lake: Tables, now: datetime | None = None) -> TableMaintenance:
    for table in (LISTENS, REJECTED_ROWS):
        lake.state(table)  # which creates it
    return TableMaintenance(lake, now or datetime.now(UTC))


def when_all_has_aged(lake: Tables) -> None:
    """Run the steps except the removal of orphans, whose age Iceberg determines itself."""
    maintenance_of(lake).compact(LISTENS)
    maintenance_of(lake).merge_manifests(LISTENS)
    maintenance_of(lake, datetime.now(UTC) + SNAPSHOT_RETENTION).expire(LISTENS)


def fill(lake: Tables, day: str, source: str, execution: str, files: int = MANY) -> None:
    """Append a listen of a day by each of some users, each in its own file."""
    rows = iceberg.listens(lake.spark, files, day, source, execution, tasks=files)
    lake.state(LISTENS)
    writer = rows.writeTo(lake._name(LISTENS)).option("snapshot-property.execution", execution)
    writer.option("distribution-mode", "none").append()
    assert files_of(lake, day) >= files


def users_of(lake: Tables, *source_ids: str) -> list[str]:
    return [user for _, _, user in lake.rows(LISTENS, *source_ids)]


def files_of(lake: Tables, day: str) -> int:
    lake._refresh(LISTENS)
    files = lake.spark.table(f"{lake._name(LISTENS)}.files")
    return files.where(f"partition.listened_at_day = DATE '{day}'").count()


def location(lake: Tables, table: str) -> str | None:
    """Return the location of the metadata file, which every commit changes."""
    return lake._metadata_location(table)


def reader(lake: Tables) -> Listens:
    """Return the listens as a reconciliation reads them."""
    session = boto3.Session(region_name="us-east-1")  # with the credentials of the environment, as Spark has them
    listens = LakeReader.of(Stack({}, session, "test", lake.s3.meta.endpoint_url)).listens()
    assert listens
    return listens


def users(listens: Listens, day: str) -> list[int]:
    return sorted(row["user_id"] for batch in listens.rows([day]) for row in batch.to_pylist())


def test_without_tables_maintenance_does_nothing(lake):
    done = job.run(lake, lake.s3, BUCKET, "jr_none", 1, datetime.now(UTC))
    assert done.tables == []
    assert not lake.exists(LISTENS)


def test_many_small_files_of_a_day_are_merged_and_a_few_stay(lake, sources, day):
    a, b, *_ = sources
    eve = str((datetime.fromisoformat(day) - timedelta(days=1)).date())
    fill(lake, day, a, "many-1")
    fill(lake, eve, b, "few-1", FEW)
    rows, pinned = lake.rows(LISTENS, a, b), lake.pin()
    assert maintenance_of(lake).compact(LISTENS) == []
    assert (files_of(lake, day), files_of(lake, eve)) == (1, FEW)
    assert lake.rows(LISTENS, a, b) == rows
    assert lake.pin().version > pinned.version  # later runs publish a newer version


def test_without_work_nothing_is_committed(lake, sources, day):
    a, *_ = sources
    fill(lake, day, a, "idle-1")
    lake.rejected("idle-1", (a, "bad"), received=day)
    maintenance_of(lake).maintain(LISTENS, 0)
    maintenance_of(lake).maintain(REJECTED_ROWS, 0)
    before = location(lake, LISTENS), location(lake, REJECTED_ROWS)
    again = maintenance_of(lake).maintain(LISTENS, 0)
    assert again.before == again.after
    maintenance_of(lake).maintain(REJECTED_ROWS, 7 * 365 * 10)
    assert (location(lake, LISTENS), location(lake, REJECTED_ROWS)) == before


def test_rejected_rows_are_deleted_by_the_arrival_of_their_file(lake, sources):
    a, b, *_ = sources
    now = datetime(2001, 3, 31, 13, tzinfo=UTC)  # earlier than the rows of all other tests
    before_midnight, midnight = datetime(2001, 2, 28, 23, 59, 59, tzinfo=UTC), datetime(2001, 3, 1, tzinfo=UTC)
    rows = [("old", "bad_user_id", a, "text-1", before_midnight), ("young", "bad_user_id", b, "text-1", midnight)]
    lake.append(REJECTED_ROWS, lake.spark.createDataFrame(rows, REJECTED_COLUMNS), "text-1")
    assert maintenance_of(lake, now).maintain(REJECTED_ROWS, 0).rows_removed == 0
    removed = maintenance_of(lake, now).maintain(REJECTED_ROWS, 30)
    assert removed.rows_removed == 1
    assert lake.rows(REJECTED_ROWS, a, b) == [(b, "text-1", "young")]
    summary = lake.state(REJECTED_ROWS)._current["summary"]
    assert (summary["operation"], summary.get("added-data-files")) == ("delete", None)  # no file was written


def test_small_manifests_are_merged(lake, sources, day):
    a, *_ = sources
    for number in range(MANY):
        lake.listens(f"manifest{number}-1", (a, number, day))
    assert maintenance_of(lake).merge_manifests(LISTENS) == []
    assert len(lake.manifests(LISTENS)) == 1
    assert len(lake.rows(LISTENS, a)) == MANY


def commit_times(lake: Tables) -> list[datetime]:
    """Return the commit times of the listed snapshots, in order."""
    times = sorted(int(snapshot["timestamp-ms"]) for snapshot in lake.state(LISTENS).metadata["snapshots"])
    return [datetime.fromtimestamp(time / 1000, UTC) for time in times]


def test_exactly_the_snapshots_of_the_retention_period_can_be_read(lake, sources, day):
    a, *_ = sources
    for number in range(3):
        lake.listens(f"kept{number}-1", (a, number, day))
    *_, last_but_one, last = commit_times(lake)
    maintenance_of(lake, last - timedelta(milliseconds=1) + SNAPSHOT_RETENTION).expire(LISTENS)
    assert commit_times(lake) == [last_but_one, last]  # the one that was current at its start, and all since
    maintenance_of(lake, last_but_one - timedelta(milliseconds=1) + SNAPSHOT_RETENTION).expire(LISTENS)
    assert commit_times(lake) == [last_but_one, last]
    maintenance_of(lake, last + 2 * SNAPSHOT_RETENTION).expire(LISTENS)
    assert commit_times(lake) == [last]
    assert len(lake.rows(LISTENS, a)) == 3


def test_deleted_rows_are_in_no_file_after_their_snapshots_have_expired(lake, sources, day):
    a, *_ = sources
    fill(lake, day, a, "left-1")
    lake.listens("left-2", (a, 424242, day))
    lake.remove(RowsToDelete("f-1", [], [], [424242]))
    maintenance_of(lake).maintain(LISTENS, 0)
    assert lake.in_files()[424242] == 1
    when_all_has_aged(lake)
    in_files = lake.in_files()
    assert (in_files[424242], [in_files[1000 + number] > 0 for number in range(MANY)]) == (0, [True] * MANY)


def test_a_run_recognizes_its_commit_after_files_were_rewritten_and_snapshots_expired(lake, sources, day):
    a, *_ = sources
    fill(lake, day, a, "known-1")
    when_all_has_aged(lake)
    assert not lake.state(LISTENS).has_commit_of("known-1")
    lake.listens("known-1", (a, 1, day))
    assert len(lake.rows(LISTENS, a)) == MANY


def test_a_replay_after_maintenance_replaces_rewritten_rows(lake, sources, day):
    a, b, *_ = sources
    fill(lake, day, a, "replay-1")
    lake.listens("other-1", (b, 1, day))
    when_all_has_aged(lake)
    lake.listens("replay-2", (a, 1, day))
    lake.remove(older("replay-2", a))
    assert lake.rows(LISTENS, a, b) == [(a, "replay-2", "1"), (b, "other-1", "1")]


def test_a_pinned_snapshot_can_be_read_after_maintenance(lake, sources, day):
    a, *_ = sources
    fill(lake, day, a, "pinned-1")
    pinned, listens = lake.pin(), reader(lake)
    maintenance_of(lake).maintain(LISTENS, 0)
    lake.remove(RowsToDelete("pinned-2", [], [a], []))
    assert files_of(lake, day) == 0
    assert lake.listens_at(pinned.snapshot_id, [day]).count() == MANY
    assert users(listens, day) == [1000 + number for number in range(MANY)]


def test_uncommitted_files_are_deleted_when_no_run_can_still_commit_them(lake, sources, day):
    a, *_ = sources
    fill(lake, day, a, "orphans-1", 1)
    old, new = (lake.stray(SNAPSHOT_RETENTION + timedelta(hours=hours)) for hours in (1, -1))
    tables = [maintenance_of(lake).maintain(table, 0) for table in (LISTENS, REJECTED_ROWS)]
    assert sum(table.orphans_removed for table in tables) == 1
    assert {old, new} & {*lake.files()} == {new}
    lake.s3.delete_object(Bucket=BUCKET, Key=new)


@pytest.mark.parametrize(
    "remove", [lambda lake: lake.remove_orphans(LISTENS, datetime.now(UTC) - SNAPSHOT_RETENTION), Tables.expire]
)
def test_only_the_folder_of_the_table_is_listed_for_stray_files(lake, sources, day, remove):
    """Hadoop's file system requests keys that may be missing: a role that may list only warehouse/ gets 403."""
    a, *_ = sources
    fill(lake, day, a, "listed-1", 1)
    # The folder of a table whose name begins with this table's name.
    other = lake.stray(2 * SNAPSHOT_RETENTION, "listens_of_others")
    with requests_of_programs() as requested:
        remove(lake)
    listed = {prefix for need in requested if need.action == "s3:ListBucket" for prefix in need.context["s3:prefix"]}
    tables = {LISTENS, REJECTED_ROWS}
    assert {f"warehouse/music_streams.db/{LISTENS}/"} <= listed
    assert listed <= {f"warehouse/music_streams.db/{table}/" for table in tables}
    assert other in lake.files()
    lake.s3.delete_object(Bucket=BUCKET, Key=other)


def test_delete_files_of_other_writers_are_merged(lake, sources, day):
    a, *_ = sources
    lake.listens("merge-1", *((a, user, day) for user in range(1, 6)))
    name = lake._name(LISTENS)
    lake.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('write.delete.mode'='merge-on-read')")
    lake.spark.sql(f"DELETE FROM {name} WHERE source_id = '{a}' AND user_id = 2")  # noqa: S608
    lake.spark.sql(f"ALTER TABLE {name} UNSET TBLPROPERTIES ('write.delete.mode')")
    assert lake.state(LISTENS).total("delete-files") == 1
    maintenance_of(lake).compact(LISTENS)
    assert users(reader(lake), day) == [1, 3, 4, 5]


# ── Concurrent runs ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_appends_and_deletions_of_a_run_while_files_are_rewritten_are_kept(lake, sources, day):
    a, b, *_ = sources
    maintenance_of(lake).compact(LISTENS)
    fill(lake, day, a, "busy-1")
    lake.listens("again-1", (b, 9, day))
    own = lake.elsewhere()

    def replay() -> None:
        own.listens("again-2", (b, 10, day))
        own.remove(older("again-2", b))
        own.remove(RowsToDelete("busy-2", [], [], [1000]))

    with at_the_commit(replay):
        left = maintenance_of(lake).compact(LISTENS)
    expected = [*(str(1000 + number) for number in range(1, MANY)), "10"]
    assert users_of(lake, a, b) == expected
    assert left == [f"{MANY} data files"]
    assert files_of(lake, day) == MANY  # without those of the older copy and of user 1000, with that of the new copy

    assert maintenance_of(lake).compact(LISTENS) == []
    assert files_of(lake, day) == 1
    assert users_of(lake, a, b) == expected


def test_a_run_that_only_appends_does_not_conflict_with_maintenance(lake, sources, day):
    a, b, *_ = sources
    fill(lake, day, a, "smooth-1")
    with at_the_commit(lambda: lake.elsewhere().listens("beside-1", (b, 1, day))):
        assert maintenance_of(lake).compact(LISTENS) == []
    assert files_of(lake, day) == 2
    assert len(lake.rows(LISTENS, a, b)) == MANY + 1


def test_a_run_retries_its_deletion_if_its_files_were_rewritten(lake, sources, day):
    a, b, *_ = sources
    fill(lake, day, a, "first-1")
    lake.listens("second-2", (a, 1, day), (b, 2, day))
    with at_the_commit(lambda: maintenance_of(lake.elsewhere()).maintain(LISTENS, 0)):
        lake.remove(older("second-2", a))
    assert lake.rows(LISTENS, a, b) == [(a, "second-2", "1"), (b, "second-2", "2")]


def test_manifests_that_a_run_replaces_during_maintenance_are_skipped(lake, sources, day):
    a, *_ = sources
    for number in range(MANY):
        lake.listens(f"lists{number}-1", (a, number, day))
    with at_the_commit(lambda: lake.elsewhere().remove(RowsToDelete("lists-2", [], [a], []))):
        [left] = maintenance_of(lake).merge_manifests(LISTENS)
    assert left.endswith(" manifests")
    assert lake.rows(LISTENS, a) == []


def test_a_user_who_is_forgotten_while_files_are_rewritten_is_in_no_file(lake, sources, day):
    a, *_ = sources
    fill(lake, day, a, "forgotten-1", MANY - 1)
    lake.listens("forgotten-2", (a, 565656, day), (a, 1, day))
    own, forget = lake.elsewhere(), RowsToDelete("f-1", [], [], [565656])

    def forgotten() -> None:
        own.remove(forget)
        own.expire()

    with at_the_commit(forgotten):
        maintenance_of(lake).maintain(LISTENS, 0)
    assert lake.in_files()[565656] == 0
    assert len(lake.rows(LISTENS, a)) == MANY


def test_the_role_grants_all_requests_of_maintenance_and_no_other(lake, sources, day):
    a, *_ = sources
    granted = role_statements(translated(ROOT / "template.yaml"), "MaintainRole")
    fill(lake, day, a, "role-1")
    lake.rejected("role-1", (a, "bad"), received="2001-01-01")
    with requests_of_programs() as requested:
        job.run(lake, lake.s3, BUCKET, "jr_role", 365, datetime.now(UTC))
        maintenance_of(lake, datetime.now(UTC) + SNAPSHOT_RETENTION).expire(LISTENS)
    refused = {need.action for need in requested if not allows(granted, need.action, need.resource, need.context)}
    assert not refused, [need for need in requested if need.action in refused][:5]
    used = {need.action for need in requested}
    spare = {"s3:AbortMultipartUpload", "glue:GetDatabase", "logs:CreateLogGroup", "logs:CreateLogStream"}
    granted_actions = {action for statement in granted for action in as_list(statement["Action"])}
    assert granted_actions - used <= {*spare, "logs:PutLogEvents"}


def test_the_report_of_maintenance_has_its_changes(lake, sources, day):
    a, *_ = sources
    fill(lake, day, a, "report-1")
    lake.listens("report-2", (a, 1, day))
    done = job.run(lake, lake.s3, BUCKET, "jr_1", 0, datetime.now(UTC))
    rejected, listens = done.tables
    assert (rejected.table, listens.table) == (REJECTED_ROWS, LISTENS)
    assert listens.before.data_files - listens.after.data_files >= MANY
    assert listens.before.data_bytes > listens.after.data_bytes > 0
    assert listens.after.snapshots > listens.before.snapshots
    assert (listens.rows_removed, listens.orphans_removed, listens.left) == (0, 0, [])
    assert report.read(lake.s3, BUCKET, "jr_1") == done
