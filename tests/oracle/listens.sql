-- Section 3: from the raw records to accepted listens, counted reasons and verdicts.
--
-- Given:  files (kind, reference, source_id, arrived_at, header, records), where
--           kind        streams, songs or users
--           reference   a number shared by the files of one reference state and the streams enriched with it
--           file        the number of the file
--           records     the fields of each record, NULL if it is no RFC 4180 record
--         reference_data (reference, version), settings (max_rejected_ratio)
-- Yields: classified_rows, reference_rows, sources, listens

CREATE TABLE records AS
SELECT * EXCLUDE (records), generate_subscripts(records, 1) AS line, unnest(records) AS fields
FROM files;

CREATE MACRO field(header, fields, name) AS fields[list_position(header, name)];

-- `^[0-9]{1,19}\z`, 1 … 2^63−1 (`007` is 7)
CREATE MACRO as_user_id(text) AS
    CASE WHEN regexp_full_match(text, '[0-9]{1,19}') AND TRY_CAST(text AS BIGINT) >= 1 THEN TRY_CAST(text AS BIGINT) END;

-- `^[0-9A-Za-z]{22}\z`
CREATE MACRO is_track_id(text) AS regexp_full_match(text, '[0-9A-Za-z]{22}');

-- digits, 1 … 2^31−1
CREATE MACRO as_duration(text) AS
    CASE WHEN regexp_full_match(text, '[0-9]+') AND TRY_CAST(ltrim(text, '0') AS BIGINT) BETWEEN 1 AND 2147483647
         THEN TRY_CAST(ltrim(text, '0') AS BIGINT) END;


-- songs and users: the first reason that applies to a row.
CREATE TABLE reference_rows AS
WITH named AS (
    SELECT reference, kind, file,
           coalesce(len(fields) = len(header), false) AS is_well_formed,
           field(header, fields, 'id') AS id,
           field(header, fields, 'track_id') AS track_id,
           field(header, fields, 'track_name') AS track_name,
           field(header, fields, 'artists') AS artists,
           field(header, fields, 'duration_ms') AS duration_text,
           field(header, fields, 'track_genre') AS track_genre,
           field(header, fields, 'user_id') AS user_id_text,
           field(header, fields, 'user_country') AS user_country
    FROM records
    WHERE kind IN ('songs', 'users')
)
SELECT *,
       as_duration(duration_text) AS duration_ms,
       as_user_id(user_id_text) AS user_id,
       CASE
           WHEN NOT is_well_formed THEN 'malformed_row'
           WHEN kind = 'songs' THEN CASE
               WHEN track_id = '' THEN 'missing_track_id'
               WHEN NOT is_track_id(track_id) THEN 'bad_track_id'
               WHEN duration_text = '' THEN 'missing_duration'
               WHEN as_duration(duration_text) IS NULL THEN 'bad_duration'
               WHEN track_genre = '' THEN 'missing_genre'
               WHEN strlen(track_genre) > 1000 OR strlen(track_name) + strlen(artists) > 20000 THEN 'too_long'
           END
           ELSE CASE
               WHEN user_id_text = '' THEN 'missing_user_id'
               WHEN as_user_id(user_id_text) IS NULL THEN 'bad_user_id'
               WHEN user_country = '' THEN 'missing_country'
               WHEN strlen(user_country) > 1000 THEN 'too_long'
           END
       END AS reason
FROM named;

-- A file with too many malformed rows is not in use.
CREATE TABLE usable_rows AS
SELECT *
FROM reference_rows
WHERE reason IS NULL AND file NOT IN (
    SELECT file
    FROM reference_rows
    GROUP BY file
    HAVING count_if(coalesce(reason, 'missing_country') <> 'missing_country')
           > (SELECT max_rejected_ratio FROM settings) * count(*)
);

-- A track with several genres has all of them. Name, artists and duration are those of the row with the smallest
-- (numeric id, rows without one last; track_name; artists; duration_ms).
CREATE TABLE songs AS
WITH song_rows AS (
    SELECT *, CASE WHEN regexp_full_match(id, '[0-9]+') THEN ltrim(id, '0') END AS id_digits
    FROM usable_rows
    WHERE kind = 'songs'
)
SELECT reference, track_id, track_name, artists, duration_ms,
       list_distinct(list(track_genre) OVER (PARTITION BY reference, track_id)) AS genres
FROM song_rows
QUALIFY row_number() OVER (
    PARTITION BY reference, track_id
    ORDER BY len(id_digits) NULLS LAST, id_digits, track_name, artists, duration_ms  -- length first, because ids may exceed BIGINT
) = 1;

-- users: a user with several rows has the smallest country.
CREATE TABLE users AS
SELECT reference, user_id, min(user_country) AS user_country
FROM usable_rows
WHERE kind = 'users'
GROUP BY reference, user_id;


