"""Decides when a snapshot is due and encodes it in slices of a millisecond on the loop.

Imports: core, the consensus port. The state is frozen by an overlay (no copy, no fork); only the
writing and the fsync happen on another thread, behind `SnapshotSink`.
"""

from collections.abc import Callable, Iterator

from kvraft.consensus.port import Consensus, SnapshotSink
from kvraft.core.frozen import FrozenState
from kvraft.core.machine import StateMachine
from kvraft.replica.limits import ReplicaLimits

SnapshotDone = Callable[[int], None]


class Snapshotter:
    """At most one snapshot in progress."""

    def __init__(
        self, consensus: Consensus, limits: ReplicaLimits, now: Callable[[], float]
    ) -> None:
        self._consensus = consensus
        self._limits = limits
        self._now = now
        self._log_bytes = 0
        self._asked: list[SnapshotDone] = []
        self._serving: list[SnapshotDone] = []
        self._frozen: FrozenState | None = None
        self._blocks: Iterator[bytes] | None = None
        self._sink: SnapshotSink | None = None
        self._index = 0
        self.taken = 0
        self.longest_slice_ms = 0.0

    def on_applied(self, payload_bytes: int) -> None:
        """Count one applied entry towards the next snapshot."""
        self._log_bytes += payload_bytes + self._limits.entry_overhead_bytes

    def ask(self, done: SnapshotDone) -> None:
        """Take one that begins after now, whatever is due; `done` gets its index."""
        self._asked.append(done)

    def abort(self) -> None:
        """The state was replaced by a newer one: drop what is being encoded, ask again."""
        if self._frozen is not None and self._sink is not None:
            self._sink.abort()
            self._frozen.release()
            self._frozen = self._blocks = self._sink = None
            self._asked, self._serving = self._serving + self._asked, []
        self._log_bytes = 0

    def step(self, machine: StateMachine) -> bool:
        """Do one slice; True while there is more to do at once."""
        if self._frozen is None:
            if self._sink is not None:  # the last one is still being made durable
                return False
            due = max(self._limits.snapshot_log_bytes, machine.state_bytes // 2)
            if not self._asked and self._log_bytes < due:
                return False
            self._begin(machine)
        return self._encode()

    def _begin(self, machine: StateMachine) -> None:
        self._index, self._sink = self._consensus.begin_snapshot()
        self._frozen = machine.freeze()
        self._blocks = self._frozen.blocks()
        self._serving, self._asked = self._asked, []
        self._log_bytes = 0

    def _encode(self) -> bool:
        blocks, sink = self._blocks, self._sink
        if blocks is None or sink is None:
            return False
        start = self._now()
        end = start + self._limits.snapshot_slice_ms / 1000
        while sink.backlog_bytes() < self._limits.snapshot_backlog_bytes:
            block = next(blocks, None)
            if block is None:
                self._finish(sink)
                return False
            if block:  # an empty one only marks a place to pause
                sink.write(block)
            if self._now() >= end:
                self.longest_slice_ms = max(self.longest_slice_ms, (self._now() - start) * 1000)
                return True
        return False

    def _finish(self, sink: SnapshotSink) -> None:
        assert self._frozen is not None, "a snapshot in progress has its view"
        self._frozen.release()
        self._frozen = self._blocks = None
        index, serving = self._index, self._serving
        self._serving = []

        def done() -> None:
            self.taken += 1
            self._sink = None
            for callback in serving:
                callback(index)

        sink.commit(done)
