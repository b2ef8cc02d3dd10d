"""Whether the head of a queue could hold its locks now.

Imports: core commands, limits, places. A place is granted where it heads the queues of all its
locks and no holder of them is in its way.
"""

from collections.abc import Iterable

from kvraft.core.commands import LockMode
from kvraft.core.limits import ApplyLimits
from kvraft.core.places import Lock, PlaceRecord, Places


def heads_all(places: Places, place_id: int, record: PlaceRecord, limits: ApplyLimits) -> bool:
    """Tell whether a queued place can be granted now."""
    for name in record.names:
        lock = places.locks[name]
        if lock.queue[0] != place_id or not admits(lock, record, limits):
            return False
    return True


def admits(lock: Lock, record: PlaceRecord, limits: ApplyLimits) -> bool:
    """Tell whether a lock's holders leave room for a place."""
    count = len(lock.holders)
    if not count:
        return True
    if LockMode.EXCLUSIVE in {record.mode, lock.held}:
        return False
    most = limits.holders_per_lock
    return count < (min(most, lock.capacity) if record.mode == LockMode.COUNTED else most)


def pending_locks(places: Places, names: Iterable[bytes], limits: ApplyLimits) -> set[bytes]:
    """Return, of the places that head a queue among `names` and could be granted, the first names.

    The same set comes of all names and of those that changed.
    """
    pending: set[bytes] = set()
    for name in names:
        lock = places.locks.get(name)
        if lock is not None and lock.queue:
            record = places.live(lock.queue[0])
            if heads_all(places, lock.queue[0], record, limits):
                pending.add(record.names[0])
    return pending
