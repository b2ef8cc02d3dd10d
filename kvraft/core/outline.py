"""What is kept of an answer that is too large to keep whole (I5).

Imports: core results and their codec. Status, numbers and revisions stay whatever happens: a false
condition must never be replayed like a success. Values go first, then what is many.
"""

from dataclasses import replace

from kvraft.core.reply_bounds import bounded, bounded_unmet
from kvraft.core.result_codec import encode_result
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    GetResult,
    KeyValue,
    OperationResult,
    Page,
    PutResult,
    Refused,
    Result,
    TxnResult,
    Unmet,
    UpdateResult,
)

_MISMATCH_BYTES = 4  # of one index, encoded


def outline(result: Result, limit: int) -> Result:
    """Return an answer whose encoding has at most `limit` bytes, the same one if it has.

    Values in reading order stay as far as they fit. Where not even their keys do, an `Unmet` loses
    its entries, a transaction its results. One key and 400 bytes fit any answer.
    """
    if value_bytes(result) <= limit and len(encode_result(result)) <= limit:
        return result
    bare = _with_values(result, 0)
    room = limit - len(encode_result(bare))
    return _with_values(result, room) if room >= 0 else _shortest(bare, limit)


def value_bytes(result: Result | OperationResult) -> int:
    """Return the bytes of an answer's values: what is too large to keep is not even encoded."""
    if isinstance(result, PutResult | UpdateResult):  # most are one
        entry, previous = result.entry, result.previous
        size = 0 if entry is None else len(entry.value)
        return size if previous is None else size + len(previous.value)
    match result:
        case CasResult(_, entry) | DeleteResult(_, entry) | GetResult(entry):
            return 0 if entry is None else len(entry.value)
        case Unmet(_, _, entries) | Page(entries):
            return sum([len(entry.value) for entry in entries])
        case TxnResult(missed, results):
            return sum(map(value_bytes, results)) + (0 if missed is None else value_bytes(missed))
    return 0


def restored(result: Result) -> Result:
    """Return an outlined answer with the key that was kept once, and stands in it twice."""
    match result:
        case PutResult(KeyValue() as entry, KeyValue(key=b"") as previous) | UpdateResult(
            KeyValue() as entry, KeyValue(key=b"") as previous
        ):
            return replace(result, previous=previous._replace(key=entry.key))
    return result


def _with_values(result: Result, size: int) -> Result:
    """Leave out the values that do not fit into `size`."""
    match result:
        case PutResult() | DeleteResult() | UpdateResult() | TxnResult():
            return bounded(result, size)
        case CasResult(succeeded, entry):
            return CasResult(succeeded, bounded(GetResult(entry), size).entry)
        case Unmet():
            return bounded_unmet(result, size)
    return result


def _shortest(bare: Result, limit: int) -> Result:
    """Leave out what is many, or stands there twice."""
    match bare:
        case PutResult(KeyValue(), KeyValue() as previous) | UpdateResult(
            KeyValue(), KeyValue() as previous
        ):
            return replace(bare, previous=previous._replace(key=b""))
        case Unmet(clause, mismatched, _):
            room = limit - len(encode_result(Unmet(clause, (), ())))
            return Unmet(clause, mismatched[: max(room, 0) // _MISMATCH_BYTES], ())
        case TxnResult(missed, _):
            return TxnResult(None if missed is None else _missed(missed, limit), ())
        case Refused(reason, message):
            room = limit - len(encode_result(Refused(reason, "")))
            return Refused(reason, message.encode()[: max(room, 0)].decode(errors="ignore"))
    return bare


def _missed(missed: Unmet, limit: int) -> Unmet:
    """Leave out of a transaction's `Unmet` what does not fit beside the rest of it."""
    others = len(encode_result(TxnResult(missed, ()))) - len(encode_result(missed))
    kept = outline(missed, limit - others)
    assert isinstance(kept, Unmet)
    return kept
