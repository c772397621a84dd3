"""Whether the metrics of a day equal the lake, while runs come and go."""

from typing import Any

import pytest

from music_streams import clock
from music_streams.reconcile.days import DayInspector
from music_streams.reconcile.findings import DayFinding, DayState, Findings, State
from music_streams.reconcile.lake import LakeReader
from music_streams.reconcile.plan import RepairKind
from music_streams.reconcile.reconciler import Reconciler
from music_streams.reconcile.recount import recount
from music_streams.state import requests
from music_streams.state.requests import Action, Rebuild, SourceRequest
from music_streams.state.statuses import Status
from tests.integration.domain.stored_sources import alive, stored_entry
from tests.integration.domain.world import FILES, METRICS, World
from tests.integration.reconcile.contract import Row, batches, listen
from tests.integration.reconcile.stage import LAKE_UUID, WINDOW, MemoryLake, stack_of

DAY, NEXT_DAY = "2024-06-25", "2024-06-26"
ROWS = [listen(f"{DAY} 10:00:00"), listen(f"{DAY} 11:00:00", user=2, track="U")]
OK, MOVES, DRIFT, LOST = DayState.OK, DayState.IN_FLIGHT, DayState.METRIC_DRIFT, DayState.LAKE_LOST


@pytest.fixture(autouse=True)
def nothing_left(emptied) -> None:
    """Start each test without metrics and fences."""


def publish(world: World, rows: list[Row], *days: str, uuid: str = LAKE_UUID, version: int = 7) -> None:
    """Write whole days as load-metrics does: items, and a fence that lists them."""
    keys: dict[str, set[str]] = {day: set() for day in days or (DAY,)}
    for item in recount(batches(rows), track_metrics=False).items:
        if item["day"] in keys:
            keys[item["day"]].add(item["pk"])
            provenance = {"version": version, "lake_uuid": uuid, "batch_id": "b", "updated_at": clock.now()}
            world.dynamodb.put_item(TableName=METRICS, Item=item | provenance)
    for day, listed in keys.items():
        fence = {"source_id": f"FENCE#{day}", "version": version, "lake_uuid": uuid}
        world.dynamodb.put_item(TableName=FILES, Item=fence | ({"keys": listed} if listed else {}))


def unpublish(world: World, pk: str, day: str = DAY) -> None:
    sk = "SUMMARY" if pk.startswith("DAY#") else f"DAY#{day}"
    world.dynamodb.delete_item(TableName=METRICS, Key={"pk": pk, "sk": sk})


def inspector(world: World, lake: Any) -> DayInspector:
    return DayInspector(world.dynamodb, METRICS, FILES, lake, world.state_machine, track_metrics=False)


def day_of(world: World, lake: Any, *entries: Any, day: str = DAY) -> DayFinding:
    [found] = inspector(world, lake).compare([day], entries).days
    return found


# ── Nothing is in flight ──


def test_a_day_whose_items_equal_the_lake_is_ok_and_read_once(world):
    publish(world, ROWS)
    lake = MemoryLake(ROWS)
    assert day_of(world, lake) == DayFinding(DAY, OK, version=7)
    assert lake.days_read == [[DAY]]


def test_a_missing_item_is_drift(world):
    publish(world, ROWS)
    unpublish(world, "GENRE#pop")
    found = day_of(world, MemoryLake(ROWS))
    assert (found.state, found.why, found.count, found.version) == (DRIFT, "its items differ from the lake", 1, 7)
    assert found.differences == [f"GENRE#pop / DAY#{DAY} is missing: the lake has 2 listens for it"]


def test_a_day_that_was_never_published_is_drift(world):
    found = day_of(world, MemoryLake(ROWS))
    assert (found.state, found.why, found.version) == (DRIFT, "the day was never published", 0)


def test_the_first_of_many_differences_are_listed_and_all_are_counted(world):
    found = day_of(world, MemoryLake([listen(f"{DAY} 10:00:00", genres=[f"g{n:02}" for n in range(30)])]))
    assert (len(found.differences), found.count) == (10, 32)


