"""The disk as consensus sees it, on the real log and snapshot store and a simulated writer."""

from collections.abc import Callable
from typing import cast

from kvraft.consensus.shared import StoredSnapshot
from kvraft.storage.snapshots import SnapshotStore, SnapshotWriter
from kvraft.storage.wal import WriteAheadLog
from kvraft_chaos.simulation.writer import SimulatedWriter


class Sink:
    """A snapshot being written, a task a block."""

    def __init__(
        self, store: SnapshotStore, writer: SimulatedWriter, index: int, term: int
    ) -> None:
        self._writer = writer
        self._file: SnapshotWriter | None = None
        self._waiting = 0

        def created(file: SnapshotWriter) -> None:
            self._file = file

        writer.submit(lambda: store.create(index, term, b""), created)

    def write(self, block: bytes) -> None:
        """Queue one block."""
        self._waiting += len(block)

        def written(_: None) -> None:
            self._waiting -= len(block)

        self._writer.submit(lambda: self._opened().write(block), written)

    def backlog_bytes(self) -> int:
        """Bytes queued and not yet written."""
        return self._waiting

    def commit(self, done: Callable[[], None]) -> None:
        """Make it CURRENT, then call `done`."""
        self._writer.submit(lambda: self._opened().commit(), lambda _: done())

    def abort(self) -> None:
        """Drop what was written."""
        self._writer.submit(lambda: self._opened().abort(), lambda _: None)

    def _opened(self) -> SnapshotWriter:
        assert self._file is not None
        return self._file


class SimulatedDiskDoor:
    """Implements `kvraft.consensus.shared.DiskDoor`."""

    def __init__(self, wal: WriteAheadLog, store: SnapshotStore, writer: SimulatedWriter) -> None:
        self._wal = wal
        self._store = store
        self._writer = writer

    @property
    def current(self) -> StoredSnapshot | None:
        """The newest durable snapshot."""
        return cast("StoredSnapshot | None", self._store.current)  # a frozen value will do

    def kick(self) -> None:
        """Write and sync what waits in the log."""
        self._writer.kick()

    def create(self, index: int, term: int) -> Sink:
        """Begin a snapshot file."""
        return Sink(self._store, self._writer, index, term)

    def drop_before(self, sequence: int) -> None:
        """Forget the log below this sequence."""
        self._writer.submit(lambda: self._wal.drop_before(sequence), lambda _: None)
