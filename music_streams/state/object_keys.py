"""Keys in the landing bucket: the prefixes of landing keys, and the keys under `archive/` and `quarantine/`.

Rules: docs/design.md, section 3, Prefixes.
"""

import re
from enum import StrEnum

MAX_NAME_BYTES = 200
_UNSAFE = re.compile(r"[^0-9A-Za-z._-]")
_REASON = "reason.json"


class Kind(StrEnum):
    """The kind of a file, given by the prefix of its landing key."""

    STREAMS = "streams"
    SONGS = "songs"
    USERS = "users"

    @property
    def is_reference(self) -> bool:
        """Whether it is reference data, which stays at its landing key because every run reads it there."""
        return self is not Kind.STREAMS


_PREFIXES = {"incoming/": Kind.STREAMS, "reference/songs/": Kind.SONGS, "reference/users/": Kind.USERS}
LANDING_PREFIXES = tuple(_PREFIXES)


def kind_of(key: str) -> Kind | None:
    """Return the kind of file of a key; None if the key is not for the pipeline, such as a folder marker."""
    if key.endswith("/"):
        return None
    return next((kind for prefix, kind in _PREFIXES.items() if key.startswith(prefix)), None)


def kept_key(prefix: str, received_at: str, source_id: str, key: str) -> str:
    """Return the key under `prefix` (``archive`` or ``quarantine``): date of arrival, source_id and a safe name."""
    name = safe_name(key)
    # The object next to a quarantined file that has the reason needs this name.
    return f"{kept_on(prefix, received_at[:10])}{source_id}/{'_' if name == _REASON else ''}{name}"


def kept_on(prefix: str, day: str) -> str:
    """Return the prefix of all moved files with a date of arrival, YYYY-MM-DD."""
    return f"{prefix}/{day.replace('-', '/')}/"


def kept_source(key: str) -> str | None:
    """Return the source_id in a key of :func:`kept_key`; None if it is the key of a reason."""
    source_id, _, name = key.split("/", 4)[4].partition("/")
    return None if name == _REASON else source_id


def reason_key(key: str) -> str:
    """Return the key of the reason next to a quarantined file, given the file's key under ``quarantine/``."""
    return f"{key.rsplit('/', 1)[0]}/{_REASON}"


def safe_name(key: str) -> str:
    """Return the last 200 bytes of the key's last segment, with unsafe characters replaced by ``_``."""
    return _UNSAFE.sub("_", key.rsplit("/", 1)[-1])[-MAX_NAME_BYTES:]