def test_a_day_without_listens_and_without_items_is_ok(world):
    publish(world, [], DAY)
    assert day_of(world, MemoryLake([])) == DayFinding(DAY, OK, version=7)
    assert day_of(world, MemoryLake([]), day="1999-01-01").state is OK


def test_days_are_compared_separately_and_in_order(world):
    rows = [*ROWS, listen(f"{NEXT_DAY} 10:00:00")]
    publish(world, rows, DAY, NEXT_DAY)
    unpublish(world, f"DAY#{NEXT_DAY}", NEXT_DAY)
    days = inspector(world, MemoryLake(rows)).compare([NEXT_DAY, DAY, NEXT_DAY], []).days
    assert [(day.day, day.state) for day in days] == [(DAY, OK), (NEXT_DAY, DRIFT)]


def test_more_days_than_one_reading_takes_are_all_compared(world):
    rows = [listen(f"2024-{month:02}-{day:02} 10:00:00") for month in (1, 2) for day in range(1, 29)]
    days = [row["listened_at"].date().isoformat() for row in rows]
    publish(world, rows, *days)
    unpublish(world, "GENRE#pop", days[0])
    unpublish(world, "GENRE#pop", days[-1])
    compared = inspector(world, MemoryLake(rows)).compare(days, [])
    assert [day.day for day in compared.days] == days
    assert [day.day for day in compared.days if day.state is DRIFT] == [days[0], days[-1]]
    assert compared.sources == {day: {"a" * 32} for day in days}


# ── A lost lake ──

NO_LAKES = [MemoryLake(has_table=False), MemoryLake(has_snapshot=False)]
each_no_lake = pytest.mark.parametrize("lake", NO_LAKES, ids=["no table", "no snapshot"])


@each_no_lake
def test_without_a_lake_a_published_day_is_lost_and_a_day_without_items_is_ok(world, lake):
    publish(world, ROWS, DAY, NEXT_DAY)
    days = inspector(world, lake).compare([DAY, NEXT_DAY, "2024-06-27"], []).days
    assert [day.state for day in days] == [LOST, OK, OK]
    assert days[0].why == "its items come from a lake that no longer exists: run music-streams rebuild --from-archive"


@pytest.mark.parametrize("rows", [[], ROWS], ids=["empty", "with rows of the day"])
def test_items_of_another_lake_are_lost_whatever_the_current_lake_contains(world, rows):
    publish(world, ROWS, uuid="another lake")
    assert day_of(world, MemoryLake(rows)).state is LOST


def test_a_fence_of_another_lake_without_items_hides_no_drift(world):
    publish(world, [], DAY, uuid="another lake")
    assert day_of(world, MemoryLake(ROWS)).state is DRIFT
    assert day_of(world, MemoryLake([])).state is OK


# ── Something is in flight ──


def test_a_run_that_publishes_between_two_readings_is_no_drift(world):
    lake = MemoryLake(ROWS, before_reads=[lambda: None, lambda: publish(world, ROWS)])
    assert day_of(world, lake).state is OK
    assert lake.days_read == [[DAY], [DAY]]


def test_only_the_days_that_differ_are_read_again(world):
    rows = [*ROWS, listen(f"{NEXT_DAY} 10:00:00")]
    publish(world, rows, DAY)
    lake = MemoryLake(rows)
    inspector(world, lake).compare([DAY, NEXT_DAY], [])
    assert lake.days_read == [[DAY, NEXT_DAY], [NEXT_DAY]]


@pytest.mark.parametrize("status", [Status.VALID, Status.RUNNING, Status.FAILED, Status.PUBLISHED])
def test_a_difference_by_rows_of_an_unfinished_source_is_in_flight(world, status):
    entry = stored_entry(world, status)
    rows = [listen(f"{DAY} 10:00:00", source_id=entry.source.source_id, execution="of an earlier attempt-1")]
    found = day_of(world, MemoryLake(rows), entry)
    assert (found.state, found.why) == (MOVES, "an unfinished file or a running execution may be the reason")
    assert day_of(world, MemoryLake(rows)).state is DRIFT


