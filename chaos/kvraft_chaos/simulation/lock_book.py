"""Who holds which lock and who waits, as a list of facts: a model for the checks, not a store.

It knows what a lock is (who may hold it together, that queues are in order) and nothing of how the
store does it: every question is answered by looking at all that is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from kvraft.core.commands import Fence, LockMode


@dataclass(slots=True)
class Place:
    """One acquisition."""

    place_id: int
    key: bytes
    names: tuple[bytes, ...]
    mode: LockMode
    capacity: int
    lease_id: int
    is_own: bool
    """The lease was granted for it."""
    owner: bytes
    wait_until_ms: int | None
    attach_until_ms: int | None
    since: float
    """True seconds, of the enqueueing."""
    wait_s: float | None
    excused: float = 0.0
    tokens: tuple[int, ...] = ()

    @property
    def until_ms(self) -> int | None:
        """When it ends by time; None: never."""
        wait, attach = self.wait_until_ms, self.attach_until_ms
        if wait is None or attach is None:
            return attach if wait is None else wait
        return min(wait, attach)


def goes_with(one: Place, other: Place) -> bool:
    """Whether both may hold one lock."""
    return one.mode == other.mode != LockMode.EXCLUSIVE


@dataclass(slots=True)
class Queue:
    """One lock: its holders by token, and who waits, in order."""

    holders: dict[int, Place] = field(default_factory=dict)
    waiting: list[Place] = field(default_factory=list)

    def has_room(self, place: Place) -> bool:
        """Whether the holders leave room for another."""
        holders = self.holders.values()
        if not all(goes_with(place, each) for each in holders):
            return False
        return place.mode != LockMode.COUNTED or len(holders) < place.capacity

    def in_the_way(self, place: Place) -> list[Place]:
        """Whom a place waits for; counted ones wait for anybody."""
        if place.mode == LockMode.COUNTED and place.capacity > 1:
            return []
        ahead = [each for each in self.waiting if each.place_id < place.place_id]
        return [each for each in (*self.holders.values(), *ahead) if not goes_with(place, each)]


@dataclass(slots=True)
class Book:
    """All places."""

    places: dict[int, Place] = field(default_factory=dict)
    by_key: dict[bytes, Place] = field(default_factory=dict)
    locks: dict[bytes, Queue] = field(default_factory=dict)

    def add(self, place: Place) -> None:
        """Enter one behind all others."""
        self.places[place.place_id] = self.by_key[place.key] = place
        for name in place.names:
            self.locks.setdefault(name, Queue()).waiting.append(place)

    def grant(self, place: Place, tokens: tuple[int, ...]) -> None:
        """Let one that waits hold its locks."""
        place.tokens = tokens
        place.wait_until_ms = None
        for name, token in zip(place.names, tokens, strict=False):
            lock = self.locks[name]
            lock.waiting.remove(place)
            lock.holders[token] = place

    def remove(self, place: Place) -> None:
        """Take one away."""
        del self.places[place.place_id], self.by_key[place.key]
        for name in place.names:
            lock = self.locks[name]
            lock.waiting = [each for each in lock.waiting if each is not place]
            lock.holders = {t: each for t, each in lock.holders.items() if each is not place}
            if not lock.holders and not lock.waiting:
                del self.locks[name]

    # -- looking

    def holder(self, fence: Fence) -> Place | None:
        """Who holds a lock with exactly this token."""
        lock = self.locks.get(fence.lock)
        return None if lock is None else lock.holders.get(fence.token)

    def is_grantable(self, place: Place) -> bool:
        """Whether one that waits heads all its queues, and the holders leave room."""
        locks = [self.locks[name] for name in place.names]
        return all(lock.waiting[0] is place and lock.has_room(place) for lock in locks)

    def is_free(self, place: Place) -> bool:
        """Whether one that is not there yet could hold all its locks at once."""
        locks = [self.locks[name] for name in place.names if name in self.locks]
        return all(not lock.waiting and lock.has_room(place) for lock in locks)

    def has_cycle(self, place: Place) -> bool:
        """Whether one that waits, waits for its own owner in the end."""
        if not place.owner:
            return False
        seen, open_ones = {place.place_id}, [place]
        while open_ones:
            for other in self._waits_for(open_ones.pop()):
                if other.owner == place.owner:
                    return True
                for each in self._of_the_same(other):
                    if not each.tokens and each.place_id not in seen:
                        seen.add(each.place_id)
                        open_ones.append(each)
        return False

    def _waits_for(self, place: Place) -> Iterator[Place]:
        for name in place.names:
            if name in self.locks:
                yield from self.locks[name].in_the_way(place)

    def _of_the_same(self, place: Place) -> list[Place]:
        if not place.owner:
            return [place]
        return [each for each in self.places.values() if each.owner == place.owner]
