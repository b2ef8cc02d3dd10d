"""Snapshots of this node's own state: made CURRENT one at a time, the log trimmed behind them."""

from collections.abc import Callable
from dataclasses import dataclass

from kvraft.consensus.port import SnapshotSink
from kvraft.consensus.shared import Shared
from kvraft.consensus.snapshot_receiver import SnapshotReceiver


@dataclass(slots=True)
class OwnSnapshot:
    """A sink that does not overtake a newer snapshot on its way from the leader."""

    shared: Shared
    receiver: SnapshotReceiver
    index: int
    sink: SnapshotSink

    def write(self, block: bytes) -> None:
        """Queue one block of the state's encoding."""
        self.sink.write(block)

    def backlog_bytes(self) -> int:
        """Bytes queued and not yet written."""
        return self.sink.backlog_bytes()

    def abort(self) -> None:
        """Drop what was written."""
        self.sink.abort()

    def commit(self, done: Callable[[], None]) -> None:
        """See `SnapshotSink`."""
        current = self.shared.disk.current
        newest = max(self.receiver.index, current.index if current is not None else 0)
        if newest >= self.index or self.receiver.disk_busy:
            self.sink.abort()
            done()
            return
        self.receiver.disk_busy = True
        self.sink.commit(lambda: self._committed(done))

    def _committed(self, done: Callable[[], None]) -> None:
        self.receiver.disk_busy = False
        shared = self.shared
        shared.counters["snapshots_taken"] += 1
        needed = shared.journal.trim(self.index, shared.flow.log_tail_bytes)
        shared.disk.drop_before(needed)
        done()
        shared.doors.wake()
