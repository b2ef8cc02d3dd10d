"""JSON as conditions and actions see it: bounded, and the same on every node and Python version.

Imports: core limits. Python's scanner recurses and its int() has a limit that is a setting, so both
are kept from what they would stumble over: depth is measured first, and an integer of more than 19
digits is read as a float. A number must be finite; of a repeated member the last one counts.
Writing back keeps members in their order and numbers as read (a long integer stays a float).
"""

import json
from enum import Enum
from itertools import accumulate
from math import isfinite
from typing import NoReturn

from kvraft.core.limits import JSON_DEPTH

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


class Unreadable(Enum):
    """Why there is no JSON value."""

    NOT_JSON = 1
    OVER_BUDGET = 2


class JsonBudget:
    """The JSON that one command may read and write, in bytes, and what it has read already.

    What would exceed the budget costs nothing of it: something smaller may still fit.
    """

    __slots__ = ("_left", "_read")

    def __init__(self, json_bytes: int) -> None:
        self._left = json_bytes
        self._read: dict[bytes, JsonValue | Unreadable] = {}

    def spend(self, size: int) -> bool:
        """Take `size` bytes, unless that is more than what is left."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def read(self, data: bytes) -> JsonValue | Unreadable:
        """Return a value to look at, not to change; it is parsed once."""
        known = self._read.get(data, Unreadable.OVER_BUDGET)
        if known is Unreadable.OVER_BUDGET and self.spend(len(data)):
            known = self._read[data] = parse(data)
        return known

    def take(self, data: bytes) -> JsonValue | Unreadable:
        """Return a value that the caller may change: no other reader gets this one."""
        document = self.read(data)
        self._read.pop(data, None)
        return document


def parse(data: bytes) -> JsonValue | Unreadable:
    """Parse JSON in UTF-8; `Unreadable.NOT_JSON` where it is none, or too deep."""
    if nested_deeper(data, JSON_DEPTH):
        return Unreadable.NOT_JSON
    decoder = _GUARDED if _has_long_number(data) else _PLAIN
    try:
        value: JsonValue = decoder.decode(data.decode())
    except ValueError:  # also what both decodings raise
        return Unreadable.NOT_JSON
    return value


def encode(value: JsonValue) -> bytes:
    """Write JSON, as short as it goes: the same value gives the same bytes everywhere."""
    try:
        return _UNICODE.encode(value).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can express
        return _ASCII.encode(value).encode()


def nested_deeper(data: bytes, levels: int) -> bool:
    """Say whether arrays and objects are nested deeper than `levels` (anything, if it is no JSON).

    Up to its first error this sees text as Python's scanner does, so that one never goes deeper.
    """
    if data.count(b"[") + data.count(b"{") <= levels:
        return False
    # Without its escapes, every second part between quotes is outside of strings.
    parts = data.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')
    steps = b"".join(parts[::2]).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > levels


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""One level down is 1, up is -1 (as a signed byte)."""

_INTEGER_DIGITS = 19  # all of int64, and no more digits than int() takes at any setting
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789E", b"000000000e")
_LONG = (b"0" * (_INTEGER_DIGITS + 1), b"e000", b"e+000")


def _has_long_number(data: bytes) -> bool:
    """Say whether a number may have more than 19 digits, or an exponent of more than two.

    No other can be too long for an int or too large for a float; a string may cause false alarm.
    """
    zeros = data.translate(_DIGITS_AS_ZERO)
    return any(pattern in zeros for pattern in _LONG)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(text[:_INTEGER_DIGITS])
    return value


def _integer(text: str) -> int | float:
    return int(text) if len(text.lstrip("-")) <= _INTEGER_DIGITS else _finite(text)


def _constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and the infinities, which Python adds to JSON


_PLAIN = json.JSONDecoder(parse_constant=_constant)
_GUARDED = json.JSONDecoder(parse_constant=_constant, parse_int=_integer, parse_float=_finite)
_SHORT = (",", ":")
_UNICODE = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=_SHORT
)
_ASCII = json.JSONEncoder(check_circular=False, allow_nan=False, separators=_SHORT)
