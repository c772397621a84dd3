"""What a workload costs in a month: by this pipeline, and by a design that polls and starts two jobs for each file.

Arrivals are spread evenly over the day and independent of each other (a Poisson process), a month has 30 days, and a
day has as many rows as arrive in one. Both designs do the same work in a run: they judge the rows of its files and
recompute the whole days that those touch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from music_streams import policy
from music_streams.cost import assumed, measured
from music_streams.cost.prices import Prices
from music_streams.cost.run import billed_dpu_seconds, units_around_the_jobs
from music_streams.cost.units import Unit, Units, times, together
from music_streams.state.run_files import Manifest, ManifestSource
from music_streams.state.sizing import CORES, SMALL, Bounds, workers_for

DAYS = 30
POLL_SECONDS = 300
_SECONDS_A_DAY = 86_400
_SHELL_DPU = Decimal("0.0625")
_MILLION = 1_000_000
_EVENT_SECONDS = 2
"""From the end of an upload until its message is in the queue."""


@dataclass(frozen=True)
class Workload:
    """What comes, and the two parameters of the template by which it is gathered.

    Attributes:
        days_touched: different days on which the rows of a run lie.
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
        """Seconds that a batch is open: it is closed early when it is full."""
        until_full = Decimal((self.batch_size - 1) * _SECONDS_A_DAY) / self.files_per_day
        return min(Decimal(self.window_seconds), until_full)

    @property
    def files_per_run(self) -> Decimal:
        """The file that opens the batch, and those that come while it is open."""
        return 1 + self.window * self.files_per_day / _SECONDS_A_DAY

    @property
    def wait_seconds(self) -> Decimal:
        """How long a file waits for its batch on average: the first all the time, the others half of it."""
        return self.window * (1 + (self.files_per_run - 1) / 2) / self.files_per_run

    @property
    def rows_recomputed(self) -> int:
        """Rows of the days that a run touches: the earlier ones whole, the current one half full on average."""
        return (2 * self.days_touched - 1) * self.files_per_day * self.rows_per_file // 2


@dataclass(frozen=True)
class Run:
    """A run of so many files of a workload.

    Attributes:
        transform_seconds, load_seconds: of its jobs, their start included.
        workers: of the transform.
    """

    workload: Workload
    files: Decimal

    @property
    def _bytes(self) -> int:
        return int(self.files * self.workload.rows_per_file * measured.read().seconds.bytes_per_row)

    @property
    def workers(self) -> int:
        """As the claim would have it."""
        file = ManifestSource("", "streams", "", [], "", self._bytes)
        return workers_for(Manifest("", [file]), Bounds(self.workload.least_workers, self.workload.most_workers))

    @property
    def transform_seconds(self) -> Decimal:
        """A small run has one core at work, others all of the executors', each as fast as the one that was measured."""
        took = measured.read().seconds
        work = self.files * self.workload.rows_per_file * took.cpu_per_million_rows_read
        work += self.workload.rows_recomputed * took.cpu_per_million_rows_recomputed
        cores = 1 if self._bytes <= SMALL else (self.workers - 1) * CORES
        return assumed.SPARK_START_SECONDS + took.transform_fixed + work / _MILLION / cores

    @property
    def load_seconds(self) -> Decimal:
        """Most of it is waiting for DynamoDB."""
        took = measured.read().seconds
        items = took.items_per_day * self.workload.days_touched
        return assumed.SHELL_START_SECONDS + took.load_fixed + items / assumed.LOAD_ITEMS_PER_SECOND

    @property
    def transform_units(self) -> Units:
        """What Glue bills of the Spark run."""
        return {Unit.GLUE_DPU_SECONDS: billed_dpu_seconds(self.transform_seconds, Decimal(self.workers))}

    @property
    def load_units(self) -> Units:
        """What Glue bills of the Python Shell run."""
        return {Unit.GLUE_DPU_SECONDS: billed_dpu_seconds(self.load_seconds, _SHELL_DPU)}

    @property
    def units(self) -> dict[str, Units]:
        """Of the whole run, by service."""
        around = units_around_the_jobs(self.files, self.workload.days_touched, self._bytes)
        return {"Glue Spark": self.transform_units, "Glue Python Shell": self.load_units, **around}


@dataclass(frozen=True)
class Month:
    """A design's month.

    Attributes:
        runs: of the Spark job.
        seconds_to_metrics: from a file's arrival until its metrics stand, on average, where no run waits for another.
        spark_seconds: of a run of the Spark job.
        runs_at_once: of the Spark job, on average.
        units: by service.
    """

    runs: int
    seconds_to_metrics: Decimal
    spark_seconds: Decimal
    runs_at_once: Decimal
    units: Mapping[str, Units]

    def cost(self, prices: Prices) -> Decimal:
        """US dollars."""
        return sum((prices.cost(units) for units in self.units.values()), Decimal(0))


def ours(workload: Workload) -> Month:
    """By this pipeline: files that come within the window share a run."""
    run = Run(workload, workload.files_per_run)
    runs = Decimal(workload.files_per_day * DAYS) / workload.files_per_run
    known = measured.read()
    units = {service: times(each, runs) for service, each in run.units.items()}
    idle = {Unit.QUEUE_REQUESTS: Decimal(assumed.IDLE_QUEUE_REQUESTS)}
    units["EventBridge, SQS"] = together(units["EventBridge, SQS"], idle)
    units["alarms, key"] = {Unit.ALARM_METRICS: known.alarm_metrics, Unit.KEYS: known.keys}
    return _month(run, runs, _EVENT_SECONDS + workload.wait_seconds, units)


def polling(workload: Workload) -> Month:
    """A scheduler that is always on lists the bucket every five minutes; each file starts a Spark and a shell job."""
    run = Run(workload, Decimal(1))
    runs = Decimal(workload.files_per_day * DAYS)
    log_bytes = Decimal(assumed.LOG_BYTES_OF_SPARK + assumed.LOG_BYTES_OF_SHELL)
    units = {
        "Glue Spark": times(run.transform_units, runs),
        "Glue Python Shell": times(run.load_units, runs),
        # It keeps no ledger: somewhat less.
        "DynamoDB": {Unit.WRITE_UNITS: run.units["DynamoDB"][Unit.WRITE_UNITS] * runs},
        "S3 requests": {
            Unit.S3_WRITES: assumed.SPARK_S3_WRITES * runs + Decimal(DAYS * _SECONDS_A_DAY // POLL_SECONDS),
            Unit.S3_READS: assumed.SPARK_S3_READS * runs,
        },
        "CloudWatch logs": {Unit.LOG_BYTES: log_bytes * runs},
        "managed Airflow": {Unit.AIRFLOW_HOURS: Decimal(24 * DAYS)},
    }
    return _month(run, runs, Decimal(POLL_SECONDS) / 2, units)


def _month(run: Run, runs: Decimal, wait: Decimal, units: dict[str, Units]) -> Month:
    at_once = runs * run.transform_seconds / (DAYS * _SECONDS_A_DAY)
    seconds_to_metrics = wait + run.transform_seconds + run.load_seconds
    return Month(round(runs), seconds_to_metrics, run.transform_seconds, at_once, units)
