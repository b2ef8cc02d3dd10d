"""What grants, keepalives, revokes and expiry do to the state.

Imports: core only. A lease's end takes its keys and places with it, in one revision, in which who
waited for its locks is served: on a request, or because its deadline has come, which the events
tell apart.
"""

from itertools import islice

from kvraft.core.commands import LeaseGrant, LeaseKeepAlive, LeaseRevoke
from kvraft.core.granting import Granting
from kvraft.core.history import Cause, Event
from kvraft.core.leases import lease_not_found
from kvraft.core.limits import PLACE_ENTRIES
from kvraft.core.results import Ending, LeaseResult, Refused, RevokeResult


class LeaseCommands(Granting):
    """The state, with what happens to its leases, and to places when their time has come."""

    __slots__ = ()

    def _expire(self) -> None:
        """End what is due, by (deadline, id), one revision each; the rest lives on for one entry.

        At most `expiries_per_entry` leases and as many places, and nothing but the first beyond
        `touched_entries` keys and locks in all: this is the work of one entry before its first
        command. What will end is known before anything ends, and nothing is granted to it (I2).
        """
        deadline_ms = self.next_deadline_ms()
        if deadline_ms is None or deadline_ms > self.cluster_time_ms:
            return
        leases, places = self._due()
        if not leases and not places:
            self._resume_grants()
            return
        own = (self._places.live(place_id) for place_id in places)
        self._ending_leases = {record.lease_id for record in own if record.own_lease}
        self._ending_leases.update(leases)
        self._ending_places = frozenset(places)
        self._resume_grants()
        for lease_id in leases:
            self._end_lease(lease_id, Cause.EXPIRED)
        for place_id in places:
            record = self._places.table.get(place_id)
            if record is not None:  # it did not go with its lease
                waited = record.deadline_ms == record.wait_deadline_ms
                ending = Ending.TIMED_OUT if waited else Ending.UNATTENDED
                self._end_place(place_id, ending, Cause.EXPIRED)
        self._ending_leases, self._ending_places = set(), frozenset()

    def _due(self) -> tuple[list[int], list[int]]:
        """Return the leases and the places that end in this entry."""
        limits, now_ms = self.limits, self.cluster_time_ms
        left = limits.touched_entries
        leases: list[int] = []
        for lease_id in islice(self._leases.due(now_ms), limits.expiries_per_entry):
            size = self._lease_work(lease_id)
            if size > left and leases:
                break
            left -= size
            leases.append(lease_id)
        places: list[int] = []
        for place_id in islice(self._places.due(now_ms), limits.expiries_per_entry):
            record = self._places.live(place_id)
            size = PLACE_ENTRIES + len(record.names)
            if record.own_lease:
                size = self._lease_work(record.lease_id)
            if size > left and (leases or places):
                break
            left -= size
            places.append(place_id)
        return leases, places

    def _lease_work(self, lease_id: int) -> int:
        return self._leases.key_count(lease_id) + self._places.work_of(lease_id)

    def _end_lease(self, lease_id: int, cause: Cause) -> int:
        """End a lease with its keys and places, in one revision; returns how many keys."""
        ending = Ending.LEASE_EXPIRED if cause is Cause.EXPIRED else Ending.LEASE_REVOKED
        for place_id in self._places.of_lease(lease_id):
            self._leave(place_id, ending)
        keys = self._leases.end(lease_id)
        remove = self._keyspace.remove
        events = [Event(key, None, remove(key), cause) for key in keys]
        self._settle()
        self._finish(self.revision + 1, events)
        return len(keys)

    def _end_place(
        self, place_id: int, ending: Ending, cause: Cause, *, with_lease: bool = False
    ) -> None:
        """End a place, in one revision; its own lease too, where it never came to use."""
        record = self._places.live(place_id)
        unused = record.own_lease and (not record.tokens or ending is Ending.UNATTENDED)
        self._leave(place_id, ending)
        if with_lease or unused:
            self._end_lease(record.lease_id, cause)
            return
        self._settle()
        self._finish(self.revision + 1, [])

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
        place_id = self._places.own_place(command.lease_id)
        if place_id is not None:
            self._confirm_place(place_id)
        return LeaseResult(command.lease_id, ttl_ms, ttl_ms)

    def _revoke(self, command: LeaseRevoke) -> RevokeResult | Refused:
        if self._leases.get(command.lease_id) is None:
            return lease_not_found(command.lease_id)
        return RevokeResult(command.lease_id, self._end_lease(command.lease_id, Cause.REVOKED))
