"""The cost of a month of a workload in both designs."""

from decimal import Decimal

import pytest

from music_streams.cost import model, prices
from music_streams.cost.model import DAYS, Workload
from music_streams.cost.units import Unit


def dollars(month):
    return month.cost(prices.public())


@pytest.mark.parametrize(
    ("workload", "files_per_run", "wait"),
    [
        (Workload(files_per_day=1, window_seconds=60), Decimal("1.0007"), 60),
        (Workload(files_per_day=1_440, window_seconds=60), 2, 45),  # one opens the batch, a second one arrives
        (Workload(files_per_day=144_000, window_seconds=60), 100, "29.9"),  # full just before the window ends
        (Workload(files_per_day=1_440_000, window_seconds=60), 100, 3),  # full long before
    ],
)
def test_files_that_arrive_within_the_window_share_a_run(workload, files_per_run, wait):
    assert workload.files_per_run == pytest.approx(Decimal(files_per_run), rel=Decimal("0.001"))
    assert workload.wait_seconds == pytest.approx(Decimal(wait), rel=Decimal("0.02"))


@pytest.mark.parametrize("files_per_day", [100, 1_000, 10_000, 100_000])
def test_a_longer_window_costs_less_and_takes_longer(files_per_day):
    months = [
        model.event_driven(Workload(files_per_day=files_per_day, rows_per_file=100, window_seconds=w))
        for w in (1, 60, 300)
    ]
    assert [dollars(month) for month in months] == sorted((dollars(month) for month in months), reverse=True)
    runs = [month.runs for month in months]
    assert runs == sorted(runs, reverse=True)


def test_more_touched_days_cost_more():
    one, many = (model.event_driven(Workload(days_touched=days)) for days in (1, 30))
    assert dollars(many) > 1.5 * float(dollars(one))
    assert many.units["DynamoDB"][Unit.WRITE_UNITS] > 20 * one.units["DynamoDB"][Unit.WRITE_UNITS]


def test_the_polling_design_pays_for_two_jobs_for_each_file():
    workload = Workload(files_per_day=1_000, rows_per_file=100)
    polling = model.polling(workload)
    assert polling.runs == 1_000 * DAYS
    assert polling.units["managed Airflow"] == {Unit.AIRFLOW_HOURS: 720}
    doubled = model.polling(Workload(files_per_day=2_000, rows_per_file=50))
    for job in ("Glue Spark", "Glue Python Shell"):
        assert doubled.units[job][Unit.GLUE_DPU_SECONDS] == 2 * polling.units[job][Unit.GLUE_DPU_SECONDS], job


def test_the_jobs_of_a_single_file_cost_the_same_in_both_designs():
    lonely = Workload(files_per_day=1)
    ours, polling = model.event_driven(lonely), model.polling(lonely)
    assert ours.runs == polling.runs == DAYS
    assert ours.units["Glue Spark"] == pytest.approx(polling.units["Glue Spark"], rel=Decimal("0.01"))
    assert "managed Airflow" not in ours.units


def test_a_run_is_billed_for_at_least_a_minute_and_two_workers():
    month = model.polling(Workload(files_per_day=1, rows_per_file=1))
    assert month.units["Glue Spark"][Unit.GLUE_DPU_SECONDS] >= 60 * 2 * month.runs
    assert month.units["Glue Python Shell"][Unit.GLUE_DPU_SECONDS] == 60 * Decimal("0.0625") * month.runs
