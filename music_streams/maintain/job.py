"""One run of the upkeep: both tables, then the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from music_streams.maintain import report
from music_streams.maintain.report import UpkeepReport
from music_streams.maintain.upkeep import Upkeep
from music_streams.transform.ports import LISTENS, REJECTED_ROWS

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_s3 import S3Client

    from music_streams.transform.spark.lake import IcebergLake


def run(
    lake: IcebergLake, s3: S3Client, bucket: str, run_id: str, rejected_rows_days: int, now: datetime
) -> UpkeepReport:
    """Do the upkeep of the tables that there are; may be repeated at any point.

    Args:
        lake: the tables.
        s3: a client, for the report.
        bucket: the lake bucket.
        run_id: the Glue job run's id: names the report.
        rejected_rows_days: how long the text of rejected rows stays after a file's arrival; 0: for ever.
        now: what ages are reckoned from.
    """
    upkeep = Upkeep(lake, now)
    tables = [table for table in (REJECTED_ROWS, LISTENS) if lake.exists(table)]
    done = UpkeepReport(run_id, [upkeep.of(table, rejected_rows_days) for table in tables])
    report.write(s3, bucket, done)
    return done
