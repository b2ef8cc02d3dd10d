"""Commands as bytes: {type u8, version u8, flags u8, body length u32} and the body.

Imports: core only. The encoding is canonical: what decodes encodes to the same bytes again, so that
a request can be recognised by the hash of its command. Layouts never change; a new layout is a new
version. The flags are the room for what a later version adds to every command (who asks, under
which revision of the rights, retry identity): an unknown bit is refused like an unknown version.
"""

from collections.abc import Callable
from dataclasses import astuple
from struct import Struct
from struct import error as struct_error
from typing import assert_never

from kvraft.core.binary import I64, U8, U16, U32, Reader, sized
from kvraft.core.commands import (
    COMMAND_VERSION,
    Bootstrap,
    Command,
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    HashMarker,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Member,
    MemberDisk,
    Put,
)
from kvraft.core.errors import CodecError, UnknownCommandError
from kvraft.core.limits import ApplyLimits

_FRAME = Struct("<BBBI")
_WRITE = Struct("<BqqH")  # options, lease_id, ttl_ms, key size
_EXPECT = Struct("<Bqqq")  # parts, version, mod_revision, create_revision
_LIMITS = Struct("<7q")
_MEMBER = Struct("<qH")  # disk_id, command_version

_LEASE, _TTL, _KEEP, _PREVIOUS = 1, 2, 4, 8
_ABSENT, _VALUE, _VERSION, _MOD, _CREATE = 1, 2, 4, 8, 16


def encode_command(command: Command) -> bytes:
    """Encode one command; CodecError if a number or a length does not fit (see `validate`)."""
    try:
        kind, body = _encode(command)
        return _FRAME.pack(kind, COMMAND_VERSION, 0, len(body)) + body
    except (struct_error, UnicodeEncodeError) as error:
        raise CodecError(f"{type(command).__name__} does not fit its encoding: {error}") from error


def decode_command(data: bytes) -> Command:
    """Decode one command; CodecError, or UnknownCommandError where a newer version is needed."""
    reader = Reader(data, "command")
    command = read_command(reader)
    reader.finish()
    return command


def read_command(reader: Reader) -> Command:
    """Read one command from a longer encoding."""
    kind, version, flags, size = reader.unpack(_FRAME)
    decode = _DECODERS.get(kind)
    if decode is None or version > COMMAND_VERSION or flags:
        needed = max(version, COMMAND_VERSION + 1)
        raise UnknownCommandError(
            f"command type {kind} version {version} flags {flags:#04x} needs command version"
            f" {needed}; this node knows up to {COMMAND_VERSION}"
        )
    if version == 0:
        raise CodecError(f"command type {kind} has version 0")
    body = reader.part(size, decode.__name__[6:])
    command = decode(body)
    body.finish()
    return command


def encode_member(member: Member) -> bytes:
    """Encode one row of the member table."""
    return sized(U8, member.name.encode()) + _MEMBER.pack(member.disk_id, member.command_version)


def read_member(reader: Reader) -> Member:
    """Read one row of the member table."""
    name = reader.text(U8)
    return Member(name, *reader.unpack(_MEMBER))


def encode_limits(limits: ApplyLimits) -> bytes:
    """Encode the limits of apply, in the order of their fields."""
    return _LIMITS.pack(*astuple(limits))


def read_limits(reader: Reader) -> ApplyLimits:
    """Read the limits of apply."""
    return ApplyLimits(*reader.unpack(_LIMITS))


def _encode(command: Command) -> tuple[int, bytes]:  # noqa: C901, PLR0911 - one line for each command
    match command:
        case Put():
            options = _PREVIOUS if command.return_previous else 0
            return 1, _encode_write(command, options) + command.value
        case CompareAndSet():
            body = _encode_write(command, 0) + _encode_expect(command.expect)
            return 2, body + command.value
        case Delete():
            return 3, U8.pack(command.return_previous) + command.key
        case DeleteRange():
            bounded = command.end is not None
            return 4, U8.pack(bounded) + sized(U16, command.start) + (command.end or b"")
        case LeaseGrant():
            chosen = command.lease_id is not None
            return 5, U8.pack(chosen) + I64.pack(command.lease_id or 0) + I64.pack(command.ttl_ms)
        case LeaseKeepAlive():
            return 6, I64.pack(command.lease_id)
        case LeaseRevoke():
            return 7, I64.pack(command.lease_id)
        case Bootstrap():
            members = b"".join(map(encode_member, command.members))
            count = U8.pack(len(command.members))
            return 8, I64.pack(command.cluster_id) + count + members + encode_limits(command.limits)
        case MemberDisk():
            return 9, encode_member(command.member)
        case HashMarker():
            return 10, I64.pack(command.nonce)
        case _:
            assert_never(command)


