"""Writes the cost model's tables and charts to docs/cost.md and scale.md: ``python -m benchmarks.cost_page``."""

from dataclasses import replace

from benchmarks.blocks import Pages, chart, table, write
from music_streams.cost import assumed, measured, model, prices
from music_streams.cost.model import Month, Workload

WINDOWS = (1, 10, 30, 60, 120, 300)
ROWS = 1_000
RATES = (100, 1_000, 10_000)
WORKLOADS = (
    Workload(files_per_day=10, rows_per_file=10_000),
    Workload(files_per_day=100, rows_per_file=10_000),
    Workload(files_per_day=1_000, rows_per_file=1_000),
    Workload(files_per_day=1_000, rows_per_file=10_000),
    Workload(files_per_day=1_000, rows_per_file=1_000, days_touched=7),
    Workload(files_per_day=10_000, rows_per_file=1_000),
    Workload(files_per_day=10_000, rows_per_file=1_000, window_seconds=300),
)


def designs() -> str:
    """Return the table of both designs by workload."""
    rows = []
    for workload in WORKLOADS:
        ours, polling = model.event_driven(workload), model.polling(workload)
        of_jobs = polling.cost(prices.public()) - prices.public().cost(polling.units["managed Airflow"])
        files = f"{workload.files_per_day:,} × {workload.rows_per_file:,}"
        of_ours = [f"{ours.runs:,}", f"{_dollars(ours):,.0f}"]
        of_polling = [f"{polling.runs:,}", f"{of_jobs:,.0f}", f"{_dollars(polling):,.0f}"]
        times = f"{_dollars(polling) / _dollars(ours):.1f}"
        rows.append([files, f"{workload.days_touched}", f"{workload.window_seconds} s", *of_ours, *of_polling, times])
    ours_heads = ["music-streams: runs", "$ a month"]
    polling_heads = ["polling: runs", "$ a month without Airflow", "$ a month", "times music-streams"]
    return table(["files a day × rows", "days", "window", *ours_heads, *polling_heads], rows)


def parts() -> str:
    """Return the table of the default workload's cost by service."""
    month = model.event_driven(Workload())
    total = _dollars(month)
    rows = [
        [service, f"{(cost := float(prices.public().cost(units))):,.2f}", f"{100 * cost / total:.1f}"]
        for service, units in month.units.items()
    ]
    return table(["service", "$ a month", "%"], rows)


def dial() -> str:
    """Return the table of cost and latency by window, for each rate of arrivals."""
    rows = []
    for window in WINDOWS:
        cells = [f"{window} s"]
        for month in (_month(rate, window) for rate in RATES):
            cells += [f"{_dollars(month):,.0f}", f"{month.seconds_to_metrics:.0f}"]
        rows.append(cells)
    heads = [head for rate in RATES for head in (f"$ at {rate:,} files a day", "seconds to metrics")]
    return table(["window", *heads], rows)


def charts() -> str:
    """Return a chart of cost by latency for each rate, because their scales differ by a factor of a hundred."""
    return "\n\n".join(_chart(rate) for rate in RATES)


def assumptions() -> str:
    """Return the table of the measured and assumed quantities of the model."""
    known = measured.read().job_figures
    rows = [
        ["a Spark run before its script begins", f"{assumed.SPARK_START_SECONDS} s, billed in whole", "assumed"],
        ["a Python Shell run before its script begins", f"{assumed.SHELL_START_SECONDS} s", "assumed"],
        ["a Spark run with next to nothing to do", f"{known.transform_fixed} s", "measured"],
        ["1 million rows read, classified, committed", f"{known.cpu_per_million_rows_read} s of CPU", "measured"],
        ["1 million rows of touched days recomputed", f"{known.cpu_per_million_rows_recomputed} s of CPU", "measured"],
        ["items of a day", f"{known.items_per_day}, {known.write_units_per_item} write units each", "measured"],
        ["a day's fence", f"{known.write_units_per_fence} write units", "measured"],
        ["a call to AWS from a function", f"{assumed.CALL_SECONDS} s", "assumed"],
        ["bytes that validate reads", f"{assumed.BYTES_VALIDATED_PER_SECOND / 1_000_000} MB/s", "assumed"],
        ["S3 requests of a Spark run", f"{assumed.SPARK_S3_WRITES} writes, {assumed.SPARK_S3_READS} reads", "assumed"],
        ["logs of a Spark run", f"{assumed.LOG_BYTES_OF_SPARK / 1_000_000:.0f} MB", "assumed"],
        ["requests of an idle queue", f"{assumed.IDLE_QUEUE_REQUESTS:,} a month", "assumed"],
    ]
    return table(["quantity", "value", "source"], rows)


def sizes() -> str:
    """Return the table of workloads from ten thousand events a day to a billion."""
    rows = []
    for files, size, window in ((10, 1_000, 60), (100, 10_000, 60), (1_000, 100_000, 60), (10_000, 100_000, 300)):
        workload = Workload(files_per_day=files, rows_per_file=size, window_seconds=window, batch_size=1_000)
        small, large = model.event_driven(workload), model.event_driven(replace(workload, least_workers=10))
        rows.append(
            [f"{files * size:,}", f"{files:,} × {size:,}", f"{window} s", f"{small.runs / model.DAYS:,.0f}"]
            + [f"{workload.rows_recomputed:,}"]
            + [f"{month.spark_seconds / 60:,.1f} min" for month in (small, large)]
            + [f"{large.runs_at_once:,.1f}", f"{_dollars(large):,.0f}"]
        )
    heads = ["events a day", "files × rows", "window", "runs a day", "rows recomputed by a run"]
    heads += [
        "a run, sized by its manifest",
        "a run, 10 workers",
        "concurrent runs, 10 workers",
        "$ a month, 10 workers",
    ]
    return table(heads, rows)


PAGES: Pages = {
    "cost.md": {"designs": designs, "parts": parts, "dial": dial, "charts": charts, "assumptions": assumptions},
    "scale.md": {"sizes": sizes},
}


def _month(rate: int, window: int) -> Month:
    return model.event_driven(Workload(files_per_day=rate, rows_per_file=ROWS, window_seconds=window))


def _chart(rate: int) -> str:
    months = [_month(rate, window) for window in WINDOWS]
    return chart(
        "line",
        f"{rate:,} files a day: window of {', '.join(map(str, WINDOWS))} s",
        [f"{month.seconds_to_metrics:.0f}" for month in months],
        "US dollars a month",
        [_dollars(month) for month in months],
        x_axis='"seconds from arrival to metrics, on average" ',
        form=".0f",
    )


def _dollars(month: Month) -> float:
    return float(month.cost(prices.public()))


if __name__ == "__main__":
    write(PAGES)
