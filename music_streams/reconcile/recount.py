"""The metrics of whole days, recounted from the lake's listens in SQL (docs/design.md, section 4), without Spark.

It shares no code with the pipeline's computation, so that a mistake there is not repeated here. Rows go through a
compressed database on disk, so that memory does not grow with the number of listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from music_streams.reconcile.database import temporary_database

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

_LISTENS = """
CREATE TABLE listens (
    user_id BIGINT, track_id VARCHAR, listened_at BIGINT, day DATE, duration_ms BIGINT, track_name VARCHAR,
    artists VARCHAR, genres VARCHAR[], user_country VARCHAR, source_id VARCHAR, reference_version BIGINT
)
"""
# The day is computed from the instant's microseconds, because a cast would use the machine's time zone.
_ROW = """
user_id, track_id, epoch_us(listened_at), make_timestamp(epoch_us(listened_at))::DATE, duration_ms, track_name,
artists, genres, user_country, source_id, reference_version
"""
_ITEMS = """
WITH
-- The same event in two files, or twice in the lake, counts once: the greatest reference_version wins, then the
-- smallest source_id. The rest of the order decides among copies of one source, as the pipeline does.
events AS MATERIALIZED (
    SELECT user_id, track_id, day, duration_ms, genres, user_country
    FROM listens
    QUALIFY row_number() OVER (
        PARTITION BY user_id, track_id, listened_at
        ORDER BY reference_version DESC, source_id, duration_ms, genres, user_country
    ) = 1
),
-- The same choice among the names of a track within a day.
names AS (
    SELECT DISTINCT ON (day, track_id) day, track_id, track_name, artists
    FROM listens
    ORDER BY reference_version DESC, source_id, track_name, artists
),
-- The items in which each event counts: EACH of its genres, its listener's country, its day, its track.
counted AS NOT MATERIALIZED (
    SELECT 'GENRE' AS kind, unnest(genres) AS subject, day, track_id, user_id, duration_ms FROM events
    UNION ALL
    SELECT 'COUNTRY', user_country, day, track_id, user_id, duration_ms FROM events
    UNION ALL
    SELECT 'DAY', '', day, track_id, user_id, duration_ms FROM events
    UNION ALL
    SELECT 'TRACK', track_id, day, track_id, user_id, duration_ms FROM events WHERE $track_metrics
),
totals AS (
    SELECT kind, subject, day,
           count(*) AS listen_count,
           count(DISTINCT user_id) AS unique_listeners,
           sum(duration_ms) AS total_listening_time_ms
    FROM counted
    GROUP BY kind, subject, day
),
songs AS (
    SELECT kind, subject, day, track_id,
           count(*) AS listen_count,
           count(DISTINCT user_id) AS unique_listeners,
           sum(duration_ms) AS total_listening_time_ms
    FROM counted
    WHERE kind IN ('GENRE', 'COUNTRY')
    GROUP BY kind, subject, day, track_id
),
-- Up to 3 of each genre and country. Text is ordered by its UTF-8 bytes, which is the order of its code points.
first_songs AS (
    FROM songs
    SELECT *, row_number() OVER (
        PARTITION BY kind, subject, day ORDER BY listen_count DESC, unique_listeners DESC, track_id
    ) AS rank
    QUALIFY rank <= 3
),
top_songs AS (
    SELECT kind, subject, day,
           list({'rank': rank, 'track_id': track_id,
                 'track_name': track_name, 'artists': artists,
                 'listen_count': listen_count, 'unique_listeners': unique_listeners,
                 'total_listening_time_ms': total_listening_time_ms} ORDER BY rank) AS top_songs
    FROM first_songs JOIN names USING (day, track_id)
    GROUP BY kind, subject, day
),
-- Up to 5 of each day.
first_genres AS (
    FROM totals
    SELECT *, row_number() OVER (
        PARTITION BY day ORDER BY listen_count DESC, unique_listeners DESC, subject
    ) AS rank
    WHERE kind = 'GENRE'
    QUALIFY rank <= 5
),
top_genres AS (
    SELECT 'DAY' AS kind, '' AS subject, day,
           list({'rank': rank, 'genre': subject, 'listen_count': listen_count, 'unique_listeners': unique_listeners,
                 'total_listening_time_ms': total_listening_time_ms} ORDER BY rank) AS top_genres
    FROM first_genres
    GROUP BY day
)
SELECT kind, subject, day::VARCHAR AS day, listen_count, unique_listeners, total_listening_time_ms,
       -- 2 decimals half up, in integers: ((200·total + n) div 2n) / 100
       (200 * total_listening_time_ms + unique_listeners) // (2 * unique_listeners) AS avg_hundredths_ms,
       top_songs, top_genres
FROM totals
LEFT JOIN top_songs USING (kind, subject, day)
LEFT JOIN top_genres USING (kind, subject, day)
ORDER BY day, kind, subject
"""
_SOURCES = "SELECT day::VARCHAR, list(DISTINCT source_id) FROM listens GROUP BY day"


@dataclass(frozen=True)
class Recount:
    """The expected items of some days.

    Attributes:
        items: every item of these days that MetricsTable should have, without version, lake_uuid, batch_id and
            updated_at; ordered by day, and always in the same order.
        sources: by day (YYYY-MM-DD), the source_ids with rows of it; days without rows are left out.
    """

    items: list[dict[str, Any]]
    sources: dict[str, set[str]]


def recount(rows: Iterable[pa.RecordBatch], *, track_metrics: bool) -> Recount:
    """Count whole days from all their listens (:meth:`lake.Listens.rows`), with TRACK items if `track_metrics`."""
    with temporary_database() as database:
        database.execute(_LISTENS)
        database.begin()  # One transaction for all batches: each commit would wait for the disk.
        for batch in rows:
            database.from_arrow(batch).project(_ROW).insert_into("listens")
        database.commit()
        items = database.execute(_ITEMS, {"track_metrics": track_metrics})
        columns = [column for column, *_ in items.description]
        return Recount(
            items=[_item(dict(zip(columns, row, strict=True))) for row in items.fetchall()],
            sources={day: set(names) for day, names in database.execute(_SOURCES).fetchall()},
        )


def _item(row: dict[str, Any]) -> dict[str, Any]:
    kind, subject, day, average = (row.pop(name) for name in ("kind", "subject", "day", "avg_hundredths_ms"))
    is_summary = kind == "DAY"
    return {
        "pk": f"DAY#{day}" if is_summary else f"{kind}#{subject}",
        "sk": "SUMMARY" if is_summary else f"DAY#{day}",
        "track_day" if kind == "TRACK" else "day": day,
        "avg_listening_time_per_user_ms": Decimal(average).scaleb(-2),
        **{name: value for name, value in row.items() if value is not None},
    }
