"""How what was planned becomes the state: keys, leases, one revision, and its place in the history.

Imports: core only. Nothing here can be refused: all that could have been was, in the plan.
"""

from kvraft.core.history import Event, Revision
from kvraft.core.plan import Plan
from kvraft.core.state import State


class Committing(State):
    """The state, with the one way to change its keys."""

    __slots__ = ()

    def _commit(self, plan: Plan) -> None:
        """Do a plan's steps, in their order, at one revision."""
        keyspace, attachments = self._keyspace, plan.attachments
        for key, record, before, _ in plan.steps:
            if attachments is not None:
                attached = 0 if before is None else before[4]
                lease_id = 0 if record is None else record[4]
                if attached != lease_id:
                    self._move(key, attached, lease_id, attachments.begun.get(lease_id))
            if record is None:
                keyspace.remove(key)
            else:
                keyspace.put(key, record)
        if attachments is not None:
            self._leases.next_id = attachments.next_id
        self._finish(plan.revision, plan.steps)

    def _move(self, key: bytes, attached: int, lease_id: int, ttl_ms: int | None) -> None:
        leases = self._leases
        if attached:
            leases.detach(attached, key)
        if not lease_id:
            return
        if ttl_ms is None:
            leases.attach(lease_id, key)
        else:
            leases.add(lease_id, ttl_ms, self.cluster_time_ms + ttl_ms, key)

    def _finish(self, revision: int, events: list[Event]) -> None:
        self.revision = revision
        if events:
            done = Revision(revision, self.cluster_time_ms, tuple(events))
            self._history.append(done)
            self.changes.append(done)
