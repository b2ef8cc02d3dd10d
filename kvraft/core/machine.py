"""The replicated state machine: what each log entry does, the same on every node.

Imports: core only. Pure: time comes with the entry (`stamp_ms`), nothing else does. Inside an entry
time advances, what is old is forgotten, what is due expires, then each command sees what the ones
before it did: who asked before, the condition, the mutation, the record of its outcome. A user's
mistake is a `Refused`; an exception is a bug and stops the node.
"""

from typing import assert_never

from kvraft.core.command_codec import request_hash
from kvraft.core.commands import (
    Acquire,
    Attach,
    BareCommand,
    Bootstrap,
    CompareAndSet,
    Confirm,
    Delete,
    DeleteRange,
    Entry,
    GuardPrefix,
    HashMarker,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    MemberDisk,
    Mutation,
    Put,
    Release,
    Request,
    Resolve,
    SessionClose,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.errors import Reason
from kvraft.core.fences import exclusive_locks, refuse_fences
from kvraft.core.history import Cause
from kvraft.core.limits import DISCARDED_PER_APPLY
from kvraft.core.lock_commands import LockCommands
from kvraft.core.plan import Plan
from kvraft.core.reply_bounds import bounded_unmet
from kvraft.core.results import (
    GuardResult,
    InvariantResult,
    MarkerResult,
    MemberResult,
    Refused,
    Result,
)
from kvraft.core.transactions import PLANNERS, KeyMutation, unmet


class StateMachine(LockCommands):
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
        self.changes = []
        self.lock_changes = []
        count = len(entry.commands)
        self._identities.age_out(self.cluster_time_ms, self.limits, count)
        self._ended.age_out(self.cluster_time_ms, self.limits.expiries_per_entry + 2 * count)
        self._grants_left = self.limits.grants_per_entry
        self._expire()
        results: list[Result] = []
        self.revisions = revisions = []
        for command in entry.commands:
            if isinstance(command, Request):  # by far the most
                results.append(self._request(command))
            else:
                results.append(self._execute(command))
            revisions.append(self.revision)
        if self._unsettled:
            self._park_grants()
        self._history.trim(self.cluster_time_ms, self.limits)
        self._discard(2 * (self.revision - begun_at) + DISCARDED_PER_APPLY)
        return results

    def _execute(self, command: BareCommand) -> Result:  # noqa: C901, PLR0911, PLR0912 - one line for each command
        match command:
            case Put() | CompareAndSet() | Delete() | DeleteRange() | Update() | Txn():
                return self._mutate(self._plan(), command)
            case LeaseGrant() | LeaseRevoke() | SetInvariant() | GuardPrefix() | Release():
                return self._mutate(self._plan(), command)
            case LeaseKeepAlive():
                return self._keep_alive(command)
            case Acquire():
                return self._acquire(command)
            case Attach():
                return self._attach(command)
            case Confirm():
                return self._confirm(command)
            case Resolve():
                return self._identities.resolve(command.identity, self.cluster_time_ms, self.limits)
            case SessionOpen():
                return self._identities.open(self.cluster_time_ms, self.limits)
            case SessionClose():
                return self._identities.close(command.session_id)
            case Bootstrap():
                return self._bootstrap(command)
            case MemberDisk():
                return self._member_disk(command)
            case HashMarker():
                return MarkerResult(self.index, command.nonce)
            case _:
                assert_never(command)

    # -- requests

    def _request(self, command: Request) -> Result:
        """Answer from what is recorded, or do it and record the answer."""
        identity = command.identity
        if identity is None:
            return self._decide(command)
        digest = command.digest or request_hash(command.mutation, command.condition, command.fences)
        known = self._identities.find(identity, digest, self.cluster_time_ms, self.limits)
        if known is not None:
            return known
        result = self._decide(command)
        self._identities.record(
            identity,
            digest,
            result,
            revision=self.revision,
            now_ms=self.cluster_time_ms,
            limits=self.limits,
        )
        return result

    def _decide(self, command: Request) -> Result:
        plan = self._plan()
        if command.fences:
            refused = refuse_fences(self._places, command.fences)
            if refused is not None:
                return refused
            plan.held = exclusive_locks(self._places, command.fences)
            plan.cause = Cause.FENCED
        if command.condition is not None:
            missed = unmet(plan, command.condition)
            if missed is not None:
                return bounded_unmet(missed, self.limits.reply_bytes)
        return self._mutate(plan, command.mutation)

    # -- mutations

    def _plan(self) -> Plan:
        plan = Plan(self._keyspace, self._leases, self._invariants, self.limits, self.revision + 1)
        plan.places = self._places
        if self._guards.count:
            plan.guards = self._guards
        return plan

    def _mutate(self, plan: Plan, mutation: Mutation) -> Result:
        """Do a mutation; what is refused leaves nothing behind."""
        if isinstance(mutation, KeyMutation):
            result = PLANNERS[type(mutation)](plan, mutation)
            if plan.steps and not isinstance(result, Refused):
                self._commit(plan)
            return result
        match mutation:
            case LeaseGrant():
                return self._grant(mutation)
            case LeaseRevoke():
                return self._revoke(mutation)
            case SetInvariant():
                return self._set_invariant(mutation)
            case GuardPrefix():
                return self._guard(mutation)
            case Release():
                return self._release(mutation)
            case _:
                assert_never(mutation)

    def _set_invariant(self, command: SetInvariant) -> InvariantResult | Refused:
        changed = self._invariants.replace(command, self.limits)
        if isinstance(changed, Refused):
            return changed
        self.revision += changed
        return InvariantResult(command.key, command.is_prefix)

    def _guard(self, command: GuardPrefix) -> GuardResult | Refused:
        changed = self._guards.replace(command, self.limits)
        if isinstance(changed, Refused):
            return changed
        self.revision += changed
        return GuardResult(command.prefix)

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
            message = f"{member.name!a} is no member; the members are: {known}"
            return Refused(Reason.MEMBER_UNKNOWN, message)
        self._members = self._members | {member.name: member}
        return MemberResult(self.cluster_id, member.name, member.disk_id)

    def _discard(self, budget: int) -> None:
        outcomes = self._identities.outcomes
        for each in (
            self._keyspace,
            self._leases.table,
            self._history,
            self._identities.sessions.table,
            outcomes.sequences,
            outcomes.keyed,
            self._places.table,
            self._ended.table,
        ):
            if each.discarded:
                each.discard(budget)
