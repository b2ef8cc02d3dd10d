"""What a mutation may depend on: a tree of clauses, and how it is decided.

Imports: core only. Nothing here raises for a user's data: what cannot be compared is a mismatch,
the clause is false, and the answer says so.
"""

from enum import IntEnum

from kvraft.core.values import value

Literal = bytes | int | float | str | bool | None
"""Of a clause: bytes for `value`, int for numbers, and any JSON scalar for a JSON pointer."""


class Target(IntEnum):
    """What a clause looks at."""

    EXISTS = 1
    """Whether the key (with a pointer: the place in its JSON value) is there: = or != a bool."""
    VERSION = 2
    CREATE_REVISION = 3
    MOD_REVISION = 4
    LEASE_ID = 5
    """0 where none is attached."""
    VALUE = 6
    """The value as bytes."""
    NUMBER = 7
    """The value as int64, ASCII decimal."""
    JSON = 8
    """The place `pointer` (RFC 6901) in a JSON value."""
    COUNT = 9
    """How many keys begin with `key`."""
    FENCE = 10
    """Whether the operand is the token of a current holder of the lock `key`: = or != only."""


class Operator(IntEnum):
    """How it is compared."""

    EQ = 1
    NE = 2
    LT = 3
    LE = 4
    GT = 5
    GE = 6
    IN = 7
    """Equal to one of the operands."""
    BETWEEN = 8
    """Two operands, both ends included."""
    BEGINS_WITH = 9
    """Bytes, or a JSON string."""


@value
class Clause:
    """One comparison. On an absent key (or place) NE is true, and all others but EXISTS false."""

    key: bytes
    target: Target
    operator: Operator
    operands: tuple[Literal, ...]
    pointer: str = ""


@value
class All:
    """True where every part is."""

    parts: tuple["Condition", ...]


@value
class AnyOf:
    """True where one part is."""

    parts: tuple["Condition", ...]


@value
class Not:
    """True where its part is false."""

    part: "Condition"


Condition = Clause | All | AnyOf | Not
