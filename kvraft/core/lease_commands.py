"""What grants, keepalives, revokes and expiry do to the state.

Imports: core only. A lease's end takes its keys with it, in one revision: on a request, or because
its deadline has come, which the events tell apart.
"""

from kvraft.core.commands import LeaseGrant, LeaseKeepAlive, LeaseRevoke
from kvraft.core.commit import Committing
from kvraft.core.history import Cause, Event
from kvraft.core.leases import lease_not_found
from kvraft.core.results import LeaseResult, Refused, RevokeResult


class LeaseCommands(Committing):
    """The state, with what happens to its leases."""

    __slots__ = ()

    def _expire(self) -> None:
        """End what is due, by (deadline, id), one revision each; the rest lives on for one entry.

        At most `expiries_per_entry` leases, and no second lease beyond `touched_entries` keys in
        all: this is the work of one entry before its first command.
        """
        touched = 0
        for _ in range(self.limits.expiries_per_entry):
            lease_id = self._leases.first_due(self.cluster_time_ms)
            if lease_id is None:
                return
            keys = self._leases.key_count(lease_id)
            if touched and touched + keys > self.limits.touched_entries:
                return
            touched += keys
            self._end_lease(lease_id, Cause.EXPIRED)

    def _end_lease(self, lease_id: int, cause: Cause) -> int:
        keys = self._leases.end(lease_id)
        remove = self._keyspace.remove
        self._finish(self.revision + 1, [Event(key, None, remove(key), cause) for key in keys])
        return len(keys)

    def _grant(self, command: LeaseGrant) -> LeaseResult | Refused:
        refused = self._leases.refuse_grant(command.lease_id, command.ttl_ms, self.limits)
        if refused is not None:
            return refused
        lease_id = self._leases.choose_id() if command.lease_id is None else command.lease_id
        self._leases.add(lease_id, command.ttl_ms, self.cluster_time_ms + command.ttl_ms)
        self.revision += 1
        return LeaseResult(lease_id, command.ttl_ms, command.ttl_ms)

    def _keep_alive(self, command: LeaseKeepAlive) -> LeaseResult | Refused:
        lease = self._leases.get(command.lease_id)
        if lease is None:
            return lease_not_found(command.lease_id)
        ttl_ms = lease[0]
        self._leases.renew(command.lease_id, self.cluster_time_ms + ttl_ms)
        return LeaseResult(command.lease_id, ttl_ms, ttl_ms)

    def _revoke(self, command: LeaseRevoke) -> RevokeResult | Refused:
        if self._leases.get(command.lease_id) is None:
            return lease_not_found(command.lease_id)
        return RevokeResult(command.lease_id, self._end_lease(command.lease_id, Cause.REVOKED))
