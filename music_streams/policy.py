"""The policy of the pipeline: timeouts, limits and intervals, each with its unit and its reason.

A value that a deployment may change is a field of :class:`Policy` and a parameter of template.yaml of the same
name: ``latency_sla_seconds`` is LatencySlaSeconds. Programs read the value of the deployed stack (``Stack.policy``);
the value here is the parameter's default. The other values are the same in every deployment.

Not here: parameters that only the template uses; the data contract (docs/design.md); page sizes, chunk sizes, poll
intervals and limits of AWS, which are defined where they are used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

# ── What a deployment may set ─────────────────────────────────────────────────────────────────────────────────────

LATENCY_SLA_SECONDS = 900
"""The latency SLA: from a file's arrival until its metrics are published.

A window of 1 minute, a cold start of 2 and a run of a few take 5 to 10 minutes; the rest absorbs a small burst."""

STALL_SECONDS = 300
"""A source whose status did not change for longer is stalled, unless its execution is running.

It is validate's timeout and its lease: an invocation may still be processing a source that changed more recently."""

ATTEMPTS_BEFORE_QUARANTINE = 3
"""After so many failed attempts a file is quarantined, if other files were published meanwhile.

In the last of them the file ran alone (ALONE_AFTER_ATTEMPTS), so that no other file is the cause."""

MAX_REPAIRS = 50
"""The most repairs that one reconciliation requests; a rebuild of DAYS_PER_REBUILD days is one.

The limit keeps new files from waiting long behind repairs, and bounds what a wrong diagnosis does before an operator
reads the report."""

MAX_REJECTED_RATIO = "0.20"
"""Share of malformed rows above which a file is quarantined whole: more of them mean another format."""


@dataclass(frozen=True)
class Policy:
    """The values that a deployment can set; `max_rejected_ratio` is a decimal number as text."""

    latency_sla_seconds: int = LATENCY_SLA_SECONDS
    stall_seconds: int = STALL_SECONDS
    attempts_before_quarantine: int = ATTEMPTS_BEFORE_QUARANTINE
    max_repairs: int = MAX_REPAIRS
    max_rejected_ratio: str = MAX_REJECTED_RATIO

    @classmethod
    def of(cls, outputs: Mapping[str, str]) -> "Policy":
        """Return the policy of a stack, from its outputs; those that an earlier version lacks have their defaults."""
        types = {field.name: type(getattr(cls, field.name)) for field in fields(cls)}
        outputs_by_name = {name: outputs[parameter(name)] for name in types if parameter(name) in outputs}
        return cls(**{name: types[name](output) for name, output in outputs_by_name.items()})


def parameter(name: str) -> str:
    """Return the name of a value in template.yaml: ``stall_seconds`` and ``STALL_SECONDS`` are StallSeconds."""
    return "".join(word.capitalize() for word in name.split("_"))


# ── Parameters of the template that `music-streams cost` computes with ────────────────────────────────────────────

BATCH_SIZE = 100
"""The most files of one run: large batches share the cost of a Spark run; the other files are for the next run."""

BATCH_WINDOW_SECONDS = 60
"""How long the first file of a batch waits for others: a small part of the latency SLA that saves most runs."""

TRANSFORM_CONCURRENCY = 5
"""The most concurrent Spark runs: it limits the cost of a burst and the Glue quota that is needed."""

TRANSFORM_LEAST_WORKERS = 2
"""The fewest workers of a Spark run: the driver and an executor."""

TRANSFORM_MOST_WORKERS = 10
"""The most workers of a Spark run, which limits the cost of one run."""

TRANSFORM_TIMEOUT_MINUTES = 60
"""The timeout of a Spark run: a usual run takes a few minutes, so that only one that hangs is ended."""

# ── Parameters of the template that limit a file ───────────────────────────────────────────────────────────

MAX_FILE_BYTES = 1024**3
"""Uncompressed bytes of the largest accepted file: what validate can read within its share of the timeout."""

