"""Locks as bytes: commands about acquisitions and guards, their results, and lists of fences.

Imports: core only. A snapshot's rows of places are in `place_codec`.
"""

from collections.abc import Callable, Iterable
from struct import Struct

from kvraft.core.binary import I64, U8, U16, U32, Reader, sized
from kvraft.core.commands import (
    Acquire,
    Attach,
    Confirm,
    Fence,
    GuardPrefix,
    LockMode,
    Release,
)
from kvraft.core.errors import CodecError
from kvraft.core.results import (
    AcquireResult,
    AttachResult,
    Ending,
    GuardResult,
    ReleaseResult,
    Standing,
)
from kvraft.core.write_codec import optional_number

LockCommand = Acquire | Attach | Confirm | Release | GuardPrefix
LockResult = AcquireResult | ReleaseResult | AttachResult | GuardResult

_ACQUIRE = Struct("<BB5q")  # options, mode, capacity, lease_id, ttl_ms, wait_ms, max_hold_ms
_LEASE, _TTL, _WAIT, _MAX_HOLD = 1, 2, 4, 8
_KEY, _FENCE, _END_LEASE, _UNLESS_CONFIRMED = 1, 2, 4, 8
_LOCK, _PER_KEY = 1, 2
_STANDING = Struct("<BB3q")  # standing, ending, place, lease_id, position


def encode_lock_command(command: LockCommand) -> tuple[int, bytes]:
    """Return a command's type and its body."""
    match command:
        case Acquire():
            return 20, _encode_acquire(command)
        case Attach(places):
            return 21, encode_numbers(U32, places)
        case Confirm(key):
            return 22, key
        case Release():
            return 23, _encode_release(command)
        case GuardPrefix():
            return 24, encode_guard(command)


def encode_lock_result(result: LockResult) -> tuple[int, bytes]:
    """Return a result's type and its body."""
    match result:
        case AcquireResult():
            head = _STANDING.pack(
                result.standing,
                result.ending or 0,
                result.place,
                result.lease_id,
                result.position,
            )
            return 18, head + encode_fences(result.fences) + encode_numbers(U8, result.holders)
        case ReleaseResult(released):
            return 19, U8.pack(released)
        case AttachResult(attached):
            return 20, I64.pack(attached)
        case GuardResult(prefix):
            return 21, sized(U16, prefix)


def encode_fences(fences: tuple[Fence, ...]) -> bytes:
    """Encode a list of fences."""
    return U8.pack(len(fences)) + b"".join(map(_encode_fence, fences))


def read_fences(reader: Reader) -> tuple[Fence, ...]:
    """Read a list of fences."""
    return tuple([_read_fence(reader) for _ in range(reader.number(U8))])


def encode_names(names: tuple[bytes, ...]) -> bytes:
    """Encode the names of locks."""
    return U16.pack(len(names)) + b"".join([sized(U16, name) for name in names])


def read_names(reader: Reader) -> tuple[bytes, ...]:
    """Read the names of locks."""
    return tuple([reader.sized(U16) for _ in range(reader.number(U16))])


def encode_numbers(count: Struct, numbers: tuple[int, ...]) -> bytes:
    """Encode a list of int64 behind its length."""
    return count.pack(len(numbers)) + b"".join(map(I64.pack, numbers))


def read_numbers(reader: Reader, count: Struct) -> tuple[int, ...]:
    """Read a list of int64 behind its length."""
    return tuple([reader.number(I64) for _ in range(reader.number(count))])


def read_mode(reader: Reader, mode: int) -> LockMode:
    """Return a lock's mode; CodecError where there is none like it."""
    try:
        return LockMode(mode)
    except ValueError as error:
        raise CodecError(f"{reader.subject}: {error}") from error


def _encode_fence(fence: Fence) -> bytes:
    return sized(U16, fence.lock) + I64.pack(fence.token)


def _read_fence(reader: Reader) -> Fence:
    lock = reader.sized(U16)
    return Fence(lock, reader.number(I64))


def _options(numbers: Iterable[int | None]) -> int:
    """Tell in one bit each which numbers there are."""
    return sum(1 << place for place, number in enumerate(numbers) if number is not None)


def _encode_acquire(command: Acquire) -> bytes:
    numbers = (command.lease_id, command.ttl_ms, command.wait_ms, command.max_hold_ms)
    given = [number or 0 for number in numbers]
    head = _ACQUIRE.pack(_options(numbers), command.mode, command.capacity, *given)
    both = sized(U8, command.key) + sized(U8, command.owner)
    return head + both + encode_names(command.names)


