"""Transactions as bytes: the condition, and two lists of operations {type u8, length u32, body}.

Imports: core only. A transaction inside another holds none itself: that bounds the depth.
"""

from collections.abc import Callable
from struct import Struct

from kvraft.core.binary import I64, U8, U16, Reader, sized
from kvraft.core.commands import Get, GetRange, Operation, Txn
from kvraft.core.condition_codec import encode_condition, read_condition
from kvraft.core.errors import CodecError
from kvraft.core.write_codec import WRITE_DECODERS, encode_write

TXN = 12
_GET, _GET_RANGE = 18, 19
_FRAME = Struct("<BI")
_BOUNDED, _KEYS_ONLY = 1, 2


def encode_txn(txn: Txn, *, nested: bool = False) -> bytes:
    """Encode a transaction's body; CodecError where it is nested deeper than once."""
    branches = (_encode_operations(branch, nested=nested) for branch in (txn.then, txn.orelse))
    return encode_condition(txn.condition) + b"".join(branches)


def read_txn(reader: Reader, *, nested: bool = False) -> Txn:
    """Read a transaction's body."""
    condition = read_condition(reader)
    then = _read_operations(reader, nested=nested)
    return Txn(condition, then, _read_operations(reader, nested=nested))


def _encode_operations(operations: tuple[Operation, ...], *, nested: bool) -> bytes:
    frames = [U16.pack(len(operations))]
    for operation in operations:
        kind, body = _encode_operation(operation, nested=nested)
        frames += (_FRAME.pack(kind, len(body)), body)
    return b"".join(frames)


def _encode_operation(operation: Operation, *, nested: bool) -> tuple[int, bytes]:
    match operation:
        case Get():
            return _GET, operation.key
        case GetRange():
            options = _KEYS_ONLY if operation.keys_only else 0
            if operation.end is not None:
                options |= _BOUNDED
            head = U8.pack(options) + I64.pack(operation.limit) + sized(U16, operation.start)
            return _GET_RANGE, head + (operation.end or b"")
        case Txn():
            if nested:
                raise CodecError("a transaction is nested more than once")
            return TXN, encode_txn(operation, nested=True)
        case _:
            return encode_write(operation)


def _read_operations(reader: Reader, *, nested: bool) -> tuple[Operation, ...]:
    return tuple([_read_operation(reader, nested=nested) for _ in range(reader.number(U16))])


def _read_operation(reader: Reader, *, nested: bool) -> Operation:
    kind, size = reader.unpack(_FRAME)
    body = reader.part(size, reader.subject)
    if kind == TXN and not nested:
        operation: Operation = read_txn(body, nested=True)
    elif kind in _DECODERS:
        operation = _DECODERS[kind](body)
    else:
        raise CodecError(f"{reader.subject}: type {kind} cannot stand in a transaction here")
    body.finish()
    return operation


def _read_get(reader: Reader) -> Get:
    return Get(reader.rest())


def _read_get_range(reader: Reader) -> GetRange:
    options, limit = reader.number(U8), reader.number(I64)
    if options & ~(_BOUNDED | _KEYS_ONLY):
        raise CodecError(f"{reader.subject}: unknown options {options:#04x}")
    start = reader.sized(U16)
    end = reader.rest() if options & _BOUNDED else None
    return GetRange(start, end, limit, options & _KEYS_ONLY != 0)


_DECODERS: dict[int, Callable[[Reader], Operation]] = {
    **WRITE_DECODERS,
    _GET: _read_get,
    _GET_RANGE: _read_get_range,
}
