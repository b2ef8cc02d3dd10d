"""How locks and acquisitions stand, for answers and for people.

Imports: core commands, places, results. Reads only.
"""

from itertools import islice

from kvraft.core.commands import Fence
from kvraft.core.places import Lock, Places
from kvraft.core.results import AcquireResult, LockDescription, PlaceDescription, Standing

_HOLDERS_SHOWN = 16  # tokens in an answer to a waiter
_PLACES_LISTED = 4  # holders, and waiters, of each lock in a list
_BLOCKERS_SHOWN = 16  # of one chain


def standing(places: Places, place_id: int) -> AcquireResult:
    """Return how a live place stands."""
    record = places.live(place_id)
    if record.tokens:
        fences = tuple(map(Fence, record.names, record.tokens))
        return AcquireResult(place_id, Standing.GRANTED, record.lease_id, fences)
    locks = [places.locks[name] for name in record.names]
    tokens = (token for lock in locks for token in lock.holders)
    return AcquireResult(
        place_id,
        Standing.QUEUED,
        record.lease_id,
        position=max(lock.position(place_id) for lock in locks),
        holders=tuple(islice(tokens, _HOLDERS_SHOWN)),
    )


def describe_lock(places: Places, name: bytes, limit: int) -> LockDescription | None:
    """Return a lock with its first holders and waiters; None: nobody holds or waits for it."""
    lock = places.locks.get(name)
    return None if lock is None else _described(places, name, lock, limit)


def list_locks(
    places: Places, after: bytes | None, prefix: bytes, limit: int
) -> tuple[list[LockDescription], bool]:
    """Return locks behind `after` by name, each with its first few places, and if more follow."""
    start = prefix if after is None else max(prefix, after + b"\0")
    names = list(islice(places.names_from(start), limit + 1))
    names = [name for name in names if name.startswith(prefix)]
    found = [_described(places, name, places.locks[name], _PLACES_LISTED) for name in names[:limit]]
    return found, len(names) > limit


def _described(places: Places, name: bytes, lock: Lock, limit: int) -> LockDescription:
    holders = [
        _place(places, place_id, token) for token, place_id in islice(lock.holders.items(), limit)
    ]
    waiters = [_place(places, place_id, 0) for place_id in lock.queue[:limit]]
    return LockDescription(
        name,
        lock.capacity,
        tuple(holders),
        tuple(waiters),
        len(lock.holders),
        len(lock.queue),
    )


def _place(places: Places, place_id: int, token: int) -> PlaceDescription:
    record = places.live(place_id)
    return PlaceDescription(
        place_id, record.owner, record.lease_id, record.mode, token, record.since_ms
    )


def blockers(places: Places, name: bytes) -> list[str]:
    """Name the first who waits for a lock, who is in its way, in whose way is who, and so on."""
    lock = places.locks.get(name)
    if lock is None or not lock.queue:
        return []
    waiting: int | None = lock.queue[0]
    seen: set[int] = set()
    found = [_who(places, lock.queue[0])]
    while waiting is not None and waiting not in seen and len(found) < _BLOCKERS_SHOWN:
        seen.add(waiting)
        obstacle = _obstacle(places, waiting)
        if obstacle is None:
            break
        found.append(_who(places, obstacle))
        waiting = _waiting_of(places, obstacle)
    return found


def _who(places: Places, place_id: int) -> str:
    owner = places.live(place_id).owner
    return owner.decode(errors="backslashreplace") if owner else f"place {place_id}"


def _obstacle(places: Places, place_id: int) -> int | None:
    """Return the first holder of its locks or, where nobody holds one, the first waiter."""
    for name in places.live(place_id).names:
        lock = places.locks[name]
        first = next(iter(lock.holders.values()), lock.queue[0])
        if first != place_id:
            return first
    return None


def _waiting_of(places: Places, place_id: int) -> int | None:
    """Return the place at which the owner of a place waits itself."""
    record = places.live(place_id)
    if not record.tokens:
        return place_id
    others = places.of_owner(record.owner)
    return next((other for other in others if not places.live(other).tokens), None)
