"""Commands that write keys as bytes: the bodies of put, compare-and-set, delete and update.

Imports: core only. They stand in frames of their own (`command_codec`), and in transactions.
"""

from collections.abc import Callable
from itertools import repeat
from struct import Struct
from typing import assert_never

from kvraft.core.actions import Action, ActionKind
from kvraft.core.binary import U8, U16, U32, Reader, sized
from kvraft.core.commands import ABSENT, CompareAndSet, Delete, DeleteRange, Expect, Put, Update
from kvraft.core.condition_codec import INTEGER, encode_literal, read_literal
from kvraft.core.errors import CodecError

Write = Put | Delete | DeleteRange | Update

_WRITE = Struct("<BqqH")  # options, lease_id, ttl_ms, key size
_COUNTING = Struct("<BHBq")  # an action without pointer: kind, 0, INTEGER, operand
_EXPECT = Struct("<Bqqq")  # parts, version, mod_revision, create_revision

_LEASE, _TTL, _KEEP, _PREVIOUS = 1, 2, 4, 8
_KINDS = {kind.value: kind for kind in ActionKind}
_ABSENT, _VALUE, _VERSION, _MOD, _CREATE = 1, 2, 4, 8, 16


def encode_write(command: Write | CompareAndSet) -> tuple[int, bytes]:
    """Return a command's type and its body."""
    match command:
        case Put():
            options = _KEEP if command.keep_lease else 0
            if command.return_previous:
                options |= _PREVIOUS
            return 1, _head(command, options) + command.value
        case CompareAndSet():
            head = _head(command, _KEEP if command.keep_lease else 0)
            return 2, head + _encode_expect(command.expect) + command.value
        case Delete():
            return 3, U8.pack(command.return_previous) + command.key
        case DeleteRange():
            bounded = command.end is not None
            return 4, U8.pack(bounded) + sized(U16, command.start) + (command.end or b"")
        case Update():
            actions = b"".join(map(_encode_action, command.actions))
            return 11, _head(command, 0) + U16.pack(len(command.actions)) + actions
        case _:
            assert_never(command)


def read_compare_and_set(reader: Reader) -> CompareAndSet:
    """Read a compare-and-set's body."""
    key, lease_id, ttl_ms, options = _read_head(reader, _LEASE | _TTL | _KEEP)
    expect = _read_expect(reader)
    return CompareAndSet(key, reader.rest(), expect, lease_id, ttl_ms, options & _KEEP != 0)


def optional_number(reader: Reader, present: int, value: int) -> int | None:
    """Return a number if it is present; an absent one must be 0, so that encodings are unique."""
    if present:
        return value
    if value:
        raise CodecError(f"{reader.subject}: {value} where an absent number must be 0")
    return None


def _head(command: Put | CompareAndSet | Update, options: int) -> bytes:
    key, lease_id, ttl_ms = command.key, command.lease_id, command.ttl_ms
    if lease_id is not None:
        options |= _LEASE
    if ttl_ms is not None:
        options |= _TTL
    return _WRITE.pack(options, lease_id or 0, ttl_ms or 0, len(key)) + key


def _read_head(reader: Reader, known: int) -> tuple[bytes, int | None, int | None, int]:
    options, lease_id, ttl_ms, key_size = reader.unpack(_WRITE)
    if options & ~known:
        raise CodecError(f"{reader.subject}: unknown options {options:#04x}")
    lease = ttl = None
    if options & (_LEASE | _TTL) or lease_id or ttl_ms:
        lease = optional_number(reader, options & _LEASE, lease_id)
        ttl = optional_number(reader, options & _TTL, ttl_ms)
    return reader.take(key_size), lease, ttl, options


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
    if parts == _ABSENT and not (version or mod_revision or create_revision):
        return ABSENT
    if parts & ~(_ABSENT | _VALUE | _VERSION | _MOD | _CREATE):
        raise CodecError(f"{reader.subject}: unknown expectation {parts:#04x}")
    return Expect(
        bool(parts & _ABSENT),
        reader.sized(U32) if parts & _VALUE else None,
        optional_number(reader, parts & _VERSION, version),
        optional_number(reader, parts & _MOD, mod_revision),
        optional_number(reader, parts & _CREATE, create_revision),
    )


def _encode_action(action: Action) -> bytes:
    if type(action.operand) is int and not action.pointer:
        return _COUNTING.pack(action.kind, 0, INTEGER, action.operand)
    if isinstance(action.operand, str | bool):
        raise CodecError(f"an action has no operand like {action.operand!r}")
    pointer = sized(U16, action.pointer.encode())
    return U8.pack(action.kind) + pointer + encode_literal(action.operand)


def _read_action(reader: Reader) -> Action:
    start = reader.offset
    if start + _COUNTING.size <= reader.end:
        code, pointer_size, tag, number = _COUNTING.unpack_from(reader.data, start)
        known = _KINDS.get(code)
        if known is not None and not pointer_size and tag == INTEGER:
            reader.offset = start + _COUNTING.size
            return Action(known, number)
    kind, pointer = reader.number(U8), reader.text(U16)
    operand = read_literal(reader)
    if isinstance(operand, str | bool):
        raise CodecError(f"{reader.subject}: an action has no operand like {operand!r}")
    try:
        return Action(ActionKind(kind), operand, pointer)
    except ValueError as error:
        raise CodecError(f"{reader.subject}: {error}") from error


def _read_put(reader: Reader) -> Put:
    key, lease_id, ttl_ms, options = _read_head(reader, _LEASE | _TTL | _KEEP | _PREVIOUS)
    keep_lease = options & _KEEP != 0
    return Put(key, reader.rest(), lease_id, ttl_ms, keep_lease, options & _PREVIOUS != 0)


def _read_delete(reader: Reader) -> Delete:
    return_previous = reader.choice()
    return Delete(reader.rest(), return_previous)


def _read_delete_range(reader: Reader) -> DeleteRange:
    bounded = reader.choice()
    start = reader.sized(U16)
    return DeleteRange(start, reader.rest() if bounded else None)


def _read_update(reader: Reader) -> Update:
    key, lease_id, ttl_ms, _ = _read_head(reader, _LEASE | _TTL)
    actions = tuple(map(_read_action, repeat(reader, reader.number(U16))))
    return Update(key, actions, lease_id, ttl_ms)


WRITE_DECODERS: dict[int, Callable[[Reader], Write]] = {
    1: _read_put,
    3: _read_delete,
    4: _read_delete_range,
    11: _read_update,
}
"""By type; the compare-and-set is none of them, for it cannot stand in a transaction."""
