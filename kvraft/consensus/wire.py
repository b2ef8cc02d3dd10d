"""The byte form of `messages`, both ways.

A message is a type byte, a version byte, the sender's term and a body; lengths are checked before
anything is built, and nothing that was received is ever unpickled (gap row 21). Whatever is not
exactly a message raises `ProtocolError`.
"""

from collections.abc import Callable
from operator import attrgetter
from struct import Struct
from struct import error as struct_error
from typing import Final

from kvraft.consensus import envelope
from kvraft.consensus.messages import (
    Append,
    AppendAck,
    ApplicationMessage,
    Heartbeat,
    HeartbeatAck,
    HigherTerm,
    Join,
    LogEntry,
    Message,
    PreVoteAnswer,
    PreVoteRequest,
    Progress,
    ReadAnswer,
    ReadAsk,
    SnapshotAck,
    SnapshotChunk,
    TimeoutNow,
    VoteAnswer,
    VoteRequest,
)
from kvraft.consensus.port import ProtocolError

VERSION: Final = 1
"""Of every message's form; peers agree on it in their HELLO (RULES I14)."""
TERM_MAX: Final = 1 << 62
"""No honest term comes near it; above it is noise."""

_HEAD: Final = Struct("<BBQ")  # type, version, term
_APPEND: Final = Struct("<QQQQI")  # sequence, previous index and term, commit, entries
_ENTRY: Final = Struct("<QBI")  # term, kind, bytes of payload
_CHUNK: Final = Struct("<QQQQQ")  # index, term, offset, total, commit
_COMMAND, _NO_OP = 0, 1
_APPEND_TYPE, _CHUNK_TYPE, _APPLICATION_TYPE = 1, 2, 3

_FIXED: Final[dict[int, tuple[type[Message], Struct]]] = {
    4: (AppendAck, Struct("<QQ?Q")),
    5: (Progress, Struct("<QQ?Q")),
    6: (VoteRequest, Struct("<QQ?")),
    7: (VoteAnswer, Struct("<?")),
    8: (PreVoteRequest, Struct("<QQQ")),
    9: (PreVoteAnswer, Struct("<Q?")),
    10: (HigherTerm, Struct("<")),
    11: (Heartbeat, Struct("<QQQ")),
    12: (HeartbeatAck, Struct("<Q")),
    13: (TimeoutNow, Struct("<")),
    14: (SnapshotAck, Struct("<QQQ?")),
    15: (Join, Struct("<QH")),
    16: (ReadAsk, Struct("<Q")),
    17: (ReadAnswer, Struct("<QQ")),
}


def _packer(cls: type[Message], kind: int, body: Struct) -> Callable[[Message], bytes]:
    """Return what writes one kind of fixed message: head and body in one go."""
    whole = Struct(_HEAD.format + body.format[1:])
    fields = attrgetter("term", *(name for name in cls.__dataclass_fields__ if name != "term"))
    single = len(cls.__dataclass_fields__) == 1

    def pack(message: Message) -> bytes:
        values = fields(message)
        return whole.pack(kind, VERSION, *((values,) if single else values))

    return pack


_PACKERS: Final = {cls: _packer(cls, kind, body) for kind, (cls, body) in _FIXED.items()}


def encode(message: Message) -> bytes:
    """Return the wire form; ValueError if a number does not fit."""
    try:
        pack = _PACKERS.get(type(message))
        if pack is not None:
            return pack(message)
        if isinstance(message, Append):
            return _encode_append(message)
        if isinstance(message, SnapshotChunk):
            return _encode_chunk(message)
        assert isinstance(message, ApplicationMessage)
        return _HEAD.pack(_APPLICATION_TYPE, VERSION, message.term) + message.payload
    except struct_error as error:
        raise ValueError(f"{message!r} does not fit the wire: {error}") from error


