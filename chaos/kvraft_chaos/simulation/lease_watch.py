"""Leases as the published promises have them: never early, late by a bound, keys go with them.

Its own small model of what is alive is fed by the chronicle; the state machine must agree about
every end. Early and late are judged in true time, whatever the nodes' clocks did.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from kvraft.core.commands import (
    Acquire,
    Command,
    CompareAndSet,
    Delete,
    DeleteRange,
    Entry,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Operation,
    Put,
    Release,
    Update,
)
from kvraft.core.machine import StateMachine
from kvraft.core.places import LockChange
from kvraft.core.results import (
    AcquireResult,
    CasResult,
    Ending,
    LeaseResult,
    OperationResult,
    PutResult,
    Refused,
    Result,
    Standing,
    UpdateResult,
)
from kvraft_chaos.simulation.availability import Availability
from kvraft_chaos.simulation.chronicle import Before, Chapter, Chronicle
from kvraft_chaos.simulation.effects import bare, effects
from kvraft_client.policy.lease_state import LeaseClock, LeaseState

RATE_ERROR = 0.01
"""Of a sound clock."""
ROUNDING = 0.005
"""Seconds: stamps are whole milliseconds, and reading a simulated clock takes time."""
SLACK = 0.5
"""Seconds of the lateness bound for the commit of the ending itself and what it waits behind."""


@dataclass(slots=True)
class Lived:
    """One live lease."""

    lease_id: int
    ttl_ms: int
    deadline_ms: int
    renewed: float
    """True time at which the newest renewal was applied first."""
    excused: float
    key: bytes | None
    """Of a lease made by `ttl_ms` on a write: it ends with this key."""


@dataclass(slots=True)
class Ended:
    """A lease that expired."""

    index: int
    time: float


@dataclass(slots=True)
class Removal:
    """A key that went by something other than its own delete."""

    key: bytes
    revision: int
    moment: int


@dataclass(slots=True)
class Holder:
    """A client that counts on a lease, and its clock."""

    clock: LeaseClock
    now: Callable[[], float]


@dataclass(slots=True)
class Acked:
    """A grant, renewal or write with a TTL that a client was told of."""

    ttl_ms: int
    sent_true: float
    index: int


@dataclass(slots=True)
class LeaseWatch:
    """Listens to the chronicle."""

    chronicle: Chronicle
    availability: Availability
    live: dict[int, Lived] = field(default_factory=dict)
    by_key: dict[bytes, int] = field(default_factory=dict)
    ended: dict[int, list[Ended]] = field(default_factory=dict)
    removals: list[Removal] = field(default_factory=list)
    holders: dict[int, Holder] = field(default_factory=dict)
    acked: dict[int, list[Acked]] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    """Leases that were granted for one acquisition."""
    expired: int = 0

    def looks_back(self, entry: Entry, now_ms: int) -> bool:
        """Whether an entry may remove keys that its commands do not name."""
        wide = any(isinstance(bare(each), DeleteRange | LeaseRevoke) for each in entry.commands)
        return wide or any(lease.deadline_ms <= now_ms for lease in self.live.values())

    def told(self, lease_id: int, ttl_ms: int, sent_true: float, index: int) -> None:
        """A client was told that its lease holds, by the answer to what it sent then."""
        self.acked.setdefault(lease_id, []).append(Acked(ttl_ms, sent_true, index))

    def on_chapter(self, chapter: Chapter, before: Before) -> None:
        """Follow one entry: first what is due ends, then each command does its part."""
        keys = {entry.key: entry.lease_id for entry in before.entries}
        revision = self._expire(chapter, before, keys)
        done = zip(chapter.commands, chapter.results, chapter.revisions, strict=True)
        for command, result, after in done:
            for operation, told in effects(command, result):
                self._follow(chapter, operation, told, keys, after, moved=after > revision)
            revision = after
        self._end_own(chapter)

    def _follow(
        self,
        chapter: Chapter,
        command: Command | Operation,
        result: Result | OperationResult,
        keys: dict[bytes, int],
        revision: int,
        *,
        moved: bool,
    ) -> None:
        if isinstance(command, Put | CompareAndSet | Update):
            self._written(chapter, command, result)
        elif isinstance(command, Delete):
            self._forget_key(command.key)
        elif isinstance(command, DeleteRange | LeaseRevoke):
            self._swept(chapter, command, keys, moved, revision)
        elif isinstance(command, LeaseGrant | LeaseKeepAlive):
            self._renewed(chapter, result)
        elif isinstance(command, Acquire) and isinstance(result, AcquireResult):
            lease_id, ttl_ms = result.lease_id, command.ttl_ms
            if ttl_ms is not None and lease_id and lease_id not in self.live:
                self._begin(chapter, lease_id, ttl_ms, None)
                self.own.add(lease_id)

    # -- endings

    def _expire(self, chapter: Chapter, before: Before, keys: dict[bytes, int]) -> int:
        now_ms = chapter.cluster_time_ms
        revision = before.revision + _resumes(chapter, before)
        due = [lease for lease in self.live.values() if lease.deadline_ms <= now_ms]
        for lease in sorted(due, key=lambda each: (each.deadline_ms, each.lease_id)):
            revision += 1
            self.expired += 1
            self._judge_end(chapter, before.machine, lease)
            for key in [key for key, owner in keys.items() if owner == lease.lease_id]:
                del keys[key]
                self.removals.append(Removal(key, revision, chapter.moment))
            self._forget(lease)
            ended = Ended(chapter.index, chapter.time)
            self.ended.setdefault(lease.lease_id, []).append(ended)
        return revision

    def _judge_end(self, chapter: Chapter, machine: StateMachine, lease: Lived) -> None:
        report, name = self.chronicle.report, f"lease {lease.lease_id}"
        again = any(
            isinstance(result, LeaseResult) and result.lease_id == lease.lease_id
            for result in chapter.results
        )
        if machine.describe_lease(lease.lease_id) is not None and not again:
            report("lease-outlived", f"{name} is alive behind entry {chapter.index}, it was due")
        self.check_late(lease, chapter.time)
        holder = self.holders.pop(lease.lease_id, None)
        if holder is not None and holder.clock.state(holder.now()) is not LeaseState.LOST:
            report("lease-lost-while-held", f"{name} expired while its client counted on it")

    def check_late(self, lease: Lived, now: float) -> None:
        """The lease is alive at `now`: that must be within the published bound."""
        allowed = lease.ttl_ms / 1000.0 / (1.0 - RATE_ERROR) + SLACK
        allowed += self.availability.excused - lease.excused
        lived = now - lease.renewed
        if lived > allowed:
            detail = f"lease {lease.lease_id} of {lease.ttl_ms} ms lived {lived:.3f} s"
            self.chronicle.report("lease-late", f"{detail}, at most {allowed:.3f} s are promised")

    def check_early(self) -> None:
        """Hold every ending against every acknowledgement that came before it in the log."""
        for lease_id, endings in self.ended.items():
            for acked in self.acked.get(lease_id, ()):
                end = next((each for each in endings if each.index > acked.index), None)
                earliest = acked.sent_true + acked.ttl_ms / 1000.0 * (1.0 - RATE_ERROR) - ROUNDING
                if end is not None and end.time < earliest:
                    detail = f"lease {lease_id} ended {end.time - acked.sent_true:.3f} s after the"
                    detail += f" sending of an acknowledged renewal of {acked.ttl_ms} ms"
                    self.chronicle.report("lease-early", detail)

    def check_alive(self, machine: StateMachine, now: float) -> None:
        """At the end: what should be alive is, nothing else is, and nothing is overdue."""
        told = {lease.lease_id for lease in machine.list_leases(0, 1 << 20)[0]}
        if told != set(self.live):
            difference = sorted(told ^ set(self.live))
            self.chronicle.report("lease-table", f"the state and the log differ in {difference}")
        for lease in self.live.values():
            self.check_late(lease, now)

    # -- commands

    def _written(
        self,
        chapter: Chapter,
        command: Put | CompareAndSet | Update,
        result: Result | OperationResult,
    ) -> None:
        assert isinstance(result, PutResult | CasResult | UpdateResult)
        entry = result.entry
        if entry is None or (isinstance(result, CasResult) and not result.succeeded):
            return
        if self.by_key.get(command.key) != entry.lease_id:
            self._forget_key(command.key)
        if command.ttl_ms is not None:
            self._begin(chapter, entry.lease_id, command.ttl_ms, command.key)

    def _swept(
        self,
        chapter: Chapter,
        command: DeleteRange | LeaseRevoke,
        keys: dict[bytes, int],
        took_effect: bool,  # noqa: FBT001 - the revision moved
        revision: int,
    ) -> None:
        """Such a command is alone in its entry (`ReplicaLimits.wide_cost`)."""
        assert len(chapter.commands) == 1
        if isinstance(command, LeaseRevoke):
            gone = [key for key, owner in keys.items() if owner == command.lease_id]
            lease = self.live.get(command.lease_id)
            if took_effect and lease is not None:
                self._forget(lease)
        else:
            end = command.end
            gone = [key for key in keys if command.start <= key and (end is None or key < end)]
        if not took_effect:
            return
        for key in gone:
            self._forget_key(key)
            self.removals.append(Removal(key, revision, chapter.moment))

    def _renewed(self, chapter: Chapter, result: Result | OperationResult) -> None:
        if isinstance(result, LeaseResult):
            known = self.live.get(result.lease_id)
            key = None if known is None else known.key
            self._begin(chapter, result.lease_id, result.ttl_ms, key)

    def _begin(self, chapter: Chapter, lease_id: int, ttl_ms: int, key: bytes | None) -> None:
        deadline_ms = chapter.cluster_time_ms + ttl_ms
        excused = self.availability.excused
        self.live[lease_id] = Lived(lease_id, ttl_ms, deadline_ms, chapter.time, excused, key)
        if key is not None:
            self.by_key[key] = lease_id

    def _end_own(self, chapter: Chapter) -> None:
        """The lease of an acquisition goes with it, where it never held, or on request."""
        released = [bare(each) for each in chapter.commands]
        ends = [each for each in released if isinstance(each, Release) and each.end_lease]
        for change in chapter.lock_changes:
            lease = self.live.get(change.lease_id)
            if lease is None or change.kind is not Standing.ENDED:
                continue
            unused = not change.tokens or change.ending is Ending.UNATTENDED
            wanted = any(_names(each, change) for each in ends)
            if (lease.lease_id in self.own and unused) or wanted:
                self._forget(lease)

    def _forget(self, lease: Lived) -> None:
        del self.live[lease.lease_id]
        if lease.key is not None:
            self.by_key.pop(lease.key, None)

    def _forget_key(self, key: bytes) -> None:
        lease = self.live.get(self.by_key.get(key, 0))
        if lease is not None:
            self._forget(lease)


def _resumes(chapter: Chapter, before: Before) -> bool:
    """Whether grants that the entry before left over come first, at a revision of their own."""
    first = chapter.lock_changes[0] if chapter.lock_changes else None
    is_first = first is not None and first.revision == before.revision + 1
    return is_first and first is not None and first.kind is Standing.GRANTED


def _names(command: Release, change: LockChange) -> bool:
    if change.ending is not Ending.RELEASED:
        return False
    if command.fence is not None:
        return command.fence.token in change.tokens
    return command.key == change.key


def granted_by(command: Command, result: Result) -> tuple[int, int] | None:
    """Return (lease id, TTL) where an answer says that a lease runs from now on."""
    if isinstance(result, LeaseResult):
        return result.lease_id, result.ttl_ms
    ttl_ms = getattr(command, "ttl_ms", None)
    if ttl_ms is None or isinstance(result, Refused):
        return None
    if isinstance(result, PutResult) or (isinstance(result, CasResult) and result.succeeded):
        assert result.entry is not None
        return result.entry.lease_id, ttl_ms
    return None
