"""Locks: what is asked for, claims to hold them, and how acquisitions and locks stand."""

from collections.abc import Sequence
from typing import Final

from kvraft.core.commands import Acquire, Fence, GuardPrefix, LockMode, Release
from kvraft.core.limits import RequestLimits
from kvraft.core.results import (
    AcquireResult,
    Ending,
    LockDescription,
    PlaceDescription,
    Standing,
)
from kvraft.service.convert.checks import (
    checked_bound,
    checked_count,
    checked_from,
    checked_lease_id,
    checked_length,
    invalid,
    require_understood,
    shown,
    too_large,
)
from kvraft.v1 import cluster_pb2, kv_messages_pb2, lock_pb2

MODES: Final = {
    lock_pb2.LOCK_MODE_UNSPECIFIED: LockMode.EXCLUSIVE,
    **{each.value: each for each in LockMode},
}
SHOWN_MODES: Final[dict[int, lock_pb2.LockMode]] = {
    LockMode.EXCLUSIVE: lock_pb2.LOCK_MODE_EXCLUSIVE,
    LockMode.SHARED: lock_pb2.LOCK_MODE_SHARED,
    LockMode.COUNTED: lock_pb2.LOCK_MODE_COUNTED,
}
ENDINGS: Final = {
    Ending.RELEASED: lock_pb2.ACQUISITION_END_RELEASED,
    Ending.TIMED_OUT: lock_pb2.ACQUISITION_END_TIMED_OUT,
    Ending.UNATTENDED: lock_pb2.ACQUISITION_END_UNATTENDED,
    Ending.LEASE_EXPIRED: lock_pb2.ACQUISITION_END_LEASE_EXPIRED,
    Ending.LEASE_REVOKED: lock_pb2.ACQUISITION_END_LEASE_REVOKED,
}


def checked_lock_name(name: bytes, field: str, limits: RequestLimits) -> bytes:
    """Return `name`; CallError unless it can be a lock's."""
    most = limits.lock_name_bytes
    if not name:
        raise invalid(f"{field}: 1 to {most} bytes, got 0")
    if len(name) > most:
        raise too_large(field, len(name), most)
    return name


def checked_acquisition(key: bytes, limits: RequestLimits) -> bytes:
    """Return the key of an acquisition; CallError unless it can be one."""
    return checked_length(key, "key", limits.acquisition_key_bytes)


def acquire_command(request: lock_pb2.AcquireRequest, limits: RequestLimits) -> Acquire:
    """Return the command, its names in order; CallError for a malformed request."""
    require_understood(request.must_understand)
    key = checked_acquisition(request.key, limits)
    names = _names(request.names, limits)
    mode = MODES.get(request.mode)
    if mode is None:
        known = ", ".join(each.name for each in LockMode)
        raise invalid(f"mode: one of {known}, got {request.mode}")
    if len(names) > 1 and mode is not LockMode.EXCLUSIVE:
        raise invalid(f"names: one where the mode is {mode.name}, got {len(names)}")
    if len(request.owner) > limits.owner_bytes:
        raise too_large("owner", len(request.owner), limits.owner_bytes)
    has = request.HasField
    carrier = request.WhichOneof("carrier")
    if carrier is None:
        raise invalid("carrier: one of lease_id, ttl_ms must be set, got none")
    is_lease = carrier == "lease_id"
    return Acquire(
        key,
        names,
        mode,
        _capacity(request.capacity, mode, limits),
        checked_lease_id(request.lease_id, limits) if is_lease else None,
        None if is_lease else request.ttl_ms,
        request.owner,
        checked_from(request.wait_ms, 0, "wait_ms") if has("wait_ms") else None,
        checked_from(request.max_hold_ms, 1, "max_hold_ms") if has("max_hold_ms") else None,
    )


