"""The identity of a source (one object version) and of a batch.

Rules: docs/design.md, sections 3 (Source, Prefixes) and 5 (Batch).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from music_streams.aws.objects import Place
from music_streams.state import object_keys
from music_streams.state.object_keys import Kind, kind_of

ID_DIGITS = 32


class Treatment(StrEnum):
    """How a run processes a source after an operator's decision about it."""

    NORMAL = ""
    ACCEPT_BAD_ROWS = "accept_bad_rows"
    """Released from quarantine: MaxRejectedRatio does not apply to it."""
    ACCEPT_MANY_DAYS = "accept_many_days"
    """Released from quarantine after too_many_days: neither MaxRejectedRatio nor MaxDaysPerFile applies to it."""
    RETRACT = "retract"
    """Processed as empty, so that its rows are removed from lake and metrics."""
    PUT_ASIDE = "put_aside"
    """Quarantined without being read, because it failed too often: its rows are removed from lake and metrics."""

    @property
    def adds_rows(self) -> bool:
        """Whether a run reads the source's file and adds its rows."""
        return self not in {Treatment.RETRACT, Treatment.PUT_ASIDE}


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:ID_DIGITS]


@dataclass(frozen=True)
class Source(Place):
    """One object version in the landing bucket, at its landing key.

    Attributes:
        size: bytes as stored (compressed, if the object is gzip).
        received_at: when it arrived: the time of S3's event, but not before the object's LastModified.
    """

    size: int
    received_at: str

    @property
    def source_id(self) -> str:
        """The first 32 hex digits of SHA-256 over bucket, LF, key, LF, versionId."""
        return _digest((self.bucket, self.key, self.version_id))

    @property
    def kind(self) -> Kind:
        """The kind of file. Raises ValueError if its key is not for the pipeline."""
        kind = kind_of(self.key)
        if kind is None:
            raise ValueError(f"not a key of the pipeline: {self.key!r}")
        return kind

    @property
    def name(self) -> str:
        """The last segment of its key."""
        return self.key.rsplit("/", 1)[-1]

    def kept_key(self, prefix: str) -> str:
        """Return its key under `archive/` or `quarantine/`; see :func:`object_keys.kept_key`."""
        return object_keys.kept_key(prefix, self.received_at, self.source_id, self.key)


def batch_id_of(source_ids: Iterable[str]) -> str:
    """Return the first 32 hex digits of SHA-256 over the sorted source_ids joined by LF."""
    return _digest(sorted(source_ids))


def request_batch_id(*parts: str) -> str:
    """Return the batch_id of a requested run without sources: a digest of the request."""
    return _digest(parts)


def execution_name(batch_id: str, attempt: int) -> str:
    """Return the name of the execution of one attempt at a batch."""
    return f"{batch_id}-{attempt}"


def batch_and_attempt(execution_arn: str) -> tuple[str, int]:
    """Return the batch_id and attempt at the end of an execution's ARN."""
    batch_id, _, attempt = execution_arn.rsplit(":", 1)[-1].rpartition("-")
    return batch_id, int(attempt)
