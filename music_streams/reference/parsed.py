"""The parsed versions of reference files in the lake bucket: a Parquet file each, with the counts in its metadata.

A version is parsed by the first run that needs it. Whoever parses it writes the same rows. The Parquet files expire,
because those of users contain user ids; a version that is still in force then is parsed again.
"""

import json
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from music_streams import policy, strict
from music_streams.aws import objects
from music_streams.aws.clients import is_gone
from music_streams.errors import UnparsableReference
from music_streams.reference.csv_rows import read_rows
from music_streams.reference.row_reasons import COLUMNS, MALFORMED_ROW, SCHEMAS, classify
from music_streams.state.object_keys import Kind
from music_streams.state.run_files import malformed
from music_streams.state.sources import Source
from music_streams.validation.file_verdicts import uncompressed

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PARSER_VERSION = 1
"""Increase it with every change of the rows that a file gives: all files in force are then parsed again."""
_FOLDER = f"reference/parsed/v{PARSER_VERSION}"
_FRESH = timedelta(days=policy.PARSED_REFERENCE_FRESH_DAYS)


@dataclass(frozen=True)
class ParsedFile:
    """A parsed version of a reference file: rows_read = rows_accepted + the sum of `rejected`.

    Attributes:
        key: of its Parquet file in the lake bucket, which has the columns SCHEMAS of its kind.
        rejected: the number of rows that are not in the Parquet file, by reason.
    """

    source: Source
    key: str
    rows_read: int
    rejected: Mapping[str, int]

    @property
    def rows_accepted(self) -> int:
        """The number of rows in the Parquet file."""
        return self.rows_read - sum(self.rejected.values())

    def has_too_many_bad_rows(self, max_rejected_ratio: Decimal) -> bool:
        """Return whether the share of its malformed rows is above the limit."""
        return sum(malformed(self.rejected).values()) > max_rejected_ratio * self.rows_read


@dataclass(frozen=True)
class ParsedFiles:
    """The parsed files in a lake bucket."""

    s3: "S3Client"
    bucket: str
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def read(self, source: Source) -> ParsedFile:
        """Return the parsed file of a version that validation accepted, and parse it if there is none.

        Raises:
            ObjectGone, Unreadable: its bytes cannot be read.
            UnparsableReference: the parser failed.
        """
        if parsed := self.find(source):
            return parsed
        with self._one_at_a_time:  # It needs memory for some blocks of the file.
            return self._parse(source)

    def find(self, source: Source) -> ParsedFile | None:
        """Return the parsed file; None if there is none, or if it may expire while a run reads it."""
        key = _key(source)
        try:
            head = self.s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if is_gone(error):
                return None
            raise
        if head["LastModified"] < datetime.now(UTC) - _FRESH:
            return None
        try:
            return ParsedFile(source, key, *_counts(head["Metadata"]["counts"]))
        except (LookupError, ValueError):
            return None  # not written by the pipeline

    def _parse(self, source: Source) -> ParsedFile:
        with tempfile.TemporaryFile() as file:
            try:
                content = uncompressed(objects.read_chunks(self.s3, source))
                rows_read, rejected = write_rows(content, source.kind, file)
            except (pa.ArrowException, zlib.error, ValueError) as error:
                raise UnparsableReference(
                    f"{source.uri} cannot be parsed ({type(error).__name__}): upload it again, or delete it"
                ) from error
            file.seek(0)
            counts = json.dumps({"rows_read": rows_read, "rejected": rejected})
            key = _key(source)
            self.s3.upload_fileobj(file, self.bucket, key, ExtraArgs={"Metadata": {"counts": counts}})
        return ParsedFile(source, key, rows_read, rejected)


def _key(source: Source) -> str:
    return f"{_FOLDER}/{source.kind}/{source.source_id}.parquet"


def _counts(text: str) -> tuple[int, dict[str, int]]:
    counts = strict.json_object(text)
    rejected = {reason: strict.whole(count) for reason, count in strict.mapping(counts["rejected"]).items()}
    return strict.whole(counts["rows_read"], least=sum(rejected.values())), rejected


def write_rows(content: Iterable[bytes], kind: Kind, file: IO[bytes]) -> tuple[int, dict[str, int]]:
    """Write the accepted rows of a songs or users file as Parquet.

    Args:
        content: the uncompressed bytes of a file that validation accepted.
        kind: songs or users.
        file: where the Parquet is written, with the columns SCHEMAS of the kind.

    Returns:
        The number of rows read, and the number of rejected rows by reason.
    """
    rows_read, rejected = 0, Counter[str]()
    with pq.ParquetWriter(file, SCHEMAS[kind]) as writer:
        for rows in read_rows(content, COLUMNS[kind]):
            classified = classify(kind, rows.table)
            writer.write_table(classified.accepted)
            rows_read += rows.table.num_rows + rows.malformed
            rejected.update(classified.rejected)
            rejected.update({MALFORMED_ROW: rows.malformed} if rows.malformed else {})
    return rows_read, dict(rejected)
