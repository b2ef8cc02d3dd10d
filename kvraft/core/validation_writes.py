"""What one write or read of keys may ask, alone or inside a transaction.

Imports: core bounds, commands, limits, results, validation_actions. Each kind has a check and a
size in bytes; the sizes of a whole request are added up and checked by the caller.
"""

from typing import assert_never

from kvraft.core.bounds import (
    invalid,
    key_refusal,
    lease_id_refusal,
    not_int64,
    range_refusal,
    too_large,
)
from kvraft.core.commands import (
    ABSENT,
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    Get,
    GetRange,
    Put,
    Update,
)
from kvraft.core.limits import RequestLimits
from kvraft.core.results import Refused
from kvraft.core.validation_actions import actions_bytes, actions_refusal

_EMPTY = Expect()
SingleOperation = Put | CompareAndSet | Delete | DeleteRange | Update | Get | GetRange


def operation_refusal(operation: SingleOperation, limits: RequestLimits) -> Refused | None:
    """Say what is wrong with one operation, apart from its size together with others."""
    match operation:
        case Put():
            return _write(operation, limits)
        case CompareAndSet():
            return _expect(operation.expect, limits) or _write(operation, limits)
        case Update():
            refused = key_refusal(operation.key, limits)
            refused = refused or actions_refusal(operation.actions, limits)
            is_attached = operation.lease_id is not None or operation.ttl_ms is not None
            return refused or (_attachment(operation, limits) if is_attached else None)
        case Delete() | Get():
            return key_refusal(operation.key, limits)
        case DeleteRange():
            return range_refusal(operation.start, operation.end, limits)
        case GetRange():
            return _range_limit(operation, limits) or range_refusal(
                operation.start, operation.end, limits
            )
        case _:
            assert_never(operation)


def is_plain(command: Put | CompareAndSet, limits: RequestLimits, extra: int = 0) -> bool:
    """Tell at a glance of most writes, those without a lease, that nothing is wrong with them.

    `extra` bytes of its request are not in key and value; what a swap expects is looked at apart.
    """
    if command.lease_id is not None or command.ttl_ms is not None:
        return False
    key_bytes, value_bytes = len(command.key), len(command.value)
    fits = 0 < key_bytes <= limits.key_bytes and value_bytes <= limits.value_bytes
    return fits and key_bytes + value_bytes + extra <= limits.request_bytes


def operation_bytes(operation: SingleOperation) -> int:
    """Return what it counts towards `request_bytes`."""
    match operation:
        case Put():
            return len(operation.key) + len(operation.value)
        case CompareAndSet():
            expected = operation.expect.value or b""
            return len(operation.key) + len(operation.value) + len(expected)
        case Update():
            return len(operation.key) + actions_bytes(operation.actions)
        case Delete() | Get():
            return len(operation.key)
        case DeleteRange() | GetRange():
            return len(operation.start) + len(operation.end or b"")
        case _:
            assert_never(operation)


def attachment_conflict(command: Put | CompareAndSet | Update) -> Refused | None:
    """Refuse a write that says more than one thing about its lease."""
    asked = (command.lease_id is not None) + (command.ttl_ms is not None)
    if isinstance(command, Update):
        return invalid("at most one of lease_id and ttl_ms may be set") if asked > 1 else None
    if asked + command.keep_lease <= 1:
        return None
    return invalid("at most one of lease_id, ttl_ms and keep_lease may be set")


def _write(command: Put | CompareAndSet, limits: RequestLimits) -> Refused | None:
    if is_plain(command, limits):
        return None
    return (
        key_refusal(command.key, limits)
        or too_large("value", len(command.value), "value_bytes", limits.value_bytes)
        or _attachment(command, limits)
    )


def _attachment(command: Put | CompareAndSet | Update, limits: RequestLimits) -> Refused | None:
    return (
        attachment_conflict(command)
        or lease_id_refusal(command.lease_id, limits)
        or not_int64("ttl_ms", command.ttl_ms)
    )


def _expect(expect: Expect, limits: RequestLimits) -> Refused | None:
    if expect is ABSENT or expect == ABSENT:
        return None
    if expect == _EMPTY:
        return invalid("expect is empty: set absent, value, version or a revision")
    if expect.absent:
        return invalid("expect says absent and something of the entry at once")
    return (
        too_large("expected value", len(expect.value or b""), "value_bytes", limits.value_bytes)
        or not_int64("expected version", expect.version)
        or not_int64("expected mod_revision", expect.mod_revision)
        or not_int64("expected create_revision", expect.create_revision)
    )


def _range_limit(command: GetRange, limits: RequestLimits) -> Refused | None:
    if 0 < command.limit <= limits.page_entries:
        return None
    return invalid(f"limit is {command.limit}, it must be 1 to page_entries, {limits.page_entries}")
