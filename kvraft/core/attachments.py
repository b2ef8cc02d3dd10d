"""Which keys a plan would put under which leases; the limits hold over the sum of it.

Imports: core errors, leases, limits, results. Only what changes is noted; the leases themselves
stay as they are until the plan is committed.
"""

from kvraft.core.errors import Reason
from kvraft.core.leases import Leases, lease_not_found, refuse_ttl
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import Refused


class Attachments:
    """The changes of one plan."""

    __slots__ = ("_ended", "_leases", "_limits", "_moved", "begun", "next_id")

    def __init__(self, leases: Leases, limits: ApplyLimits) -> None:
        self._leases = leases
        self._limits = limits
        self._moved: dict[int, int] = {}  # granted lease -> keys it would gain or (negative) lose
        self._ended: set[int] = set()  # implicit leases
        self.begun: dict[int, int] = {}
        """Implicit leases to begin, with their ttl_ms."""
        self.next_id = leases.next_id
        """Where ids are handed out from, once this is committed."""

    def attach(self, lease_id: int | None, ttl_ms: int | None, attached: int) -> int | Refused:
        """Return the lease a key of lease `attached` (0: none) would get, or say why not."""
        if ttl_ms is not None:
            return self._begin(ttl_ms, attached)
        assert lease_id is not None
        if lease_id == attached:
            return lease_id
        refused = self._refuse_granted(lease_id)
        if refused is not None:
            return refused
        self.detach(attached)
        self._moved[lease_id] = self._moved.get(lease_id, 0) + 1
        return lease_id

    def detach(self, attached: int) -> None:
        """Take a key from its lease (0: it has none); an implicit lease ends with that."""
        if not attached:
            return
        if self._leases.live(attached)[2] is not None:
            self._ended.add(attached)
        else:
            self._moved[attached] = self._moved.get(attached, 0) - 1

    def _begin(self, ttl_ms: int, attached: int) -> int | Refused:
        refused = refuse_ttl(ttl_ms, self._limits)
        if refused is not None:
            return refused
        self.detach(attached)
        count, limit = self._leases.implicit_count, self._limits.ttl_leases
        count += len(self.begun) - len(self._ended)
        if count >= limit:
            message = f"{count} keys have a ttl_ms, the limit ttl_leases is {limit}"
            return Refused(Reason.TOO_MANY_LEASES, message)
        chosen = self._leases.free_id(self.next_id)
        self.next_id = chosen + 1
        self.begun[chosen] = ttl_ms
        return chosen

    def _refuse_granted(self, lease_id: int) -> Refused | None:
        lease = self._leases.get(lease_id)
        if lease_id in self.begun or (lease is not None and lease[2] is not None):
            if lease_id in self._ended:
                return lease_not_found(lease_id)
            message = f"lease {lease_id} was made by ttl_ms and carries its own key only"
            return Refused(Reason.LEASE_FULL, message)
        if lease is None:
            return lease_not_found(lease_id)
        count = self._leases.key_count(lease_id) + self._moved.get(lease_id, 0)
        limit = self._limits.keys_per_lease
        if count < limit:
            return None
        message = f"lease {lease_id} has {count} keys, the limit keys_per_lease is {limit}"
        return Refused(Reason.LEASE_FULL, message)
