"""What commands about locks, fences and guards may ask.

Imports: core bounds, commands, int64, limits, results. Each check also gives the bytes that count
towards `request_bytes`. The order of names is the service's business; here they must be in order.
"""

from typing import assert_never

from kvraft.core.bounds import (
    invalid,
    lease_id_refusal,
    lock_name_refusal,
    not_int64,
    not_positive,
    shown,
    too_large,
)
from kvraft.core.commands import (
    Acquire,
    Attach,
    Confirm,
    Fence,
    GuardPrefix,
    LockMode,
    Release,
)
from kvraft.core.int64 import INT64_MAX
from kvraft.core.limits import RequestLimits
from kvraft.core.results import Refused

LockCommand = Acquire | Attach | Confirm | Release | GuardPrefix

_NUMBER_BYTES = 8  # of a place or a token in a request


def lock_refusal(command: LockCommand, limits: RequestLimits) -> Refused | None:
    """Say what is wrong with a command about locks, apart from its size together with others."""
    match command:
        case Acquire():
            return _acquire(command, limits)
        case Attach(places):
            return _places(places, limits)
        case Confirm(key):
            return _acquisition_key(key, limits)
        case Release():
            return _release(command, limits)
        case GuardPrefix():
            return _guard(command, limits)
        case _:
            assert_never(command)


def lock_bytes(command: LockCommand) -> int:
    """Return what it counts towards `request_bytes`."""
    match command:
        case Acquire(key, names):
            return len(key) + len(command.owner) + sum(map(len, names))
        case Attach(places):
            return _NUMBER_BYTES * len(places)
        case Confirm(key):
            return len(key)
        case Release(key, fence):
            return len(key or b"") + (0 if fence is None else fences_bytes((fence,)))
        case GuardPrefix(prefix, lock):
            return len(prefix) + len(lock or b"")
        case _:
            assert_never(command)


def fences_refusal(fences: tuple[Fence, ...], limits: RequestLimits) -> Refused | None:
    """Say what is wrong with the fences of a mutation."""
    if len(fences) > limits.fences:
        return invalid(f"{len(fences)} fences are given, the limit fences is {limits.fences}")
    for index, fence in enumerate(fences):
        refused = _fence(fence, limits)
        if refused is not None:
            return Refused(refused.reason, f"fences[{index}]: {refused.message}")
    locks = [fence.lock for fence in fences]
    for index, lock in enumerate(locks):
        first = locks.index(lock)
        if first != index:
            return invalid(f"fences[{index}]: lock {shown(lock)} stands in fences[{first}] already")
    return None


def fences_bytes(fences: tuple[Fence, ...]) -> int:
    """Return what fences count towards `request_bytes`."""
    return sum(len(fence.lock) + _NUMBER_BYTES for fence in fences)


def _acquire(command: Acquire, limits: RequestLimits) -> Refused | None:
    return (
        _acquisition_key(command.key, limits)
        or _names(command, limits)
        or _capacity(command, limits)
        or _carrier(command, limits)
        or _owner(command.owner, limits)
        or _times(command)
    )


def _acquisition_key(key: bytes, limits: RequestLimits) -> Refused | None:
    size, limit = len(key), limits.acquisition_key_bytes
    if 0 < size <= limit:
        return None
    return invalid(
        f"the acquisition key is {size} bytes, it must be 1 to acquisition_key_bytes, {limit}"
    )


def _names(command: Acquire, limits: RequestLimits) -> Refused | None:
    names = command.names
    if not 0 < len(names) <= limits.acquired_locks:
        return invalid(
            f"an acquisition takes 1 to acquired_locks, {limits.acquired_locks}, names,"
            f" not {len(names)}"
        )
    for index, name in enumerate(names):
        refused = lock_name_refusal(name, limits)
        if refused is not None:
            return Refused(refused.reason, f"names[{index}]: {refused.message}")
        if index and name <= names[index - 1]:
            return invalid(
                f"names[{index}]: {shown(name)} stands behind {shown(names[index - 1])};"
                " names must be sorted and distinct"
            )
    if len(names) > 1 and command.mode is not LockMode.EXCLUSIVE:
        return invalid(
            f"{len(names)} names with the mode {command.mode.name}: several locks can only be"
            " acquired as EXCLUSIVE"
        )
    return None


def _capacity(command: Acquire, limits: RequestLimits) -> Refused | None:
    capacity, limit = command.capacity, limits.lock_capacity
    if command.mode is LockMode.COUNTED:
        if 0 < capacity <= limit:
            return None
        return invalid(f"capacity is {capacity}, it must be 1 to lock_capacity, {limit}")
    if capacity == 1:
        return None
    return invalid(f"capacity is {capacity}, with the mode {command.mode.name} it must be 1")


def _carrier(command: Acquire, limits: RequestLimits) -> Refused | None:
    lease_id, ttl_ms = command.lease_id, command.ttl_ms
    if (lease_id is None) == (ttl_ms is None):
        given = "neither" if lease_id is None else f"lease_id {lease_id} and ttl_ms {ttl_ms}"
        return invalid(f"exactly one of lease_id and ttl_ms must be set, not {given}")
    return lease_id_refusal(lease_id, limits) or not_int64("ttl_ms", ttl_ms)


def _owner(owner: bytes, limits: RequestLimits) -> Refused | None:
    return too_large("owner", len(owner), "owner_bytes", limits.owner_bytes)


def _times(command: Acquire) -> Refused | None:
    wait_ms, max_hold_ms = command.wait_ms, command.max_hold_ms
    if wait_ms is not None and not 0 <= wait_ms <= INT64_MAX:
        return invalid(f"wait_ms is {wait_ms}, it must be 0 or a positive int64")
    return None if max_hold_ms is None else not_positive("max_hold_ms", max_hold_ms)


def _places(places: tuple[int, ...], limits: RequestLimits) -> Refused | None:
    if not 0 < len(places) <= limits.attached_places:
        return invalid(
            f"an attach is for 1 to attached_places, {limits.attached_places}, places,"
            f" not {len(places)}"
        )
    odd = next((place for place in places if not 0 < place <= INT64_MAX), None)
    return None if odd is None else not_positive("a place", odd)


def _release(command: Release, limits: RequestLimits) -> Refused | None:
    key, fence = command.key, command.fence
    if key is not None and fence is None:
        return _acquisition_key(key, limits)
    if fence is not None and key is None:
        return _fence(fence, limits)
    given = "neither" if key is None else "both"
    return invalid(f"a release is by exactly one of key and fence, not by {given}")


def _fence(fence: Fence, limits: RequestLimits) -> Refused | None:
    return lock_name_refusal(fence.lock, limits) or not_positive("token", fence.token)


def _guard(command: GuardPrefix, limits: RequestLimits) -> Refused | None:
    refused = too_large("prefix", len(command.prefix), "key_bytes", limits.key_bytes)
    if refused is not None or command.lock is None:
        return refused
    if command.per_key:
        return invalid(
            f"a guard names lock {shown(command.lock)} and per_key, at most one may be set"
        )
    return lock_name_refusal(command.lock, limits)
