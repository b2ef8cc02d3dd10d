"""Leases: who holds which keys until when, in cluster time.

Imports: sortedcontainers, core table. A granted lease carries many keys. An implicit one was made
by `ttl_ms` on a write: it carries that key only and ends with it. This module keeps the books; what
a lease's end means for the keys is the machine's business.

The invariant: `due` holds exactly one item for each live lease, so what is due, and in which order,
depends on the leases alone, never on how a node came to them (a snapshot or the log).
"""

from collections.abc import Iterator

from sortedcontainers import SortedDict, SortedList

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

    def is_implicit(self, lease_id: int) -> bool:
        """Tell whether a lease is there and was made by `ttl_ms` on a write."""
        lease = self.table.get(lease_id)
        return lease is not None and lease[2] is not None

    def keys_of(self, lease_id: int) -> list[bytes]:
        """Return the keys of a live lease, in order."""
        key = self._live(lease_id)[2]
        return sorted(self._attached.get(lease_id, ())) if key is None else [key]

    def key_count(self, lease_id: int) -> int:
        """Count the keys of a live lease."""
        implicit = self._live(lease_id)[2] is not None
        return 1 if implicit else len(self._attached.get(lease_id, ()))

    def ids_after(self, after: int) -> Iterator[int]:
        """Iterate over the ids above `after`, in order."""
        return self.table.between(after + 1, None)

    def choose_id(self) -> int:
        """Return an id that no live lease has, and that was never returned before."""
        while self.table.get(self.next_id) is not None:
            self.next_id += 1
        chosen = self.next_id
        self.next_id += 1
        return chosen

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
        ttl_ms, old_deadline_ms, key = self._live(lease_id)
        if deadline_ms != old_deadline_ms:
            self._due.remove(old_deadline_ms << _ID_BITS | lease_id)
            self._due.add(deadline_ms << _ID_BITS | lease_id)
            self.table.put(lease_id, (ttl_ms, deadline_ms, key))

    def end(self, lease_id: int) -> list[bytes]:
        """End a live lease; returns the keys that were attached, in order."""
        keys = self.keys_of(lease_id)
        ttl_ms, deadline_ms, key = self.table.remove(lease_id)
        self._due.remove(deadline_ms << _ID_BITS | lease_id)
        self._attached.pop(lease_id, None)
        if self._ttls[ttl_ms] == 1:
            del self._ttls[ttl_ms]
        else:
            self._ttls[ttl_ms] -= 1
        if key is None:
            self.granted_count -= 1
        return keys

    def attach(self, lease_id: int, key: bytes) -> None:
        """Put a key under a granted lease."""
        assert self._live(lease_id)[2] is None, lease_id
        self._attached.setdefault(lease_id, set()).add(key)

    def detach(self, lease_id: int, key: bytes) -> None:
        """Take a key from its lease; an implicit lease ends with that."""
        if self._live(lease_id)[2] is not None:
            self.end(lease_id)
            return
        keys = self._attached[lease_id]
        keys.remove(key)
        if not keys:
            del self._attached[lease_id]

    def first_due(self, now_ms: int) -> int | None:
        """Return the lease that ends first of those with deadline <= now, the lowest id of equals."""
        if not self._due:
            return None
        first: int = self._due[0]
        return first & _ID_MASK if first >> _ID_BITS <= now_ms else None

    def next_deadline_ms(self) -> int | None:
        """Return the earliest deadline, in cluster time; None without leases."""
        first: int | None = self._due[0] if self._due else None
        return None if first is None else first >> _ID_BITS

    def smallest_ttl_ms(self) -> int | None:
        """Return the smallest TTL of a live lease; None without leases."""
        smallest: int | None = self._ttls.peekitem(0)[0] if self._ttls else None
        return smallest

    def _live(self, lease_id: int) -> LeaseRecord:
        lease = self.table.get(lease_id)
        assert lease is not None, lease_id
        return lease
