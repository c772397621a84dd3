"""The metrics of one streams file by DuckDB alone, without validation or storage: `duckdb_count.py FOLDER`.

FOLDER has streams.csv, songs.csv and users.csv. This is the lower bound on one machine for the transform.
"""

import sys
from pathlib import Path

import duckdb

from music_streams.reconcile.recount import recount

_LISTENS = """
WITH
read_streams AS (FROM read_csv('{0}/streams.csv', all_varchar = true)),
songs AS (
    SELECT track_id, min(duration_ms)::BIGINT AS duration_ms, min(track_name) AS track_name, min(artists) AS artists,
           list_sort(list(DISTINCT track_genre)) AS genres
    FROM read_csv('{0}/songs.csv', all_varchar = true) GROUP BY track_id
),
users AS (
    SELECT user_id, min(user_country) AS user_country
    FROM read_csv('{0}/users.csv', all_varchar = true) GROUP BY user_id
)
SELECT try_cast(user_id AS BIGINT) AS user_id, track_id, try_cast(listen_time AS TIMESTAMP) AS listened_at,
       duration_ms, track_name, artists, genres, coalesce(user_country, 'unknown') AS user_country,
       'one' AS source_id, 1::BIGINT AS reference_version
FROM read_streams JOIN songs USING (track_id) LEFT JOIN users USING (user_id)
WHERE try_cast(user_id AS BIGINT) > 0 AND try_cast(listen_time AS TIMESTAMP) IS NOT NULL
"""


def main(folder: Path) -> None:
    """Compute the metrics, and print the number of items."""
    database = duckdb.connect()
    items = recount(database.sql(_LISTENS.format(folder)).to_arrow_reader(100_000), track_metrics=False).items
    print(len(items), "items")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
