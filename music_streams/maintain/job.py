"""The steps of maintain-lake: maintain both tables, then write the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from music_streams.maintain import report
from music_streams.maintain.report import MaintenanceReport
from music_streams.maintain.tables import TableMaintenance
from music_streams.transform.ports import LISTENS, REJECTED_ROWS

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_s3 import S3Client

    from music_streams.transform.spark.lake import IcebergLake


def run(
    lake: IcebergLake, s3: S3Client, bucket: str, run_id: str, rejected_rows_days: int, now: datetime
) -> MaintenanceReport:
    """Maintain the tables that exist, and write the report under the job run's id; idempotent.

    Rejected rows are kept for `rejected_rows_days` after their file's arrival; 0: without limit.
    """
    maintenance = TableMaintenance(lake, now)
    tables = [table for table in (REJECTED_ROWS, LISTENS) if lake.exists(table)]
    done = MaintenanceReport(run_id, [maintenance.maintain(table, rejected_rows_days) for table in tables])
    report.write(s3, bucket, done)
    return done
