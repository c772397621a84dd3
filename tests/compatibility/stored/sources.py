"""The sources of the fixtures, and their form in manifests."""

from music_streams.state.run_files import ManifestSource
from music_streams.state.sources import Source, Treatment
from tests.compatibility.world import LANDING

ARRIVED = "2024-06-26T08:00:05.000Z"
HEADER = ["user_id", "track_id", "listen_time"]
PLAYS = Source(LANDING, "incoming/2024-06-25/plays.csv", "version-of-plays", 1_200, ARRIVED)
PACKED = Source(LANDING, "incoming/2024-06-25/Türkiye.csv.gz", "version-of-packed", 400, ARRIVED)
SONGS = Source(LANDING, "reference/songs/songs.csv", "version-of-songs", 90_000, ARRIVED)
OTHERS = [Source(LANDING, f"incoming/other-{n}.csv", f"version-of-other-{n}", 100 * n, ARRIVED) for n in range(1, 5)]


def listed(source: Source, ending: str = ".csv", treatment: Treatment = Treatment.NORMAL) -> ManifestSource:
    kind = "songs" if source is SONGS else "streams"
    header = HEADER if treatment.adds_rows else []
    return ManifestSource(source.source_id, kind, source.source_id + ending, header, ARRIVED, source.size, treatment)


def in_order(*sources: ManifestSource) -> list[ManifestSource]:
    return sorted(sources, key=lambda source: source.source_id)
