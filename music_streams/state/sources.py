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
    """How a run is to take a source, where an operator decided about it."""

    NORMAL = ""
    ACCEPT_BAD_ROWS = "accept_bad_rows"
    """Released from quarantine: MaxRejectedRatio does not apply to it."""
    ACCEPT_MANY_DAYS = "accept_many_days"
    """Released from quarantine after too_many_days: neither MaxRejectedRatio nor MaxDaysPerFile applies to it."""
    RETRACT = "retract"
    """Taken as empty, so that its rows leave lake and metrics."""
    PUT_ASIDE = "put_aside"
    """Refused unread, because it failed too often: its rows leave lake and metrics, and it is quarantined."""

    @property
    def adds_rows(self) -> bool:
        """Whether the source's file is read."""
        return self not in {Treatment.RETRACT, Treatment.PUT_ASIDE}


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:ID_DIGITS]


@dataclass(frozen=True)
class Source(Place):
    """One object version in the landing bucket, the place where it landed.

    Attributes:
        size: bytes as stored (compressed, where the object is gzip).
        received_at: the stamp of its arrival, as S3's event tells it.
    """

    size: int
    received_at: str

    @property
    def source_id(self) -> str:
        """The first 32 hex digits of SHA-256 over bucket, LF, key, LF, versionId."""
        return _digest((self.bucket, self.key, self.version_id))

    @property
    def kind(self) -> Kind:
        """What the file is.

        Raises:
            ValueError: its key is not for the pipeline.
        """
        kind = kind_of(self.key)
        if kind is None:
            raise ValueError(f"not a key of the pipeline: {self.key!r}")
        return kind

    @property
    def name(self) -> str:
        """The last segment of its key."""
        return self.key.rsplit("/", 1)[-1]

    def kept_key(self, prefix: str) -> str:
        """The key under which it is kept, as :func:`object_keys.kept_key` has it."""
        return object_keys.kept_key(prefix, self.received_at, self.source_id, self.key)


def batch_id_of(source_ids: Iterable[str]) -> str:
    """The first 32 hex digits of SHA-256 over the sorted source_ids joined by LF."""
    return _digest(sorted(source_ids))


def request_batch_id(*parts: str) -> str:
    """The batch_id of a run that an operator asked for without naming sources: a digest of the request."""
    return _digest(parts)


def execution_name(batch_id: str, attempt: int) -> str:
    """The state machine's execution name of one attempt at a batch."""
    return f"{batch_id}-{attempt}"


def batch_and_attempt(execution_arn: str) -> tuple[str, int]:
    """The batch_id and attempt that an execution's ARN ends in."""
    batch_id, _, attempt = execution_arn.rsplit(":", 1)[-1].rpartition("-")
    return batch_id, int(attempt)
