"""The disk as consensus sees it: the log's writer and the snapshot store, never blocking.

The simulator runs this very code on its own writer.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from kvraft.storage.snapshot_file import SnapshotFile
from kvraft.storage.snapshots import SnapshotStore, SnapshotWriter
from kvraft.storage.wal import WriteAheadLog

T = TypeVar("T")


class Writer(Protocol):
    """What writes for the node (`storage.writer.LogWriter`, or the simulator's)."""

    def kick(self) -> None:
        """Write and fsync what the log has buffered."""
        ...

    def submit(self, fn: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run `fn` off the loop, in order of submission, then `done(result)` on it."""
        ...


class QueuedSnapshot:
    """A `SnapshotSink`: blocks are written in order by the writer, while the node goes on."""

    def __init__(self, store: SnapshotStore, writer: Writer, index: int, term: int) -> None:
        self._writer = writer
        self._file: SnapshotWriter | None = None
        self._backlog = 0
        writer.submit(lambda: self._create(store, index, term), lambda _: None)

    def _create(self, store: SnapshotStore, index: int, term: int) -> None:
        # Where the blocks are written too: they do not wait for the loop to hear of this.
        self._file = store.create(index, term, b"")

    def write(self, block: bytes) -> None:
        """Queue one block."""
        self._backlog += len(block)

        def written(_: None) -> None:
            self._backlog -= len(block)

        self._writer.submit(lambda: self._opened().write(block), written)

    def backlog_bytes(self) -> int:
        """Bytes queued and not yet written."""
        return self._backlog

    def commit(self, done: Callable[[], None]) -> None:
        """Make it CURRENT, durably, then call `done`."""
        self._writer.submit(lambda: self._opened().commit(), lambda _: done())

    def abort(self) -> None:
        """Drop what was written."""
        self._writer.submit(lambda: self._opened().abort(), lambda _: None)

    def _opened(self) -> SnapshotWriter:
        assert self._file is not None, "the writer created it first"
        return self._file


class NodeDisk:
    """The `DiskDoor` of one node."""

    def __init__(self, wal: WriteAheadLog, store: SnapshotStore, writer: Writer) -> None:
        self._wal = wal
        self._store = store
        self._writer = writer

    @property
    def current(self) -> SnapshotFile | None:
        """The newest durable snapshot; readable until a newer one is committed."""
        return self._store.current

    def pin(self) -> SnapshotFile | None:
        """Return the newest durable snapshot, kept readable until `unpin`."""
        return self._store.pin()

    def unpin(self, snapshot: SnapshotFile) -> None:
        """Give a pinned snapshot up."""
        self._store.unpin(snapshot)

    def kick(self) -> None:
        """Write and fsync what the log has buffered."""
        self._writer.kick()

    def create(self, index: int, term: int) -> QueuedSnapshot:
        """Begin a snapshot file."""
        return QueuedSnapshot(self._store, self._writer, index, term)

    def drop_before(self, sequence: int) -> None:
        """Forget log segments below this sequence."""
        self._writer.submit(lambda: self._wal.drop_before(sequence), lambda _: None)
