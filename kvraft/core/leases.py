"""Leases: who holds which keys until when, in cluster time.

Imports: sortedcontainers, core table, limits, results. A granted lease carries many keys. An
implicit one was made by `ttl_ms` on a write: it carries that key only and ends with it. This module
keeps the books; what a lease's end means for the keys is the machine's business.

The invariant: `due` holds exactly one item for each live lease, so what is due, and in which order,
depends on the leases alone, never on how a node came to them (a snapshot or the log).
"""

from collections.abc import Iterator

from sortedcontainers import SortedDict, SortedList

from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import Refused
from kvraft.core.table import Table

LeaseRecord = tuple[int, int, bytes | None]
"""ttl_ms, deadline_ms, and the key of an implicit lease (None: granted)."""

_ID_BITS = 63
_ID_MASK = (1 << _ID_BITS) - 1


class Leases:
    """All live leases, and the counter that names new ones."""

    __slots__ = ("_attached", "_due", "_ttls", "granted_count", "next_id", "table")

    def __init__(self, next_id: int = 1) -> None:
        self.table: Table[int, LeaseRecord] = Table()
        self.granted_count = 0
        self.next_id = next_id
        """Ids are handed out from here, upwards; never the same one twice."""
        self._attached: dict[int, set[bytes]] = {}
        # deadline and id in one integer: sorts by (deadline, id), a third of a tuple's memory.
        self._due = SortedList()
        self._ttls = SortedDict()  # ttl_ms -> how many leases have it

    @property
    def implicit_count(self) -> int:
        """How many leases were made by `ttl_ms` on a write."""
        return len(self.table) - self.granted_count

    def get(self, lease_id: int) -> LeaseRecord | None:
        """Return a lease; None if there is none."""
        return self.table.get(lease_id)

    def live(self, lease_id: int) -> LeaseRecord:
        """Return a lease that is known to be there."""
        lease = self.table.get(lease_id)
        assert lease is not None, lease_id
        return lease

    def keys_of(self, lease_id: int) -> list[bytes]:
        """Return the keys of a live lease, in order."""
        key = self.live(lease_id)[2]
        return sorted(self._attached.get(lease_id, ())) if key is None else [key]

    def key_count(self, lease_id: int) -> int:
        """Count the keys of a live lease."""
        implicit = self.live(lease_id)[2] is not None
        return 1 if implicit else len(self._attached.get(lease_id, ()))

    def ids_after(self, after: int) -> Iterator[int]:
        """Iterate over the ids above `after`, in order."""
        return self.table.between(after + 1, None)

    def choose_id(self) -> int:
        """Return an id that no live lease has, and that was never returned before."""
        chosen = self.free_id(self.next_id)
        self.next_id = chosen + 1
        return chosen

    def free_id(self, first: int) -> int:
        """Return the first id from there on that no live lease has."""
        while self.table.get(first) is not None:
            first += 1
        return first

    def add(self, lease_id: int, ttl_ms: int, deadline_ms: int, key: bytes | None = None) -> None:
        """Begin a lease under an id that is free; with `key`, an implicit one."""
        assert self.table.get(lease_id) is None, lease_id
        self.table.put(lease_id, (ttl_ms, deadline_ms, key))
        self._due.add(deadline_ms << _ID_BITS | lease_id)
        self._ttls[ttl_ms] = self._ttls.get(ttl_ms, 0) + 1
        if key is None:
            self.granted_count += 1

    def renew(self, lease_id: int, deadline_ms: int) -> None:
        """Move the deadline of a live lease."""
        ttl_ms, old_deadline_ms, key = self.live(lease_id)
        if deadline_ms != old_deadline_ms:
            self._due.remove(old_deadline_ms << _ID_BITS | lease_id)
            self._due.add(deadline_ms << _ID_BITS | lease_id)
            self.table.put(lease_id, (ttl_ms, deadline_ms, key))

    def end(self, lease_id: int) -> list[bytes]:
        """End a live lease; returns the keys that were attached, in order."""
        ttl_ms, deadline_ms, key = self.table.remove(lease_id)
        self._due.remove(deadline_ms << _ID_BITS | lease_id)
        count = self._ttls[ttl_ms]
        if count == 1:
            del self._ttls[ttl_ms]
        else:
            self._ttls[ttl_ms] = count - 1
        if key is not None:
            return [key]
        self.granted_count -= 1
        return sorted(self._attached.pop(lease_id, ()))

    def attach(self, lease_id: int, key: bytes) -> None:
        """Put a key under a granted lease."""
        assert self.live(lease_id)[2] is None, lease_id
        self._attached.setdefault(lease_id, set()).add(key)

    def detach(self, lease_id: int, key: bytes) -> None:
        """Take a key from its lease; an implicit lease ends with that."""
        if self.live(lease_id)[2] is not None:
            self.end(lease_id)
            return
        keys = self._attached[lease_id]
        keys.remove(key)
        if not keys:
            del self._attached[lease_id]

    def due(self, now_ms: int) -> Iterator[int]:
        """Iterate over the leases with deadline <= now, by (deadline, id); none ends meanwhile."""
        for item in self._due.irange(None, (now_ms + 1) << _ID_BITS, inclusive=(True, False)):
            yield item & _ID_MASK

    def next_deadline_ms(self) -> int | None:
        """Return the earliest deadline, in cluster time; None without leases."""
        first: int | None = self._due[0] if self._due else None
        return None if first is None else first >> _ID_BITS

    def smallest_ttl_ms(self) -> int | None:
        """Return the smallest TTL of a live lease; None without leases."""
        smallest: int | None = self._ttls.peekitem(0)[0] if self._ttls else None
        return smallest

    # -- refusing

    def refuse_grant(
        self, lease_id: int | None, ttl_ms: int, limits: ApplyLimits
    ) -> Refused | None:
        """Say why a lease cannot be granted, or None."""
        refused = refuse_ttl(ttl_ms, limits)
        if refused is not None:
            return refused
        if lease_id is not None and self.get(lease_id) is not None:
            return Refused(Reason.LEASE_EXISTS, f"lease {lease_id} exists")
        if self.granted_count < limits.leases:
            return None
        message = f"{self.granted_count} leases are alive, the limit leases is {limits.leases}"
        return Refused(Reason.TOO_MANY_LEASES, message)


def lease_not_found(lease_id: int) -> Refused:
    """Return the answer to whoever names a lease that is not there (any more)."""
    return Refused(Reason.LEASE_NOT_FOUND, f"lease {lease_id} does not exist")


def refuse_ttl(ttl_ms: int, limits: ApplyLimits) -> Refused | None:
    """Say why a TTL cannot be granted, or None."""
    low, high = limits.ttl_min_ms, limits.ttl_max_ms
    if low <= ttl_ms <= high:
        return None
    return Refused(Reason.TTL_OUT_OF_RANGE, f"ttl_ms is {ttl_ms}, it must be {low} to {high}")
