"""Units that AWS bills, and their arithmetic."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

Units = Mapping["Unit", Decimal]
"""The amount of each unit; a missing one is 0."""


class Unit(StrEnum):
    """A unit that AWS bills; prices.toml has the price of each."""

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


def add(*parts: Units) -> Units:
    """Return the sum of several amounts."""
    named = [unit for unit in Unit if any(unit in part for part in parts)]
    return {unit: sum((part.get(unit, Decimal(0)) for part in parts), Decimal(0)) for unit in named}


def multiply(units: Units, factor: Decimal | int) -> Units:
    """Return the units multiplied by a factor."""
    return {unit: amount * factor for unit, amount in units.items()}
