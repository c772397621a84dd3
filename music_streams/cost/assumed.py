"""Values that can be neither counted nor measured without AWS. See docs/cost.md."""

from decimal import Decimal

LEAST_SECONDS = 60
"""Glue bills at least a minute: https://aws.amazon.com/glue/pricing/ (a rule, not an assumption)."""

CALL_SECONDS = Decimal("0.02")
"""Duration of a call of S3 or DynamoDB from a function."""
FUNCTION_SECONDS = Decimal("0.3")
"""Start and end of a function, some of them cold starts."""
BYTES_VALIDATED_PER_SECOND = Decimal(20_000_000)
"""Throughput of validate on the half core that comes with its memory."""
MEMORY_GB = {"validate": Decimal("0.5"), **dict.fromkeys(("claim", "settle", "archive"), Decimal("0.25"))}
"""Memory of the functions of each run; a test compares it with the template."""

LOAD_ITEMS_PER_SECOND = 800
"""Items that sixteen threads write, at 20 ms each."""
SPARK_START_SECONDS = 30
"""From StartJobRun until the script runs. Glue bills a part of it; the model counts all of it."""
SHELL_START_SECONDS = 20

IDLE_QUEUE_REQUESTS = 5 * 3 * 60 * 24 * 30
"""Requests with which Lambda polls an empty queue in a month: five pollers, 20 s each."""
LOG_BYTES_OF_CALL = 2_000
"""Log of an invocation of a function."""
LOG_BYTES_OF_SPARK = 1_000_000
"""Log of a Spark run."""
LOG_BYTES_OF_SHELL = 20_000
SPARK_S3_WRITES, SPARK_S3_READS = 60, 150
"""Requests of a Spark run: reference data, staged files, metrics, and Iceberg's data and metadata files."""
S3_EVENTS_OF_FILE = 3
"""S3 sends events for the file, for its archive copy and for its removal. All are billed, and one is processed."""
