"""Commands as bytes: {type u8, version u8, flags u8, body length u32} and the body.

Imports: core only. The encoding is canonical: what decodes encodes to the same bytes again, so that
a request can be recognised by the hash of its command. Layouts never change; a new layout is a new
version. The flags are the room for what a later version adds to every command (who asks, under
which revision of the rights): an unknown bit is refused like an unknown version.
"""

from collections.abc import Callable
from dataclasses import astuple, fields
from hashlib import blake2b
from struct import Struct
from struct import error as struct_error

from kvraft.core.binary import I64, U8, Reader, sized
from kvraft.core.commands import (
    COMMAND_VERSION,
    Acquire,
    Attach,
    BareCommand,
    Bootstrap,
    Command,
    CompareAndSet,
    Confirm,
    Fence,
    GuardPrefix,
    HashMarker,
    Identity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Member,
    MemberDisk,
    Mutation,
    Put,
    Release,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.condition_codec import encode_condition, read_condition
from kvraft.core.conditions import Condition
from kvraft.core.errors import CodecError, UnknownCommandError
from kvraft.core.identity_codec import (
    BY_SESSION,
    SESSION_IDENTITY,
    encode_identity,
    read_identity,
)
from kvraft.core.invariant_codec import encode_invariant, read_set_invariant
from kvraft.core.limits import ApplyLimits
from kvraft.core.lock_codec import (
    LOCK_DECODERS,
    LOCK_MUTATION_DECODERS,
    encode_fences,
    encode_lock_command,
    read_fences,
)
from kvraft.core.txn_codec import TXN, encode_txn, read_txn
from kvraft.core.write_codec import (
    WRITE_DECODERS,
    encode_write,
    optional_number,
    read_compare_and_set,
)

REQUEST_HASH_BYTES = 16

_FRAME = Struct("<BBBI")
_LIMITS = Struct(f"<{len(fields(ApplyLimits))}q")
_MEMBER = Struct("<qH")  # disk_id, command_version
_PLAIN = encode_condition(None) + encode_fences(())
_USUAL = Struct(f"{SESSION_IDENTITY.format}{len(_PLAIN)}sB")  # identity, _PLAIN, type
_UNUSUAL = (None, 0, 0, 0, b"", 0)


def encode_command(command: Command) -> bytes:
    """Encode one command; CodecError if a number or a length does not fit (see `validate`)."""
    return encode_known(command)[0]


def encode_known(command: Command) -> tuple[bytes, Command]:
    """Encode one command; return also what decoding would make of it, for who applies it anyhow."""
    try:
        if isinstance(command, Request):
            mutation, condition, fences = command.mutation, command.condition, command.fences
            asked, identity = _encode_asked(mutation, condition, fences), command.identity
            kind, body = 17, encode_identity(identity) + asked
            if identity is not None and command.digest is None:
                command = Request(mutation, condition, identity, fences, _hash(asked))
        else:
            kind, body = _encode(command)
        return _FRAME.pack(kind, COMMAND_VERSION, 0, len(body)) + body, command
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
    decode, subject = _NAMED_DECODERS.get(kind, (None, ""))
    if decode is None or version > COMMAND_VERSION or flags:
        needed = max(version, COMMAND_VERSION + 1)
        raise UnknownCommandError(
            f"command type {kind} version {version} flags {flags:#04x} needs command version"
            f" {needed}; this node knows up to {COMMAND_VERSION}"
        )
    if version < COMMAND_VERSION:
        raise CodecError(f"command type {kind} has version {version}, which was never released")
    body = reader.part(size, subject)
    command = decode(body)
    if body.offset != body.end:
        body.finish()
    return command


def request_hash(
    mutation: Mutation, condition: Condition | None, fences: tuple[Fence, ...]
) -> bytes:
    """Hash what a request asks, whoever asks: equal exactly where the same is asked again."""
    return _hash(_encode_asked(mutation, condition, fences))


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


def _encode(command: BareCommand) -> tuple[int, bytes]:  # noqa: PLR0911 - one line for each command
    match command:
        case Acquire() | Attach() | Confirm():
            return encode_lock_command(command)
        case LeaseKeepAlive():
            return 6, I64.pack(command.lease_id)
        case Bootstrap():
            members = b"".join(map(encode_member, command.members))
            count = U8.pack(len(command.members))
            return 8, I64.pack(command.cluster_id) + count + members + encode_limits(command.limits)
        case MemberDisk():
            return 9, encode_member(command.member)
        case HashMarker():
            return 10, I64.pack(command.nonce)
        case SessionOpen():
            return 14, b""
        case SessionClose():
            return 15, I64.pack(command.session_id)
        case Resolve():
            return 16, encode_identity(command.identity)
        case _:
            return _encode_mutation(command)


def _encode_mutation(mutation: Mutation) -> tuple[int, bytes]:
    match mutation:
        case LeaseGrant():
            chosen = mutation.lease_id is not None
            return 5, U8.pack(chosen) + I64.pack(mutation.lease_id or 0) + I64.pack(mutation.ttl_ms)
        case LeaseRevoke():
            return 7, I64.pack(mutation.lease_id)
        case Txn():
            return TXN, encode_txn(mutation)
        case SetInvariant():
            return 13, encode_invariant(mutation)
        case Release() | GuardPrefix():
            return encode_lock_command(mutation)
        case _:
            return encode_write(mutation)


def _encode_asked(
    mutation: Mutation, condition: Condition | None, fences: tuple[Fence, ...]
) -> bytes:
    # No version in here: a newer node must recognise what an older one has proposed.
    if isinstance(mutation, Put | CompareAndSet | Update):  # by far the most
        kind, body = encode_write(mutation)
    else:
        kind, body = _encode_mutation(mutation)
    if condition is None and not fences:
        return b"".join((_PLAIN, U8.pack(kind), body))
    return b"".join((encode_condition(condition), encode_fences(fences), U8.pack(kind), body))


def _hash(asked: bytes | memoryview) -> bytes:
    return blake2b(asked, digest_size=REQUEST_HASH_BYTES).digest()


def _read_request(reader: Reader) -> Request:
    identity: Identity | None
    condition: Condition | None = None
    fences: tuple[Fence, ...] = ()
    data, start, end = reader.data, reader.offset, reader.end
    usual = _USUAL.unpack_from(data, start) if start + _USUAL.size <= end else _UNUSUAL
    by, session_id, sequence, first_unacked, plain, kind = usual
    if by == BY_SESSION and plain == _PLAIN:  # most are so
        identity = SessionIdentity(session_id, sequence, first_unacked)
        digest: bytes | None = _hash(memoryview(data)[start + SESSION_IDENTITY.size : end])
        reader.offset = start + _USUAL.size
    else:
        identity = read_identity(reader)
        digest = None if identity is None else _hash(reader.ahead())
        if not reader.accept(_PLAIN):
            condition, fences = read_condition(reader), read_fences(reader)
        kind = reader.number(U8)
    decode = _MUTATIONS.get(kind)
    if decode is None:
        raise CodecError(f"{reader.subject}: type {kind} is no mutation")
    return Request(decode(reader), condition, identity, fences, digest)


def _read_resolve(reader: Reader) -> Resolve:
    identity = read_identity(reader)
    if identity is None:
        raise CodecError("resolve: no identity")
    return Resolve(identity)


def _read_lease_grant(reader: Reader) -> LeaseGrant:
    chosen = reader.choice()
    lease_id = optional_number(reader, chosen, reader.number(I64))
    return LeaseGrant(reader.number(I64), lease_id)


def _read_lease_keep_alive(reader: Reader) -> LeaseKeepAlive:
    return LeaseKeepAlive(reader.number(I64))


def _read_lease_revoke(reader: Reader) -> LeaseRevoke:
    return LeaseRevoke(reader.number(I64))


def _read_session_open(_: Reader) -> SessionOpen:
    return SessionOpen()


def _read_session_close(reader: Reader) -> SessionClose:
    return SessionClose(reader.number(I64))


def _read_bootstrap(reader: Reader) -> Bootstrap:
    cluster_id = reader.number(I64)
    members = tuple(read_member(reader) for _ in range(reader.number(U8)))
    return Bootstrap(cluster_id, members, read_limits(reader))


def _read_member_disk(reader: Reader) -> MemberDisk:
    return MemberDisk(read_member(reader))


def _read_hash_marker(reader: Reader) -> HashMarker:
    return HashMarker(reader.number(I64))


_MUTATIONS: dict[int, Callable[[Reader], Mutation]] = {
    **WRITE_DECODERS,
    2: read_compare_and_set,
    5: _read_lease_grant,
    7: _read_lease_revoke,
    TXN: read_txn,
    13: read_set_invariant,
    **LOCK_MUTATION_DECODERS,
}
_DECODERS: dict[int, Callable[[Reader], Command]] = {
    **_MUTATIONS,
    6: _read_lease_keep_alive,
    8: _read_bootstrap,
    9: _read_member_disk,
    10: _read_hash_marker,
    14: _read_session_open,
    15: _read_session_close,
    16: _read_resolve,
    17: _read_request,
    **LOCK_DECODERS,
}
_NAMED_DECODERS = {
    kind: (decode, decode.__name__.removeprefix("_").removeprefix("read_"))
    for kind, decode in _DECODERS.items()
}
"""... with the name of what they read, for errors."""
