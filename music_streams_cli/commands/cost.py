"""`music-streams cost`: estimate the monthly cost of a workload on AWS."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from music_streams import policy
from music_streams.cost import model, prices
from music_streams.cost.model import Month, Workload
from music_streams.cost.prices import BadPrices, Prices
from music_streams.cost.units import Unit, Units
from music_streams_cli import options, output
from music_streams_cli.errors import BadUsage
from music_streams_cli.registry import command

_SHOWN_AS = {
    Unit.GLUE_DPU_SECONDS: ("DPU-hours", 3_600),
    Unit.STATE_TRANSITIONS: ("transitions", 1),
    Unit.LAMBDA_REQUESTS: ("invocations", 1),
    Unit.LAMBDA_GB_SECONDS: ("GB-seconds", 1),
    Unit.WRITE_UNITS: ("write units", 1),
    Unit.READ_UNITS: ("read units", 1),
    Unit.S3_WRITES: ("writes", 1),
    Unit.S3_READS: ("reads", 1),
    Unit.QUEUE_REQUESTS: ("queue requests", 1),
    Unit.EVENTS: ("events", 1),
    Unit.LOG_BYTES: ("GB", 1_000_000_000),
    Unit.ALARM_METRICS: ("alarm metrics", 1),
    Unit.KEYS: ("key", 1),
    Unit.AIRFLOW_HOURS: ("hours", 1),
}
_DEFAULT = Workload()
_OWN_PRICES = "Your own prices, in the format of music_streams/cost/prices.toml."


@command(
    "cost",
    "Estimate the monthly cost of a workload on AWS.",
    "music-streams cost",
    "music-streams cost --files-per-day 10000 --rows-per-file 1000 --window 300",
    "music-streams cost --days-touched 3 --prices own.toml --json",
)
def cost(
    files_per_day: Annotated[int, options.whole(1, 10_000_000, "Streams files per day.")] = _DEFAULT.files_per_day,
    rows_per_file: Annotated[int, options.whole(1, 100_000_000, "Rows per file.")] = _DEFAULT.rows_per_file,
    days_touched: Annotated[int, options.whole(1, 400, "Days that the rows of a run touch.")] = _DEFAULT.days_touched,
    window: Annotated[
        int, options.whole(1, 300, "The template's BatchWindowSeconds.", "SECONDS")
    ] = _DEFAULT.window_seconds,
    batch_size: Annotated[int, options.whole(2, 1_000, "The template's BatchSize.")] = _DEFAULT.batch_size,
    least_workers: Annotated[
        int, options.whole(2, 100, "The template's TransformLeastWorkers.")
    ] = _DEFAULT.least_workers,
    most_workers: Annotated[int, options.whole(2, 100, "The template's TransformMostWorkers.")] = _DEFAULT.most_workers,
    price_file: Annotated[
        Path | None, options.unset("FILE", _OWN_PRICES, "--prices", exists=True, dir_okay=False)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Estimate the monthly cost of this pipeline and of a polling design (every five minutes, two jobs per file).

    It makes no call to AWS. Method and assumptions, and which costs are not included: docs/cost.md.
    """
    workload = Workload(files_per_day, rows_per_file, days_touched, window, batch_size, least_workers, most_workers)
    try:
        used = prices.with_own(price_file) if price_file else prices.public()
    except BadPrices as error:
        raise BadUsage(str(error)) from error
    ours, polling = model.event_driven(workload), model.polling(workload)
    if as_json:
        output.show_json(
            {"prices": {"region": used.region, "as_of": used.as_of}}
            | {"ours": _as_json(ours, used), "polling": _as_json(polling, used)}
        )
        return
    _show(workload, used, ours, polling)


def _show(workload: Workload, used: Prices, ours: Month, polling: Month) -> None:
    console = output.stdout()
    output.show(
        console,
        f"{workload.files_per_day:,} files per day of {workload.rows_per_file:,} rows, a run touches "
        f"{workload.days_touched} {'day' if workload.days_touched == 1 else 'days'}; a month of {model.DAYS} days, "
        f"{used.region}, prices as of {used.as_of}",
        "",
    )
    table = output.table("service", "ours", "$", "polling", "$ ", right=("$", "$ "), elastic="ours")
    for service in dict.fromkeys((*ours.units, *polling.units)):
        cells = [service]
        for month in (ours, polling):
            units = month.units.get(service, {})
            cells += [_amounts(units), f"{used.cost(units):,.2f}"] if units else ["", ""]
        table.add_row(*cells)
    sums = ("total per month", "", f"{ours.cost(used):,.2f}", "", f"{polling.cost(used):,.2f}")
    table.add_row(*(output.styled((cell, "bold")) for cell in sums))
    output.show(console, table, "")
    facts = (
        (name, f"{month.runs:,} runs; metrics {month.seconds_to_metrics:.0f} s after arrival on average")
        for name, month in (("ours", ours), ("polling", polling))
    )
    output.show(console, output.facts(facts, indent=0))
    if ours.spark_seconds > 60 * policy.TRANSFORM_TIMEOUT_MINUTES:
        output.show(
            console,
            f"next: a Spark run would take {ours.spark_seconds / 60:,.0f} minutes, and its timeout is "
            f"{policy.TRANSFORM_TIMEOUT_MINUTES}: raise TransformLeastWorkers; see docs/scale.md",
        )
    if ours.runs_at_once > policy.TRANSFORM_CONCURRENCY:
        output.show(
            console,
            f"next: {ours.runs_at_once:.1f} concurrent Spark runs on average, and TransformConcurrency is "
            f"{policy.TRANSFORM_CONCURRENCY} by default, so runs would queue up: raise it, or use a longer window, "
            "larger batches or more workers",
        )


def _amounts(units: Units) -> str:
    amounts = ((amount, *_SHOWN_AS[unit]) for unit, amount in units.items())
    return ", ".join(f"{_short(amount / per)} {name}" for amount, name, per in amounts)


def _short(amount: Decimal) -> str:
    for suffix, least, unit in ((" M", 1_000_000, 1_000_000), (" k", 10_000, 1_000)):
        if amount >= least:
            return f"{amount / unit:,.1f}{suffix}"
    return f"{amount:,.1f}" if amount < 10 and amount != amount.to_integral_value() else f"{amount:,.0f}"


def _as_json(month: Month, used: Prices) -> dict[str, Any]:
    return {
        "usd": float(round(month.cost(used), 2)),
        "runs": month.runs,
        "seconds_to_metrics": float(round(month.seconds_to_metrics, 1)),
        "spark_seconds": float(round(month.spark_seconds, 1)),
        "spark_runs_at_once": float(round(month.runs_at_once, 3)),
        "services": {
            service: {
                "usd": float(round(used.cost(units), 4)),
                "units": {unit.value: float(round(amount, 3)) for unit, amount in units.items()},
            }
            for service, units in month.units.items()
        },
    }
