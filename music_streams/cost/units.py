"""Units that AWS bills, and their arithmetic."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

Units = Mapping["Unit", Decimal]
"""How many of each; what is not named is none."""


class Unit(StrEnum):
    """What is billed; prices.toml has a price of each."""

    GLUE_DPU_SECONDS = "glue_dpu_seconds"
    STATE_TRANSITIONS = "state_transitions"
    LAMBDA_REQUESTS = "lambda_requests"
    LAMBDA_GB_SECONDS = "lambda_gb_seconds"
    WRITE_UNITS = "write_units"
    READ_UNITS = "read_units"
    S3_WRITES = "s3_writes"
    S3_READS = "s3_reads"
    QUEUE_REQUESTS = "queue_requests"
    EVENTS = "events"
    LOG_BYTES = "log_bytes"
    ALARM_METRICS = "alarm_metrics"
    KEYS = "keys"
    AIRFLOW_HOURS = "airflow_hours"


def together(*parts: Units) -> Units:
    """The sum of several."""
    named = [unit for unit in Unit if any(unit in part for part in parts)]
    return {unit: sum((part.get(unit, Decimal(0)) for part in parts), Decimal(0)) for unit in named}


def times(units: Units, factor: Decimal | int) -> Units:
    """So many times as much."""
    return {unit: amount * factor for unit, amount in units.items()}
