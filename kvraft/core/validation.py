"""What a request may ask, checked before it is proposed: a refusal here means NOT_APPLIED.

Imports: core commands, limits, results. What depends on the state (leases, TTL bounds, how much a
range holds) is decided by `apply`, on every node alike.
"""

from dataclasses import astuple
from typing import assert_never

from kvraft.core.commands import (
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
from kvraft.core.errors import Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.results import Refused

_INT64_MAX = (1 << 63) - 1
_NAME_BYTES = 255  # a length of one byte in the encoding
_VERSION_MAX = (1 << 16) - 1  # two bytes in the encoding


def validate(  # noqa: PLR0911 - one line for each command
    command: Command, limits: RequestLimits
) -> Refused | None:
    """Say why a command must not be proposed (the limit and the actual size), or None."""
    match command:
        case Put():
            return _write(command, limits, extra=0)
        case CompareAndSet():
            return _expect(command.expect, limits) or _write(
                command, limits, extra=len(command.expect.value or b"")
            )
        case Delete():
            return _key(command.key, limits)
        case DeleteRange():
            return _range(command, limits)
        case LeaseGrant():
            return _lease_id(command.lease_id, limits) or _int64("ttl_ms", command.ttl_ms)
        case LeaseKeepAlive() | LeaseRevoke():
            return _lease_id(command.lease_id, limits)
        case Bootstrap():
            return _bootstrap(command)
        case MemberDisk():
            return _member(command.member)
        case HashMarker():
            return _int64("nonce", command.nonce)
        case _:
            assert_never(command)


def attachment_conflict(command: Put | CompareAndSet) -> Refused | None:
    """Refuse a write that says more than one thing about its lease."""
    asked = (command.lease_id is not None) + (command.ttl_ms is not None) + command.keep_lease
    if asked <= 1:
        return None
    return _invalid("at most one of lease_id, ttl_ms and keep_lease may be set")


def _write(command: Put | CompareAndSet, limits: RequestLimits, *, extra: int) -> Refused | None:
    request_bytes = len(command.key) + len(command.value) + extra
    return (
        _key(command.key, limits)
        or _size("value", len(command.value), "value_bytes", limits.value_bytes)
        or _size("request", request_bytes, "request_bytes", limits.request_bytes)
        or attachment_conflict(command)
        or _lease_id(command.lease_id, limits)
        or _int64("ttl_ms", command.ttl_ms)
    )


def _expect(expect: Expect, limits: RequestLimits) -> Refused | None:
    if expect == Expect():
        return _invalid("expect is empty: set absent, value, version or a revision")
    if expect.absent and expect != Expect(absent=True):
        return _invalid("expect says absent and something of the entry at once")
    return (
        _size("expected value", len(expect.value or b""), "value_bytes", limits.value_bytes)
        or _int64("expected version", expect.version)
        or _int64("expected mod_revision", expect.mod_revision)
        or _int64("expected create_revision", expect.create_revision)
    )


def _range(command: DeleteRange, limits: RequestLimits) -> Refused | None:
    if command.end is not None and command.start >= command.end:
        return _invalid(f"the range is empty: start {command.start!r} >= end {command.end!r}")
    return _size("range start", len(command.start), "key_bytes", limits.key_bytes) or _size(
        "range end", len(command.end or b""), "key_bytes", limits.key_bytes
    )


def _key(key: bytes, limits: RequestLimits) -> Refused | None:
    return _size("key", len(key), "key_bytes", limits.key_bytes) if key else _invalid("empty key")


def _size(name: str, actual: int, limit_name: str, limit: int) -> Refused | None:
    if actual <= limit:
        return None
    message = f"{name} is {actual} bytes, the limit {limit_name} is {limit}"
    return Refused(Reason.TOO_LARGE, message)


def _lease_id(lease_id: int | None, limits: RequestLimits) -> Refused | None:
    if lease_id is None or 0 < lease_id <= limits.lease_id_max:
        return None
    return _invalid(f"lease_id is {lease_id}, it must be 1 to {limits.lease_id_max}")


def _int64(name: str, value: int | None) -> Refused | None:
    if value is None or -_INT64_MAX <= value <= _INT64_MAX:
        return None
    return _invalid(f"{name} is {value}, which is no int64")


def _bootstrap(command: Bootstrap) -> Refused | None:
    names = [member.name for member in command.members]
    if not 0 < command.cluster_id <= _INT64_MAX:
        return _invalid(f"cluster_id is {command.cluster_id}, it must be a positive int64")
    if not names or len(set(names)) != len(names) or len(names) > _NAME_BYTES:
        return _invalid(f"members must be named, each once: {names}")
    if any(not 0 < bound <= _INT64_MAX for bound in astuple(command.limits)):
        return _invalid(f"a limit is not a positive int64: {command.limits}")
    return next(filter(None, map(_member, command.members)), None)


def _member(member: Member) -> Refused | None:
    name = member.name.encode(errors="surrogatepass")
    if not 0 < len(name) <= _NAME_BYTES or name.decode(errors="replace") != member.name:
        return _invalid(f"the name {member.name!r} is not 1 to {_NAME_BYTES} bytes of UTF-8")
    if not 0 < member.command_version <= _VERSION_MAX:
        return _invalid(f"command_version is {member.command_version}, not 1 to {_VERSION_MAX}")
    return _int64("disk_id", member.disk_id)


def _invalid(message: str) -> Refused:
    return Refused(Reason.INVALID, message)
