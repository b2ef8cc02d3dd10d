"""Places, endings and guards while they arrive from a state's encoding: checked, then kept.

Imports: core only. Whatever the items, CodecError and nothing else; each costs the same. What loads
can be granted and ended like what a machine made itself.
"""

from kvraft.core.commands import GuardPrefix, LockMode
from kvraft.core.ended_places import EndedPlaces
from kvraft.core.errors import CodecError
from kvraft.core.layout import Counters
from kvraft.core.leases import Leases
from kvraft.core.places import EndedRecord, Lock, PlaceRecord, Places
from kvraft.core.results import Ending

_ENDINGS = frozenset(Ending)


class LoadedPlaces:
    """The places of a state whose leases are there, and the endings behind them."""

    def __init__(self, counters: Counters, leases: Leases) -> None:
        self.places = Places(counters.next_place_id)
        self.ended = EndedPlaces()
        self._counters = counters
        self._leases = leases
        self._last_place = 0
        self._last_ended = (0, 0)

    def load(self, place_id: int, record: PlaceRecord) -> None:
        """Take the next place."""
        if not self._last_place < place_id < self._counters.next_place_id:
            raise CodecError(f"state: place {place_id} behind {self._last_place}, or odd")
        self._last_place = place_id
        known = self.places.id_of(record.key) is not None
        if known or not (record.key and _is_asked_well(record) and self._is_timed_well(record)):
            raise CodecError(f"state: place {place_id} is impossible, or stands there twice")
        self._check_lease(place_id, record)
        for number, name in enumerate(record.names):
            lock = self.places.locks.get(name)
            twice = self.places.owned(record.owner, name) is not None
            if twice or (lock is not None and not _follows(lock, record, number)):
                raise CodecError(f"state: place {place_id} cannot stand where it does at {name!r}")
        self.places.add(place_id, record)

    def load_ended(self, record: EndedRecord) -> None:
        """Take the next ending."""
        forget_ms, place_id, key, ending = record
        if (forget_ms, place_id) <= self._last_ended or forget_ms < 0:
            raise CodecError(f"state: the ending of place {place_id} is out of order")
        self._last_ended = (forget_ms, place_id)
        free = self.places.table.get(place_id) is None
        handed_out = 0 < place_id < self._counters.next_place_id
        known = self.places.id_of(key) is not None or self.ended.get(key) is not None
        if ending not in _ENDINGS or known or not (key and free and handed_out):
            raise CodecError(f"state: the ending of place {place_id} is impossible")
        self.ended.add(*record)

    def _is_timed_well(self, record: PlaceRecord) -> bool:
        wait_ms, attach_ms = record.wait_deadline_ms, record.attach_deadline_ms
        tokens = record.tokens
        if tokens:
            times = wait_ms is None and (attach_ms is None or attach_ms >= 0)
        else:
            times = attach_ms is not None and attach_ms >= 0
        ascending = all(low < high for low, high in zip((0, *tokens), tokens, strict=False))
        handed_out = not tokens or tokens[-1] < self._counters.next_token
        now_ms = self._counters.cluster_time_ms
        return times and ascending and handed_out and 0 <= record.since_ms <= now_ms

    def _check_lease(self, place_id: int, record: PlaceRecord) -> None:
        lease = self._leases.get(record.lease_id)
        if lease is None or lease[2] is not None:
            raise CodecError(
                f"state: place {place_id} is under lease {record.lease_id}, which is not there"
            )
        if record.own_lease and self.places.own_place(record.lease_id) is not None:
            raise CodecError(f"state: two places own lease {record.lease_id}")


class LoadedGuards:
    """The guards of a state."""

    def __init__(self) -> None:
        self.guards: list[GuardPrefix] = []

    def load(self, guard: GuardPrefix) -> None:
        """Take the next guard."""
        if self.guards and guard.prefix <= self.guards[-1].prefix:
            raise CodecError(f"state: the guard of {guard.prefix!r} is out of order")
        if guard.per_key == (guard.lock is not None) or guard.lock == b"":
            raise CodecError(f"state: the guard of {guard.prefix!r} names no lock, or two")
        self.guards.append(guard)


def _is_asked_well(record: PlaceRecord) -> bool:
    names = record.names
    ordered = all(low < high for low, high in zip((b"", *names), names, strict=False))
    single = len(names) == 1 or record.mode == LockMode.EXCLUSIVE
    sized = record.capacity == 1 if record.mode != LockMode.COUNTED else record.capacity > 0
    held = record.max_hold_ms is None or record.max_hold_ms > 0
    return bool(names) and ordered and single and sized and held


def _follows(lock: Lock, record: PlaceRecord, number: int) -> bool:
    """Tell whether a place can stand behind all that a lock has (its `number`-th name)."""
    counted = record.mode == LockMode.COUNTED
    if counted != (lock.mode == LockMode.COUNTED) or lock.capacity != record.capacity:
        return False
    if not record.tokens or not lock.holders:
        return not (record.tokens and lock.queue)
    first_in = record.tokens[number] > next(reversed(lock.holders)) and not lock.queue
    if counted:
        return first_in and len(lock.holders) < lock.capacity
    return first_in and record.mode == lock.held == LockMode.SHARED
