"""Conditions as Python expressions: `(number("stock") > 5) & ~exists("hold/7")`.

Each target compared with an operand makes a clause; `&`, `|` and `~` join them (not `and`, `or`,
`not`, which Python does not let a library have). On an absent key `!=` is true and every other
comparison false. Imports: the errors only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from kvraft_client.errors import InvalidRequest

Scalar = bytes | int | float | str | bool | None
"""An operand: bytes of a value, int of a number, any JSON scalar of a JSON place."""
JsonScalar = int | float | str | bool | None
Data = str | bytes

Operand = TypeVar("Operand")
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1


class Target(IntEnum):
    """What a clause looks at; the numbers are those on the wire."""

    EXISTS = 1
    VERSION = 2
    CREATE_REVISION = 3
    MOD_REVISION = 4
    LEASE_ID = 5
    VALUE = 6
    NUMBER = 7
    JSON = 8
    COUNT = 9
    FENCE = 10


class Operator(IntEnum):
    """How it is compared; the numbers are those on the wire."""

    EQ = 1
    NE = 2
    LT = 3
    LE = 4
    GT = 5
    GE = 6
    IN = 7
    BETWEEN = 8
    BEGINS_WITH = 9


class Condition:
    """A clause, or several joined by `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self, other: "Condition") -> "Condition":
        return All(_joined(All, self) + _joined(All, _condition(other)))

    def __or__(self, other: "Condition") -> "Condition":
        return AnyOf(_joined(AnyOf, self) + _joined(AnyOf, _condition(other)))

    def __invert__(self) -> "Condition":
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a condition has no truth here: join conditions with &, | and ~")


@dataclass(frozen=True, slots=True)
class Clause(Condition):
    """One comparison, decided by the store."""

    key: bytes
    target: Target
    operator: Operator
    operands: tuple[Scalar, ...]
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class All(Condition):
    """True where every part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf(Condition):
    """True where one part is."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """True where its part is false."""

    part: Condition


def _condition(given: object) -> Condition:
    if not isinstance(given, Condition):
        raise TypeError(f"a condition can be joined with a condition, not {type(given).__name__}")
    return given


def _joined(kind: type[All] | type[AnyOf], condition: Condition) -> tuple[Condition, ...]:
    """Return the parts of what is joined the same way already, so that chains stay flat."""
    if isinstance(condition, All | AnyOf) and isinstance(condition, kind):
        return condition.parts
    return (condition,)


class Place(Generic[Operand]):
    """A target that waits to be compared: `==`, `!=`, `<` ... make the clause."""

    __slots__ = ("_convert", "_key", "_pointer", "_target")
    __hash__ = None  # type: ignore[assignment]  # == makes a clause

    def __init__(
        self,
        key: bytes,
        target: Target,
        convert: Callable[[object], Scalar],
        pointer: str = "",
    ) -> None:
        """Prepare a comparison; `convert` checks an operand."""
        self._key, self._target, self._convert, self._pointer = key, target, convert, pointer

    def _clause(self, operator: Operator, *operands: object) -> Clause:
        checked = tuple(self._convert(each) for each in operands)
        return Clause(self._key, self._target, operator, checked, self._pointer)

    def __eq__(self, other: Operand) -> Clause:  # type: ignore[override]
        return self._clause(Operator.EQ, other)

    def __ne__(self, other: Operand) -> Clause:  # type: ignore[override]
        return self._clause(Operator.NE, other)

    def __lt__(self, other: Operand) -> Clause:
        return self._clause(Operator.LT, other)

    def __le__(self, other: Operand) -> Clause:
        return self._clause(Operator.LE, other)

    def __gt__(self, other: Operand) -> Clause:
        return self._clause(Operator.GT, other)

    def __ge__(self, other: Operand) -> Clause:
        return self._clause(Operator.GE, other)

    def isin(self, operands: Iterable[Operand]) -> Clause:
        """Compare with several: true where one is equal."""
        if isinstance(operands, str | bytes):
            raise TypeError(f"isin() takes several, not a {type(operands).__name__}")
        found = tuple(operands)
        if not found:
            raise InvalidRequest("isin() needs at least one operand")
        return self._clause(Operator.IN, *found)

    def between(self, low: Operand, high: Operand) -> Clause:
        """Demand low <= it <= high."""
        return self._clause(Operator.BETWEEN, low, high)


class Text(Place[Operand]):
    """A target of bytes, or of JSON: it may begin with something."""

    __slots__ = ()

    def startswith(self, prefix: Operand) -> Clause:
        """Demand that it begins with `prefix`."""
        return self._clause(Operator.BEGINS_WITH, prefix)


def value(key: Data) -> Text[Data]:
    """Return the value of a key, as bytes."""
    return Text(_key(key), Target.VALUE, _bytes)


def number(key: Data) -> Place[int]:
    """Return the value of a key as an int64 in ASCII decimal; anything else is a mismatch."""
    return Place(_key(key), Target.NUMBER, _integer)


def json(key: Data, pointer: str) -> Text[JsonScalar]:
    """Return the place `pointer` (RFC 6901) in the JSON value of a key."""
    return Text(_key(key), Target.JSON, _json_scalar, pointer)


def version(key: Data) -> Place[int]:
    """Return the version of a key's entry: 1 at creation, 1 again after a delete."""
    return Place(_key(key), Target.VERSION, _integer)


def mod_revision(key: Data) -> Place[int]:
    """Return the revision of a key's last write: the only figure that is safe against ABA."""
    return Place(_key(key), Target.MOD_REVISION, _integer)


def create_revision(key: Data) -> Place[int]:
    """Return the revision at which a key's entry was created."""
    return Place(_key(key), Target.CREATE_REVISION, _integer)


def lease_id(key: Data) -> Place[int]:
    """Return the id of the lease of a key; 0 where none is attached."""
    return Place(_key(key), Target.LEASE_ID, _integer)


def count(prefix: Data) -> Place[int]:
    """Return how many keys begin with `prefix` ("": all)."""
    return Place(_bytes(prefix), Target.COUNT, _integer)


def exists(key: Data, pointer: str = "") -> Clause:
    """Demand that the key is there (with `pointer`: that place in its JSON value); `~` for not."""
    return Clause(_key(key), Target.EXISTS, Operator.EQ, (True,), pointer)


def fence(lock: Data, token: int) -> Clause:
    """Demand that a current holder of the lock has exactly this token; `~` for not."""
    return Clause(_key(lock), Target.FENCE, Operator.EQ, (_integer(token),))


def _key(key: Data) -> bytes:
    encoded = _bytes(key)
    if not encoded:
        raise InvalidRequest("the key of a condition is empty")
    return encoded


def _bytes(given: object) -> bytes:
    if isinstance(given, str):
        return given.encode()
    if isinstance(given, bytes):
        return given
    raise TypeError(f"bytes or str is compared here, not {type(given).__name__}")


def _integer(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"an int is compared here, not {type(given).__name__}")
    if not INT64_MIN <= given <= INT64_MAX:
        raise InvalidRequest(f"{given} does not fit int64")
    return given


def _json_scalar(given: object) -> JsonScalar:
    if isinstance(given, bool | str | float) or given is None:
        return given
    return _integer(given)
