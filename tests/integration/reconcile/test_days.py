"""Whether the metrics of a day are what the lake says, while runs come and go."""

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
from music_streams.state.requests import Action, Attempt, Rebuild
from music_streams.state.statuses import Status
from tests.integration.domain.standing import alive, standing
from tests.integration.domain.world import FILES, METRICS, World
from tests.integration.reconcile.contract import Row, batches, listen
from tests.integration.reconcile.stage import LAKE_UUID, WINDOW, MemoryLake, stack_of

DAY, NEXT_DAY = "2024-06-25", "2024-06-26"
ROWS = [listen(f"{DAY} 10:00:00"), listen(f"{DAY} 11:00:00", user=2, track="U")]
OK, MOVES, DRIFT, LOST = DayState.OK, DayState.IN_FLIGHT, DayState.METRIC_DRIFT, DayState.LAKE_LOST


@pytest.fixture(autouse=True)
def nothing_left(emptied) -> None:
    """Each test begins without metrics and fences."""


def publish(world: World, rows: list[Row], *days: str, uuid: str = LAKE_UUID, version: int = 7) -> None:
    """What load-metrics leaves of whole days: items, and a fence that lists them."""
    keys: dict[str, set[str]] = {day: set() for day in days or (DAY,)}
    for item in recount(batches(rows), track_metrics=False).items:
        if item["day"] in keys:
            keys[item["day"]].add(item["pk"])
            stamped = {**item, "version": version, "lake_uuid": uuid, "batch_id": "b", "updated_at": clock.now()}
            world.dynamodb.put_item(TableName=METRICS, Item=stamped)
    for day, listed in keys.items():
        fence = {"source_id": f"FENCE#{day}", "version": version, "lake_uuid": uuid}
        world.dynamodb.put_item(TableName=FILES, Item=fence | ({"keys": listed} if listed else {}))


def unpublish(world: World, pk: str, day: str = DAY) -> None:
    sk = "SUMMARY" if pk.startswith("DAY#") else f"DAY#{day}"
    world.dynamodb.delete_item(TableName=METRICS, Key={"pk": pk, "sk": sk})


def judge(world: World, lake: Any) -> DayInspector:
    return DayInspector(world.dynamodb, METRICS, FILES, lake, world.state_machine, track_metrics=False)


def day_of(world: World, lake: Any, *entries: Any, day: str = DAY) -> DayFinding:
    [found] = judge(world, lake).compare([day], entries).days
    return found


# ── Nothing is at work ──


def test_a_day_whose_items_are_what_the_lake_says_is_ok_and_read_once(world):
    publish(world, ROWS)
    lake = MemoryLake(ROWS)
    assert day_of(world, lake) == DayFinding(DAY, OK, version=7)
    assert lake.asked == [[DAY]]


def test_an_item_that_is_missing_is_drift(world):
    publish(world, ROWS)
    unpublish(world, "GENRE#pop")
    found = day_of(world, MemoryLake(ROWS))
    assert (found.state, found.why, found.count, found.version) == (DRIFT, "its items are not what the lake says", 1, 7)
    assert found.differences == [f"GENRE#pop / DAY#{DAY} is missing: the lake has 2 listens of it"]


def test_a_day_that_was_never_published_is_drift(world):
    found = day_of(world, MemoryLake(ROWS))
    assert (found.state, found.why, found.version) == (DRIFT, "it was never published", 0)


def test_of_many_differences_the_first_are_told_and_all_are_counted(world):
    found = day_of(world, MemoryLake([listen(f"{DAY} 10:00:00", genres=[f"g{n:02}" for n in range(30)])]))
    assert (len(found.differences), found.count) == (10, 32)


def test_a_day_without_listens_and_without_items_is_ok(world):
    publish(world, [], DAY)
    assert day_of(world, MemoryLake([])) == DayFinding(DAY, OK, version=7)
    assert day_of(world, MemoryLake([]), day="1999-01-01").state is OK


def test_days_are_compared_each_for_itself_and_in_order(world):
    rows = [*ROWS, listen(f"{NEXT_DAY} 10:00:00")]
    publish(world, rows, DAY, NEXT_DAY)
    unpublish(world, f"DAY#{NEXT_DAY}", NEXT_DAY)
    days = judge(world, MemoryLake(rows)).compare([NEXT_DAY, DAY, NEXT_DAY], []).days
    assert [(day.day, day.state) for day in days] == [(DAY, OK), (NEXT_DAY, DRIFT)]


def test_more_days_than_are_read_at_once_are_compared_all(world):
    rows = [listen(f"2024-{month:02}-{day:02} 10:00:00") for month in (1, 2) for day in range(1, 29)]
    days = [row["listened_at"].date().isoformat() for row in rows]
    publish(world, rows, *days)
    unpublish(world, "GENRE#pop", days[0])
    unpublish(world, "GENRE#pop", days[-1])
    compared = judge(world, MemoryLake(rows)).compare(days, [])
    assert [day.day for day in compared.days] == days
    assert [day.day for day in compared.days if day.state is DRIFT] == [days[0], days[-1]]
    assert compared.sources == {day: {"a" * 32} for day in days}


