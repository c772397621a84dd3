"""What lies in the landing bucket and waits to be taken, as S3 lists it."""

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
    """Every object version where files land, key by key, its arrival by S3's own clock; folder markers left out."""
    pages = s3.get_paginator("list_object_versions")
    for prefix in LANDING_PREFIXES:
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for found in page.get("Versions", []):
                if kind_of(found["Key"]):
                    received_at = clock.timestamp(found["LastModified"])
                    yield Source(bucket, found["Key"], found["VersionId"], found["Size"], received_at)


def with_entries(ledger: Ledger, sources: Iterable[Source]) -> Iterator[tuple[Source, Entry | None]]:
    """Each source with what the ledger says of it, some at a time as they are asked for."""
    left = iter(sources)
    while some := list(islice(left, _LOOKED_UP_AT_ONCE)):
        entries = ledger.entries(source.source_id for source in some)
        yield from ((source, entries.get(source.source_id)) for source in some)
