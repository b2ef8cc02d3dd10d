"""Mistakes in the replicated state and in what a node tells its clients about it."""

from collections.abc import Iterator
from hashlib import blake2b

from kvraft.core import operations
from kvraft.core.commands import Command, Entry, Expect, LeaseKeepAlive
from kvraft.core.errors import Outcome, Reason
from kvraft.core.frozen import FrozenState
from kvraft.core.history import Cause
from kvraft.core.keyspace import Record
from kvraft.core.lease_commands import LeaseCommands
from kvraft.core.machine import StateMachine
from kvraft.core.results import LeaseResult, Result
from kvraft.replica import hashes
from kvraft.replica.batcher import AppliedBatch
from kvraft.replica.clock import ClusterClock
from kvraft.replica.forwarder import Forwarder
from kvraft.replica.intake import Intake
from kvraft.replica.loading import StateLoading
from kvraft.replica.outcomes import Answer, Denied, Done
from kvraft.replica.replica import Replica
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced, together

LEASE = "a_lease_ends_in_time_and_takes_its_keys"


@mutant(LEASE, "states-differ")
def lease_expired_by_local_clock() -> Patch:
    """Each node ends leases by its own clock instead of the log's."""
    apply = Replica.apply

    def by_own_clock(self: Replica, index: int, payload: bytes) -> AppliedBatch:
        own_ms = int(self.now() * 1000)
        self.machine.cluster_time_ms = max(self.machine.cluster_time_ms, own_ms)
        return apply(self, index, payload)

    return replaced(Replica, "apply", by_own_clock)


@mutant(LEASE, "keys-outlive-their-lease")
def expiry_without_its_keys() -> Patch:
    """A lease that expires leaves its keys behind."""

    def end_lease(self: LeaseCommands, lease_id: int, _cause: Cause) -> int:
        keys = self._leases.end(lease_id)
        self.revision += 1
        return len(keys)

    return replaced(LeaseCommands, "_end_lease", end_lease)


@mutant("a_keepalive_counts_once_it_is_committed", "acknowledged-alone")
def keepalive_acknowledged_before_commit() -> Patch:
    """The leader answers a keepalive from its own state, and proposes it behind that."""
    submit = Intake.submit

    def answers_first(self: Intake, command: Command, deadline: float, done: Done) -> None:
        machine = self._node.machine
        if isinstance(command, LeaseKeepAlive):
            lease = machine.describe_lease(command.lease_id)
            if lease is not None:
                told = LeaseResult(command.lease_id, lease.ttl_ms, lease.ttl_ms)
                done(Answer(told, machine.revision, machine.index))
                submit(self, command, deadline, lambda _: None)
                return
        submit(self, command, deadline, done)

    return replaced(Intake, "submit", answers_first)


@mutant("cluster_time_never_runs_backwards", "ran-backwards")
def cluster_time_backwards_after_failover() -> Patch:
    """A new leader counts from nothing, and stamps are taken as they come."""
    start, apply = ClusterClock.start, StateMachine.apply

    def from_nothing(self: ClusterClock, _: int, now: float) -> None:
        start(self, 0, now)

    def as_it_comes(self: StateMachine, index: int, entry: Entry) -> list[Result]:
        if entry.stamp_ms is not None:
            self.cluster_time_ms = entry.stamp_ms
        return apply(self, index, entry)

    return together(
        replaced(ClusterClock, "start", from_nothing), replaced(StateMachine, "apply", as_it_comes)
    )


@mutant("a_revision_is_given_once", "given-twice")
def revision_reused_after_restart() -> Patch:
    """A loaded state goes on from the newest revision of a key that is still there."""
    machine = StateLoading.machine

    def of_the_keys(self: StateLoading) -> StateMachine:
        loaded = machine(self)
        page = loaded.page(b"", None, limit=1 << 30, max_bytes=1 << 40, keys_only=True)
        loaded.revision = max((entry.mod_revision for entry in page.entries), default=1)
        return loaded

    return replaced(StateLoading, "machine", of_the_keys)


@mutant("a_state_hash_sees_every_difference", "blind")
def state_hash_blind_to_leases() -> Patch:
    """The state hash covers keys and counters only."""

    def keys_only(state: FrozenState) -> Iterator[str | None]:
        digest = blake2b(digest_size=32)
        for piece in (*state._heads(), *state._key_pieces()):  # noqa: SLF001 - the mistake is made there
            digest.update(piece)
            yield None
        yield digest.hexdigest()

    return replaced(hashes, "state_hash", keys_only)


@mutant("two_compare_and_sets_have_one_winner", "both-won")
def compare_and_set_ignores_its_expectation() -> Patch:
    """A compare-and-set writes whatever is there."""

    def holds(_expect: Expect, _old: Record | None) -> bool:
        return True

    return replaced(operations, "holds", holds)


@mutant("what_was_forwarded_and_lost_is_unknown", "refused-but-applied")
def forwarded_and_lost_told_as_refused() -> Patch:
    """A follower says of a command whose link to the leader broke that it was not applied."""

    def on_peer_lost(self: Forwarder, peer: str) -> None:
        denied = Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, f"the link to {peer} broke")
        lost = [sent for sent in self._sent.values() if sent.peer == peer]
        for sent in lost:
            self._deadlines.discard(sent)
        self._finish(lost, denied)

    return replaced(Forwarder, "on_peer_lost", on_peer_lost)
