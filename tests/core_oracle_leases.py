"""Leases, as naively as the specification reads: full scans over all keys."""

from dataclasses import dataclass, replace

from core_oracle_values import Refusal

from kvraft.core import commands as c
from kvraft.core.results import LeaseDescription, LeaseResult, RevokeResult

EXPIRED, REVOKED = 2, 3


@dataclass(frozen=True)
class Lease:
    ttl_ms: int
    deadline_ms: int
    implicit: bool


class LeaseOracle:
    def expire(self):
        due = [
            (lease.deadline_ms, i)
            for i, lease in self.leases.items()
            if lease.deadline_ms <= self.now_ms
        ]
        touched = 0
        for _, lease_id in sorted(due)[: self.limits.expiries_per_entry]:
            count = len(self.keys_of(lease_id))
            if touched and touched + count > self.limits.touched_entries:
                break
            touched += count
            self.end(lease_id, EXPIRED)

    def keys_of(self, lease_id):
        return sorted(k for k, e in self.entries.items() if e.lease_id == lease_id)

    def end(self, lease_id, cause):
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

    def grant(self, command: c.LeaseGrant):
        self.check_ttl(command.ttl_ms)
        if command.lease_id in self.leases:
            raise Refusal("LEASE_EXISTS")
        if sum(not lease.implicit for lease in self.leases.values()) >= self.limits.leases:
            raise Refusal("TOO_MANY_LEASES")
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
