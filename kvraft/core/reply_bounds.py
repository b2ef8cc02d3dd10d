"""Answers of bounded size: values that would make one larger than `reply_bytes` are left out.

Imports: core results. Values count in reading order; one that does not fit any more is left out and
flagged, a smaller one behind it may still fit. Nothing else of an entry is ever left out.
"""

from typing import TypeVar

from kvraft.core.results import (
    DeleteResult,
    GetResult,
    KeyValue,
    OperationResult,
    Page,
    PutResult,
    TxnResult,
    Unmet,
    UpdateResult,
)


def bounded_unmet(unmet: Unmet, reply_bytes: int) -> Unmet:
    """Return the answer to a condition that is false, with at most `reply_bytes` of values."""
    return _Room(reply_bytes).unmet(unmet)


R = TypeVar("R", bound=OperationResult)


def bounded(result: R, reply_bytes: int) -> R:
    """Return the answer to a mutation with at most `reply_bytes` of values."""
    fitting = _Room(reply_bytes).operation(result)
    assert isinstance(fitting, type(result))
    return fitting


class _Room:
    """What is left for values."""

    __slots__ = ("_left",)

    def __init__(self, reply_bytes: int) -> None:
        self._left = reply_bytes

    def operation(self, result: OperationResult) -> OperationResult:
        match result:
            case PutResult(entry, previous):
                return PutResult(self._entry(entry), self._optional(previous))
            case UpdateResult(entry, previous):
                return UpdateResult(self._optional(entry), self._optional(previous))
            case DeleteResult(deleted, previous):
                return DeleteResult(deleted, self._optional(previous))
            case GetResult(entry):
                return GetResult(self._optional(entry))
            case Page(entries, more):
                return Page(tuple(map(self._entry, entries)), more)
            case TxnResult(missed, results):
                first = None if missed is None else self.unmet(missed)
                return TxnResult(first, tuple(map(self.operation, results)))

    def unmet(self, unmet: Unmet) -> Unmet:
        return Unmet(unmet.clause, unmet.mismatched, tuple(map(self._entry, unmet.entries)))

    def _optional(self, entry: KeyValue | None) -> KeyValue | None:
        return None if entry is None else self._entry(entry)

    def _entry(self, entry: KeyValue) -> KeyValue:
        size = len(entry.value)
        if size > self._left:
            return entry._replace(value=b"", value_omitted=True)
        self._left -= size
        return entry
