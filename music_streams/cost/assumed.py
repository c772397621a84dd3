"""What neither a count nor a measurement of ours can tell: only a bill, or a stop-watch on AWS. See docs/cost.md."""

from decimal import Decimal

LEAST_SECONDS = 60
"""Glue bills a minute at least: https://aws.amazon.com/glue/pricing/ (a rule, no assumption)."""

CALL_SECONDS = Decimal("0.02")
"""A call of S3 or DynamoDB from a function, waited for."""
FUNCTION_SECONDS = Decimal("0.3")
"""A function's start and end, some of them cold."""
BYTES_JUDGED_PER_SECOND = Decimal(20_000_000)
"""What validate judges on the half core that its memory brings."""
MEMORY_GB = {"validate": Decimal("0.5"), **dict.fromkeys(("claim", "settle", "archive"), Decimal("0.25"))}
"""Of the functions that each run needs; a test holds it against the template."""

LOAD_ITEMS_PER_SECOND = 800
"""Items that sixteen threads write, 20 ms each."""
SPARK_START_SECONDS = 30
"""From StartJobRun until the script runs; Glue bills it in part, and we in whole."""
SHELL_START_SECONDS = 20

IDLE_QUEUE_REQUESTS = 5 * 3 * 60 * 24 * 30
"""A month of what Lambda asks an empty queue: five pollers, each waits for 20 s."""
LOG_BYTES_OF_CALL = 2_000
"""What an invocation of a function writes into its log."""
LOG_BYTES_OF_SPARK = 1_000_000
"""What Glue keeps of a Spark run's log."""
LOG_BYTES_OF_SHELL = 20_000
SPARK_S3_WRITES, SPARK_S3_READS = 60, 150
"""Requests of a Spark run: reference data, staged files, metrics, and Iceberg's data and metadata files."""
S3_EVENTS_OF_FILE = 3
"""S3 tells of the file, of its copy in the archive and of its removal; all three are billed, one is listened to."""
