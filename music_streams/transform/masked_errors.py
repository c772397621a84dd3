"""Errors of a run that forgets users do not name them.

Iceberg and Spark put conditions into their messages, ``user_id in (4711)`` among them. What escapes from a Glue job
goes to its log, to the execution's history and into the alert, which all outlive the user's rows.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from music_streams.errors import ForgetFailed


@contextmanager
def masked_user_ids(user_ids: Sequence[int]) -> Iterator[None]:
    """Raise every error inside as ForgetFailed with the users' ids masked; without users nothing changes.

    A traceback of it does not show the original error: it would print its message.
    """
    try:
        yield
    except Exception as error:
        if not user_ids:
            raise
        ids = "|".join(map(str, user_ids))
        told = re.sub(rf"(?<![0-9])0*(?:{ids})(?![0-9])", "<user_id>", str(error))
        raise ForgetFailed(f"{type(error).__name__}: {told}") from None
