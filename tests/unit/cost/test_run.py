"""The cost of a run, and the shares of its files."""

from decimal import Decimal

import pytest

from music_streams.cost import assumed, measured
from music_streams.cost.run import FUNCTIONS, costs_by_source, glue_units, shares, units_besides_jobs
from music_streams.cost.units import Unit
from music_streams.state.run_files import Manifest, ManifestSource, SourceOutcome, Summary
from tests.functions import all_functions
from tests.unit.template.conftest import ROOT

LOAD = {"ExecutionTime": 20, "MaxCapacity": 0.0625}


@pytest.mark.parametrize(
    ("job_run", "billed"),
    [
        ({"ExecutionTime": 90, "MaxCapacity": 2.0}, 180),
        ({"ExecutionTime": 12, "MaxCapacity": 2.0}, 120),  # at least a minute
        ({"ExecutionTime": 20, "MaxCapacity": 0.0625}, Decimal("3.75")),
        ({"ExecutionTime": 100, "MaxCapacity": 10.0, "DPUSeconds": 250.0}, 250),  # auto scaling
        ({"ExecutionTime": 30, "MaxCapacity": 10.0, "DPUSeconds": 75.0}, 150),
        ({"ExecutionTime": 0, "MaxCapacity": 2.0, "DPUSeconds": 0.0}, 120),
    ],
)
def test_glue_bills_by_the_second_and_for_at_least_a_minute(job_run, billed):
    assert glue_units(job_run) == {Unit.GLUE_DPU_SECONDS: billed}


@pytest.mark.parametrize("job_run", [{}, {"ExecutionTime": 90}, {"MaxCapacity": 2.0}])
def test_a_job_run_without_time_or_capacity_has_no_cost(job_run):
    assert glue_units(job_run) is None


def manifest(*sizes):
    listed = [ManifestSource(f"{n:032}", "streams", f"{n}.csv", [], "", size) for n, size in enumerate(sizes)]
    return Manifest("batch", listed)


def summary(*days):
    return Summary("batch", "batch-1", 1, "lake", list(days), "", {"0": SourceOutcome(1, 1, {}, [])})


def test_the_cost_of_a_run_is_shared_by_bytes_and_adds_up():
    claimed = manifest(1_000, 3_000, 1)
    costs = costs_by_source([{"ExecutionTime": 90, "MaxCapacity": 2.0}, LOAD], claimed, summary("2024-06-25"))
    small, large, tiny = (costs[source_id] for source_id in claimed.source_ids)
    assert large == pytest.approx(3 * small, abs=3)
    assert tiny <= small / 900
    alone = costs_by_source([{"ExecutionTime": 90, "MaxCapacity": 2.0}, LOAD], manifest(1), summary("2024-06-25"))
    assert sum(costs.values()) == pytest.approx(sum(alone.values()), rel=0.02), "most of it is the jobs"


def test_nearly_all_cost_of_a_small_run_is_that_of_its_jobs():
    [cost] = costs_by_source([{"ExecutionTime": 60, "MaxCapacity": 2.0}, LOAD], manifest(1), summary("d")).values()
    jobs = (120 + Decimal("3.75")) / 3_600 * Decimal("0.44") * 1_000_000
    assert jobs < cost < jobs * Decimal("1.15")


def test_more_files_and_days_cost_more():
    few, many = units_besides_jobs(1, 1, 1_000), units_besides_jobs(10, 30, 1_000_000_000)
    for service, units in few.items():
        for unit, amount in units.items():
            assert many[service][unit] >= amount, (service, unit)
    assert many["DynamoDB"][Unit.WRITE_UNITS] > 20 * few["DynamoDB"][Unit.WRITE_UNITS]


@pytest.mark.parametrize("whole", [0, 1, 7, 15_123])
@pytest.mark.parametrize("weights", [[], [5], [1, 1, 1], [0, 0], [1_000_000_000, 1, 0]])
def test_shares_are_integers_that_add_up(whole, weights):
    result = shares(whole, {str(n): weight for n, weight in enumerate(weights)})
    assert all(share >= 0 for share in result.values())
    assert sum(result.values()) == (whole if weights else 0)


def test_the_memory_of_the_functions_is_that_of_the_template(resources):
    memory = {
        function.folder: Decimal(resources[function.logical_id]["Properties"]["MemorySize"]) / 1024
        for function in all_functions()
    }
    assert {name: memory[name] for name in FUNCTIONS} == assumed.MEMORY_GB


def test_every_function_that_a_run_needs_was_counted():
    assert {*FUNCTIONS, "load_day"} <= set(measured.read().calls)
    assert (ROOT / "music_streams" / "cost" / "measured.toml") == measured.FILE
