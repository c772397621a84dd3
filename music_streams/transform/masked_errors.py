"""Masks user ids in the errors of a run that forgets users.

Messages of Iceberg and Spark contain conditions such as ``user_id in (4711)``. An error of a Glue job goes to its log,
the execution's history and the alert, which are all kept longer than the user's rows.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from music_streams.errors import ForgetFailed


@contextmanager
def masked_user_ids(user_ids: Sequence[int]) -> Iterator[None]:
    """Raise every error of the block as ForgetFailed with the users' ids masked; without users change nothing.

    Its traceback omits the original error, whose message has the ids.
    """
    try:
        yield
    except Exception as error:
        if not user_ids:
            raise
        ids = "|".join(map(str, user_ids))
        message = re.sub(rf"(?<![0-9])0*(?:{ids})(?![0-9])", "<user_id>", str(error))
        raise ForgetFailed(f"{type(error).__name__}: {message}") from None