@pytest.mark.parametrize("status", [Status.VALID, Status.RUNNING, Status.FAILED, Status.PUBLISHED])
def test_a_difference_on_a_day_of_an_unfinished_source_is_in_flight(world, status):
    entry = stored_entry(world, status, days=[DAY], attempt=2)
    publish(world, ROWS)
    unpublish(world, "GENRE#pop")
    assert day_of(world, MemoryLake(ROWS), entry).state is MOVES
    other_day = MemoryLake([listen(f"{NEXT_DAY} 10:00:00")])
    assert day_of(world, other_day, entry, day=NEXT_DAY).state is DRIFT


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.QUARANTINED, Status.RETRACTED])
def test_a_finished_source_explains_no_difference(world, status):
    entry = stored_entry(world, status, days=[DAY])
    rows = [listen(f"{DAY} 10:00:00", source_id=entry.source.source_id)]
    assert day_of(world, MemoryLake(rows), entry).state is DRIFT


def test_while_a_run_without_sources_is_running_every_difference_is_in_flight(world):
    world.sfn.start_execution(stateMachineArn=world.state_machine_arn, name="c" * 32 + "-1", input="{}")
    assert day_of(world, MemoryLake(ROWS)).state is MOVES
    world.end_execution("c" * 32 + "-1")
    assert day_of(world, MemoryLake(ROWS)).state is DRIFT


def test_a_run_of_other_days_explains_no_difference(world):
    entry = alive(world, Status.RUNNING, days=[NEXT_DAY])
    assert day_of(world, MemoryLake(ROWS), entry).state is DRIFT


def test_a_run_that_began_after_the_ledger_was_read_may_explain_a_difference(world):
    entry = alive(world, Status.RUNNING)
    rows = [listen(f"{DAY} 10:00:00", execution=f"{entry.batch_id}-1")]
    assert day_of(world, MemoryLake(rows)).state is MOVES


def test_running_executions_are_listed_before_the_second_reading(world):
    """A run that ends between the two readings has published by the second one, but would not be listed after it."""
    entry = alive(world, Status.RUNNING)
    lake = MemoryLake(ROWS, before_reads=[lambda: None, lambda: world.end_execution(f"{entry.batch_id}-1")])
    assert day_of(world, lake).state is MOVES


def test_a_lost_lake_is_reported_while_runs_are_running(world):
    publish(world, ROWS)
    alive(world, Status.RUNNING)
    assert day_of(world, MemoryLake(has_table=False)).state is LOST


# ── Sources without rows in the lake ──


@pytest.fixture
def inspect(world, monkeypatch):
    """Inspect the window with a given lake."""
    stack = stack_of(world)

    def inspect_with(lake: Any, window: Any = WINDOW, days: Any = ()) -> Findings:
        monkeypatch.setattr(LakeReader, "of", lambda _: lake)
        return Reconciler(stack).inspect(window, days).findings

    return inspect_with


def archived(world: World, **attributes: Any) -> Any:
    attributes = {"rows_accepted": 2, "days": [DAY], "published_at": clock.now(), **attributes}
    return stored_entry(world, Status.ARCHIVED, **attributes)


def rows_of(entry: Any) -> list[Row]:
    return [{**row, "source_id": entry.source.source_id} for row in ROWS]


def test_an_archived_file_with_rows_in_the_lake_is_ok(world, inspect):
    rows = rows_of(archived(world))
    publish(world, rows)
    findings = inspect(MemoryLake(rows))
    assert (findings.is_whole, findings.sentence, findings.files) == (True, "no gaps, 1 OK", [])


