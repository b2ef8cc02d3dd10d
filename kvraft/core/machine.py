"""The replicated state machine: what each log entry does, the same on every node.

Imports: core only. Pure: time comes with the entry (`stamp_ms`), nothing else does. Inside an entry
time advances, what is due expires, then each command sees what the ones before it did. A user's
mistake is a `Refused`; an exception is a bug and stops the node.
"""

from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
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
    Member,
    MemberDisk,
    Put,
)
from kvraft.core.errors import Reason
from kvraft.core.frozen import Counters, FrozenState
from kvraft.core.keyspace import Keyspace, Record
from kvraft.core.leases import Leases, lease_not_found
from kvraft.core.limits import DISCARDED_PER_APPLY, ApplyLimits
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    KeyValue,
    LeaseDescription,
    LeaseResult,
    MarkerResult,
    MemberResult,
    Page,
    PutResult,
    Refused,
    Result,
    RevokeResult,
)
from kvraft.core.validation import attachment_conflict

_ABSENT = Expect(absent=True)

EMPTY_REVISION = 1
"""The revision of a store that was never written (precedent: etcd)."""


class StateMachine:
    """The whole replicated state, and the only way to change it: `apply`."""

    __slots__ = (
        "_keyspace",
        "_leases",
        "_members",
        "cluster_id",
        "cluster_time_ms",
        "index",
        "limits",
        "next_token",
        "revision",
        "revisions",
    )

    def __init__(
        self,
        counters: Counters | None = None,
        *,
        cluster_id: int = 0,
        members: Mapping[str, Member] | None = None,
        limits: ApplyLimits | None = None,
        leases: Leases | None = None,
        keyspace: Keyspace | None = None,
    ) -> None:
        """Make an empty machine, or one of parts that a snapshot held."""
        counters = counters or Counters(0, EMPTY_REVISION, 0, 1, 1)
        self.index = counters.applied_index
        self.revision = counters.revision
        self.cluster_time_ms = counters.cluster_time_ms
        self.next_token = counters.next_token
        self.cluster_id = cluster_id
        self.limits = limits or ApplyLimits()
        self.revisions: list[int] = []
        """The store's revision right after each command of the entry applied last."""
        self._members: dict[str, Member] = dict(members or {})
        self._leases = leases or Leases(counters.next_lease_id)
        self._keyspace = keyspace or Keyspace()

    # -- changing

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

    # -- reading

    @property
    def members(self) -> Mapping[str, Member]:
        """The member table: which disk stands for each name."""
        return MappingProxyType(self._members)

    @property
    def state_bytes(self) -> int:
        """Bytes of all keys and values."""
        return self._keyspace.size_bytes

    @property
    def key_count(self) -> int:
        """How many keys there are."""
        return len(self._keyspace)

    @property
    def lease_count(self) -> int:
        """How many granted leases are alive (those of `ttl_ms` on a write do not count)."""
        return self._leases.granted_count

    def get(self, key: bytes) -> KeyValue | None:
        """Return a key's entry; None if absent."""
        return self._keyspace.entry(key)

    def page(
        self,
        start: bytes,
        end: bytes | None,
        *,
        limit: int,
        max_bytes: int,
        keys_only: bool = False,
    ) -> Page:
        """Read start <= key < end: at most `limit` entries and `max_bytes`, but at least one."""
        return self._keyspace.page(
            start, end, limit=limit, max_bytes=max_bytes, keys_only=keys_only
        )

    def describe_lease(self, lease_id: int) -> LeaseDescription | None:
        """Return a lease with its keys; None if there is none. Costs its keys."""
        if self._leases.get(lease_id) is None:
            return None
        keys = tuple(self._leases.keys_of(lease_id))
        return self._describe(lease_id, keys)

    def list_leases(self, after: int, limit: int) -> tuple[list[LeaseDescription], bool]:
        """Return leases with an id above `after` (`key_count`, but no keys), and if more follow."""
        ids = list(islice(self._leases.ids_after(after), limit + 1))
        return [self._describe(lease_id, ()) for lease_id in ids[:limit]], len(ids) > limit

    def _describe(self, lease_id: int, keys: tuple[bytes, ...]) -> LeaseDescription:
        ttl_ms, deadline_ms, _ = self._leases.live(lease_id)
        remaining_ms = max(0, deadline_ms - self.cluster_time_ms)
        count = self._leases.key_count(lease_id)
        return LeaseDescription(lease_id, ttl_ms, remaining_ms, keys, count)

    def next_deadline_ms(self) -> int | None:
        """Return the cluster time at which the next entry has something to end; None: never."""
        return self._leases.next_deadline_ms()

    def smallest_ttl_ms(self) -> int | None:
        """Return the smallest TTL of a live lease; None without leases."""
        return self._leases.smallest_ttl_ms()

    # -- freezing

    def freeze(self) -> FrozenState:
        """Return the state as it is now, in O(1); release it when done."""
        return FrozenState(
            self._counters(),
            cluster_id=self.cluster_id,
            members=self._members,
            limits=self.limits,
            leases=self._leases.table,
            keyspace=self._keyspace,
        )

    def successor(self, *, index: int, leap: int) -> "StateMachine":
        """Return the first state of a new cluster, with the same content; this one must go.

        It has no cluster id and no members, and all that hands out numbers continues `leap` higher.
        """
        old = self._counters()
        self._leases.next_id += leap
        counters = old._replace(
            applied_index=index, revision=old.revision + leap, next_token=old.next_token + leap
        )
        return StateMachine(
            counters, limits=self.limits, leases=self._leases, keyspace=self._keyspace
        )

    def _counters(self) -> Counters:
        return Counters(
            self.index,
            self.revision,
            self.cluster_time_ms,
            self._leases.next_id,
            self.next_token,
        )

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
