"""Names for values without a static type, which say in signatures what kind of value it is."""

from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A value of a template, an event or an API response."""

Moto: TypeAlias = Any
"""An object of moto, which is untyped."""
