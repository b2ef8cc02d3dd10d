"""What an update does to one value: `kv.update("stock", actions.add(-1), ...)`, in order.

Made to be used by the module's name, so `set`, `min` and `max` mean actions here.
"""
# ruff: noqa: A001 - see above

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from kvraft_client.conditions import INT64_MAX, INT64_MIN, Data
from kvraft_client.errors import InvalidRequest


class Kind(IntEnum):
    """The kinds of action; their numbers are those on the wire."""

    SET = 1
    DELETE = 2
    ADD = 3
    MIN = 4
    MAX = 5
    APPEND = 6
    SET_IF_ABSENT = 7
    JSON_SET = 8
    JSON_ADD = 9
    JSON_REMOVE = 10


@dataclass(frozen=True, slots=True)
class Action:
    """One step of an update. `operand`: bytes, a number, JSON text (JSON_SET), or None."""

    kind: Kind
    operand: bytes | int | float | str | None = None
    pointer: str = ""


def set(value: Data) -> Action:
    """Write the value."""
    return Action(Kind.SET, _bytes(value))


def delete() -> Action:
    """Delete the key; an absent one is no error."""
    return Action(Kind.DELETE)


def add(delta: int) -> Action:
    """Add to an int64 in ASCII decimal; an absent key counts as 0, an overflow is refused."""
    return Action(Kind.ADD, int64(delta))


def min(bound: int) -> Action:
    """Keep the smaller of the value and `bound`; an absent key becomes `bound`."""
    return Action(Kind.MIN, int64(bound))


def max(bound: int) -> Action:
    """Keep the larger of the value and `bound`; an absent key becomes `bound`."""
    return Action(Kind.MAX, int64(bound))


def append(tail: Data) -> Action:
    """Append bytes; an absent key counts as empty."""
    return Action(Kind.APPEND, _bytes(tail))


def set_if_absent(value: Data) -> Action:
    """Write the value where there is none."""
    return Action(Kind.SET_IF_ABSENT, _bytes(value))


def json_set(pointer: str, value: Any) -> Action:
    """Set the place `pointer` (RFC 6901) of a JSON value; its parent must be there.

    `value` is anything that json.dumps takes, but NaN and infinities.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        raise InvalidRequest(f"not a JSON value: {error}") from error
    return Action(Kind.JSON_SET, text, pointer)


def json_add(pointer: str, delta: float) -> Action:
    """Add to the number at `pointer`; a missing member counts as 0."""
    if isinstance(delta, float):
        return Action(Kind.JSON_ADD, delta, pointer)
    return Action(Kind.JSON_ADD, int64(delta), pointer)


def json_remove(pointer: str) -> Action:
    """Remove the place `pointer` of a JSON value; a missing one is no error."""
    return Action(Kind.JSON_REMOVE, None, pointer)


def _bytes(given: object) -> bytes:
    if isinstance(given, str):
        return given.encode()
    if isinstance(given, bytes):
        return given
    raise TypeError(f"an action takes bytes or str here, not {type(given).__name__}")


def int64(given: object) -> int:
    """Check an integer operand."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"an action takes an int here, not {type(given).__name__}")
    if not INT64_MIN <= given <= INT64_MAX:
        raise InvalidRequest(f"{given} does not fit int64")
    return given
