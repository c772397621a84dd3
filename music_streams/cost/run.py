"""What one run costs, and which share of it is whose.

Both jobs' seconds are Glue's own; all else (functions, items, requests) is what measured.toml has of such a run. That
is a few percent of the whole, see docs/cost.md.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from music_streams.cost import assumed, measured, prices
from music_streams.cost.units import Unit, Units, times, together
from music_streams.state.run_files import Manifest, Summary
from music_streams.state.sizing import input_bytes

FUNCTIONS = ("validate", "claim", "settle", "archive")
_SIDE_BY_SIDE = {"validate": 1, "claim": 16, "settle": 16, "archive": 16}  # calls; validate judges one after another
_QUEUE_REQUESTS_OF_FILE = Decimal("1.2")  # sent; received and deleted by tens


def billed_dpu_seconds(seconds: Decimal, capacity: Decimal) -> Decimal:
    """DPU-seconds that Glue bills of a run: by the second, at least a minute."""
    return max(seconds, Decimal(assumed.LEAST_SECONDS)) * capacity


def glue_units(job_run: Mapping[str, Any]) -> Units | None:
    """What Glue bills of a run that has ended, from its description; None where it does not tell.

    Where workers came and went DPUSeconds has what was taken, else MaxCapacity was held all the time.
    """
    if "ExecutionTime" not in job_run or not ("DPUSeconds" in job_run or "MaxCapacity" in job_run):
        return None
    seconds = Decimal(str(job_run["ExecutionTime"]))
    if seconds and "DPUSeconds" in job_run:
        capacity = Decimal(str(job_run["DPUSeconds"])) / seconds
    else:
        capacity = Decimal(str(job_run["MaxCapacity"]))
    return {Unit.GLUE_DPU_SECONDS: billed_dpu_seconds(seconds, capacity)}


def units_around_the_jobs(files: Decimal | int, days: Decimal | int, read: Decimal | int) -> dict[str, Units]:
    """What a run is billed for besides Glue, by service.

    Args:
        files: of its batch.
        days: whose items it writes.
        read: bytes of the files.
    """
    known = measured.read()
    fences = known.calls["load_day"]["fences"] * days
    calls = [known.units_of(function, "file", files) for function in FUNCTIONS]
    billed_by_call = together(*calls, known.units_of("load", "day", days))
    took = known.seconds
    written = took.items_per_day * days * took.write_units_per_item + fences * took.write_units_per_fence
    spark: Units = {Unit.S3_WRITES: Decimal(assumed.SPARK_S3_WRITES), Unit.S3_READS: Decimal(assumed.SPARK_S3_READS)}
    events = {Unit.EVENTS: Decimal(assumed.S3_EVENTS_OF_FILE), Unit.QUEUE_REQUESTS: _QUEUE_REQUESTS_OF_FILE}
    log_bytes = len(FUNCTIONS) * assumed.LOG_BYTES_OF_CALL + assumed.LOG_BYTES_OF_SPARK + assumed.LOG_BYTES_OF_SHELL
    return {
        "Step Functions": {Unit.STATE_TRANSITIONS: known.transitions},
        "Lambda": _functions(files, read),
        "DynamoDB": together(_only(billed_by_call, Unit.WRITE_UNITS, Unit.READ_UNITS), {Unit.WRITE_UNITS: written}),
        "S3 requests": together(_only(billed_by_call, Unit.S3_WRITES, Unit.S3_READS), spark),
        "EventBridge, SQS": together(_only(billed_by_call, Unit.EVENTS), times(events, files)),
        "CloudWatch logs": {Unit.LOG_BYTES: Decimal(log_bytes)},
    }


def costs_by_source(job_runs: Sequence[Mapping[str, Any]], claimed: Manifest, summary: Summary) -> dict[str, int]:
    """What a run cost, in millionths of a US dollar, shared among its sources by their bytes as stored.

    Bytes are known of each source, whatever became of its rows, and stay the same when settling is repeated.

    Args:
        job_runs: of the transform and of the load, as Glue describes them.
        claimed: what the execution holds.
        summary: what its transform made of that.

    Returns:
        A cost by source_id; none at all where a description of a job run lacks what is billed.
    """
    glue = [units for job_run in job_runs if (units := glue_units(job_run)) is not None]
    if len(glue) < len(job_runs):
        return {}
    around = units_around_the_jobs(len(claimed.sources), len(summary.days), input_bytes(claimed))
    dollars = prices.public().cost(together(*glue, *around.values()))
    whole = int((dollars * 1_000_000).to_integral_value(ROUND_HALF_UP))
    return shares(whole, {source.source_id: source.size for source in claimed.sources})


def shares(whole: int, weights: Mapping[str, int]) -> dict[str, int]:
    """A whole number shared by weight; the shares are whole, and their sum is it exactly."""
    total = sum(weights.values())
    given = run = 0
    found = {}
    for name, weight in weights.items():
        run += weight if total else 1
        until_here = whole * run // (total or len(weights))
        found[name] = until_here - given
        given = until_here
    return found


def _functions(files: Decimal | int, read: Decimal | int) -> Units:
    known = measured.read()
    gb_seconds = Decimal(0)
    for function in FUNCTIONS:
        calls = known.calls_of(function, "file", files)
        seconds = assumed.FUNCTION_SECONDS + calls * assumed.CALL_SECONDS / _SIDE_BY_SIDE[function]
        if function == "validate":
            seconds += read / assumed.BYTES_JUDGED_PER_SECOND
        gb_seconds += seconds * assumed.MEMORY_GB[function]
    return {Unit.LAMBDA_REQUESTS: Decimal(len(FUNCTIONS)), Unit.LAMBDA_GB_SECONDS: gb_seconds}


def _only(units: Units, *wanted: Unit) -> Units:
    return {unit: amount for unit, amount in units.items() if unit in wanted}
