"""Cost of a workload in a month, with this pipeline and with a design that polls and starts two jobs for each file.

Assumptions: arrivals are a Poisson process with a constant rate, a month has 30 days, and each day of data has as many
rows as arrive per day. Both designs do the same work in a run: they classify the rows of its files and recompute the
days that the rows belong to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from music_streams import policy
from music_streams.cost import assumed, measured
from music_streams.cost.prices import Prices
from music_streams.cost.run import billed_dpu_seconds, units_besides_jobs
from music_streams.cost.units import Unit, Units, add, multiply
from music_streams.state.run_files import Manifest, ManifestSource
from music_streams.state.sizing import CORES, SMALL, Bounds, workers_for

DAYS = 30
POLL_SECONDS = 300
_SECONDS_PER_DAY = 86_400
_SHELL_DPU = Decimal("0.0625")
_MILLION = 1_000_000
_EVENT_SECONDS = 2
"""From the end of an upload until its message is in the queue."""


@dataclass(frozen=True)
class Workload:
    """Arriving files, and the parameters of the template that form batches of them.

    Attributes:
        days_touched: number of days that the rows of a run touch.
        window_seconds, batch_size: BatchWindowSeconds and BatchSize.
        least_workers, most_workers: TransformLeastWorkers and TransformMostWorkers.
    """

    files_per_day: int = 1_000
    rows_per_file: int = 10_000
    days_touched: int = 1
    window_seconds: int = policy.BATCH_WINDOW_SECONDS
    batch_size: int = policy.BATCH_SIZE
    least_workers: int = policy.TRANSFORM_LEAST_WORKERS
    most_workers: int = policy.TRANSFORM_MOST_WORKERS

    @property
    def window(self) -> Decimal:
        """Return the seconds for which a batch is open; a full one is closed early."""
        until_full = Decimal((self.batch_size - 1) * _SECONDS_PER_DAY) / self.files_per_day
        return min(Decimal(self.window_seconds), until_full)

    @property
    def files_per_run(self) -> Decimal:
        """Return the size of a batch: the file that opens it, and those that arrive while it is open."""
        return 1 + self.window * self.files_per_day / _SECONDS_PER_DAY

    @property
    def wait_seconds(self) -> Decimal:
        """Return how long a file waits for its batch on average: the first the whole window, the others half of it."""
        return self.window * (1 + (self.files_per_run - 1) / 2) / self.files_per_run

    @property
    def rows_recomputed(self) -> int:
        """Return the rows of the days that a run touches; the current day is half complete on average."""
        return (2 * self.days_touched - 1) * self.files_per_day * self.rows_per_file // 2


@dataclass(frozen=True)
class Run:
    """One run that processes `files` files of a workload, a number that is an average.

    Attributes:
        transform_seconds, load_seconds: durations of its jobs in seconds, including their start.
        workers: number of workers of the transform.
    """

    workload: Workload
    files: Decimal

    @property
    def _bytes(self) -> int:
        return int(self.files * self.workload.rows_per_file * measured.read().job_figures.bytes_per_row)

    @property
    def workers(self) -> int:
        """Return the number of workers that claim would choose."""
        file = ManifestSource("", "streams", "", [], "", self._bytes)
        return workers_for(Manifest("", [file]), Bounds(self.workload.least_workers, self.workload.most_workers))

    @property
    def transform_seconds(self) -> Decimal:
        """Return the duration: a small run uses one core, others all executor cores, each as fast as measured."""
        figures = measured.read().job_figures
        work = self.files * self.workload.rows_per_file * figures.cpu_per_million_rows_read
        work += self.workload.rows_recomputed * figures.cpu_per_million_rows_recomputed
        cores = 1 if self._bytes <= SMALL else (self.workers - 1) * CORES
        return assumed.SPARK_START_SECONDS + figures.transform_fixed + work / _MILLION / cores

    @property
    def load_seconds(self) -> Decimal:
        """Return the duration, most of which is waiting for DynamoDB."""
        figures = measured.read().job_figures
        items = figures.items_per_day * self.workload.days_touched
        return assumed.SHELL_START_SECONDS + figures.load_fixed + items / assumed.LOAD_ITEMS_PER_SECOND

    @property
    def transform_units(self) -> Units:
        """Return what Glue bills for the Spark run."""
        return {Unit.GLUE_DPU_SECONDS: billed_dpu_seconds(self.transform_seconds, Decimal(self.workers))}

    @property
    def load_units(self) -> Units:
        """Return what Glue bills for the Python Shell run."""
        return {Unit.GLUE_DPU_SECONDS: billed_dpu_seconds(self.load_seconds, _SHELL_DPU)}

    @property
    def units(self) -> dict[str, Units]:
        """Return the units of the whole run, by service."""
        other_units = units_besides_jobs(self.files, self.workload.days_touched, self._bytes)
        return {"Glue Spark": self.transform_units, "Glue Python Shell": self.load_units, **other_units}


@dataclass(frozen=True)
class Month:
    """The usage and latency of one design in one month.

    Attributes:
        runs: number of runs of the Spark job.
        seconds_to_metrics: from a file's arrival to publication, on average, if no run waits for another.
        spark_seconds: duration of a run of the Spark job.
        runs_at_once: concurrent runs of the Spark job, on average.
        units: billed units, by service.
    """

    runs: int
    seconds_to_metrics: Decimal
    spark_seconds: Decimal
    runs_at_once: Decimal
    units: Mapping[str, Units]

    def cost(self, prices: Prices) -> Decimal:
        """Return the cost in US dollars."""
        return sum((prices.cost(units) for units in self.units.values()), Decimal(0))


def event_driven(workload: Workload) -> Month:
    """Return the monthly usage of this pipeline, in which files that arrive within the window share a run."""
    run = Run(workload, workload.files_per_run)
    runs = Decimal(workload.files_per_day * DAYS) / workload.files_per_run
    values = measured.read()
    units = {service: multiply(of_run, runs) for service, of_run in run.units.items()}
    idle = {Unit.QUEUE_REQUESTS: Decimal(assumed.IDLE_QUEUE_REQUESTS)}
    units["EventBridge, SQS"] = add(units["EventBridge, SQS"], idle)
    units["alarms, key"] = {Unit.ALARM_METRICS: values.alarm_metrics, Unit.KEYS: values.keys}
    return _month(run, runs, _EVENT_SECONDS + workload.wait_seconds, units)


def polling(workload: Workload) -> Month:
    """Return the monthly usage of a scheduler that lists the bucket every five minutes and starts two jobs per file."""
    run = Run(workload, Decimal(1))
    runs = Decimal(workload.files_per_day * DAYS)
    log_bytes = Decimal(assumed.LOG_BYTES_OF_SPARK + assumed.LOG_BYTES_OF_SHELL)
    units = {
        "Glue Spark": multiply(run.transform_units, runs),
        "Glue Python Shell": multiply(run.load_units, runs),
        # This design has no ledger, so it needs somewhat less than this.
        "DynamoDB": {Unit.WRITE_UNITS: run.units["DynamoDB"][Unit.WRITE_UNITS] * runs},
        "S3 requests": {
            Unit.S3_WRITES: assumed.SPARK_S3_WRITES * runs + Decimal(DAYS * _SECONDS_PER_DAY // POLL_SECONDS),
            Unit.S3_READS: assumed.SPARK_S3_READS * runs,
        },
        "CloudWatch logs": {Unit.LOG_BYTES: log_bytes * runs},
        "managed Airflow": {Unit.AIRFLOW_HOURS: Decimal(24 * DAYS)},
    }
    return _month(run, runs, Decimal(POLL_SECONDS) / 2, units)


def _month(run: Run, runs: Decimal, wait: Decimal, units: dict[str, Units]) -> Month:
    at_once = runs * run.transform_seconds / (DAYS * _SECONDS_PER_DAY)
    seconds_to_metrics = wait + run.transform_seconds + run.load_seconds
    return Month(round(runs), seconds_to_metrics, run.transform_seconds, at_once, units)
