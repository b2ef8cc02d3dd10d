"""Immutable values that are cheap to make: every command and every answer is several of them.

Imports: nothing of the core. A frozen dataclass sets each field through `object.__setattr__` and
takes three times as long to make as one that is not; so the type checker sees to it that nobody
changes a value, not the instance.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make a dataclass of a class: with slots, equal and hashed by its fields, never changed."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