def _read_acquire(reader: Reader) -> Acquire:
    options, mode, capacity, *numbers = reader.unpack(_ACQUIRE)
    _refuse_unknown(reader, options, _LEASE | _TTL | _WAIT | _MAX_HOLD)
    lease_id, ttl_ms, wait_ms, max_hold_ms = [
        optional_number(reader, options & 1 << place, number)
        for place, number in enumerate(numbers)
    ]
    key, owner = reader.sized(U8), reader.sized(U8)
    return Acquire(
        key,
        read_names(reader),
        read_mode(reader, mode),
        capacity,
        lease_id=lease_id,
        ttl_ms=ttl_ms,
        owner=owner,
        wait_ms=wait_ms,
        max_hold_ms=max_hold_ms,
    )


def _read_attach(reader: Reader) -> Attach:
    return Attach(read_numbers(reader, U32))


def _read_confirm(reader: Reader) -> Confirm:
    return Confirm(reader.rest())


def _encode_release(command: Release) -> bytes:
    key, fence = command.key, command.fence
    options = (
        (key is not None and _KEY)
        | (fence is not None and _FENCE)
        | (command.end_lease and _END_LEASE)
        | (command.unless_confirmed and _UNLESS_CONFIRMED)
    )
    return b"".join(
        (
            U8.pack(options),
            b"" if key is None else sized(U8, key),
            b"" if fence is None else _encode_fence(fence),
        )
    )


def _read_release(reader: Reader) -> Release:
    options = reader.number(U8)
    _refuse_unknown(reader, options, _KEY | _FENCE | _END_LEASE | _UNLESS_CONFIRMED)
    return Release(
        reader.sized(U8) if options & _KEY else None,
        _read_fence(reader) if options & _FENCE else None,
        options & _END_LEASE != 0,
        options & _UNLESS_CONFIRMED != 0,
    )


def encode_guard(guard: GuardPrefix) -> bytes:
    """Encode a guard."""
    options = (guard.lock is not None and _LOCK) | (guard.per_key and _PER_KEY)
    return U8.pack(options) + sized(U16, guard.prefix) + (guard.lock or b"")


def read_guard_prefix(reader: Reader) -> GuardPrefix:
    """Read a guard."""
    options = reader.number(U8)
    _refuse_unknown(reader, options, _LOCK | _PER_KEY)
    prefix = reader.sized(U16)
    lock = reader.rest() if options & _LOCK else None
    return GuardPrefix(prefix, lock, options & _PER_KEY != 0)


def _refuse_unknown(reader: Reader, options: int, known: int) -> None:
    if options & ~known:
        raise CodecError(f"{reader.subject}: unknown options {options:#04x}")


def _read_acquire_result(reader: Reader) -> AcquireResult:
    standing, ending, place, lease_id, position = reader.unpack(_STANDING)
    fences = read_fences(reader)
    holders = read_numbers(reader, U8)
    try:
        stands, ended = Standing(standing), Ending(ending) if ending else None
    except ValueError as error:
        raise CodecError(f"{reader.subject}: {error}") from error
    return AcquireResult(place, stands, lease_id, fences, position, holders, ended)


def _read_release_result(reader: Reader) -> ReleaseResult:
    return ReleaseResult(reader.choice())


def _read_attach_result(reader: Reader) -> AttachResult:
    return AttachResult(reader.number(I64))


def _read_guard_result(reader: Reader) -> GuardResult:
    return GuardResult(reader.sized(U16))


LOCK_DECODERS: dict[int, Callable[[Reader], Acquire | Attach | Confirm]] = {
    20: _read_acquire,
    21: _read_attach,
    22: _read_confirm,
}
LOCK_MUTATION_DECODERS: dict[int, Callable[[Reader], Release | GuardPrefix]] = {
    23: _read_release,
    24: read_guard_prefix,
}
LOCK_RESULT_DECODERS: dict[int, Callable[[Reader], AcquireResult | AttachResult]] = {
    18: _read_acquire_result,
    20: _read_attach_result,
}
KEPT_LOCK_RESULT_DECODERS: dict[int, Callable[[Reader], ReleaseResult | GuardResult]] = {
    19: _read_release_result,
    21: _read_guard_result,
}
"""Of the mutations: the answers that are kept for whoever asks again."""
