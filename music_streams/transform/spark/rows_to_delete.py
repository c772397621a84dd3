"""SQL conditions for the rows to delete, built only from numbers and checked names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from music_streams import strict
from music_streams.transform.ports import LISTENS, FoundRows, RowsToDelete

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"[0-9A-Za-z_-]{1,80}")  # a state machine's execution has at most 80 characters


def deletion_condition(table: str, to_delete: RowsToDelete) -> str:
    """Return the condition for a table's rows to delete.

    Raises:
        ValueError: an id, an execution's name or a user_id has an unexpected form.
    """
    conditions = []
    if to_delete.older:
        conditions.append(f"source_id IN ({_texts(to_delete.older)}) AND execution <> {_texts([to_delete.execution])}")
    if to_delete.quarantined:
        conditions.append(f"source_id IN ({_texts(to_delete.quarantined)})")
    if to_delete.users and table == LISTENS:
        conditions.append(f"user_id IN ({', '.join(_numbers(to_delete.users))})")
    elif to_delete.users:
        # A bound is a character that numbers, dates and times do not contain: malformed lines contain ids too.
        bound = "[^0-9A-Za-z.:+-]"
        conditions.append(f"raw RLIKE '(^|{bound})0*({'|'.join(_numbers(to_delete.users))})($|{bound})'")
    return " OR ".join(f"({condition})" for condition in conditions)


def found_condition(table: str, to_delete: RowsToDelete, found: FoundRows) -> str:
    """Return the condition for the rows that were found, and none that were added since."""
    return f"({deletion_condition(table, to_delete)}) AND execution IN ({_texts(found.executions)})"


def _texts(names: Iterable[str]) -> str:
    """Return SQL literals of ids and execution names."""
    form = "a name of letters, digits, - and _"
    return ", ".join(f"'{strict.text(name, _NAME, form)}'" for name in sorted(names))


def _numbers(users: Iterable[int]) -> list[str]:
    """Return SQL literals of user_ids, which are also valid in regular expressions."""
    return [str(strict.whole(user)) for user in users]
