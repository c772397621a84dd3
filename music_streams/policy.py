"""The policy of the pipeline: after how long, how many, how often; each value with its unit and its reason.

A value that a deployment may want otherwise is a field of :class:`Policy` and a parameter of template.yaml of the same
name: ``latency_sla_seconds`` is LatencySlaSeconds. Programs read the value of the deployed stack (``Stack.policy``);
the value here is the parameter's default. The other values are the same in every deployment.

Not here: other parameters that only the template uses (their defaults and descriptions are there); the data
contract (docs/design.md); page sizes, chunk sizes, poll intervals and limits of AWS, which are where they are used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

# ── What a deployment may set ─────────────────────────────────────────────────────────────────────────────────────

LATENCY_SLA_SECONDS = 900
"""The latency SLA: from a file's arrival until its metrics are published.

A window of 1 minute, a cold start of 2 and a run of a few take 5 to 10 minutes; the rest absorbs a small burst."""

STALL_SECONDS = 300
"""A source that did not move for longer is stalled, unless its execution is alive.

It is validate's timeout and its lease: what moved later than that ago may still be processed by an invocation."""

ATTEMPTS_BEFORE_QUARANTINE = 3
"""A file over which so many attempts failed is quarantined, if other files were published meanwhile.

The last of them is the first that the file ran alone (ALONE_AFTER_ATTEMPTS), so that no other file is the cause."""

MAX_REPAIRS = 50
"""Repairs that one reconciliation requests at most; a rebuild of DAYS_PER_REBUILD days is one.

Few enough that new files need not wait long behind them, and that a wrong diagnosis does little before an operator
reads the report."""


@dataclass(frozen=True)
class Policy:
    """The values that a deployment may set."""

    latency_sla_seconds: int = LATENCY_SLA_SECONDS
    stall_seconds: int = STALL_SECONDS
    attempts_before_quarantine: int = ATTEMPTS_BEFORE_QUARANTINE
    max_repairs: int = MAX_REPAIRS

    @classmethod
    def of(cls, outputs: Mapping[str, str]) -> "Policy":
        """Read a stack's outputs; a stack of an earlier version lacks them and has the defaults."""
        names = {field.name: parameter(field.name) for field in fields(cls)}
        return cls(**{name: int(outputs[output]) for name, output in names.items() if output in outputs})


def parameter(name: str) -> str:
    """Return the name of a value in template.yaml: ``stall_seconds`` and ``STALL_SECONDS`` are StallSeconds."""
    return "".join(word.capitalize() for word in name.split("_"))


# ── Parameters of the template that `music-streams cost` computes with ────────────────────────────────────────────

BATCH_SIZE = 100
"""Files of one run at most: large batches share the cost of a Spark run; the other files are for the next run."""

BATCH_WINDOW_SECONDS = 60
"""How long the first file of a batch waits for others: a small part of the latency SLA saves most of the runs."""

TRANSFORM_CONCURRENCY = 5
"""Spark runs at once at most: it limits the cost of a burst and what Glue's quota must allow."""

TRANSFORM_LEAST_WORKERS = 2
"""Workers that a Spark run may take at least: the driver and an executor."""

TRANSFORM_MOST_WORKERS = 10
"""Workers that a Spark run may take at most: what limits the cost of one run."""

TRANSFORM_TIMEOUT_MINUTES = 60
"""After which Glue ends a Spark run: a usual one takes a few minutes, so that only one that hangs is ended."""

# ── Parameters of the template that decide about a file ───────────────────────────────────────────────────────────

MAX_FILE_BYTES = 1024**3
"""Uncompressed bytes of the largest accepted file: what validate can read within its share of the timeout."""

MAX_REJECTED_RATIO = "0.20"
"""Share of malformed rows above which a file is quarantined whole: more of them mean another format."""

MAX_DAYS_PER_FILE = 1_000
"""Days of listens above which a file is quarantined whole: each is recomputed, and no producer sends three years."""

# ── Validating and erasing a file ─────────────────────────────────────────────────────────────────────────────────

ALONE_AFTER_ATTEMPTS = 2
"""Failed attempts after which a file runs in a batch of its own: one failure may be chance or another file's fault."""

VALIDATE_FILE_SHARE = 0.4
"""Share of validate's timeout for which one file is read; a slower file is quarantined as too_slow.

At 20 MB/s the largest accepted file takes half of that; the rest of the timeout is for staging and starting the
batch."""

ERASE_FILE_SHARE = 0.6
"""Share of erase's timeout for which one file is searched; a slower file is deleted whole.

The rest is for the deletion of its versions and for answers of AWS."""

RELEASE_CHECK_SECONDS = 60
"""For how long `quarantine release` validates a file before it asks; longer, an operator would think that it hangs."""

# ── Reconciling and repairing ─────────────────────────────────────────────────────────────────────────────────────

WINDOW_DAYS = 2
"""UTC dates of arrival that a reconciliation inspects by itself: today and yesterday, so that a file that arrives just
before midnight is inspected after it."""

MOST_REPAIRS = 1_000
"""The largest cap on repairs that anybody may choose: ten batches of validate."""

DAYS_PER_REBUILD = 31
"""Days that one run rebuilds at most: a month, as a run recomputes all of its days within the job's timeout."""

RECONCILE_EVERY_MINUTES = 15
"""The interval of reconcile_streams: the latency SLA, so that a late file is reported before it is twice as late."""

SETTLE_WAIT_MINUTES = 10
"""For how long a reconciliation waits for files in flight: as long as a run usually takes, and not until the next
reconciliation is due."""

REPAIR_WAIT_MINUTES = 30
"""For how long a DAG waits for the repairs that it requested: a run of its own, and a queue of others before it."""

RECONCILE_TIMEOUT_MINUTES = 55
"""After which a run of reconcile_streams fails: both of its waits, and a quarter of an hour for inspecting."""

RECONCILE_OVERDUE_MINUTES = 60
"""After which an unfinished run of reconcile_streams alerts the operators: once it can no longer finish by itself."""

FAILURE_RECORDED_MINUTES = 10
"""For how long on_execution_failed waits until a failure is recorded: the timeout of record-failure, which waits for
job runs to end."""

FAILURES_AT_ONCE = 4
"""Runs of on_execution_failed at once at most: each only waits, and more failures at once have one cause."""

ON_FAILURE_TIMEOUT_MINUTES = 60
"""After which a run of on_execution_failed fails: its two waits, and some more for the retries of its tasks."""

BACKFILL_DAYS_AT_ONCE = 4
"""Days that a backfill runs concurrently at most: fewer than TRANSFORM_CONCURRENCY, so that new files have a run."""

BACKFILL_WAIT_HOURS = 5
"""For how long a backfill waits for the files of a day: a day of many files is several runs, one after another."""

BACKFILL_TIMEOUT_HOURS = 6
"""After which a backfill of a day fails: its wait, and an hour for comparing the day with the lake."""

# ── Waiting on the command line ───────────────────────────────────────────────────────────────────────────────────

COMMAND_WAIT_SECONDS = LATENCY_SLA_SECONDS
"""For how long commands wait by default (``--timeout``): what is not done by then is late."""

DEMO_WAIT_SECONDS = 300
"""For how long `music-streams demo` waits for its few small files by default: what takes longer has failed."""

# ── Keeping ───────────────────────────────────────────────────────────────────────────────────────────────────────

SNAPSHOTS_KEPT_DAYS = 3
"""For how long every snapshot of the lake can be read, and files that no snapshot refers to are left alone.

An execution and its job runs are over after 9 hours, and no other reader holds a snapshot for as long as that."""
