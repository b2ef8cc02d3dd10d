"""The real replica and core as the application of a simulated node, recorded for the checks."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kvraft.consensus.port import Applied, BarrierDone, Consensus, Failure, Loading, ProposeDone
from kvraft.core.commands import Bootstrap, CompareAndSet, Entry, Expect, MemberDisk, Put
from kvraft.core.errors import Outcome
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import CasResult, Refused
from kvraft.replica.batcher import AppliedBatch
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import Answer, Denied, Done
from kvraft.replica.replica import Doors, Replica
from kvraft_chaos.simulation.chronicle import HASH_EVERY, Chronicle
from kvraft_chaos.simulation.ledger import Command

PATIENCE = 2.0
"""Seconds of deadline that a client gives a request."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run makes smaller, so that a few seconds reach it."""

    apply: ApplyLimits = field(default_factory=ApplyLimits)
    replica: ReplicaLimits = field(default_factory=ReplicaLimits)


WIDE = Bounds()


class Registers:
    """Keys and values as text."""

    def __init__(self, machine: StateMachine) -> None:
        self._machine = machine

    def get(self, key: str) -> str | None:
        """Return a key's value; None if absent."""
        found = self._machine.get(key.encode())
        return None if found is None else found.value.decode()


@dataclass(frozen=True, slots=True)
class View:
    """The replicated state, in the words of the small application."""

    history: list[int]
    registers: Registers
    cluster_id: int
    disks: dict[str, int]


class Store(Replica):
    """The surface of `ledger.Ledger` on the real thing."""

    def __init__(
        self,
        name: str,
        doors: Doors,
        *,
        chronicle: Chronicle,
        disk_id: int,
        snapshot_bytes: int,
        free_bytes: Callable[[], int | None],
        bounds: Bounds = WIDE,
    ) -> None:
        """`snapshot_bytes` of log make a snapshot due; `free_bytes` of the disk, where measured."""
        limits = replace(bounds.replica, snapshot_log_bytes=snapshot_bytes)
        super().__init__(name, doors, election_ms=500, disk_id=disk_id, limits=limits)
        self._apply_limits = bounds.apply
        self._chronicle = chronicle
        self._free_bytes = free_bytes
        self.history: list[int] = []
        """Identities of the operations applied, in order."""
        self.applied_from = 0
        self.leading: list[int] = []
        self.served: dict[str, object] = {}
        """The watches of this process, by client (see `watch_stream`)."""

    @property
    def state(self) -> View:
        """Return what the checks and clients look at."""
        disks = {name: member.disk_id for name, member in self.machine.members.items()}
        machine = self.machine
        return View(self.history, Registers(machine), machine.cluster_id, disks)

    def attach(self, engine: Consensus) -> None:
        """Consensus exists from now on."""
        self.connect(engine)

    def expire(self) -> None:
        """What the real driver does with the replica in each poll."""
        self.admission.free_disk_bytes = self._free_bytes()
        super().expire()

    def apply(self, index: int, payload: bytes) -> AppliedBatch:
        """Apply one entry, and hold it against what others made of it."""
        chronicle = self._chronicle
        chapter = chronicle.at.get(index)
        if chapter is None:
            before = chronicle.before(self.machine, chronicle.entry(payload))
            batch = super().apply(index, payload)
            self.history += chronicle.write(index, payload, batch, before)
        else:
            batch = super().apply(index, payload)
            chronicle.compare(self.name, index, payload, batch, self.machine)
            self.history += chronicle.order[len(self.history) : chapter.identities]
        if index % HASH_EVERY == 0:
            self.compare_state()
        return batch

    def _decode(self, payload: bytes) -> Entry:
        return self._chronicle.entry(payload)

    def _submit_own(self, command: Bootstrap | MemberDisk, done: Done) -> None:
        if isinstance(command, Bootstrap):
            command = replace(command, limits=self._apply_limits)
        super()._submit_own(command, done)

    def compare_state(self) -> None:
        """Hold the whole state against that of others at this index."""
        self._chronicle.compare_state(self.name, self.machine)

    def adopt(self, loading: Loading, index: int) -> None:
        """Take a loaded state; its history is that of whoever applied its last entry first."""
        super().adopt(loading, index)
        self.applied_from = index
        chapter = self._chronicle.at.get(self.machine.index)
        count = 0 if chapter is None else chapter.identities
        self.history = self._chronicle.order[:count]
        if chapter is not None:
            self.compare_state()

    def on_leading(self, term: int) -> None:
        """Note the term."""
        super().on_leading(term)
        self.leading.append(term)

    def propose(self, command: Command, done: ProposeDone) -> None:
        """Submit a command as a client of this node; a follower forwards it."""
        key, value = command.key.encode(), (command.value or "").encode()
        asked: Put | CompareAndSet = Put(key, value)
        if command.kind == "cas":
            old = command.expected
            expect = Expect(absent=True) if old is None else Expect(value=old.encode())
            asked = CompareAndSet(key, value, expect)

        def settled(outcome: Answer | Denied) -> None:
            done(_outcome(outcome))

        self.submit(asked, self.now() + PATIENCE, settled)

    def barrier(self, done: BarrierDone) -> None:
        """Ask for a read barrier as a client's read does."""

        def settled(denied: Denied | None) -> None:
            done(None if denied is None else Failure.NO_QUORUM)

        self.read_barrier(self.now() + PATIENCE, settled)

    def snapshot(self) -> None:
        """Take one now."""
        self.take_snapshot(self.now() + PATIENCE, lambda _: None)


def _outcome(outcome: Answer | Denied) -> Applied | Failure:
    if isinstance(outcome, Denied):
        unknown = outcome.outcome is Outcome.UNKNOWN
        return Failure.LEADERSHIP_LOST if unknown else Failure.NO_QUORUM
    if isinstance(outcome.result, Refused):
        return Failure.NO_QUORUM
    succeeded = not isinstance(outcome.result, CasResult) or outcome.result.succeeded
    return Applied(outcome.index, succeeded)
