"""DynamoDB."""

import functools

from moto.core.serialize import XFormedAttributePicker

from local.loose_types import Moto

_TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})


def answer_values_by_their_type() -> None:
    """Moto looks in the value of every attribute for each of ten types under several names; a value has one type."""
    pick = XFormedAttributePicker.__call__

    @functools.wraps(pick)
    def pick_by_type(self: Moto, context: Moto) -> Moto:
        value = context.obj
        if type(value) is dict and len(value) == 1 and context.key in _TYPES and not self.response_transformers:
            [(kind, content)] = value.items()
            if kind in _TYPES:
                return content if kind == context.key else None
        return pick(self, context)

    XFormedAttributePicker.__call__ = pick_by_type
