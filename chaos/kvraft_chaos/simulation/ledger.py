"""A small application on consensus: registers, the order of what was applied, and the members.

It stands where the replica and the core stand in a node, so that consensus is tried on its own. Its
history of operation ids makes divergence visible at the first step at which it happens.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from kvraft.consensus.port import (
    Applied,
    BarrierDone,
    Consensus,
    Failure,
    ProposeDone,
    SnapshotSource,
)

BLOCK_BYTES = 400
"""Of the state's encoding: small, so that short runs have snapshots of many blocks."""


@dataclass(frozen=True, slots=True)
class Command:
    """What an entry asks for."""

    kind: str
    """write, cas, bootstrap or disk."""
    identity: int = 0
    key: str = ""
    expected: str | None = None
    value: str | None = None
    members: tuple[tuple[str, int], ...] = ()

    def encode(self) -> bytes:
        """Return the entry's payload."""
        fields = [self.kind, self.identity, self.key, self.expected, self.value]
        return json.dumps([*fields, self.members], separators=(",", ":")).encode()


def decode(payload: bytes) -> Command:
    """Return the command in an entry's payload."""
    kind, identity, key, expected, value, members = json.loads(payload)
    return Command(kind, identity, key, expected, value, tuple(map(tuple, members)))


@dataclass(slots=True)
class State:
    """Everything replicated."""

    index: int = 0
    registers: dict[str, str | None] = field(default_factory=dict)
    history: list[int] = field(default_factory=list)
    cluster_id: int = 0
    disks: dict[str, int] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        fields = [self.index, self.registers, self.history, self.cluster_id, self.disks]
        return json.dumps(fields, separators=(",", ":")).encode()


class LedgerLoading:
    """Reads a snapshot in slices, beside the live state."""

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source
        self._data = bytearray()
        self.state: State | None = None

    def step(self) -> bool:
        """Read one block; True once complete. Raises ValueError on a malformed state."""
        block = self._source.read(len(self._data), 16 * BLOCK_BYTES)
        self._data += block
        if block:
            return False
        self.state = State(*json.loads(bytes(self._data)))
        return True


class Ledger:
    """The `Application` of one simulated node, for one process lifetime."""

    def __init__(
        self,
        name: str,
        after: Callable[[float, Callable[[], None]], None],
        wake: Callable[[], None],
    ) -> None:
        """`after`: run something later in this process; `wake`: take a turn soon."""
        self.name = name
        self.state = State()
        self.applied_from = 0
        """Index of the snapshot this process started from or installed last."""
        self.leading: list[int] = []
        """Terms in which `on_leading` was called."""
        self.led_at: list[tuple[int, int]] = []
        """(term, applied index) at each `on_leading`."""
        self.join_requests = 0
        self.snapshot_every = 0
        """Entries between snapshots; 0: none."""
        self.new_cluster_id = 1
        self._snapshotting = False
        self._snapshot_index = 0
        """Of the last one begun in this process."""
        self._after = after
        self._wake = wake
        self._engine: Consensus | None = None
        self._joining: set[tuple[str, int]] = set()

    def attach(self, engine: Consensus) -> None:
        """Consensus exists from now on."""
        self._engine = engine

    # -- Application

    def apply(self, index: int, payload: bytes) -> object:
        """Apply one committed entry."""
        state = self.state
        assert index > state.index, f"entry {index} applied after {state.index}"
        state.index = index
        command = decode(payload)
        if command.kind in ("bootstrap", "disk"):
            return self._apply_members(command)
        state.history.append(command.identity)
        if command.kind == "cas" and state.registers.get(command.key) != command.expected:
            return False
        state.registers[command.key] = command.value
        return True

    def _apply_members(self, command: Command) -> bool:
        state = self.state
        if command.kind == "disk":
            state.disks.update(command.members)
        elif not state.cluster_id:
            state.cluster_id = command.identity
            state.disks.update(command.members)
        self._tell_members()
        return True

    def _tell_members(self) -> None:
        if self._engine is not None and self.state.cluster_id:
            self._engine.set_members(self.state.cluster_id, dict(self.state.disks))

    def begin_load(self, source: SnapshotSource) -> LedgerLoading:
        """Start to build a state from `source`."""
        return LedgerLoading(source)

    def adopt(self, loading: object, index: int) -> None:
        """Replace the state by the loaded one."""
        assert isinstance(loading, LedgerLoading)
        assert loading.state is not None
        assert loading.state.index <= index
        self.state = loading.state
        self.applied_from = index
        self._tell_members()

    def on_leading(self, term: int) -> None:
        """Lead: bootstrap a new cluster, once its disks have introduced themselves."""
        assert self._engine is not None
        self.leading.append(term)
        self.led_at.append((term, self._engine.status().applied_index))
        self._joining.clear()
        if not self.state.cluster_id:
            self._bootstrap(term, tries=10)

    def _bootstrap(self, term: int, tries: int) -> None:
        engine = self._engine
        assert engine is not None
        if self.state.cluster_id or not self.leading or engine.status().term != term:
            return
        known = engine.known_peers()
        if tries and len(known) <= len(engine.status().peers):
            self._after(0.05, lambda: self._bootstrap(term, tries - 1))
            return
        members = tuple(sorted((name, hello.disk_id) for name, hello in known.items()))
        bootstrap = Command("bootstrap", self.new_cluster_id, members=members)
        self.propose(bootstrap, lambda _: None)

    def on_following(self, leader: str | None, term: int, reason: str) -> None:
        """Nothing to stop: pending proposals are answered by consensus."""

    def on_join_request(self, name: str, disk_id: int, command_version: int) -> None:
        """Propose the disk of a node that comes with another one (RULES B2), once a request."""
        del command_version
        assert self._engine is not None
        self.join_requests += 1
        if not self.state.cluster_id or (name, disk_id) in self._joining:
            return
        self._joining.add((name, disk_id))

        def settled(outcome: Applied | Failure) -> None:
            if isinstance(outcome, Failure):
                self._joining.discard((name, disk_id))

        self.propose(Command("disk", members=((name, disk_id),)), settled)

    def on_peer_message(self, peer: str, payload: bytes) -> None:
        """Nothing is forwarded here."""

    def on_peer_lost(self, peer: str) -> None:
        """Nothing is forwarded here."""

    # -- what the world asks

    def propose(self, command: Command, done: ProposeDone) -> None:
        """Propose one command on this node."""
        assert self._engine is not None
        self._engine.propose(command.encode(), done)
        self._wake()

    def barrier(self, done: BarrierDone) -> None:
        """Ask for a read barrier on this node."""
        assert self._engine is not None
        self._engine.read_barrier(done)
        self._wake()

    @property
    def history(self) -> list[int]:
        """Identities of the operations applied, in order."""
        return self.state.history

    def expire(self) -> None:
        """Nothing has a deadline here."""

    def tick(self) -> None:
        """Take a snapshot where enough was applied since the last one."""
        engine = self._engine
        if not self.snapshot_every or self._snapshotting or engine is None:
            return
        if self.state.index - max(self._snapshot_index, self.applied_from) >= self.snapshot_every:
            self.snapshot()

    def snapshot(self) -> None:
        """Write the state as it is now, block by block."""
        assert self._engine is not None
        self._snapshotting = True
        self._snapshot_index, sink = self._engine.begin_snapshot()
        data = self.state.encode()
        for offset in range(0, len(data), BLOCK_BYTES):
            sink.write(data[offset : offset + BLOCK_BYTES])
        sink.commit(self._snapshot_done)

    def _snapshot_done(self) -> None:
        self._snapshotting = False