# ── A lake that is gone ──

NO_LAKES = [MemoryLake(has_table=False), MemoryLake(has_snapshot=False)]
each_no_lake = pytest.mark.parametrize("lake", NO_LAKES, ids=["no table", "no snapshot"])


@each_no_lake
def test_without_a_lake_published_items_are_lost_and_a_day_without_any_is_ok(world, lake):
    publish(world, ROWS, DAY, NEXT_DAY)
    days = judge(world, lake).compare([DAY, NEXT_DAY, "2024-06-27"], []).days
    assert [day.state for day in days] == [LOST, OK, OK]
    assert days[0].why == "its items are of a lake that is gone: music-streams rebuild --from-archive"


@pytest.mark.parametrize("rows", [[], ROWS], ids=["empty", "with rows of the day"])
def test_items_of_another_lake_are_lost_whatever_this_one_holds(world, rows):
    publish(world, ROWS, uuid="another lake")
    assert day_of(world, MemoryLake(rows)).state is LOST


def test_a_fence_of_another_lake_that_holds_no_items_hides_no_drift(world):
    publish(world, [], DAY, uuid="another lake")
    assert day_of(world, MemoryLake(ROWS)).state is DRIFT
    assert day_of(world, MemoryLake([])).state is OK


# ── Something is at work ──


def test_a_run_that_publishes_between_two_looks_makes_no_drift(world):
    lake = MemoryLake(ROWS, looks=[lambda: None, lambda: publish(world, ROWS)])
    assert day_of(world, lake).state is OK
    assert lake.asked == [[DAY], [DAY]]


def test_only_the_days_that_differ_are_looked_at_again(world):
    rows = [*ROWS, listen(f"{NEXT_DAY} 10:00:00")]
    publish(world, rows, DAY)
    lake = MemoryLake(rows)
    judge(world, lake).compare([DAY, NEXT_DAY], [])
    assert lake.asked == [[DAY, NEXT_DAY], [NEXT_DAY]]


@pytest.mark.parametrize("status", [Status.VALID, Status.RUNNING, Status.FAILED, Status.PUBLISHED])
def test_a_difference_that_a_run_with_sources_has_committed_is_on_its_way(world, status):
    entry = standing(world, status)
    rows = [listen(f"{DAY} 10:00:00", source_id=entry.source.source_id, execution="of an earlier attempt-1")]
    found = day_of(world, MemoryLake(rows), entry)
    assert (found.state, found.why) == (MOVES, "a run that has not ended is at it")
    assert day_of(world, MemoryLake(rows)).state is DRIFT


@pytest.mark.parametrize("status", [Status.VALID, Status.RUNNING, Status.FAILED, Status.PUBLISHED])
def test_a_difference_on_a_day_that_a_source_on_its_way_had_listens_of_is_on_its_way(world, status):
    entry = standing(world, status, days=[DAY], attempt=2)
    publish(world, ROWS)
    unpublish(world, "GENRE#pop")
    assert day_of(world, MemoryLake(ROWS), entry).state is MOVES
    other_day = MemoryLake([listen(f"{NEXT_DAY} 10:00:00")])
    assert day_of(world, other_day, entry, day=NEXT_DAY).state is DRIFT


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.QUARANTINED, Status.RETRACTED])
def test_what_is_at_rest_accounts_for_nothing(world, status):
    entry = standing(world, status, days=[DAY])
    rows = [listen(f"{DAY} 10:00:00", source_id=entry.source.source_id)]
    assert day_of(world, MemoryLake(rows), entry).state is DRIFT


def test_while_a_run_without_sources_is_alive_no_difference_counts(world):
    world.sfn.start_execution(stateMachineArn=world.state_machine_arn, name="c" * 32 + "-1", input="{}")
    assert day_of(world, MemoryLake(ROWS)).state is MOVES
    world.end_execution("c" * 32 + "-1")
    assert day_of(world, MemoryLake(ROWS)).state is DRIFT


def test_a_run_of_other_days_with_its_sources_accounts_for_nothing(world):
    entry = alive(world, Status.RUNNING, days=[NEXT_DAY])
    assert day_of(world, MemoryLake(ROWS), entry).state is DRIFT


def test_a_run_that_began_after_the_ledger_was_read_may_account_for_a_difference(world):
    entry = alive(world, Status.RUNNING)
    rows = [listen(f"{DAY} 10:00:00", execution=f"{entry.batch_id}-1")]
    assert day_of(world, MemoryLake(rows)).state is MOVES


def test_who_is_at_work_is_asked_before_the_second_look(world):
    """What ends between the two has published by then; asked later it would be gone, and its difference would count."""
    entry = alive(world, Status.RUNNING)
    lake = MemoryLake(ROWS, looks=[lambda: None, lambda: world.end_execution(f"{entry.batch_id}-1")])
    assert day_of(world, lake).state is MOVES


