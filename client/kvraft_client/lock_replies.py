"""From protobuf to what is said about locks, guards and contention, and back."""

from typing import assert_never

from kvraft.v1 import cluster_pb2, lock_pb2
from kvraft_client.lock_values import (
    Contention,
    Guard,
    Histogram,
    KeyContention,
    LockContention,
    LockDescription,
    LockPlace,
    Mode,
)
from kvraft_client.policy.lock import Ending, Granted, Queued, Standing

_MODES: dict[int, Mode] = {
    lock_pb2.LOCK_MODE_SHARED: "shared",
    lock_pb2.LOCK_MODE_COUNTED: "counted",
}
_ENDINGS = {
    lock_pb2.ACQUISITION_END_RELEASED: Ending.RELEASED,
    lock_pb2.ACQUISITION_END_TIMED_OUT: Ending.TIMED_OUT,
    lock_pb2.ACQUISITION_END_UNATTENDED: Ending.UNATTENDED,
    lock_pb2.ACQUISITION_END_LEASE_EXPIRED: Ending.LEASE_EXPIRED,
    lock_pb2.ACQUISITION_END_LEASE_REVOKED: Ending.LEASE_REVOKED,
}


def standing_from(message: lock_pb2.AcquireResponse) -> Standing:
    """Convert what the store says of a place."""
    match message.WhichOneof("standing"):
        case "queued":
            queued = message.queued
            return Queued(queued.place, queued.position, tuple(queued.holders), queued.lease_id)
        case "granted":
            granted = message.granted
            fences = tuple((each.lock, each.token) for each in granted.fences)
            return Granted(granted.place, fences, granted.lease_id)
        case "ended":
            # An ending that this version does not know is one that nobody here decided.
            return _ENDINGS.get(message.ended, Ending.UNATTENDED)
        case None:
            return Ending.UNATTENDED
        case other:
            assert_never(other)


def lock_from(message: lock_pb2.LockDescription) -> LockDescription:
    """Convert a lock."""
    return LockDescription(
        message.name,
        message.capacity,
        tuple(_place(each) for each in message.holders),
        tuple(_place(each) for each in message.waiters),
        message.holder_count,
        message.waiter_count,
    )


def _place(message: lock_pb2.Place) -> LockPlace:
    return LockPlace(
        message.place,
        message.owner,
        message.lease_id,
        _MODES.get(message.mode, "exclusive"),
        message.token,
        message.age_ms / 1_000,
    )


def guard_proto(prefix: bytes, lock: bytes | None, *, per_key: bool) -> cluster_pb2.Guard:
    """Build a guard; with neither, its removal."""
    made = cluster_pb2.Guard(prefix=prefix)
    if lock is not None:
        made.lock = lock
    elif per_key:
        made.per_key = True
    return made


def guard_from(message: cluster_pb2.Guard) -> Guard:
    """Convert a guard."""
    return Guard(message.prefix, message.lock if message.WhichOneof("by") == "lock" else None)


def contention_from(message: cluster_pb2.ContentionResponse) -> Contention:
    """Convert what a node saw."""
    keys = tuple(
        KeyContention(each.key, each.attempts, each.conflicts, each.error) for each in message.keys
    )
    return Contention(message.header.node, keys, tuple(_lock(each) for each in message.locks))


def _lock(message: cluster_pb2.LockContention) -> LockContention:
    return LockContention(
        name=message.name,
        grants=message.grants,
        waits=message.waits,
        abandoned=message.abandoned,
        wait_ms=_histogram(message.wait_ms),
        hold_ms=_histogram(message.hold_ms),
        queue_length=message.queue_length,
        overheld=message.overheld,
        holders=tuple(_place(each) for each in message.holders),
        blockers=tuple(message.blockers),
        error=message.error,
    )


def _histogram(message: cluster_pb2.Histogram) -> Histogram:
    return Histogram(tuple(message.bounds), tuple(message.counts), message.sum)
