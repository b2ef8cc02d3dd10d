"""Leases, as naively as the specification reads: full scans over all keys."""

from dataclasses import dataclass, replace

from core_oracle_locks import weight_of_place
from core_oracle_values import Refusal

from kvraft.core import commands as c
from kvraft.core.results import Ending, LeaseDescription, LeaseResult, RevokeResult

EXPIRED, REVOKED = 2, 3


@dataclass(frozen=True)
class Lease:
    ttl_ms: int
    deadline_ms: int
    implicit: bool


class LeaseOracle:
    def expire(self):
        leases, places = self.due()
        own = {place.lease_id for place in places if place.own_lease}
        self.ending_leases, self.ending_places = own | set(leases), set(places)
        self.grant_pending()
        for lease_id in leases:
            self.end(lease_id, EXPIRED)
        for place in places:
            if place in self.places:
                timed_out = place.wait_until_ms <= place.attached_until_ms
                ending = Ending.TIMED_OUT if timed_out else Ending.UNATTENDED
                self.end_place(place, ending, EXPIRED)
        self.ending_leases, self.ending_places = set(), set()

    def due(self):
        """Return the leases and the places that end before the first command."""
        leases = [(one.deadline_ms, i, self.weight_of(i), i) for i, one in self.leases.items()]
        places = []
        for place in self.places:
            own = place.own_lease
            weight = self.weight_of(place.lease_id) if own else weight_of_place(place)
            places.append((place.until_ms, place.number, weight, place))
        chosen, touched = ([], []), 0
        for kind, timed in enumerate((leases, places)):
            due = sorted(one for one in timed if one[0] <= self.now_ms)
            for _, _, weight, thing in due[: self.limits.expiries_per_entry]:
                if chosen != ([], []) and touched + weight > self.limits.touched_entries:
                    break
                touched += weight
                chosen[kind].append(thing)
        return chosen

    def keys_of(self, lease_id):
        return sorted(k for k, e in self.entries.items() if e.lease_id == lease_id)

    def end(self, lease_id, cause):
        ending = Ending.LEASE_EXPIRED if cause == EXPIRED else Ending.LEASE_REVOKED
        for place in self.places_of(lease_id):
            self.leave(place, ending)
        self.serve()
        keys = self.keys_of(lease_id)
        for key in keys:
            self.change(key, None)
        del self.leases[lease_id]
        if keys:
            self.end_revision(cause)
        else:
            self.revision += 1
        return len(keys)

    def forget_orphans(self):
        attached = {entry.lease_id for entry in self.entries.values()}
        self.leases = {
            i: lease for i, lease in self.leases.items() if not lease.implicit or i in attached
        }

    def choose_id(self):
        while self.next_lease_id in self.leases:
            self.next_lease_id += 1
        self.next_lease_id += 1
        return self.next_lease_id - 1

    def check_ttl(self, ttl_ms):
        if not self.limits.ttl_min_ms <= ttl_ms <= self.limits.ttl_max_ms:
            raise Refusal("TTL_OUT_OF_RANGE")

    def check_grant(self, ttl_ms):
        self.check_ttl(ttl_ms)
        if sum(not lease.implicit for lease in self.leases.values()) >= self.limits.leases:
            raise Refusal("TOO_MANY_LEASES")

    def new_lease(self, ttl_ms):
        lease_id = self.choose_id()
        self.leases[lease_id] = Lease(ttl_ms, self.now_ms + ttl_ms, False)
        return lease_id

    def grant(self, command: c.LeaseGrant):
        if command.lease_id in self.leases:
            self.check_ttl(command.ttl_ms)
            raise Refusal("LEASE_EXISTS")
        self.check_grant(command.ttl_ms)
        lease_id = command.lease_id or self.choose_id()
        self.leases[lease_id] = Lease(command.ttl_ms, self.now_ms + command.ttl_ms, False)
        self.revision += 1
        return LeaseResult(lease_id, command.ttl_ms, command.ttl_ms)

    def keep_alive(self, command: c.LeaseKeepAlive):
        lease = self.leases.get(command.lease_id)
        if lease is None:
            raise Refusal("LEASE_NOT_FOUND")
        deadline_ms = self.now_ms + lease.ttl_ms
        self.leases[command.lease_id] = replace(lease, deadline_ms=deadline_ms)
        for place in self.places_of(command.lease_id):
            if place.own_lease:
                self.confirm_place(place)
        return LeaseResult(command.lease_id, lease.ttl_ms, lease.ttl_ms)

    def revoke(self, command: c.LeaseRevoke):
        if command.lease_id not in self.leases:
            raise Refusal("LEASE_NOT_FOUND")
        return RevokeResult(command.lease_id, self.end(command.lease_id, REVOKED))

    def describe(self, lease_id):
        lease = self.leases[lease_id]
        keys = tuple(self.keys_of(lease_id))
        remaining_ms = max(0, lease.deadline_ms - self.now_ms)
        return LeaseDescription(lease_id, lease.ttl_ms, remaining_ms, keys, len(keys))