def test_an_archived_file_without_rows_in_the_lake_is_replayed(world, inspect):
    entry = archived(world)
    findings = inspect(MemoryLake([]))
    [file] = findings.files
    assert (file.state, file.attempt) == (State.MISSING, 2)
    assert file.why == "archived, but the lake lacks rows of it"
    assert requests.parse(file.message) == SourceRequest(entry.source.source_id, 1, Action.REPLAY)
    assert findings.counts == {"OK": 0, "MISSING": 1}


def test_a_day_that_lost_the_rows_of_a_file_is_repaired_by_its_replay_and_not_rebuilt(world, inspect):
    entry = archived(world, days=[DAY, NEXT_DAY])
    rows = [*rows_of(entry), listen(f"{NEXT_DAY} 10:00:00", source_id=entry.source.source_id)]
    publish(world, rows, DAY, NEXT_DAY)
    findings = inspect(MemoryLake(rows_of(entry)))
    assert [(file.state, file.days) for file in findings.files] == [(State.MISSING, [DAY, NEXT_DAY])]
    planned = Reconciler(stack_of(world)).plan(findings, 10).repairs
    assert [repair.what for repair in planned] == [RepairKind.REPLAY]


def test_the_days_of_a_missing_file_are_not_rebuilt(world, inspect):
    entry = archived(world)
    publish(world, rows_of(entry))
    findings = inspect(MemoryLake([listen(f"{NEXT_DAY} 10:00:00", source_id="c" * 32)]), days=[NEXT_DAY])
    assert [day.state for day in findings.days] == [DRIFT, DRIFT]
    planned = Reconciler(stack_of(world)).plan(findings, 10).repairs
    assert [repair.what for repair in planned] == [RepairKind.REPLAY, RepairKind.REBUILD]
    rebuild = requests.parse(planned[1].message)
    assert isinstance(rebuild, Rebuild)
    assert rebuild.days == [NEXT_DAY]


@each_no_lake
def test_single_files_of_a_lost_lake_are_not_repaired(world, inspect, lake):
    publish(world, rows_of(archived(world)))
    findings = inspect(lake)
    assert [(file.state, file.message) for file in findings.files] == [(State.MISSING, "")]
    assert [day.state for day in findings.days] == [LOST]
    assert Reconciler(stack_of(world)).plan(findings, 10).repairs == []


@pytest.mark.parametrize(
    "attributes",
    [{"rows_accepted": 0, "days": []}, {"treatment": "retract", "updated_at": "9999-01-01T00:00:00.000Z"}],
    ids=["no rows", "half retracted"],
)
def test_a_file_that_should_have_no_rows_in_the_lake_is_not_missing(world, inspect, attributes):
    archived(world, **attributes)
    assert {file.state for file in inspect(MemoryLake([])).files} <= {State.IN_FLIGHT}


def test_an_orphan_without_rows_in_the_lake_stays_an_orphan(world, inspect):
    entry = archived(world)
    world.s3.delete_object(Bucket=entry.source.bucket, Key=entry.archive_key)
    [file] = inspect(MemoryLake([])).files
    assert (file.state, file.message) == (State.ORPHAN, "")


def test_an_inspection_compares_the_days_of_its_files_and_the_given_days(world, inspect):
    entry = archived(world, days=[DAY, NEXT_DAY])
    days = inspect(MemoryLake(rows_of(entry)), days=["1999-01-01"]).days
    assert [day.day for day in days] == ["1999-01-01", DAY, NEXT_DAY]


def test_an_inspection_of_a_prefix_considers_all_files_in_flight(world, inspect):
    stored_entry(world, Status.FAILED, days=[DAY], key="incoming/other.csv")
    entry = archived(world, key="incoming/radio/a.csv")
    window = type(WINDOW)(WINDOW.first, WINDOW.last, "incoming/radio/")
    findings = inspect(MemoryLake(rows_of(entry)), window)
    assert [day.state for day in findings.days] == [MOVES]
    assert [file.key for file in findings.files] == []