def _encode_write(command: Put | CompareAndSet, options: int) -> bytes:
    if command.lease_id is not None:
        options |= _LEASE
    if command.ttl_ms is not None:
        options |= _TTL
    if command.keep_lease:
        options |= _KEEP
    key = command.key
    return _WRITE.pack(options, command.lease_id or 0, command.ttl_ms or 0, len(key)) + key


def _read_write(reader: Reader, known: int) -> tuple[bytes, int | None, int | None, int]:
    options, lease_id, ttl_ms, key_size = reader.unpack(_WRITE)
    if options & ~known:
        raise CodecError(f"{reader.subject}: unknown options {options:#04x}")
    lease = _optional(reader, options & _LEASE, lease_id)
    ttl = _optional(reader, options & _TTL, ttl_ms)
    return reader.take(key_size), lease, ttl, options


def _optional(reader: Reader, present: int, value: int) -> int | None:
    if present:
        return value
    if value:
        raise CodecError(f"{reader.subject}: {value} where an absent number must be 0")
    return None


def _encode_expect(expect: Expect) -> bytes:
    value, version = expect.value, expect.version
    modified, created = expect.mod_revision, expect.create_revision
    parts = (
        (expect.absent and _ABSENT)
        | (value is not None and _VALUE)
        | (version is not None and _VERSION)
        | (modified is not None and _MOD)
        | (created is not None and _CREATE)
    )
    head = _EXPECT.pack(parts, version or 0, modified or 0, created or 0)
    return head if value is None else head + sized(U32, value)


def _read_expect(reader: Reader) -> Expect:
    parts, version, mod_revision, create_revision = reader.unpack(_EXPECT)
    if parts & ~(_ABSENT | _VALUE | _VERSION | _MOD | _CREATE):
        raise CodecError(f"{reader.subject}: unknown expectation {parts:#04x}")
    return Expect(
        bool(parts & _ABSENT),
        reader.sized(U32) if parts & _VALUE else None,
        _optional(reader, parts & _VERSION, version),
        _optional(reader, parts & _MOD, mod_revision),
        _optional(reader, parts & _CREATE, create_revision),
    )


def _read_put(reader: Reader) -> Put:
    key, lease_id, ttl_ms, options = _read_write(reader, _LEASE | _TTL | _KEEP | _PREVIOUS)
    keep_lease = options & _KEEP != 0
    return Put(key, reader.rest(), lease_id, ttl_ms, keep_lease, options & _PREVIOUS != 0)


def _read_compare_and_set(reader: Reader) -> CompareAndSet:
    key, lease_id, ttl_ms, options = _read_write(reader, _LEASE | _TTL | _KEEP)
    expect = _read_expect(reader)
    return CompareAndSet(key, reader.rest(), expect, lease_id, ttl_ms, options & _KEEP != 0)


def _read_delete(reader: Reader) -> Delete:
    return_previous = reader.choice()
    return Delete(reader.rest(), return_previous)


def _read_delete_range(reader: Reader) -> DeleteRange:
    bounded = reader.choice()
    start = reader.sized(U16)
    return DeleteRange(start, reader.rest() if bounded else None)


def _read_lease_grant(reader: Reader) -> LeaseGrant:
    chosen = reader.choice()
    lease_id = _optional(reader, chosen, reader.number(I64))
    return LeaseGrant(reader.number(I64), lease_id)


def _read_lease_keep_alive(reader: Reader) -> LeaseKeepAlive:
    return LeaseKeepAlive(reader.number(I64))


def _read_lease_revoke(reader: Reader) -> LeaseRevoke:
    return LeaseRevoke(reader.number(I64))


def _read_bootstrap(reader: Reader) -> Bootstrap:
    cluster_id = reader.number(I64)
    members = tuple(read_member(reader) for _ in range(reader.number(U8)))
    return Bootstrap(cluster_id, members, read_limits(reader))


def _read_member_disk(reader: Reader) -> MemberDisk:
    return MemberDisk(read_member(reader))


def _read_hash_marker(reader: Reader) -> HashMarker:
    return HashMarker(reader.number(I64))


_DECODERS: dict[int, Callable[[Reader], Command]] = {
    1: _read_put,
    2: _read_compare_and_set,
    3: _read_delete,
    4: _read_delete_range,
    5: _read_lease_grant,
    6: _read_lease_keep_alive,
    7: _read_lease_revoke,
    8: _read_bootstrap,
    9: _read_member_disk,
    10: _read_hash_marker,
}
