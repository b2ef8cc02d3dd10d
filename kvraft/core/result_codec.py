"""Results as bytes, for answers that travel between nodes or are kept: {type u8, version u8, body}.

Imports: core only. Canonical, and bounded in depth: a kept answer holds no other kept answer, and a
transaction inside another holds none.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import Any, assert_never

from kvraft.core.binary import I64, U8, U16, U32, Reader, sized
from kvraft.core.errors import CodecError, Reason
from kvraft.core.key_value_codec import encode_key_value, read_optional
from kvraft.core.lock_codec import (
    KEPT_LOCK_RESULT_DECODERS,
    LOCK_RESULT_DECODERS,
    encode_lock_result,
)
from kvraft.core.operation_codec import (
    PUT,
    TXN,
    UPDATE,
    encode_operation,
    encode_put,
    encode_unmet,
    encode_update,
    read_delete,
    read_put,
    read_txn,
    read_unmet,
    read_update,
)
from kvraft.core.results import (
    AcquireResult,
    AttachResult,
    CasResult,
    DeleteResult,
    GuardResult,
    InvariantResult,
    LeaseResult,
    MarkerResult,
    MemberResult,
    PutResult,
    Refused,
    ReleaseResult,
    Replayed,
    Resolved,
    Result,
    RevokeResult,
    SessionResult,
    TxnResult,
    Unmet,
    UpdateResult,
)

_RESULT_VERSION = 2
_CAS = 3
_FRAME = Struct("<BB")
_PAIR = Struct("<2q")
_TRIPLE = Struct("<3q")
_KEPT = Struct("<qB")  # revision, omitted


def encode_result(result: Result) -> bytes:
    """Encode one result; CodecError if a number or a length does not fit."""
    try:
        frequent = _FREQUENT.get(type(result))
        if frequent is None:
            kind, body = _encode(result)
        else:
            kind, encode = frequent
            body = encode(result)
        return _FRAME.pack(kind, _RESULT_VERSION) + body
    except (struct_error, UnicodeEncodeError) as error:
        raise CodecError(f"{type(result).__name__} does not fit its encoding: {error}") from error


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


def _encode(result: Result) -> tuple[int, bytes]:  # noqa: C901, PLR0911, PLR0912 - one line a result
    match result:
        case PutResult() | DeleteResult() | UpdateResult() | TxnResult():
            return encode_operation(result, nested=False)
        case CasResult():
            return _CAS, _encode_cas(result)
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
        case Unmet():
            return 11, encode_unmet(result)
        case InvariantResult():
            return 12, U8.pack(result.is_prefix) + sized(U16, result.key)
        case SessionResult():
            return 13, I64.pack(result.session_id)
        case Resolved():
            return 14, _KEPT.pack(result.revision, result.omitted) + _encode_kept(result.result)
        case Replayed():
            return 15, _KEPT.pack(result.revision, result.omitted) + _encode_kept(result.result)
        case AcquireResult() | ReleaseResult() | AttachResult() | GuardResult():
            return encode_lock_result(result)
        case _:
            assert_never(result)


def _encode_cas(result: CasResult) -> bytes:
    entry, succeeded = result.entry, b"\1" if result.succeeded else b"\0"
    return succeeded + b"\0" if entry is None else encode_key_value(entry, succeeded + b"\1")


def _encode_kept(result: Result | None) -> bytes:
    if result is None:
        return U8.pack(0)
    if isinstance(result, Resolved | Replayed):
        raise CodecError("a kept answer is of no kept answer")
    kind, body = _encode(result)
    if kind not in _KEEPABLE:
        raise CodecError(f"{type(result).__name__} cannot be kept")
    return U8.pack(kind) + body


def _read_cas(reader: Reader) -> CasResult:
    succeeded = reader.choice()
    return CasResult(succeeded, read_optional(reader))


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


def _read_invariant(reader: Reader) -> InvariantResult:
    is_prefix = reader.choice()
    return InvariantResult(reader.sized(U16), is_prefix)


def _read_session(reader: Reader) -> SessionResult:
    return SessionResult(reader.number(I64))


def _read_resolved(reader: Reader) -> Resolved:
    revision = reader.number(I64)
    omitted = reader.choice()
    return Resolved(_read_kept(reader), revision, omitted)


def _read_replayed(reader: Reader) -> Replayed:
    revision = reader.number(I64)
    omitted = reader.choice()
    kept = _read_kept(reader)
    if kept is None:
        raise CodecError("result: nothing was replayed")
    return Replayed(kept, revision, omitted)


def _read_kept(reader: Reader) -> Result | None:
    kind = reader.number(U8)
    if kind == 0:
        return None
    decode = _KEEPABLE.get(kind)
    if decode is None:
        raise CodecError(f"result type {kind} cannot be kept")
    return decode(reader)


_FREQUENT: dict[type[Result], tuple[int, Callable[[Any], bytes]]] = {
    PutResult: (PUT, encode_put),
    CasResult: (_CAS, _encode_cas),
    UpdateResult: (UPDATE, encode_update),
}
"""What most answers are, without the way through all kinds."""
_KEEPABLE: dict[int, Callable[[Reader], Result]] = {
    PUT: read_put,
    2: read_delete,
    _CAS: _read_cas,
    4: _read_lease,
    5: _read_revoke,
    6: _read_member,
    7: _read_marker,
    8: _read_refused,
    UPDATE: read_update,
    TXN: read_txn,
    11: read_unmet,
    12: _read_invariant,
    13: _read_session,
    **KEPT_LOCK_RESULT_DECODERS,
}
_DECODERS: dict[int, Callable[[Reader], Result]] = {
    **_KEEPABLE,
    14: _read_resolved,
    15: _read_replayed,
    **LOCK_RESULT_DECODERS,
}
