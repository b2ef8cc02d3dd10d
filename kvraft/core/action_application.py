"""What actions make of a value: all of them in order, or a refusal and nothing.

Imports: core actions, errors, int64, json_pointer, json_value, limits, results. The operands were
validated. A value under JSON actions stays a tree until something needs its bytes.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import NamedTuple

from kvraft.core.actions import Action, ActionKind
from kvraft.core.errors import Reason
from kvraft.core.int64 import INT64_MAX, INT64_MIN, number
from kvraft.core.json_pointer import Place, find, put, remove
from kvraft.core.json_value import JsonBudget, JsonValue, Unreadable, encode, nested_deeper
from kvraft.core.limits import JSON_DEPTH
from kvraft.core.results import Refused


class Changed(NamedTuple):
    """The value after the actions (None: absent)."""

    value: bytes | None
    written: bool
    """Whether one of them wrote: otherwise there is no new revision."""


def added(actions: Sequence[Action], value: bytes | None, value_bytes: int) -> Changed | None:
    """Do what most updates are, one ADD that nothing is wrong with; None: see `apply_actions`."""
    if len(actions) != 1 or actions[0].kind is not ActionKind.ADD:
        return None
    current, operand = 0 if value is None else number(value), actions[0].operand
    if current is None or not isinstance(operand, int):
        return None
    total = current + operand
    after = b"%d" % total
    fits = INT64_MIN <= total <= INT64_MAX and len(after) <= value_bytes
    return Changed(after, written=True) if fits else None


def apply_actions(
    actions: Sequence[Action], value: bytes | None, budget: JsonBudget, value_bytes: int
) -> Changed | Refused:
    """Apply actions to a value; the result may have at most `value_bytes`."""
    draft = _Draft(value, budget)
    written = False
    try:
        for index, action in enumerate(actions):  # noqa: B007 - named by a refusal
            written |= _STEPS[action.kind](draft, action)
        after = draft.value
    except _RefusedStep as step:
        kind = actions[index].kind.name
        return Refused(step.reason, f"actions[{index}] {kind}: {step.message}")
    if after is not None and len(after) > value_bytes:
        message = f"the new value is {len(after)} bytes, the limit value_bytes is {value_bytes}"
        return Refused(Reason.TOO_LARGE, message)
    return Changed(after, written)


class _RefusedStep(Exception):  # noqa: N818 - an answer, and it never leaves this module
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class _Draft:
    """The value between two actions: bytes, or the JSON document that replaces them."""

    __slots__ = ("_budget", "_bytes", "_document", "_edited", "_tails")

    def __init__(self, value: bytes | None, budget: JsonBudget) -> None:
        self._bytes = value
        self._tails: list[bytes] = []  # appended to the bytes, joined when somebody looks
        self._document: JsonValue | Place = Place.MISSING
        self._edited = False
        self._budget = budget

    @property
    def present(self) -> bool:
        return self._edited or self._bytes is not None or bool(self._tails)

    @property
    def value(self) -> bytes | None:
        if self._edited:
            assert not isinstance(self._document, Place)
            data = encode(self._document)
            if not self._budget.spend(len(data)):
                raise _over_budget(data)
            self._bytes, self._edited = data, False
        if self._tails:
            self._bytes = b"".join((self._bytes or b"", *self._tails))
            self._tails = []
        return self._bytes

    @value.setter
    def value(self, value: bytes | None) -> None:
        self._bytes, self._document, self._edited = value, Place.MISSING, False
        self._tails = []

    def append(self, tail: bytes) -> None:
        """Put bytes behind the value, absent or not; the value is copied once for many of them."""
        if self._edited:
            self.value = self.value  # its bytes, in the place of the document
        elif not self._tails:
            self._document = Place.MISSING
        self._tails.append(tail)

    @property
    def document(self) -> JsonValue | Place:
        if isinstance(self._document, Place):
            data = self.value
            if data is not None:
                self._document = self.read(data, Reason.WRONG_TYPE, "the value")
        return self._document

    def edit(self, document: JsonValue) -> None:
        """Take the document for the value, in the place of the bytes."""
        self._document, self._edited = document, True

    def read(self, data: bytes, reason: Reason, name: str) -> JsonValue:
        """Parse JSON into a tree of its own, or refuse."""
        document = self._budget.take(data)
        if document is Unreadable.OVER_BUDGET:
            raise _over_budget(data)
        if isinstance(document, Unreadable):
            raise _RefusedStep(reason, f"{name} is no JSON, or nested deeper than {JSON_DEPTH}")
        return document


def _over_budget(data: bytes) -> _RefusedStep:
    message = f"{len(data)} bytes more of JSON are beyond the limit json_bytes of one command"
    return _RefusedStep(Reason.TOO_LARGE, message)


# Each step changes the draft and says whether it wrote.


def _set(draft: _Draft, action: Action) -> bool:
    draft.value = _raw(action)
    return True


def _delete(draft: _Draft, _action: Action) -> bool:
    was_there = draft.present
    draft.value = None
    return was_there


def _set_if_absent(draft: _Draft, action: Action) -> bool:
    return not draft.present and _set(draft, action)


def _append(draft: _Draft, action: Action) -> bool:
    draft.append(_raw(action))
    return True


def _add(draft: _Draft, action: Action) -> bool:
    draft.value = b"%d" % _in_int64((_number(draft) or 0) + _integer(action))
    return True


def _min(draft: _Draft, action: Action) -> bool:
    return _keep(draft, action, min)


def _max(draft: _Draft, action: Action) -> bool:
    return _keep(draft, action, max)


def _keep(draft: _Draft, action: Action, choose: Callable[[int, int], int]) -> bool:
    current, operand = _number(draft), _integer(action)
    if current is not None and choose(current, operand) == current:
        return False
    draft.value = b"%d" % operand
    return True


def _json_set(draft: _Draft, action: Action) -> bool:
    data = _raw(action)
    if nested_deeper(data, JSON_DEPTH - action.pointer.count("/")):
        message = f"the value would be nested deeper than {JSON_DEPTH}"
        raise _RefusedStep(Reason.TOO_LARGE, message)
    return _put(draft, action, draft.read(data, Reason.INVALID, "the operand"))


def _json_add(draft: _Draft, action: Action) -> bool:
    operand = action.operand
    assert isinstance(operand, int | float), action
    document = draft.document
    current = Place.MISSING if isinstance(document, Place) else find(document, action.pointer)
    if isinstance(current, Place):
        current = 0
    if isinstance(current, bool) or not isinstance(current, int | float):
        raise _RefusedStep(Reason.WRONG_TYPE, f"{_shown(action)} is not a number")
    return _put(draft, action, _sum(current, operand))


def _json_remove(draft: _Draft, action: Action) -> bool:
    document = draft.document
    if isinstance(document, Place) or not remove(document, action.pointer):
        return False
    draft.edit(document)
    return True


_STEPS: dict[ActionKind, Callable[[_Draft, Action], bool]] = {
    ActionKind.SET: _set,
    ActionKind.DELETE: _delete,
    ActionKind.ADD: _add,
    ActionKind.MIN: _min,
    ActionKind.MAX: _max,
    ActionKind.APPEND: _append,
    ActionKind.SET_IF_ABSENT: _set_if_absent,
    ActionKind.JSON_SET: _json_set,
    ActionKind.JSON_ADD: _json_add,
    ActionKind.JSON_REMOVE: _json_remove,
}


def _put(draft: _Draft, action: Action, value: JsonValue) -> bool:
    document = put(draft.document, action.pointer, value)
    if isinstance(document, Place):
        raise _RefusedStep(Reason.WRONG_TYPE, f"{_shown(action)} has no parent that can hold it")
    draft.edit(document)
    return True


def _number(draft: _Draft) -> int | None:
    value = draft.value
    if value is None:
        return None
    current = number(value)
    if current is None:
        shown = f"{value[:32]!r}{'...' if len(value) > 32 else ''}"
        raise _RefusedStep(Reason.WRONG_TYPE, f"the value {shown} is not an int64 in decimal")
    return current


def _sum(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        return _in_int64(left + right)
    total = left + right
    if not isfinite(total):
        raise _RefusedStep(Reason.INVARIANT, f"{left} + {right} is not a finite number")
    return total


def _in_int64(total: int) -> int:
    if INT64_MIN <= total <= INT64_MAX:
        return total
    raise _RefusedStep(Reason.INVARIANT, f"{total} is beyond int64")


def _raw(action: Action) -> bytes:
    assert isinstance(action.operand, bytes), action
    return action.operand


def _integer(action: Action) -> int:
    assert isinstance(action.operand, int), action
    return action.operand


def _shown(action: Action) -> str:
    return f"the place {action.pointer[:64]!a}"
