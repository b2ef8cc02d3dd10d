"""Results of writes, and of transactions with their parts, as bytes: {type u8, body} for each part.

Imports: core only. A transaction inside another holds none: that bounds the depth.
"""

from collections.abc import Callable
from typing import assert_never

from kvraft.core.binary import I64, U8, U16, U32, Reader
from kvraft.core.errors import CodecError
from kvraft.core.key_value_codec import (
    encode_entries,
    encode_key_value,
    encode_optional,
    encode_page,
    read_entries,
    read_key_value,
    read_optional,
    read_page,
)
from kvraft.core.results import (
    DeleteResult,
    GetResult,
    OperationResult,
    Page,
    PutResult,
    TxnResult,
    Unmet,
    UpdateResult,
)

PUT, UPDATE, TXN = 1, 9, 10


def encode_operation(result: OperationResult, *, nested: bool) -> tuple[int, bytes]:
    """Return the type and the body of one operation's result."""
    match result:
        case PutResult():
            return PUT, encode_put(result)
        case DeleteResult():
            return 2, I64.pack(result.deleted) + encode_optional(result.previous)
        case UpdateResult():
            return UPDATE, encode_update(result)
        case GetResult():
            return 16, encode_optional(result.entry)
        case Page():
            return 17, encode_page(result)
        case TxnResult():
            return TXN, _encode_txn(result, nested=nested)
        case _:
            assert_never(result)


def encode_put(result: PutResult) -> bytes:
    """Encode the body of a put's result."""
    entry, previous = encode_key_value(result.entry), result.previous
    return entry + (b"\0" if previous is None else encode_optional(previous))


def encode_update(result: UpdateResult) -> bytes:
    """Encode the body of an update's result."""
    entry, previous = result.entry, result.previous
    if entry is None or previous is None:
        return encode_optional(entry) + encode_optional(previous)
    return encode_key_value(entry, b"\1") + encode_key_value(previous, b"\1")


def _encode_txn(txn: TxnResult, *, nested: bool) -> bytes:
    unmet = b"\0" if txn.unmet is None else b"\1" + encode_unmet(txn.unmet)
    pieces = [unmet, U16.pack(len(txn.results))]
    for result in txn.results:
        kind, body = encode_operation(result, nested=True)
        if nested and kind == TXN:
            raise CodecError("a transaction's result is nested more than once")
        pieces += (U8.pack(kind), body)
    return b"".join(pieces)


def encode_unmet(unmet: Unmet) -> bytes:
    """Encode why a condition was false."""
    mismatched = b"".join(map(U32.pack, unmet.mismatched))
    head = U32.pack(unmet.clause) + U32.pack(len(unmet.mismatched))
    return head + mismatched + encode_entries(unmet.entries)


def read_put(reader: Reader) -> PutResult:
    """Read a put's result."""
    entry = read_key_value(reader)
    return PutResult(entry, read_optional(reader))


def read_delete(reader: Reader) -> DeleteResult:
    """Read a delete's result."""
    deleted = reader.number(I64)
    return DeleteResult(deleted, read_optional(reader))


def read_update(reader: Reader) -> UpdateResult:
    """Read an update's result."""
    entry = read_optional(reader)
    return UpdateResult(entry, read_optional(reader))


def _read_get(reader: Reader) -> GetResult:
    return GetResult(read_optional(reader))


def read_txn(reader: Reader, *, nested: bool = False) -> TxnResult:
    """Read a transaction's result."""
    unmet = read_unmet(reader) if reader.choice() else None
    count = reader.number(U16)
    return TxnResult(unmet, tuple([_read_operation(reader, nested=nested) for _ in range(count)]))


def _read_operation(reader: Reader, *, nested: bool) -> OperationResult:
    kind = reader.number(U8)
    if kind == TXN and not nested:
        return read_txn(reader, nested=True)
    decode = _OPERATIONS.get(kind)
    if decode is None:
        raise CodecError(f"result type {kind} cannot stand in a transaction here")
    return decode(reader)


def read_unmet(reader: Reader) -> Unmet:
    """Read why a condition was false."""
    clause, count = reader.number(U32), reader.number(U32)
    mismatched = tuple([reader.number(U32) for _ in range(count)])
    return Unmet(clause, mismatched, read_entries(reader))


_OPERATIONS: dict[int, Callable[[Reader], OperationResult]] = {
    PUT: read_put,
    2: read_delete,
    UPDATE: read_update,
    16: _read_get,
    17: read_page,
}