def _names(given: Sequence[bytes], limits: RequestLimits) -> tuple[bytes, ...]:
    checked_count(len(given), "names", limits.acquired_locks)
    names = tuple(sorted(given))
    for before, name in zip((None, *names), names, strict=False):
        checked_lock_name(name, "names", limits)
        if name == before:
            raise invalid(f"names: each once, got {shown(name)} twice")
    return names


def _capacity(given: int, mode: LockMode, limits: RequestLimits) -> int:
    if mode is not LockMode.COUNTED:
        if given not in (0, 1):
            raise invalid(f"capacity: only where the mode is COUNTED, got {given}")
        return 1
    checked_count(given, "capacity", limits.lock_capacity)
    return given


def fence_of(given: kv_messages_pb2.Fence, field: str, limits: RequestLimits) -> Fence:
    """Return a claim; CallError for one that no holder could make."""
    lock = checked_lock_name(given.lock, f"{field}.lock", limits)
    return Fence(lock, checked_from(given.token, 1, f"{field}.token"))


def fences_of(given: Sequence[kv_messages_pb2.Fence], limits: RequestLimits) -> tuple[Fence, ...]:
    """Return the claims of a mutation; CallError for malformed ones."""
    if not given:
        return ()
    checked_count(len(given), "fences", limits.fences)
    return tuple([fence_of(each, f"fences[{at}]", limits) for at, each in enumerate(given)])


def release_command(request: lock_pb2.ReleaseRequest, limits: RequestLimits) -> Release:
    """Return the command; CallError for a malformed request."""
    match request.WhichOneof("acquisition"):
        case "key":
            key = checked_acquisition(request.key, limits)
            return Release(key=key, end_lease=request.end_lease)
        case "fence":
            fence = fence_of(request.fence, "fence", limits)
            return Release(fence=fence, end_lease=request.end_lease)
        case _:
            raise invalid("acquisition: one of key, fence must be set, got none")


def guard_command(given: cluster_pb2.Guard, limits: RequestLimits) -> GuardPrefix:
    """Return the command; CallError for a malformed request."""
    prefix = checked_bound(given.prefix, "guard.prefix", limits)
    match given.WhichOneof("by"):
        case "lock":
            return GuardPrefix(prefix, checked_lock_name(given.lock, "guard.lock", limits))
        case _:
            return GuardPrefix(prefix, per_key=given.per_key)


def fill_guard(into: cluster_pb2.Guard, guard: GuardPrefix) -> None:
    """Write one guard."""
    into.prefix = guard.prefix
    if guard.lock is not None:
        into.lock = guard.lock
    else:
        into.per_key = guard.per_key


def fill_acquisition(response: lock_pb2.AcquireResponse, result: AcquireResult) -> None:
    """Write how an acquisition stands."""
    match result.standing:
        case Standing.QUEUED:
            queued = response.queued
            queued.place, queued.position = result.place, result.position
            queued.holders.extend(result.holders)
            queued.lease_id = result.lease_id
        case Standing.GRANTED:
            granted = response.granted
            granted.place, granted.lease_id = result.place, result.lease_id
            for fence in result.fences:
                granted.fences.add(lock=fence.lock, token=fence.token)
        case Standing.ENDED:
            assert result.ending is not None, "what ended has a reason"
            response.ended = ENDINGS[result.ending]


def fill_lock(into: lock_pb2.LockDescription, lock: LockDescription, now_ms: int) -> None:
    """Write one lock; `now_ms` is cluster time."""
    into.name, into.capacity = lock.name, lock.capacity
    into.holder_count, into.waiter_count = lock.holder_count, lock.waiter_count
    for places, described in ((into.holders, lock.holders), (into.waiters, lock.waiters)):
        for each in described:
            fill_place(places.add(), each, now_ms)


def fill_place(into: lock_pb2.Place, place: PlaceDescription, now_ms: int) -> None:
    """Write one place."""
    into.place, into.owner, into.lease_id = place.place, place.owner, place.lease_id
    into.mode = SHOWN_MODES[place.mode]
    into.token = place.token
    into.age_ms = now_ms - place.since_ms
