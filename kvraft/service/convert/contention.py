"""Where callers collide: the figures of one node, the heaviest first."""

import heapq

from kvraft.core.machine import StateMachine
from kvraft.replica.contention import BOUNDS_MS, Contention, LockRow
from kvraft.replica.contention import Histogram as Counted
from kvraft.service.convert.locks import fill_place
from kvraft.v1 import cluster_pb2

HOLDERS_SHOWN = 16
"""Of each lock: the report is for people."""


def fill_contention(
    response: cluster_pb2.ContentionResponse, seen: Contention, machine: StateMachine, limit: int
) -> None:
    """Write the heaviest `limit` keys and locks; who holds and waits is as this node has it."""
    for key, row in heapq.nlargest(limit, seen.keys, key=lambda item: item[1].weight):
        response.keys.add(key=key, attempts=row.attempts, conflicts=row.weight, error=row.error)
    overheld = seen.overheld(machine.cluster_time_ms)
    rows = dict(seen.locks)
    for name in overheld:
        rows.setdefault(name, LockRow())
    heaviest = heapq.nlargest(
        limit, rows.items(), key=lambda item: (item[1].weight, overheld.get(item[0], 0))
    )
    for name, lock in heaviest:
        _fill_lock(response.locks.add(), name, lock, machine, overheld.get(name, 0))


def _fill_lock(
    into: cluster_pb2.LockContention,
    name: bytes,
    row: LockRow,
    machine: StateMachine,
    overheld: int,
) -> None:
    into.name, into.error = name, row.error
    into.grants, into.waits, into.abandoned = row.grants, row.waits, row.abandoned
    _fill_histogram(into.wait_ms, row.wait_ms)
    _fill_histogram(into.hold_ms, row.hold_ms)
    into.overheld = row.overheld + overheld
    found = machine.describe_lock(name, HOLDERS_SHOWN)
    if found is not None:
        into.queue_length = found.waiter_count
        for each in found.holders:
            fill_place(into.holders.add(), each, machine.cluster_time_ms)
    into.blockers.extend(machine.blockers(name))


def _fill_histogram(into: cluster_pb2.Histogram, counted: Counted) -> None:
    into.bounds.extend(BOUNDS_MS)
    into.counts.extend(counted.counts)
    into.sum = counted.sum
