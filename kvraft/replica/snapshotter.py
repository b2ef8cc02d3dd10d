"""Decides when a snapshot is due and encodes it in slices of a millisecond on the loop.

Imports: core, the consensus port. The state is frozen by keeping before-images of what changes
afterwards (no copy, no fork); only the writing and the fsync happen on another thread, behind
`SnapshotSink`.
"""

from collections.abc import Callable, Iterator

from kvraft.consensus.port import Consensus, SnapshotSink
from kvraft.core.errors import Outcome, Reason
from kvraft.core.frozen import FrozenState
from kvraft.core.machine import StateMachine
from kvraft.replica.deadlines import Caller, Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import Denied

SnapshotDone = Callable[[int | Denied], None]
_Asker = Caller[int | Denied]


class Snapshotter:
    """At most one snapshot in progress."""

    def __init__(
        self, consensus: Consensus, limits: ReplicaLimits, now: Callable[[], float]
    ) -> None:
        self._consensus = consensus
        self._limits = limits
        self._now = now
        self._log_bytes = 0
        self._asked: list[_Asker] = []
        self._serving: list[_Asker] = []
        self._deadlines: Deadlines[_Asker] = Deadlines()
        self._frozen: FrozenState | None = None
        self._blocks: Iterator[bytes] | None = None
        self._sink: SnapshotSink | None = None
        self._index = 0
        self.taken = 0
        self.longest_slice_ms = 0.0

    def on_applied(self, payload_bytes: int) -> None:
        """Count one applied entry towards the next snapshot."""
        self._log_bytes += payload_bytes + self._limits.entry_overhead_bytes

    def ask(self, deadline: float, done: SnapshotDone) -> None:
        """Take one that begins after now, whatever is due; `done` gets its index."""
        if len(self._deadlines) >= self._limits.snapshot_askers:
            text = f"{len(self._deadlines)} callers wait for a snapshot"
            done(Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, retry_after_ms=1000))
            return
        asker = _Asker(deadline, done)
        self._asked.append(asker)
        self._deadlines.add(asker)

    def expire(self, now: float) -> None:
        """Answer whoever's deadline has passed; a snapshot that was begun is finished anyhow."""
        for asker in self._deadlines.take_due(now):
            self._asked = [other for other in self._asked if other is not asker]
            text = "the deadline passed before the snapshot was durable"
            asker.finish(Denied(Reason.DEADLINE, Outcome.UNKNOWN, text))

    def abort(self) -> None:
        """The state was replaced by a newer one: drop what is being encoded, ask again."""
        if self._frozen is not None and self._sink is not None:
            self._sink.abort()
            self._frozen.release()
            self._frozen = self._blocks = self._sink = None
            self._ask_again(self._serving)
            self._serving = []
        self._log_bytes = 0

    def _ask_again(self, askers: list[_Asker]) -> None:
        self._asked[:0] = [asker for asker in askers if asker.waits]

    def step(self, machine: StateMachine) -> bool:
        """Do one slice; True while there is more to do at once."""
        if self._frozen is None:
            if self._sink is not None:  # the last one is still being made durable
                return False
            logged = self._log_bytes
            small = logged < self._limits.snapshot_log_bytes or logged < machine.state_bytes // 2
            if small and not self._asked:
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
        assert blocks is not None, "a snapshot in progress has its encoder"
        assert sink is not None, "... and its file"
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
            self._sink = None
            current = self._consensus.status().snapshot_index
            if current < index:  # dropped, because one from the leader is on its way
                self._ask_again(serving)
                return
            self.taken += current == index
            for asker in serving:
                self._deadlines.discard(asker)
                asker.finish(current)

        sink.commit(done)
