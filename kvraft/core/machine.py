"""The replicated state machine: what each log entry does, the same on every node.

Imports: core only. Pure: time comes with the entry (`stamp_ms`), nothing else does. Inside an entry
time advances, what is due expires, then each command sees what the ones before it did. A user's
mistake is a `Refused`; an exception is a bug and stops the node.
"""

from typing import assert_never

from kvraft.core.commands import (
    Bootstrap,
    Command,
    CompareAndSet,
    Delete,
    DeleteRange,
    Entry,
    Expect,
    HashMarker,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    MemberDisk,
    Put,
)
from kvraft.core.errors import Reason
from kvraft.core.keyspace import Record
from kvraft.core.leases import lease_not_found
from kvraft.core.limits import DISCARDED_PER_APPLY
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    KeyValue,
    LeaseResult,
    MarkerResult,
    MemberResult,
    PutResult,
    Refused,
    Result,
    RevokeResult,
)
from kvraft.core.state import State
from kvraft.core.validation import attachment_conflict

_ABSENT = Expect(absent=True)


class StateMachine(State):
    """The whole replicated state, and the only way to change it: `apply`."""

    __slots__ = ()

    def apply(self, index: int, entry: Entry) -> list[Result]:
        """Apply one committed entry; one result for each command, in order.

        Indexes grow, with gaps: entries that the engine writes for itself never come here.
        """
        assert index > self.index, f"index {index} after {self.index}"
        self.index = index
        stamp_ms = entry.stamp_ms
        if stamp_ms is not None and stamp_ms > self.cluster_time_ms:
            self.cluster_time_ms = stamp_ms
        begun_at = self.revision
        self._expire()
        results: list[Result] = []
        self.revisions = revisions = []
        for command in entry.commands:
            results.append(self._execute(command))
            revisions.append(self.revision)
        self._discard(2 * (self.revision - begun_at) + DISCARDED_PER_APPLY)
        return results

    def _execute(self, command: Command) -> Result:  # noqa: C901, PLR0911 - one line for each command
        match command:
            case Put():
                return self._put(command)
            case CompareAndSet():
                return self._compare_and_set(command)
            case Delete():
                return self._delete(command)
            case DeleteRange():
                return self._delete_range(command)
            case LeaseGrant():
                return self._grant(command)
            case LeaseKeepAlive():
                return self._keep_alive(command)
            case LeaseRevoke():
                return self._revoke(command)
            case Bootstrap():
                return self._bootstrap(command)
            case MemberDisk():
                return self._member_disk(command)
            case HashMarker():
                return MarkerResult(self.index, command.nonce)
            case _:
                assert_never(command)

    # -- keys

    def _put(self, command: Put) -> PutResult | Refused:
        old = self._keyspace.get(command.key)
        entry = self._write(command, old)
        if isinstance(entry, Refused):
            return entry
        if old is None or not command.return_previous:
            return PutResult(entry)
        return PutResult(entry, KeyValue(command.key, *old))

    def _compare_and_set(self, command: CompareAndSet) -> CasResult | Refused:
        old = self._keyspace.get(command.key)
        if not _holds(command.expect, old):
            return CasResult(False, None if old is None else KeyValue(command.key, *old))
        entry = self._write(command, old)
        return entry if isinstance(entry, Refused) else CasResult(True, entry)

    def _write(self, command: Put | CompareAndSet, old: Record | None) -> KeyValue | Refused:
        key = command.key
        attached = 0 if old is None else old[4]
        if command.lease_id is None and command.ttl_ms is None:
            lease_id = attached if command.keep_lease else 0
        else:
            refused = attachment_conflict(command) or self._leases.refuse_attachment(
                command.lease_id, command.ttl_ms, attached, self.limits
            )
            if refused is not None:
                return refused
            lease_id = command.lease_id or 0
        if attached and attached != lease_id:
            self._leases.detach(attached, key)
        if command.ttl_ms is not None:
            lease_id = self._leases.choose_id()
            self._leases.add(lease_id, command.ttl_ms, self.cluster_time_ms + command.ttl_ms, key)
        elif lease_id and lease_id != attached:
            self._leases.attach(lease_id, key)
        self.revision = revision = self.revision + 1
        if old is None:
            record: Record = (command.value, revision, revision, 1, lease_id)
        else:
            record = (command.value, old[1], revision, old[3] + 1, lease_id)
        self._keyspace.put(key, record)
        return KeyValue(key, *record)

    def _delete(self, command: Delete) -> DeleteResult:
        old = self._keyspace.get(command.key)
        if old is None:
            return DeleteResult(0)
        self._remove(command.key)
        self.revision += 1
        return DeleteResult(1, KeyValue(command.key, *old) if command.return_previous else None)

    def _delete_range(self, command: DeleteRange) -> DeleteResult | Refused:
        count = self._keyspace.count(command.start, command.end)
        limit = self.limits.touched_entries
        if count > limit:
            message = f"the range holds {count} entries, the limit touched_entries is {limit}"
            return Refused(Reason.TOO_MANY_ENTRIES, message)
        if count:
            for key in list(self._keyspace.between(command.start, command.end)):
                self._remove(key)
            self.revision += 1
        return DeleteResult(count)

    def _remove(self, key: bytes) -> None:
        lease_id = self._keyspace.remove(key)[4]
        if lease_id:
            self._leases.detach(lease_id, key)

    # -- leases

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
            self._end_lease(lease_id)

    def _end_lease(self, lease_id: int) -> int:
        keys = self._leases.end(lease_id)
        for key in keys:
            self._keyspace.remove(key)
        self.revision += 1
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
        return RevokeResult(command.lease_id, self._end_lease(command.lease_id))

    # -- the cluster

    def _bootstrap(self, command: Bootstrap) -> MemberResult:
        if self.cluster_id == 0:
            self.cluster_id = command.cluster_id
            self.limits = command.limits
            self._members = {member.name: member for member in command.members}
        return MemberResult(self.cluster_id, "", 0)

    def _member_disk(self, command: MemberDisk) -> MemberResult | Refused:
        member = command.member
        if member.name not in self._members:
            known = ", ".join(sorted(self._members)) or "none"
            message = f"{member.name!r} is no member; the members are: {known}"
            return Refused(Reason.MEMBER_UNKNOWN, message)
        self._members = self._members | {member.name: member}
        return MemberResult(self.cluster_id, member.name, member.disk_id)

    def _discard(self, budget: int) -> None:
        self._keyspace.discard(budget)
        self._leases.table.discard(budget)


def _holds(expect: Expect, old: Record | None) -> bool:
    """Evaluate an expectation; on an absent key only `absent` can hold."""
    if old is None:
        return expect == _ABSENT
    value, create_revision, mod_revision, version, _ = old
    return (
        not expect.absent
        and (expect.value is None or expect.value == value)
        and (expect.version is None or expect.version == version)
        and (expect.mod_revision is None or expect.mod_revision == mod_revision)
        and (expect.create_revision is None or expect.create_revision == create_revision)
    )
