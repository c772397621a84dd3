-- Section 4: from the listens to the items of MetricsTable.
--
-- Given:  listens (listens.sql)
-- Yields: items (kind, pk, sk, day, the four metrics), top_songs, top_genres

-- An event in two files counts once: the greatest reference_version wins, then the smallest source_id.
CREATE TABLE events AS
FROM listens
QUALIFY row_number() OVER (
    PARTITION BY user_id, track_id, instant ORDER BY reference_version DESC, source_id
) = 1;

-- The same rule selects the names of a track within a day.
CREATE TABLE names AS
SELECT day, track_id, track_name, artists
FROM listens
QUALIFY row_number() OVER (
    PARTITION BY day, track_id ORDER BY reference_version DESC, source_id
) = 1;

-- The items that count an event: EACH of its genres; its listener's country; the day; the track.
CREATE TABLE counted AS
    SELECT 'GENRE' AS kind, genre AS subject, 'GENRE#' || genre AS pk, 'DAY#' || day AS sk, * EXCLUDE (genre)
    FROM (SELECT *, unnest(genres) AS genre FROM events)
UNION ALL
    SELECT 'COUNTRY', user_country, 'COUNTRY#' || user_country, 'DAY#' || day, * FROM events
UNION ALL
    SELECT 'DAY', day, 'DAY#' || day, 'SUMMARY', * FROM events
UNION ALL
    SELECT 'TRACK', track_id, 'TRACK#' || track_id, 'DAY#' || day, * FROM events;

CREATE TABLE items AS
SELECT kind, subject, pk, sk, day,
       count(*) AS listen_count,
       count(DISTINCT user_id) AS unique_listeners,
       sum(duration_ms) AS total_listening_time_ms,
       -- 2 decimals half up, in integers: ((200·total + n) div 2n) / 100
       (200 * total_listening_time_ms + unique_listeners) // (2 * unique_listeners) AS avg_hundredths
FROM counted
GROUP BY kind, subject, pk, sk, day;

-- Up to 3; listen_count desc, unique_listeners desc, track_id asc.
CREATE TABLE top_songs AS
WITH tracks AS (
    SELECT pk, sk, day, track_id,
           count(*) AS listen_count,
           count(DISTINCT user_id) AS unique_listeners,
           sum(duration_ms) AS total_listening_time_ms
    FROM counted
    WHERE kind IN ('GENRE', 'COUNTRY')
    GROUP BY pk, sk, day, track_id
)
SELECT pk, sk,
       row_number() OVER (PARTITION BY pk, sk ORDER BY listen_count DESC, unique_listeners DESC, track_id) AS rank,
       track_id, track_name, artists, listen_count, unique_listeners, total_listening_time_ms
FROM tracks JOIN names USING (day, track_id)
QUALIFY rank <= 3;

-- Up to 5; listen_count desc, unique_listeners desc, genre asc.
CREATE TABLE top_genres AS
SELECT 'DAY#' || day AS pk, 'SUMMARY' AS sk,
       row_number() OVER (PARTITION BY day ORDER BY listen_count DESC, unique_listeners DESC, subject) AS rank,
       subject AS genre, listen_count, unique_listeners, total_listening_time_ms
FROM items
WHERE kind = 'GENRE'
QUALIFY rank <= 5;
