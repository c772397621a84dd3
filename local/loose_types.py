"""Names for what has no static type, so that signatures say which kind of thing they mean."""

from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A value out of a template, an event or an API answer."""

Moto: TypeAlias = Any
"""An object of moto, which is untyped."""
