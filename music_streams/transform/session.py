"""The settings of the Spark session that the transform relies on."""

from __future__ import annotations

SETTINGS: dict[str, bool | float | int | str | None] = {  # as pyspark wants it
    "spark.sql.ansi.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    # Other runs commit to the tables too: a cached one would not know the snapshot that the catalog names.
    "spark.sql.catalog.lake.cache-enabled": "false",
}
