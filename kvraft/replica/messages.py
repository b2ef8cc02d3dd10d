"""What nodes of the application say to each other over the peer links: forwarding and hashes.

Imports: core. One byte of kind, one of version, then the body; anything else is a `CodecError`.
"""

import struct

from kvraft.core.codec import decode_command, decode_result, encode_command, encode_result
from kvraft.core.commands import Command
from kvraft.core.errors import CodecError, Outcome, Reason
from kvraft.core.values import value
from kvraft.replica.outcomes import Answer, Denied

VERSION = 1

_FORWARD, _ANSWER, _DENIED, _HASH = 1, 2, 3, 4
_HEAD = struct.Struct("<BB")
_FORWARD_HEAD = struct.Struct("<BBQI")
_ANSWER_HEAD = struct.Struct("<BBQqQ")
_DENIED_HEAD = struct.Struct("<BBQiHHH")
_HASH_HEAD = struct.Struct("<BBQQqB")
_DIGEST_BYTES = (0, 32)


@value
class Forward:
    """A command of a client of the sender, for the leader; `left_ms` of its deadline remain."""

    request_id: int
    left_ms: int
    command: Command


@value
class ForwardReply:
    """What became of a forwarded command."""

    request_id: int
    outcome: Answer | Denied


@value
class HashReport:
    """The sender's state hash at the marker with this nonce."""

    nonce: int
    index: int
    revision: int
    digest: str
    """Hexadecimal; empty where the sender has too much to do, or its state was replaced."""


PeerMessage = Forward | ForwardReply | HashReport


def encode(message: PeerMessage) -> bytes:
    """Return the bytes of one message."""
    match message:
        case Forward():
            head = _FORWARD_HEAD.pack(_FORWARD, VERSION, message.request_id, message.left_ms)
            return head + encode_command(message.command)
        case ForwardReply():
            return _encode_reply(message.request_id, message.outcome)
        case HashReport():
            digest = bytes.fromhex(message.digest)
            fields = (message.nonce, message.index, message.revision, len(digest))
            return _HASH_HEAD.pack(_HASH, VERSION, *fields) + digest


def _encode_reply(request_id: int, outcome: Answer | Denied) -> bytes:
    if isinstance(outcome, Denied):
        return _encode_denied(request_id, outcome)
    head = _ANSWER_HEAD.pack(_ANSWER, VERSION, request_id, outcome.revision, outcome.index)
    return head + encode_result(outcome.result)


def _encode_denied(request_id: int, denied: Denied) -> bytes:
    reason = f"{denied.reason}/{denied.outcome}".encode()
    text = denied.message.encode()[:4096]
    leader = (denied.leader or "").encode()
    retry = -1 if denied.retry_after_ms is None else denied.retry_after_ms
    head = _DENIED_HEAD.pack(
        _DENIED, VERSION, request_id, retry, len(reason), len(text), len(leader)
    )
    return head + reason + text + leader


def decode(data: bytes) -> PeerMessage:
    """Return the message in `data`; raise `CodecError` on anything else."""
    try:
        kind, version = _HEAD.unpack_from(data)
        if version != VERSION:
            raise CodecError(f"peer message of version {version}; this node knows {VERSION}")
        return _decode_body(kind, data)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, CodecError):
            raise
        raise CodecError(f"malformed peer message of {len(data)} bytes: {error}") from error


def _decode_body(kind: int, data: bytes) -> PeerMessage:
    match kind:
        case 1:
            _, _, request_id, left_ms = _FORWARD_HEAD.unpack_from(data)
            return Forward(request_id, left_ms, decode_command(data[_FORWARD_HEAD.size :]))
        case 2:
            _, _, request_id, revision, index = _ANSWER_HEAD.unpack_from(data)
            result = decode_result(data[_ANSWER_HEAD.size :])
            return ForwardReply(request_id, Answer(result, revision, index))
        case 3:
            return _decode_denied(data)
        case 4:
            _, _, nonce, index, revision, size = _HASH_HEAD.unpack_from(data)
            digest = data[_HASH_HEAD.size :]
            if size not in _DIGEST_BYTES or len(digest) != size:
                raise CodecError(f"a digest of {len(digest)} bytes that says it has {size}")
            return HashReport(nonce, index, revision, digest.hex())
        case _:
            raise CodecError(f"unknown kind {kind} of peer message")


def _decode_denied(data: bytes) -> ForwardReply:
    _, _, request_id, retry, reason_size, text_size, leader_size = _DENIED_HEAD.unpack_from(data)
    at = _DENIED_HEAD.size
    if len(data) != at + reason_size + text_size + leader_size:
        raise CodecError("a denial whose lengths do not add up")
    reason, _, outcome = data[at : at + reason_size].decode().partition("/")
    at += reason_size
    text = data[at : at + text_size].decode(errors="replace")
    leader = data[at + text_size :].decode()
    denied = Denied(
        Reason(reason), Outcome(outcome), text, leader or None, None if retry < 0 else retry
    )
    return ForwardReply(request_id, denied)
