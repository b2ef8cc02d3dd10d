"""What the service may ask of one node: the whole surface between gRPC and the replica."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kvraft.consensus.port import ConsensusStatus
from kvraft.core.commands import Command
from kvraft.core.machine import StateMachine
from kvraft.replica.contention import Contention
from kvraft.replica.lock_hub import LockHub
from kvraft.replica.outcomes import BarrierDone, Denied, Done
from kvraft.replica.watch_hub import WatchHub


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Everything `status` shows of one node."""

    consensus: ConsensusStatus
    cluster_id: int
    disk_id: int
    revision: int
    cluster_time_ms: int
    keys: int
    leases: int
    state_bytes: int
    version: str
    counters: Mapping[str, int]
    """entries, fsyncs, commands, snapshots, ... : counts since this process started."""


@dataclass(frozen=True, slots=True)
class StateHash:
    """One node's hash of the whole state at a log index (hex of blake2b-256)."""

    node: str
    index: int
    revision: int
    digest: str


class BackupReader(Protocol):
    """The CURRENT snapshot file as it lies on the disk, held open beside newer ones."""

    index: int
    revision: int
    total_bytes: int

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of the file. BLOCKING: for a worker thread; one call at a time.

        Raises OSError where the file cannot be read.
        """
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


class Node(Protocol):
    """One node, from above. Runs on the loop's thread; callbacks fire on it, exactly once each.

    A callback fires at the latest when its `deadline` has passed, also where the call is answered
    at once, before the method returns.
    """

    @property
    def name(self) -> str:
        """Return the name of this node."""
        ...

    @property
    def machine(self) -> StateMachine:
        """For reading only; replaced when a snapshot is installed, so do not keep a reference."""
        ...

    @property
    def crowded(self) -> Denied | None:
        """What new work would be told now, where that is known without asking; else None."""
        ...

    @property
    def term(self) -> int:
        """The present Raft term."""
        ...

    @property
    def leader(self) -> str | None:
        """The node that leads as far as this one knows."""
        ...

    @property
    def watches(self) -> WatchHub:
        """Return the watches of this node."""
        ...

    @property
    def locks(self) -> LockHub:
        """Return the streams of this node that follow acquisitions."""
        ...

    @property
    def contention(self) -> Contention:
        """Return where callers collide, as this node saw it."""
        ...

    def quorum_reachable(self) -> bool:
        """Return False where requests that need a quorum are answered NO_QUORUM now."""
        ...

    def endpoints(self) -> Mapping[str, str]:
        """Where clients reach each node, by name, as far as this one knows; itself included."""
        ...

    def now(self) -> float:
        """Monotonic seconds, the clock of every `deadline` here."""
        ...

    def submit(self, command: Command, deadline: float, done: Done) -> None:
        """Order and apply one command; a follower forwards it to the leader once."""
        ...

    def read_barrier(self, deadline: float, done: BarrierDone, reads: int = 1) -> None:
        """After `done(None)` a read of `machine` in the same turn of the loop is linearizable.

        `reads` wait for it, which is what counts towards the limit.
        """
        ...

    def status(self) -> NodeStatus:
        """Return the present figures; cheap."""
        ...

    def state_hash(self, deadline: float, done: Callable[[list[StateHash] | Denied], None]) -> None:
        """Propose a marker and gather the hash of every node that reports it before `deadline`."""
        ...

    def transfer_leadership(self, to: str | None, deadline: float, done: BarrierDone) -> None:
        """Hand leadership over; `done(None)` once another node leads."""
        ...

    def take_snapshot(self, deadline: float, done: Callable[[int | Denied], None]) -> None:
        """Snapshot now; `done` gets the index it holds once it is durable and CURRENT."""
        ...

    def open_backup(self) -> BackupReader:
        """Open the CURRENT snapshot file; call it in the turn in which `take_snapshot` was done."""
        ...
