"""Results as bytes, for answers that travel between nodes: {type u8, version u8} and the fields.

Imports: core only.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import assert_never

from kvraft.core.binary import I64, U8, U16, U32, Reader, sized
from kvraft.core.errors import CodecError, Reason
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    KeyValue,
    LeaseResult,
    MarkerResult,
    MemberResult,
    PutResult,
    Refused,
    Result,
    RevokeResult,
)

_RESULT_VERSION = 1
_FRAME = Struct("<BB")
_REVISIONS = Struct("<4q")  # create_revision, mod_revision, version, lease_id
_PAIR = Struct("<2q")
_TRIPLE = Struct("<3q")


def encode_result(result: Result) -> bytes:
    """Encode one result; CodecError if a number or a length does not fit."""
    try:
        kind, body = _encode(result)
    except (struct_error, UnicodeEncodeError) as error:
        raise CodecError(f"{type(result).__name__} does not fit its encoding: {error}") from error
    return _FRAME.pack(kind, _RESULT_VERSION) + body


def decode_result(data: bytes) -> Result:
    """Decode one result; CodecError on anything else."""
    reader = Reader(data, "result")
    kind, version = reader.unpack(_FRAME)
    decode = _DECODERS.get(kind)
    if decode is None or version != _RESULT_VERSION:
        raise CodecError(f"result type {kind} version {version} is unknown to this node")
    result = decode(reader)
    reader.finish()
    return result


def _encode(result: Result) -> tuple[int, bytes]:  # noqa: PLR0911 - one line for each result
    match result:
        case PutResult():
            return 1, _encode_entry(result.entry) + _encode_optional(result.previous)
        case DeleteResult():
            return 2, I64.pack(result.deleted) + _encode_optional(result.previous)
        case CasResult():
            return 3, U8.pack(result.succeeded) + _encode_optional(result.entry)
        case LeaseResult():
            return 4, _TRIPLE.pack(result.lease_id, result.ttl_ms, result.remaining_ms)
        case RevokeResult():
            return 5, _PAIR.pack(result.lease_id, result.deleted)
        case MemberResult():
            numbers = _PAIR.pack(result.cluster_id, result.disk_id)
            return 6, numbers + sized(U8, result.name.encode())
        case MarkerResult():
            return 7, _PAIR.pack(result.index, result.nonce)
        case Refused():
            return 8, sized(U8, result.reason.encode()) + sized(U32, result.message.encode())
        case _:
            assert_never(result)


def _encode_entry(entry: KeyValue) -> bytes:
    key, value, *revisions = entry
    return sized(U16, key) + sized(U32, value) + _REVISIONS.pack(*revisions)


def _encode_optional(entry: KeyValue | None) -> bytes:
    return b"\0" if entry is None else b"\1" + _encode_entry(entry)


def _read_entry(reader: Reader) -> KeyValue:
    key = reader.sized(U16)
    value = reader.sized(U32)
    return KeyValue(key, value, *reader.unpack(_REVISIONS))


def _read_optional(reader: Reader) -> KeyValue | None:
    return _read_entry(reader) if reader.choice() else None


def _read_put(reader: Reader) -> PutResult:
    entry = _read_entry(reader)
    return PutResult(entry, _read_optional(reader))


def _read_delete(reader: Reader) -> DeleteResult:
    deleted = reader.number(I64)
    return DeleteResult(deleted, _read_optional(reader))


def _read_cas(reader: Reader) -> CasResult:
    succeeded = reader.choice()
    return CasResult(succeeded, _read_optional(reader))


def _read_lease(reader: Reader) -> LeaseResult:
    return LeaseResult(*reader.unpack(_TRIPLE))


def _read_revoke(reader: Reader) -> RevokeResult:
    return RevokeResult(*reader.unpack(_PAIR))


def _read_member(reader: Reader) -> MemberResult:
    cluster_id, disk_id = reader.unpack(_PAIR)
    return MemberResult(cluster_id, reader.text(U8), disk_id)


def _read_marker(reader: Reader) -> MarkerResult:
    return MarkerResult(*reader.unpack(_PAIR))


def _read_refused(reader: Reader) -> Refused:
    word = reader.text(U8)
    message = reader.text(U32)
    try:
        return Refused(Reason(word), message)
    except ValueError as error:
        raise CodecError(f"result: unknown reason {word!r}") from error


_DECODERS: dict[int, Callable[[Reader], Result]] = {
    1: _read_put,
    2: _read_delete,
    3: _read_cas,
    4: _read_lease,
    5: _read_revoke,
    6: _read_member,
    7: _read_marker,
    8: _read_refused,
}
