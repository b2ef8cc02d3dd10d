"""The state machine once more, written as naively as SEMANTICS reads: dictionaries and full scans.

It shares the command and result types with the real one and nothing else. A refusal is told by its
word only: messages are for people.
"""

from dataclasses import dataclass, field

from core_oracle_identities import Identities, Outcome
from core_oracle_leases import Lease, LeaseOracle
from core_oracle_locks import LockOracle, Place
from core_oracle_txn import TxnOracle
from core_oracle_values import Documents, Refusal, number_of, updated

from kvraft.core import commands as c
from kvraft.core.history import Cause
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    InvariantResult,
    KeyValue,
    MarkerResult,
    MemberResult,
    PutResult,
    UpdateResult,
)

REQUEST, FENCED = 1, int(Cause.FENCED)


@dataclass
class Oracle(LeaseOracle, LockOracle, TxnOracle):
    index: int = 0
    revision: int = 1
    now_ms: int = 0
    cluster_id: int = 0
    next_lease_id: int = 1
    limits: ApplyLimits = field(default_factory=ApplyLimits)
    disks: dict[str, int] = field(default_factory=dict)
    entries: dict[bytes, KeyValue] = field(default_factory=dict)
    leases: dict[int, Lease] = field(default_factory=dict)
    invariants: dict[tuple[bytes, bool], c.SetInvariant] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)  # by number
    next_place: int = 1
    next_token: int = 1
    ended: list[tuple] = field(default_factory=list)  # (forget at, number, key, ending)
    guards: dict[bytes, c.GuardPrefix] = field(default_factory=dict)
    work: set[bytes] = field(default_factory=set)  # locks that somebody may be granted
    fenced: set[bytes] = field(default_factory=set)  # by the command that is being done
    lock_changes: list[tuple] = field(default_factory=list)
    identities: Identities = field(default_factory=Identities)
    history: list = field(default_factory=list)  # (revision, time, events)
    past: dict[int, dict[bytes, KeyValue]] = field(default_factory=lambda: {1: {}})
    compacted: int = 1
    changes: list = field(default_factory=list)
    events: list = field(default_factory=list)  # of the command that is being done
    touched: int = 0
    entries_before: dict[bytes, KeyValue] = field(default_factory=dict)
    documents: Documents | None = None

    def apply(self, index, entry):
        self.index = index
        self.now_ms = max(self.now_ms, entry.stamp_ms or 0)
        self.changes, self.revisions, self.lock_changes = [], [], []
        self.identities.age_out(self.now_ms, self.limits, len(entry.commands))
        self.forget_ended(len(entry.commands))
        self.grants_left = self.limits.grants_per_entry
        self.expire()
        results = []
        for command in entry.commands:
            results.append(self.answer(command))
            self.revisions.append(self.revision)
        self.park()
        self.forget_history()
        return results

    def answer(self, command):
        match command:
            case c.Request(mutation, condition, None, fences):
                return self.attempt(mutation, condition, fences)
            case c.Request(mutation, condition, identity, fences):
                asked = repr((mutation, condition, fences))
                told = self.identities.find(identity, asked, self.now_ms, self.limits)
                if told is not None:
                    return told
                result = self.attempt(mutation, condition, fences)
                outcome = Outcome(asked, result, self.revision, self.now_ms)
                self.identities.record(identity, outcome)
                return result
            case c.SessionOpen():
                return self.identities.open(self.now_ms, self.limits)
            case c.SessionClose(session_id):
                return self.identities.close(session_id)
            case c.Resolve(identity):
                known = self.identities
                return known.resolve(identity, self.revision, self.now_ms, self.limits)
        return self.attempt(command, None, ())

    def attempt(self, command, condition, fences):
        """Do a command wholly, or not at all."""
        before = dict(self.entries), dict(self.leases), self.next_lease_id
        self.entries_before = before[0]
        self.events, self.touched = [], 0
        self.documents = Documents(self.limits.json_bytes)
        self.written_bytes = 0
        try:
            self.check_fences(fences)
            if condition is not None:
                unmet = self.unmet(condition)
                if unmet is not None:
                    return self.trimmed(unmet)
            result = self.trimmed(self.do(command))
        except Refusal as refusal:
            self.entries, self.leases, self.next_lease_id = before
            self.events = []
            return refusal.args[0]
        self.end_revision(FENCED if fences else REQUEST)
        return result

    def do(self, command):
        by_type = {
            c.Put: self.put,
            c.CompareAndSet: self.compare_and_set,
            c.Delete: self.delete,
            c.DeleteRange: self.delete_range,
            c.Update: self.update,
            c.Txn: self.txn,
            c.SetInvariant: self.set_invariant,
            c.LeaseGrant: self.grant,
            c.LeaseKeepAlive: self.keep_alive,
            c.LeaseRevoke: self.revoke,
            c.Acquire: self.acquire,
            c.Attach: self.attach,
            c.Confirm: self.confirm,
            c.Release: self.release,
            c.GuardPrefix: self.guard_prefix,
            c.Bootstrap: self.bootstrap,
            c.MemberDisk: self.member_disk,
            c.HashMarker: self.marker,
        }
        return by_type[type(command)](command)

    # -- revisions and history

    def change(self, key, entry):
        """Let a key's entry be this one (None: gone), at the revision to come."""
        old = self.entries.pop(key, None)
        if entry is not None:
            self.entries[key] = entry
        self.events.append((key, entry and entry[1:6], old and old[1:6]))

    def end_revision(self, cause):
        if not self.events:
            return
        self.revision += 1
        events = tuple((*event, cause) for event in self.events)
        self.events = []
        self.history.append((self.revision, self.now_ms, events))
        self.changes.append((self.revision, self.now_ms, events))
        self.past[self.revision] = dict(self.entries)

    def forget_history(self):
        limits = self.limits
        added = sum(len(events) for _, _, events in self.changes)
        removals = limits.history_removals
        budget = removals + added + min(added, removals)  # of events: it keeps up with writing
        while self.history and budget > 0:
            revision, time_ms, events = self.history[0]
            many = len(self.history) > limits.history_revisions
            old = self.now_ms - time_ms > limits.history_ms
            if not (many and old) and self.history_bytes() <= limits.history_bytes:
                return
            del self.history[0]
            budget -= len(events)
            self.compacted = revision
            self.past = {r: past for r, past in self.past.items() if r >= revision}

    def history_bytes(self):
        return sum(
            200 + len(key) + len(after[0] if after else b"") + len(before[0] if before else b"")
            for _, _, events in self.history
            for key, after, before, _ in events
        )

    def entries_at(self, revision):
        return self.past[max(r for r in self.past if r <= revision)]

    def after(self, revision):
        return [change for change in self.history if change[0] > revision]

    # -- writing

    def write(self, command, value, *, keep_lease):
        """Write a key, with the lease that the command asks for; returns its entry."""
        old = self.entries.get(command.key)
        held = old.lease_id if old else 0
        lease_id = held if keep_lease else 0
        if command.lease_id is not None:
            lease_id = command.lease_id
            if lease_id not in self.leases:
                raise Refusal("LEASE_NOT_FOUND")
            full = len(self.keys_of(lease_id)) >= self.limits.keys_per_lease
            if lease_id != held and (full or self.leases[lease_id].implicit):
                raise Refusal("LEASE_FULL")
        if command.ttl_ms is not None:
            self.check_ttl(command.ttl_ms)
            others = [i for i, lease in self.leases.items() if lease.implicit and i != held]
            if len(others) >= self.limits.ttl_leases:
                raise Refusal("TOO_MANY_LEASES")
            if held and self.leases[held].implicit:
                del self.leases[held]
            lease_id = self.choose_id()
            self.leases[lease_id] = Lease(command.ttl_ms, self.now_ms + command.ttl_ms, True)
        self.check_guard(command.key)
        self.check_invariants(command.key, value)
        self.touch(1)
        revision = self.revision + 1
        created = old.create_revision if old else revision
        version = old.version + 1 if old else 1
        entry = KeyValue(command.key, value, created, revision, version, lease_id)
        self.change(command.key, entry)
        self.forget_orphans()
        return entry

    def asked_attachment(self, command):
        choices = (command.lease_id is not None, command.ttl_ms is not None, command.keep_lease)
        if sum(choices) > 1:
            raise Refusal("INVALID")
        return command.keep_lease

    def put(self, command: c.Put):
        old = self.entries.get(command.key)
        keep_lease = self.asked_attachment(command)
        entry = self.write(command, command.value, keep_lease=keep_lease)
        return PutResult(entry, old if command.return_previous else None)

    def compare_and_set(self, command: c.CompareAndSet):
        old, expect = self.entries.get(command.key), command.expect
        wanted = {
            name: getattr(expect, name)
            for name in ("value", "version", "mod_revision", "create_revision")
            if getattr(expect, name) is not None
        }
        if old is None:
            true = expect.absent and not wanted
        else:
            true = not expect.absent and all(getattr(old, n) == v for n, v in wanted.items())
        if not true:
            return CasResult(False, old)
        keep_lease = self.asked_attachment(command)
        return CasResult(True, self.write(command, command.value, keep_lease=keep_lease))

    def update(self, command: c.Update):
        old = self.entries.get(command.key)
        key, before = command.key, old and old.value
        value, wrote = updated(before, command.actions, self.limits, self.documents)
        if not wrote or (value is None and old is None):
            return UpdateResult(old, old)
        if value is None:
            self.check_guard(key)
            self.check_deletion(key)
            self.remove([key])
            return UpdateResult(None, old)
        self.written_bytes += len(value)
        if self.written_bytes > self.limits.written_bytes:
            raise Refusal("TOO_LARGE")
        return UpdateResult(self.write(command, value, keep_lease=True), old)

    def delete(self, command: c.Delete):
        old = self.entries.get(command.key)
        if old is None:
            return DeleteResult(0)
        self.check_guard(command.key)
        self.check_deletion(command.key)
        self.remove([command.key])
        return DeleteResult(1, old if command.return_previous else None)

    def delete_range(self, command: c.DeleteRange):
        return DeleteResult(len(self.remove(self.between(command.start, command.end))))

    def between(self, start, end):
        return sorted(k for k in self.entries if start <= k and (end is None or k < end))

    def remove(self, keys):
        self.touch(len(keys))
        for key in keys:
            self.check_guard(key)
        for key in keys:
            self.check_deletion(key)
        for key in keys:
            self.change(key, None)
        self.forget_orphans()
        return keys

    def touch(self, count):
        self.touched += count
        if self.touched > self.limits.touched_entries:
            raise Refusal("TOO_MANY_ENTRIES")

    # -- invariants

    def set_invariant(self, command: c.SetInvariant):
        place = (command.key, command.is_prefix)
        before = self.invariants.get(place)
        if (command.minimum, command.maximum, command.immutable) == (None, None, False):
            self.invariants.pop(place, None)
        else:
            if before is None and len(self.invariants) >= self.limits.invariants:
                raise Refusal("TOO_MANY_INVARIANTS")
            sizes = {len(start) for start, is_prefix in self.invariants if is_prefix}
            more = command.is_prefix and len(command.key) not in sizes
            if more and len(sizes) >= self.limits.prefix_lengths:
                raise Refusal("TOO_MANY_INVARIANTS")
            self.invariants[place] = command
        self.revision += before != self.invariants.get(place)
        return InvariantResult(*place)

    def demands_on(self, key):
        return [
            demand
            for (start, is_prefix), demand in self.invariants.items()
            if key == start or (is_prefix and key.startswith(start))
        ]

    def check_deletion(self, key):
        if any(demand.immutable for demand in self.demands_on(key)):
            raise Refusal("INVARIANT")

    def check_invariants(self, key, value):
        for demand in self.demands_on(key):
            low, high = demand.minimum, demand.maximum
            number = number_of(value)
            if demand.immutable and key in self.entries:
                raise Refusal("INVARIANT")
            if (low, high) != (None, None) and number is None:
                raise Refusal("INVARIANT")
            if (low is not None and number < low) or (high is not None and number > high):
                raise Refusal("INVARIANT")

    # -- the cluster

    def bootstrap(self, command: c.Bootstrap):
        if not self.cluster_id:
            self.cluster_id, self.limits = command.cluster_id, command.limits
            self.disks = {member.name: member.disk_id for member in command.members}
        return MemberResult(self.cluster_id, "", 0)

    def member_disk(self, command: c.MemberDisk):
        name, disk_id = command.member.name, command.member.disk_id
        if name not in self.disks:
            raise Refusal("MEMBER_UNKNOWN")
        self.disks[name] = disk_id
        return MemberResult(self.cluster_id, name, disk_id)

    def marker(self, command: c.HashMarker):
        return MarkerResult(self.index, command.nonce)