MAX_DAYS_PER_FILE = 1_000
"""Days of listens above which a file is quarantined whole: each is recomputed, and no producer sends three years."""

# ── Validating and erasing a file ─────────────────────────────────────────────────────────────────────────────────

ALONE_AFTER_ATTEMPTS = 2
"""A file runs in a batch of its own if the attempt that failed has this number or a greater one.

Another file may have caused the failure of a first attempt."""

VALIDATE_FILE_SHARE = 0.4
"""Share of validate's timeout in which one file must be read; a slower file is quarantined as too_slow.

At 20 MB/s the largest accepted file takes half of that; the rest of the timeout is for staging and starting the
batch."""

ERASE_FILE_SHARE = 0.6
"""Share of erase's timeout in which one file must be searched; a slower file is deleted.

The rest is for deleting its versions and for waiting on AWS."""

RELEASE_CHECK_SECONDS = 60
"""For how long `quarantine release` validates a file before it asks; after longer, it would seem to hang."""

# ── Reconciling and repairing ─────────────────────────────────────────────────────────────────────────────────────

WINDOW_DAYS = 2
"""UTC dates of arrival that a reconciliation inspects by default: today and yesterday, so that a file that arrives
just before midnight is inspected after it."""

MOST_REPAIRS = 1_000
"""The largest limit on repairs that an operator may choose: ten batches of validate."""

DAYS_PER_REBUILD = 31
"""The most days that one run rebuilds: a month, since a run recomputes all its days within the job's timeout."""

RECONCILE_EVERY_MINUTES = 15
"""The interval of reconcile_streams: the latency SLA, so that a late file is reported before it is twice as late."""

SETTLE_WAIT_MINUTES = 10
"""For how long a reconciliation waits for files in flight: as long as a run usually takes, and less than the interval
of reconciliations."""

REPAIR_WAIT_MINUTES = 30
"""For how long a DAG waits for the repairs that it requested: a run of its own, and a queue of others before it."""

RECONCILE_TIMEOUT_MINUTES = 55
"""The timeout of a run of reconcile_streams: both of its waits, and a quarter of an hour for inspecting."""

RECONCILE_OVERDUE_MINUTES = 60
"""When operators are alerted to an unfinished run of reconcile_streams: after it can no longer finish by itself."""

FAILURE_RECORDED_MINUTES = 10
"""For how long on_execution_failed waits until a failure is recorded: the timeout of record-failure, which waits for
job runs to end."""

FAILURES_AT_ONCE = 4
"""The most concurrent runs of on_execution_failed: each only waits, and many failures at a time have one cause."""

ON_FAILURE_TIMEOUT_MINUTES = 60
"""The timeout of a run of on_execution_failed: its two waits, and some time for the retries of its tasks."""

BACKFILL_DAYS_AT_ONCE = 4
"""The most days that a backfill replays concurrently: fewer than TRANSFORM_CONCURRENCY, so that new files can run."""

BACKFILL_WAIT_HOURS = 5
"""For how long a backfill waits for the files of a day: a day of many files is several runs, one after another."""

BACKFILL_TIMEOUT_HOURS = 6
"""The timeout of a backfill of a day: its wait, and an hour for comparing the day with the lake."""

# ── Waiting on the command line ───────────────────────────────────────────────────────────────────────────────────

COMMAND_WAIT_SECONDS = LATENCY_SLA_SECONDS
"""For how long commands wait by default (``--timeout``): a file that takes longer is late."""

DEMO_WAIT_SECONDS = 300
"""For how long `music-streams demo` waits for its few small files by default: if they take longer, it has failed."""

# ── Keeping ───────────────────────────────────────────────────────────────────────────────────────────────────────

PARSED_REFERENCE_FRESH_DAYS = 14
"""For how long runs use a parsed reference file: half of the 30 days after which it expires."""

SNAPSHOTS_KEPT_DAYS = 3
"""For how long every snapshot of the lake can be read, and files that no snapshot refers to are kept.

An execution and its job runs end within 9 hours, and no other reader uses a snapshot for that long."""
