"""The state machine once more, written as naively as SEMANTICS reads: dictionaries and full scans.

It shares the command and result types with the real one and nothing else. `Refused` is told by its
reason only: messages are for people.
"""

from dataclasses import dataclass, field

from kvraft.core.commands import (
    Bootstrap,
    CompareAndSet,
    Delete,
    DeleteRange,
    HashMarker,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    MemberDisk,
    Put,
)
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    KeyValue,
    LeaseDescription,
    LeaseResult,
    MarkerResult,
    MemberResult,
    PutResult,
    RevokeResult,
)


@dataclass
class Lease:
    ttl_ms: int
    deadline_ms: int
    implicit: bool


@dataclass
class Oracle:
    index: int = 0
    revision: int = 1
    now_ms: int = 0
    cluster_id: int = 0
    next_lease_id: int = 1
    limits: ApplyLimits = field(default_factory=ApplyLimits)
    disks: dict[str, int] = field(default_factory=dict)
    entries: dict[bytes, KeyValue] = field(default_factory=dict)
    leases: dict[int, Lease] = field(default_factory=dict)

    def apply(self, index, entry):
        self.index = index
        self.now_ms = max(self.now_ms, entry.stamp_ms or 0)
        self.expire()
        do = {
            Put: self.put,
            CompareAndSet: self.compare_and_set,
            Delete: self.delete,
            DeleteRange: self.delete_range,
            LeaseGrant: self.grant,
            LeaseKeepAlive: self.keep_alive,
            LeaseRevoke: self.revoke,
            Bootstrap: self.bootstrap,
            MemberDisk: self.member_disk,
            HashMarker: self.marker,
        }
        return [do[type(command)](command) for command in entry.commands]

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
            self.end(lease_id)

    def keys_of(self, lease_id):
        return sorted(k for k, e in self.entries.items() if e.lease_id == lease_id)

    def end(self, lease_id):
        keys = self.keys_of(lease_id)
        for key in keys:
            del self.entries[key]
        del self.leases[lease_id]
        self.revision += 1
        return len(keys)

    def forget_orphans(self):
        for lease_id in [
            i for i, lease in self.leases.items() if lease.implicit and not self.keys_of(i)
        ]:
            del self.leases[lease_id]

    def choose_id(self):
        while self.next_lease_id in self.leases:
            self.next_lease_id += 1
        self.next_lease_id += 1
        return self.next_lease_id - 1

    def ttl_is_wrong(self, ttl_ms):
        return not self.limits.ttl_min_ms <= ttl_ms <= self.limits.ttl_max_ms

    def write(self, command):
        """Write a key; returns its entry, or the reason why not."""
        old = self.entries.get(command.key)
        held = old.lease_id if old else 0
        choices = (command.lease_id is not None, command.ttl_ms is not None, command.keep_lease)
        if sum(choices) > 1:
            return "INVALID"
        lease_id = held if command.keep_lease else 0
        if command.lease_id is not None:
            lease_id = command.lease_id
            if lease_id not in self.leases:
                return "LEASE_NOT_FOUND"
            full = len(self.keys_of(lease_id)) >= self.limits.keys_per_lease
            if lease_id != held and (full or self.leases[lease_id].implicit):
                return "LEASE_FULL"
        if command.ttl_ms is not None:
            if self.ttl_is_wrong(command.ttl_ms):
                return "TTL_OUT_OF_RANGE"
            others = [i for i, lease in self.leases.items() if lease.implicit and i != held]
            if len(others) >= self.limits.ttl_leases:
                return "TOO_MANY_LEASES"
            self.entries.pop(command.key, None)
            self.forget_orphans()
            lease_id = self.choose_id()
            self.leases[lease_id] = Lease(command.ttl_ms, self.now_ms + command.ttl_ms, True)
        self.revision += 1
        created = old.create_revision if old else self.revision
        version = old.version + 1 if old else 1
        entry = KeyValue(command.key, command.value, created, self.revision, version, lease_id)
        self.entries[command.key] = entry
        self.forget_orphans()
        return entry

    def put(self, command: Put):
        old = self.entries.get(command.key)
        entry = self.write(command)
        if isinstance(entry, str):
            return entry
        return PutResult(entry, old if command.return_previous else None)

    def compare_and_set(self, command: CompareAndSet):
        old, expect = self.entries.get(command.key), command.expect
        wanted = {
            name: getattr(expect, name)
            for name in ("value", "version", "mod_revision", "create_revision")
            if getattr(expect, name) is not None
        }
        if old is None:
            holds = expect.absent and not wanted
        else:
            holds = not expect.absent and all(getattr(old, n) == v for n, v in wanted.items())
        if not holds:
            return CasResult(False, old)
        entry = self.write(command)
        return entry if isinstance(entry, str) else CasResult(True, entry)

    def delete(self, command: Delete):
        old = self.entries.pop(command.key, None)
        if old is None:
            return DeleteResult(0)
        self.forget_orphans()
        self.revision += 1
        return DeleteResult(1, old if command.return_previous else None)

    def delete_range(self, command: DeleteRange):
        hit = [
            k
            for k in self.entries
            if command.start <= k and (command.end is None or k < command.end)
        ]
        if len(hit) > self.limits.touched_entries:
            return "TOO_MANY_ENTRIES"
        for key in hit:
            del self.entries[key]
        self.forget_orphans()
        self.revision += bool(hit)
        return DeleteResult(len(hit))

    def grant(self, command: LeaseGrant):
        if self.ttl_is_wrong(command.ttl_ms):
            return "TTL_OUT_OF_RANGE"
        if command.lease_id in self.leases:
            return "LEASE_EXISTS"
        if sum(not lease.implicit for lease in self.leases.values()) >= self.limits.leases:
            return "TOO_MANY_LEASES"
        lease_id = command.lease_id or self.choose_id()
        self.leases[lease_id] = Lease(command.ttl_ms, self.now_ms + command.ttl_ms, False)
        self.revision += 1
        return LeaseResult(lease_id, command.ttl_ms, command.ttl_ms)

    def keep_alive(self, command: LeaseKeepAlive):
        lease = self.leases.get(command.lease_id)
        if lease is None:
            return "LEASE_NOT_FOUND"
        lease.deadline_ms = self.now_ms + lease.ttl_ms
        return LeaseResult(command.lease_id, lease.ttl_ms, lease.ttl_ms)

    def revoke(self, command: LeaseRevoke):
        if command.lease_id not in self.leases:
            return "LEASE_NOT_FOUND"
        return RevokeResult(command.lease_id, self.end(command.lease_id))

    def bootstrap(self, command: Bootstrap):
        if not self.cluster_id:
            self.cluster_id, self.limits = command.cluster_id, command.limits
            self.disks = {member.name: member.disk_id for member in command.members}
        return MemberResult(self.cluster_id, "", 0)

    def member_disk(self, command: MemberDisk):
        name, disk_id = command.member.name, command.member.disk_id
        if name not in self.disks:
            return "MEMBER_UNKNOWN"
        self.disks[name] = disk_id
        return MemberResult(self.cluster_id, name, disk_id)

    def marker(self, command: HashMarker):
        return MarkerResult(self.index, command.nonce)

    def describe(self, lease_id):
        lease = self.leases[lease_id]
        keys = tuple(self.keys_of(lease_id))
        remaining_ms = max(0, lease.deadline_ms - self.now_ms)
        return LeaseDescription(lease_id, lease.ttl_ms, remaining_ms, keys, len(keys))