-- streams: the text of each column, and its value (NULL: invalid).
CREATE TABLE stream_rows AS
WITH written AS (
    SELECT source_id, reference, arrived_at, line,
           coalesce(len(fields) = len(header), false) AS is_well_formed,
           field(header, fields, 'user_id') AS user_id_text,
           field(header, fields, 'track_id') AS track_id,
           field(header, fields, 'listen_time') AS listen_time_text
    FROM records
    WHERE kind = 'streams'
),
time_parts AS (
    SELECT *, regexp_extract(
        listen_time_text,
        '^(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?\z',
        ['date', 'hour', 'minute', 'second', 'fraction', 'zone_sign', 'zone_hours', 'zone_minutes']
    ) AS part
    FROM written
),
time_numbers AS (
    SELECT *,
           TRY_CAST(part.date AS DATE) AS date,  -- NULL for a date that does not exist
           TRY_CAST(part.hour AS INT) AS hour,
           TRY_CAST(part.minute AS INT) AS minute,
           TRY_CAST(part.second AS INT) AS second,
           CAST(rpad(left(part.fraction, 6), 6, '0') AS INT) AS microsecond,  -- fraction truncated to µs
           coalesce(TRY_CAST(part.zone_hours AS INT), 0) AS zone_hours,       -- no zone = UTC
           coalesce(TRY_CAST(part.zone_minutes AS INT), 0) AS zone_minutes,
           CASE part.zone_sign WHEN '-' THEN -1 ELSE 1 END AS zone_sign
    FROM time_parts
)
SELECT source_id, reference, arrived_at, line, is_well_formed, user_id_text, track_id, listen_time_text,
       as_user_id(user_id_text) AS user_id,
       CASE WHEN year(date) >= 1970 AND hour <= 23 AND minute <= 59 AND second <= 59
             AND zone_minutes <= 59 AND zone_hours * 60 + zone_minutes <= 18 * 60  -- zone within ±18:00
            THEN CAST(date AS TIMESTAMP)
               + to_minutes(hour * 60 + minute - zone_sign * (zone_hours * 60 + zone_minutes))
               + to_microseconds(second * 1000000 + microsecond)
       END AS instant
FROM time_numbers;

-- Row reasons: the first that applies (NULL: accepted).
CREATE TABLE classified_rows AS
WITH examined AS (
    SELECT *,
           CASE WHEN NOT is_well_formed THEN 'malformed_row'
                WHEN user_id_text = '' THEN 'missing_user_id'
                WHEN user_id IS NULL THEN 'bad_user_id'
                WHEN track_id = '' THEN 'missing_track_id'
                WHEN NOT is_track_id(track_id) THEN 'bad_track_id'
                WHEN listen_time_text = '' THEN 'missing_listen_time'
                WHEN instant IS NULL THEN 'bad_listen_time'
                WHEN instant > arrived_at + INTERVAL 24 HOURS THEN 'future_listen_time'
           END AS defect
    FROM stream_rows
),
numbered AS (  -- the rows of an event in the file, including parked rows
    SELECT *, row_number() OVER (PARTITION BY source_id, defect IS NULL, user_id, track_id, instant ORDER BY line) AS copy
    FROM examined
)
SELECT *,
       CASE WHEN defect IS NOT NULL THEN defect
            WHEN copy > 1 THEN 'duplicate'
            WHEN NOT EXISTS (FROM songs WHERE songs.reference = numbered.reference AND songs.track_id = numbered.track_id)
                THEN 'unknown_track'
       END AS reason
FROM numbered;

-- too_many_bad_rows: malformed / rows read is strictly greater than MaxRejectedRatio, where `duplicate` and
-- `unknown_track` are not malformed.
CREATE TABLE sources AS
SELECT source_id,
       count(line) AS rows_read,
       count(defect) > max(max_rejected_ratio) * count(line) AS has_too_many_bad_rows
FROM files LEFT JOIN classified_rows USING (source_id) CROSS JOIN settings
WHERE kind = 'streams'
GROUP BY source_id;

-- Enrichment is frozen with its reference_version. No row of a quarantined file is committed.
CREATE TABLE listens AS
SELECT classified_rows.source_id, classified_rows.user_id, classified_rows.track_id, instant,
       strftime(instant, '%Y-%m-%d') AS day,  -- the instant's UTC date
       duration_ms, track_name, artists, genres,
       coalesce(user_country, 'unknown') AS user_country,
       version AS reference_version
FROM classified_rows
JOIN sources USING (source_id)
JOIN reference_data USING (reference)
JOIN songs USING (reference, track_id)
LEFT JOIN users USING (reference, user_id)
WHERE reason IS NULL AND NOT has_too_many_bad_rows;
