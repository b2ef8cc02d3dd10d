"""Places: one for each acquisition of locks; who holds what, and who waits for whom.

Imports: sortedcontainers, core commands, limits, results, table. The table of places is all that is
replicated. Everything else here follows from it, whichever way a node came to it (a snapshot or the
log), so an idle lock leaves no state. This module keeps the books; who may hold is `granting`'s
business, what a place's end means for its lease is the machine's.

The invariant: within one lock places are granted in the order of their ids, so holders are in the
order of their tokens too.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from sortedcontainers import SortedList

from kvraft.core.commands import Fence
from kvraft.core.limits import PLACE_ENTRIES
from kvraft.core.results import Ending, Standing
from kvraft.core.table import Table

K = TypeVar("K", bytes, int)

_ID_BITS = 63
_ID_MASK = (1 << _ID_BITS) - 1


class PlaceRecord(NamedTuple):
    """One acquisition, queued or granted."""

    key: bytes
    names: tuple[bytes, ...]
    """Sorted and distinct."""
    mode: int
    """A `LockMode`; several names only where it is exclusive."""
    capacity: int
    """1 unless counted."""
    lease_id: int
    own_lease: bool
    """The lease was granted for this acquisition."""
    owner: bytes
    """Empty: nobody knows."""
    wait_deadline_ms: int | None
    """When it leaves the queue; None once granted."""
    attach_deadline_ms: int | None
    """When it ends without a sign of life; None once the grant is confirmed."""
    max_hold_ms: int | None
    since_ms: int
    """Cluster time of the grant or, while it is queued, of its enqueueing."""
    tokens: tuple[int, ...]
    """One for each name, in order; empty while it is queued."""

    @property
    def deadline_ms(self) -> int | None:
        """When it ends by time; None: never."""
        wait_ms, attach_ms = self.wait_deadline_ms, self.attach_deadline_ms
        if wait_ms is None or attach_ms is None:
            return attach_ms if wait_ms is None else wait_ms
        return min(wait_ms, attach_ms)


EndedRecord = tuple[int, int, bytes, int]
"""forget_ms, place_id, key, ending (an `Ending`)."""


class LockChange(NamedTuple):
    """What one entry did to one place: for streams, statistics and checks."""

    revision: int
    kind: Standing
    """What it became."""
    key: bytes
    place_id: int
    names: tuple[bytes, ...]
    tokens: tuple[int, ...]
    """Of a granted place, or of one that ended and was granted before."""
    ending: Ending | None
    lease_id: int
    owner: bytes
    since_ms: int
    """Since when it stood as it did before; of a new one: now."""
    now_ms: int
    max_hold_ms: int | None = None
    """Of a place that wants it reported."""


class Lock:
    """Who holds one lock, and who waits for it."""

    __slots__ = ("capacity", "held", "holders", "mode", "queue")

    def __init__(self, mode: int, capacity: int) -> None:
        self.mode = mode
        """Of the first place: exclusive and shared ones mix."""
        self.capacity = capacity
        self.held = mode
        """The mode of those who hold it, where somebody does: one that holds from the start was
        first, or joined others of its mode."""
        self.holders: dict[int, int] = {}
        """token -> place id, both ascending."""
        self.queue: list[int] = []
        """Ids of the waiting places, ascending: a list of 10,000 loses its head in 2 us."""

    def between(self, start: int, end: int) -> list[int]:
        """Return the ids of the waiting places start <= id < end."""
        return self.queue[bisect_left(self.queue, start) : bisect_left(self.queue, end)]

    def position(self, place_id: int) -> int:
        """Count the places that wait before one."""
        return bisect_left(self.queue, place_id)


class Places:
    """All places, the counter that names new ones, and what follows from them."""

    __slots__ = (
        "_by_key",
        "_due",
        "_lease_locks",
        "_names",
        "_of_lease",
        "_of_owner",
        "_own",
        "_owned",
        "locks",
        "next_id",
        "table",
    )

    def __init__(self, next_id: int = 1, rows: Iterable[tuple[int, PlaceRecord]] = ()) -> None:
        """Make empty books, or those of a table's rows, by id."""
        self.table: Table[int, PlaceRecord] = Table()
        self.next_id = next_id
        """Ids are handed out from here, upwards; never the same one twice."""
        self.locks: dict[bytes, Lock] = {}
        """The locks that somebody holds or waits for."""
        self._names = SortedList()
        self._by_key: dict[bytes, int] = {}
        self._of_lease: dict[int, set[int]] = {}
        self._lease_locks: dict[int, int] = {}  # lease_id -> names of its places
        self._of_owner: dict[bytes, set[int]] = {}
        self._owned: dict[tuple[bytes, bytes], int] = {}  # owner and lock -> place
        self._own: dict[int, int] = {}  # lease_id -> the place that it was granted for
        # deadline and id in one integer: sorts by (deadline, id).
        self._due = SortedList()
        for place_id, record in rows:
            self.add(place_id, record)

    def __len__(self) -> int:
        return len(self.table)

    # -- reading

    def live(self, place_id: int) -> PlaceRecord:
        """Return a place that is known to be there."""
        record = self.table.get(place_id)
        assert record is not None, place_id
        return record

    def id_of(self, key: bytes) -> int | None:
        """Return the place of an acquisition; None if it has none (any more)."""
        return self._by_key.get(key)

    def holder(self, fence: Fence) -> int | None:
        """Return the place that holds a lock with exactly this token."""
        lock = self.locks.get(fence.lock)
        return None if lock is None else lock.holders.get(fence.token)

    def tokens_of(self, name: bytes, limit: int) -> tuple[int, ...]:
        """Return the tokens of a lock's first holders."""
        lock = self.locks.get(name)
        if lock is None:
            return ()
        return tuple(token for token, _ in zip(lock.holders, range(limit), strict=False))

    def names_from(self, start: bytes) -> Iterator[bytes]:
        """Iterate over the names of locks in use from there on, in order."""
        names: Iterator[bytes] = self._names.irange(start)
        return names

    def of_lease(self, lease_id: int) -> list[int]:
        """Return the ids of a lease's places, in order."""
        return sorted(self._of_lease.get(lease_id, ()))

    def lock_count(self, lease_id: int) -> int:
        """Count the locks that a lease holds or waits for."""
        return self._lease_locks.get(lease_id, 0)

    def work_of(self, lease_id: int) -> int:
        """Return what the end of a lease's places counts for in `touched_entries`."""
        places = self._of_lease.get(lease_id, ())
        return self.lock_count(lease_id) + PLACE_ENTRIES * len(places)

    def of_owner(self, owner: bytes) -> list[int]:
        """Return the ids of an owner's places, in order; nobody's are not known."""
        return sorted(self._of_owner.get(owner, ()))

    def owner_count(self, owner: bytes) -> int:
        """Count an owner's places."""
        return len(self._of_owner.get(owner, ()))

    def owned(self, owner: bytes, name: bytes) -> int | None:
        """Return the place with which an owner holds a lock or waits for it; None: neither."""
        return self._owned.get((owner, name))

    def own_place(self, lease_id: int) -> int | None:
        """Return the place that a lease was granted for."""
        return self._own.get(lease_id)

    def due(self, now_ms: int) -> Iterator[int]:
        """Iterate over the places with deadline <= now, by (deadline, id)."""
        for item in self._due.irange(None, (now_ms + 1) << _ID_BITS, inclusive=(True, False)):
            yield item & _ID_MASK

    def next_deadline_ms(self) -> int | None:
        """Return the earliest deadline, in cluster time; None: nothing is timed."""
        first: int | None = self._due[0] if self._by_key and self._due else None
        return None if first is None else first >> _ID_BITS

    # -- changing

    def choose_id(self) -> int:
        """Return an id that was never returned before."""
        chosen = self.next_id
        self.next_id = chosen + 1
        return chosen

    def add(self, place_id: int, record: PlaceRecord) -> None:
        """Enter a place, queued or granted, behind all that are there."""
        assert record.key not in self._by_key, record.key
        self.table.put(place_id, record)
        self._by_key[record.key] = place_id
        self._of_lease.setdefault(record.lease_id, set()).add(place_id)
        self._lease_locks[record.lease_id] = self.lock_count(record.lease_id) + len(record.names)
        if record.owner:
            self._of_owner.setdefault(record.owner, set()).add(place_id)
            self._owned.update(((record.owner, name), place_id) for name in record.names)
        if record.own_lease:
            self._own[record.lease_id] = place_id
        self._schedule(place_id, record)
        for number, name in enumerate(record.names):
            lock = self.locks.get(name)
            if lock is None:
                self.locks[name] = lock = Lock(record.mode, record.capacity)
                self._names.add(name)
            if record.tokens:
                lock.holders[record.tokens[number]] = place_id
            else:
                lock.queue.append(place_id)

    def replace(self, place_id: int, record: PlaceRecord) -> None:
        """Change the deadlines of a place."""
        old = self.live(place_id)
        if record != old:
            self._unschedule(place_id, old)
            self.table.put(place_id, record)
            self._schedule(place_id, record)

    def grant(self, place_id: int, record: PlaceRecord) -> None:
        """Let a queued place hold its locks; `record` has the tokens."""
        self.replace(place_id, record)
        for name, token in zip(record.names, record.tokens, strict=True):
            lock = self.locks[name]
            del lock.queue[bisect_left(lock.queue, place_id)]
            lock.held = record.mode
            lock.holders[token] = place_id

    def remove(self, place_id: int) -> PlaceRecord:
        """Take a place away, and return what it was."""
        record = self.table.remove(place_id)
        self._unschedule(place_id, record)
        del self._by_key[record.key]
        _discard(self._of_lease, record.lease_id, place_id)
        left = self._lease_locks.pop(record.lease_id) - len(record.names)
        if left:
            self._lease_locks[record.lease_id] = left
        if record.owner:
            _discard(self._of_owner, record.owner, place_id)
            for name in record.names:
                del self._owned[record.owner, name]
        if record.own_lease:
            del self._own[record.lease_id]
        for number, name in enumerate(record.names):
            lock = self.locks[name]
            if record.tokens:
                del lock.holders[record.tokens[number]]
            else:
                del lock.queue[bisect_left(lock.queue, place_id)]
            if not lock.holders and not lock.queue:
                del self.locks[name]
                self._names.remove(name)
        return record

    def _schedule(self, place_id: int, record: PlaceRecord) -> None:
        if record.deadline_ms is not None:
            self._due.add(record.deadline_ms << _ID_BITS | place_id)

    def _unschedule(self, place_id: int, record: PlaceRecord) -> None:
        if record.deadline_ms is not None:
            self._due.remove(record.deadline_ms << _ID_BITS | place_id)


def _discard(index: dict[K, set[int]], key: K, place_id: int) -> None:
    members = index[key]
    members.remove(place_id)
    if not members:
        del index[key]