def test_a_lost_lake_is_told_also_while_runs_are_alive(world):
    publish(world, ROWS)
    alive(world, Status.RUNNING)
    assert day_of(world, MemoryLake(has_table=False)).state is LOST


# ── Sources of which the lake knows nothing ──


@pytest.fixture
def look(world, monkeypatch):
    """A whole look at the window, the lake given."""
    stack = stack_of(world)

    def look_at(lake: Any, window: Any = WINDOW, days: Any = ()) -> Findings:
        monkeypatch.setattr(LakeReader, "of", lambda _: lake)
        return Reconciler(stack).look(window, days).findings

    return look_at


def archived(world: World, **attributes: Any) -> Any:
    told = {"rows_accepted": 2, "days": [DAY], "published_at": clock.now(), **attributes}
    return standing(world, Status.ARCHIVED, **told)


def rows_of(entry: Any) -> list[Row]:
    return [{**row, "source_id": entry.source.source_id} for row in ROWS]


def test_an_archived_file_whose_rows_the_lake_has_is_ok(world, look):
    rows = rows_of(archived(world))
    publish(world, rows)
    found = look(MemoryLake(rows))
    assert (found.is_whole, found.sentence, found.files) == (True, "no gaps, 1 OK", [])


def test_an_archived_file_of_whose_rows_the_lake_has_none_is_replayed(world, look):
    entry = archived(world)
    found = look(MemoryLake([]))
    [file] = found.files
    assert (file.state, file.why, file.attempt) == (State.MISSING, "archived, but the lake lacks rows of it", 2)
    assert requests.parse(file.message) == Attempt(entry.source.source_id, 1, Action.REPLAY)
    assert found.counts == {"OK": 0, "MISSING": 1}


def test_a_day_that_lost_the_rows_of_a_file_is_mended_by_the_file_and_not_rebuilt_without_them(world, look):
    entry = archived(world, days=[DAY, NEXT_DAY])
    rows = [*rows_of(entry), listen(f"{NEXT_DAY} 10:00:00", source_id=entry.source.source_id)]
    publish(world, rows, DAY, NEXT_DAY)
    found = look(MemoryLake(rows_of(entry)))
    assert [(file.state, file.days) for file in found.files] == [(State.MISSING, [DAY, NEXT_DAY])]
    planned = Reconciler(stack_of(world)).plan(found, 10).repairs
    assert [repair.what for repair in planned] == [RepairKind.REPLAY]


def test_its_days_are_not_rebuilt_from_a_lake_that_lacks_them(world, look):
    entry = archived(world)
    publish(world, rows_of(entry))
    found = look(MemoryLake([listen(f"{NEXT_DAY} 10:00:00", source_id="c" * 32)]), days=[NEXT_DAY])
    assert [day.state for day in found.days] == [DRIFT, DRIFT]
    planned = Reconciler(stack_of(world)).plan(found, 10).repairs
    assert [repair.what for repair in planned] == [RepairKind.REPLAY, RepairKind.REBUILD]
    rebuild = requests.parse(planned[1].message)
    assert isinstance(rebuild, Rebuild)
    assert rebuild.days == [NEXT_DAY]


@each_no_lake
def test_of_a_lost_lake_no_single_file_is_repaired(world, look, lake):
    publish(world, rows_of(archived(world)))
    found = look(lake)
    assert [(file.state, file.message) for file in found.files] == [(State.MISSING, "")]
    assert [day.state for day in found.days] == [LOST]
    assert Reconciler(stack_of(world)).plan(found, 10).repairs == []


@pytest.mark.parametrize(
    "attributes",
    [{"rows_accepted": 0, "days": []}, {"treatment": "retract", "updated_at": "9999-01-01T00:00:00.000Z"}],
    ids=["no rows", "half retracted"],
)
def test_a_file_of_which_the_lake_should_know_nothing_is_not_missing(world, look, attributes):
    archived(world, **attributes)
    assert {file.state for file in look(MemoryLake([])).files} <= {State.IN_FLIGHT}


def test_a_file_that_is_wrong_otherwise_is_told_as_that(world, look):
    entry = archived(world)
    world.s3.delete_object(Bucket=entry.source.bucket, Key=entry.archive_key)
    [file] = look(MemoryLake([])).files
    assert (file.state, file.message) == (State.ORPHAN, "")


def test_a_look_compares_the_days_of_its_files_and_those_asked_for(world, look):
    entry = archived(world, days=[DAY, NEXT_DAY])
    days = look(MemoryLake(rows_of(entry)), days=["1999-01-01"]).days
    assert [day.day for day in days] == ["1999-01-01", DAY, NEXT_DAY]


def test_a_look_at_a_prefix_knows_what_else_is_on_its_way(world, look):
    standing(world, Status.FAILED, days=[DAY], key="incoming/other.csv")
    entry = archived(world, key="incoming/radio/a.csv")
    window = type(WINDOW)(WINDOW.first, WINDOW.last, "incoming/radio/")
    found = look(MemoryLake(rows_of(entry)), window)
    assert [day.state for day in found.days] == [MOVES]
    assert [file.key for file in found.files] == []
