"""What `Update` can do to one value, and how: actions in order, all or none.

Imports: core only. Pure functions from a value (None: absent) to a value; what a value does not
allow (overflow, wrong type, too large) is a refusal, never an exception.
"""

from enum import IntEnum

from kvraft.core.values import value


class ActionKind(IntEnum):
    """The kinds of action; the operand of each is in `operand`."""

    SET = 1
    """bytes."""
    DELETE = 2
    """None."""
    ADD = 3
    """int64, to an int64 (absent counts as 0); refused on overflow."""
    MIN = 4
    """int64: keep the smaller of both; absent becomes the operand."""
    MAX = 5
    """int64: keep the larger."""
    APPEND = 6
    """bytes."""
    SET_IF_ABSENT = 7
    """bytes."""
    JSON_SET = 8
    """JSON text as bytes, at `pointer`; its parent must be there (absent key: an empty object)."""
    JSON_ADD = 9
    """int, or a float; a missing member counts as 0."""
    JSON_REMOVE = 10
    """None; a missing place is no error."""


@value
class Action:
    """One step of an update."""

    kind: ActionKind
    operand: bytes | int | float | None = None
    pointer: str = ""
