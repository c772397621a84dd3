"""The inventory of landed files, as S3 lists them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from music_streams import clock
from music_streams.state.ledger import Entry, Ledger
from music_streams.state.object_keys import LANDING_PREFIXES, kind_of
from music_streams.state.sources import Source

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_LOOKED_UP_AT_ONCE = 1_000  # sources


def landed(s3: "S3Client", bucket: str) -> Iterator[Source]:
    """Yield every object version where files land, key by key, with LastModified as arrival; no folder markers."""
    pages = s3.get_paginator("list_object_versions")
    for prefix in LANDING_PREFIXES:
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for version in page.get("Versions", []):
                if kind_of(version["Key"]):
                    received_at = clock.timestamp(version["LastModified"])
                    yield Source(bucket, version["Key"], version["VersionId"], version["Size"], received_at)


def with_entries(ledger: Ledger, sources: Iterable[Source]) -> Iterator[tuple[Source, Entry | None]]:
    """Yield each source with its ledger entry, looked up lazily in chunks; None if it has no entry."""
    remaining = iter(sources)
    while chunk := list(islice(remaining, _LOOKED_UP_AT_ONCE)):
        entries = ledger.entries(source.source_id for source in chunk)
        yield from ((source, entries.get(source.source_id)) for source in chunk)
