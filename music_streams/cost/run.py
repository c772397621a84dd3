"""Cost of a run, and the share of each of its sources.

The durations of both jobs are Glue's own. All else (functions, items, requests) is computed from measured.toml and
assumed.py; it is a few percent of the total, see docs/cost.md.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from music_streams.cost import assumed, measured, prices
from music_streams.cost.units import Unit, Units, add, multiply
from music_streams.state.run_files import Manifest, Summary
from music_streams.state.sizing import input_bytes

FUNCTIONS = ("validate", "claim", "settle", "archive")
_PARALLEL_CALLS = {"validate": 1, "claim": 16, "settle": 16, "archive": 16}
_QUEUE_REQUESTS_OF_FILE = Decimal("1.2")  # sent singly; received and deleted in tens


def billed_dpu_seconds(seconds: Decimal, capacity: Decimal) -> Decimal:
    """Return the DPU-seconds that Glue bills for a job run: by the second, at least a minute."""
    return max(seconds, Decimal(assumed.LEAST_SECONDS)) * capacity


def glue_units(job_run: Mapping[str, Any]) -> Units | None:
    """Return what Glue bills for a finished job run, from its description; None if that lacks the figures.

    With auto scaling, DPUSeconds has the capacity used; otherwise MaxCapacity was used all the time.
    """
    if "ExecutionTime" not in job_run or not ("DPUSeconds" in job_run or "MaxCapacity" in job_run):
        return None
    seconds = Decimal(str(job_run["ExecutionTime"]))
    if seconds and "DPUSeconds" in job_run:
        capacity = Decimal(str(job_run["DPUSeconds"])) / seconds
    else:
        capacity = Decimal(str(job_run["MaxCapacity"]))
    return {Unit.GLUE_DPU_SECONDS: billed_dpu_seconds(seconds, capacity)}


def units_besides_jobs(files: Decimal | int, days: Decimal | int, read: Decimal | int) -> dict[str, Units]:
    """Return what is billed for a run besides Glue, by service.

    Args:
        files: number of files in its batch.
        days: number of days whose items it writes.
        read: estimated uncompressed bytes of its streams files.
    """
    known = measured.read()
    fences = known.calls["load_day"]["fences"] * days
    calls = [known.units_of(function, "file", files) for function in FUNCTIONS]
    billed_by_call = add(*calls, known.units_of("load", "day", days))
    figures = known.job_figures
    written = figures.items_per_day * days * figures.write_units_per_item + fences * figures.write_units_per_fence
    spark: Units = {Unit.S3_WRITES: Decimal(assumed.SPARK_S3_WRITES), Unit.S3_READS: Decimal(assumed.SPARK_S3_READS)}
    events = {Unit.EVENTS: Decimal(assumed.S3_EVENTS_OF_FILE), Unit.QUEUE_REQUESTS: _QUEUE_REQUESTS_OF_FILE}
    log_bytes = len(FUNCTIONS) * assumed.LOG_BYTES_OF_CALL + assumed.LOG_BYTES_OF_SPARK + assumed.LOG_BYTES_OF_SHELL
    return {
        "Step Functions": {Unit.STATE_TRANSITIONS: known.transitions},
        "Lambda": _functions(files, read),
        "DynamoDB": add(_only(billed_by_call, Unit.WRITE_UNITS, Unit.READ_UNITS), {Unit.WRITE_UNITS: written}),
        "S3 requests": add(_only(billed_by_call, Unit.S3_WRITES, Unit.S3_READS), spark),
        "EventBridge, SQS": add(_only(billed_by_call, Unit.EVENTS), multiply(events, files)),
        "CloudWatch logs": {Unit.LOG_BYTES: Decimal(log_bytes)},
    }


def costs_by_source(job_runs: Sequence[Mapping[str, Any]], claimed: Manifest, summary: Summary) -> dict[str, int]:
    """Return the cost of a run by source_id, in millionths of a US dollar, divided among the claimed sources by size.

    The size of each source is known whatever happened to its rows, and does not change when the settle step is retried.
    Empty if Glue's description of one of the job runs, the transform's and the load's, lacks what is billed.
    """
    glue = [units for job_run in job_runs if (units := glue_units(job_run)) is not None]
    if len(glue) < len(job_runs):
        return {}
    other_units = units_besides_jobs(len(claimed.sources), len(summary.days), input_bytes(claimed))
    dollars = prices.public().cost(add(*glue, *other_units.values()))
    total = int((dollars * 1_000_000).to_integral_value(ROUND_HALF_UP))
    return shares(total, {source.source_id: source.size for source in claimed.sources})


def shares(whole: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide a whole number by weight into whole shares whose sum is exactly that number."""
    total = sum(weights.values())
    assigned = weight_so_far = 0
    result = {}
    for name, weight in weights.items():
        weight_so_far += weight if total else 1
        cumulative = whole * weight_so_far // (total or len(weights))
        result[name] = cumulative - assigned
        assigned = cumulative
    return result


def _functions(files: Decimal | int, read: Decimal | int) -> Units:
    known = measured.read()
    gb_seconds = Decimal(0)
    for function in FUNCTIONS:
        calls = known.calls_of(function, "file", files)
        seconds = assumed.FUNCTION_SECONDS + calls * assumed.CALL_SECONDS / _PARALLEL_CALLS[function]
        if function == "validate":
            seconds += read / assumed.BYTES_VALIDATED_PER_SECOND
        gb_seconds += seconds * assumed.MEMORY_GB[function]
    return {Unit.LAMBDA_REQUESTS: Decimal(len(FUNCTIONS)), Unit.LAMBDA_GB_SECONDS: gb_seconds}


def _only(units: Units, *wanted: Unit) -> Units:
    return {unit: amount for unit, amount in units.items() if unit in wanted}
