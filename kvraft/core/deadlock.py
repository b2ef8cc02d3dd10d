"""Whether a place that is about to wait would close a cycle of owners who wait for each other.

Imports: core bounds, commands, errors, limits, places, results. Nodes are owners; a place of nobody
is a node of its own, which waits but holds nothing that anybody could know of. A waiting place
waits for every holder that is in its way and every waiter ahead that would be (a reader behind a
writer waits for it). One of several permits comes from anybody, so counted locks give no edges.
Breadth first, by place id: every node finds the same shortest cycle.

The invariant: the work is bounded. What a search has seen of a queue it does not look at again.
"""

from collections import deque
from typing import NamedTuple

from kvraft.core.bounds import shown
from kvraft.core.commands import LockMode
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.places import PlaceRecord, Places
from kvraft.core.results import Refused

_SHOWN_STEPS = 16  # of a cycle in a message: gRPC takes 8 KiB of metadata


class Step(NamedTuple):
    """One edge: whose place waits for which lock, and for which place."""

    waiting: PlaceRecord
    lock: bytes
    other: PlaceRecord


class SearchTooLongError(Exception):
    """The search came to its bound and knows nothing."""


class Search:
    """One search, for a place that is not in the books yet."""

    def __init__(self, places: Places, record: PlaceRecord, steps: int) -> None:
        self._places = places
        self._steps_left = steps
        self._record = record
        self._edges: dict[int, tuple[int, bytes]] = {}  # place in the way -> of whom (0: the new)
        self._through: dict[int, int] = {}  # waiting place -> the place that led to its owner
        self._owners: set[bytes] = set()
        self._walked: dict[tuple[bytes, bool], int] = {}  # queue, who asks -> up to which id
        self._open: deque[tuple[int, PlaceRecord]] = deque([(0, record)])

    def cycle(self) -> list[Step] | None:
        """Return the shortest way from the place back to its owner; None: it may wait."""
        edges, owner = self._edges, self._record.owner
        while self._open:
            place_id, record = self._open.popleft()
            for name in record.names:
                for other_id, other in self._obstacles(place_id, record, name):
                    if other_id in edges:
                        continue
                    edges[other_id] = (place_id, name)
                    if other.owner == owner:
                        return self._way_to(other_id)
                    self._follow(other_id, other)
        return None

    def _obstacles(
        self, place_id: int, record: PlaceRecord, name: bytes
    ) -> list[tuple[int, PlaceRecord]]:
        """Return the places that are in the way of one in one queue, and were not seen there."""
        lock = self._places.locks.get(name)
        if lock is None or (lock.mode == LockMode.COUNTED and lock.capacity > 1):
            return []
        shared = record.mode == LockMode.SHARED
        end = place_id or self._places.next_id
        walked = self._walked.get((name, shared))
        if walked is not None and walked >= end:
            return []
        self._walked[name, shared] = end
        ids = list(lock.holders.values()) if walked is None else []
        ids += lock.between(walked or 0, end)
        self._spend(len(ids))
        found = [(other_id, self._places.live(other_id)) for other_id in ids]
        if not shared:
            return found
        return [each for each in found if each[1].mode != LockMode.SHARED]

    def _follow(self, place_id: int, record: PlaceRecord) -> None:
        """Go on from a place that is in the way: to what its owner waits for."""
        if not record.owner:
            if not record.tokens:
                self._through[place_id] = place_id
                self._open.append((place_id, record))
            return
        if record.owner in self._owners:
            return
        self._owners.add(record.owner)
        self._spend(self._places.owner_count(record.owner))
        for other_id in self._places.of_owner(record.owner):
            waiting = record if other_id == place_id else self._places.live(other_id)
            if not waiting.tokens:
                self._through[other_id] = place_id
                self._open.append((other_id, waiting))

    def _way_to(self, other_id: int) -> list[Step]:
        way: list[Step] = []
        while other_id:
            place_id, name = self._edges[other_id]
            waiting = self._places.live(place_id) if place_id else self._record
            way.append(Step(waiting, name, self._places.live(other_id)))
            other_id = self._through.get(place_id, 0)
        return way[::-1]

    def _spend(self, steps: int) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            raise SearchTooLongError


def refuse_deadlock(places: Places, record: PlaceRecord, limits: ApplyLimits) -> Refused | None:
    """Say why a place must not wait, or None; whose owner has no other place need not ask."""
    if not record.owner or not places.owner_count(record.owner):
        return None
    try:
        cycle = Search(places, record, limits.deadlock_steps).cycle()
    except SearchTooLongError:
        message = (
            "the search for a deadlock looks at more places than the limit deadlock_steps,"
            f" {limits.deadlock_steps}"
        )
        return Refused(Reason.OVERLOAD, message)
    if cycle is None:
        return None
    shown_steps = [_described(step) for step in cycle[:_SHOWN_STEPS]]
    if len(cycle) > _SHOWN_STEPS:
        shown_steps.append(f"{len(cycle) - _SHOWN_STEPS} more, back to {_who(record)}")
    return Refused(Reason.DEADLOCK, "; ".join(shown_steps))


def _described(step: Step) -> str:
    way = "held by" if step.other.tokens else "behind"
    return f"{_who(step.waiting)} waits for lock {shown(step.lock)} {way} {_who(step.other)}"


def _who(record: PlaceRecord) -> str:
    return shown(record.owner) if record.owner else f"acquisition {shown(record.key)}"
