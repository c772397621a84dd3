"""Where objects lie in the landing bucket: the prefixes at which files land, and the keys under which they are kept.

Rules: docs/design.md, section 3, Prefixes.
"""

import re
from enum import StrEnum

MAX_NAME_BYTES = 200
_UNSAFE = re.compile(r"[^0-9A-Za-z._-]")
_REASON = "reason.json"


class Kind(StrEnum):
    """What a file is, by where it lands."""

    STREAMS = "streams"
    SONGS = "songs"
    USERS = "users"

    @property
    def is_reference(self) -> bool:
        """Reference data stays where it landed, because every run reads it there."""
        return self is not Kind.STREAMS


_PREFIXES = {"incoming/": Kind.STREAMS, "reference/songs/": Kind.SONGS, "reference/users/": Kind.USERS}
LANDING_PREFIXES = tuple(_PREFIXES)


def kind_of(key: str) -> Kind | None:
    """The kind of file that a key names; None where it is not for the pipeline, as a folder marker is not."""
    if key.endswith("/"):
        return None
    return next((kind for prefix, kind in _PREFIXES.items() if key.startswith(prefix)), None)


def kept_key(prefix: str, received_at: str, source_id: str, key: str) -> str:
    """The key under `prefix` (``archive`` or ``quarantine``): date of arrival, source_id and a safe name."""
    name = safe_name(key)
    # The reason for a quarantine lies beside the file under this name.
    return f"{kept_on(prefix, received_at[:10])}{source_id}/{'_' if name == _REASON else ''}{name}"


def kept_on(prefix: str, day: str) -> str:
    """The prefix of all that is kept of a date of arrival, YYYY-MM-DD."""
    return f"{prefix}/{day.replace('-', '/')}/"


def kept_source(key: str) -> str | None:
    """The source_id that a key of :func:`kept_key` names; None where the key is that of a reason."""
    source_id, _, name = key.split("/", 4)[4].partition("/")
    return None if name == _REASON else source_id


def reason_key(key: str) -> str:
    """The key of the reason beside a quarantined file, from the file's own key there."""
    return f"{key.rsplit('/', 1)[0]}/{_REASON}"


def safe_name(key: str) -> str:
    """The key's last segment with unsafe characters as ``_``, its last 200 bytes."""
    return _UNSAFE.sub("_", key.rsplit("/", 1)[-1])[-MAX_NAME_BYTES:]