def decode(data: bytes) -> Message:
    """Read one message; ProtocolError if `data` is not exactly one."""
    try:
        kind, version, term = _HEAD.unpack_from(data)
    except struct_error:
        raise ProtocolError(f"message of {len(data)} bytes, too short for its head") from None
    if version != VERSION:
        raise ProtocolError(f"message of version {version}; this node speaks {VERSION}")
    if term > TERM_MAX:
        raise ProtocolError(f"term {term} is no honest term")
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(data, term)
    fixed = _FIXED.get(kind)
    if fixed is None:
        raise ProtocolError(f"unknown message type {kind}")
    cls, body = fixed
    if len(data) != _HEAD.size + body.size:
        raise ProtocolError(
            f"{cls.__name__} of {len(data)} bytes, must be {_HEAD.size + body.size}"
        )
    return cls(term, *body.unpack_from(data, _HEAD.size))


def entry_bytes(command: bytes) -> int:
    """Return how many bytes an entry takes in an append."""
    return _ENTRY.size + len(command)


def _encode_append(message: Append) -> bytes:
    parts: list[bytes | memoryview] = [
        _HEAD.pack(_APPEND_TYPE, VERSION, message.term),
        _APPEND.pack(
            message.sequence,
            message.previous_index,
            message.previous_term,
            message.commit,
            len(message.entries),
        ),
    ]
    for entry in message.entries:
        payload = envelope.payload_of(entry.command)
        kind = _NO_OP if entry.command == envelope.NO_OP else _COMMAND
        parts.append(_ENTRY.pack(entry.term, kind, len(payload)))
        parts.append(payload)
    return b"".join(parts)


def _encode_chunk(message: SnapshotChunk) -> bytes:
    return b"".join(
        (
            _HEAD.pack(_CHUNK_TYPE, VERSION, message.term),
            _CHUNK.pack(
                message.index,
                message.snapshot_term,
                message.offset,
                message.total,
                message.commit,
            ),
            message.data,
        )
    )


def _decode_append(data: bytes, term: int) -> Append:
    at = _HEAD.size + _APPEND.size
    try:
        sequence, previous, previous_term, commit, count = _APPEND.unpack_from(data, _HEAD.size)
        if count > (len(data) - at) // _ENTRY.size:
            raise ProtocolError(f"append of {len(data)} bytes claims {count} entries")
        view, entries = memoryview(data), []
        newest = previous_term
        for _ in range(count):
            entry_term, kind, size = _ENTRY.unpack_from(data, at)
            at += _ENTRY.size
            if at + size > len(data) or kind > _NO_OP or (kind == _NO_OP and size):
                raise ProtocolError(f"append with a malformed entry at byte {at}")
            if not newest <= entry_term <= term:
                raise ProtocolError(f"append of term {term} with an entry of term {entry_term}")
            newest = entry_term
            command = envelope.NO_OP if kind else envelope.wrap(view[at : at + size])
            entries.append(LogEntry(entry_term, command))
            at += size
    except struct_error:
        raise ProtocolError(f"append of {len(data)} bytes is cut short") from None
    if at != len(data):
        raise ProtocolError(f"append with {len(data) - at} bytes behind its entries")
    return Append(term, sequence, previous, previous_term, commit, tuple(entries))


def _decode_chunk(data: bytes, term: int) -> SnapshotChunk:
    at = _HEAD.size + _CHUNK.size
    if len(data) < at:
        raise ProtocolError(f"snapshot chunk of {len(data)} bytes is cut short")
    index, snapshot_term, offset, total, commit = _CHUNK.unpack_from(data, _HEAD.size)
    if snapshot_term > term or offset + len(data) - at > total:
        raise ProtocolError(f"snapshot chunk at {offset} runs past its end {total}")
    return SnapshotChunk(term, index, snapshot_term, offset, total, commit, data[at:])


def _decode_application(data: bytes, term: int) -> ApplicationMessage:
    return ApplicationMessage(term, data[_HEAD.size :])


_READERS: Final[dict[int, Callable[[bytes, int], Message]]] = {
    _APPEND_TYPE: _decode_append,
    _CHUNK_TYPE: _decode_chunk,
    _APPLICATION_TYPE: _decode_application,
}
