"""The three things storage keeps, at work, each with a ledger of what it has promised."""

from dataclasses import dataclass, field, replace
from typing import Self

from kvraft.storage.directory import DataDirectory, Identity
from kvraft.storage.record import Record
from kvraft.storage.segment import SEGMENT
from kvraft.storage.snapshots import SnapshotStore
from kvraft.storage.wal import WriteAheadLog
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.disk import SimulatedDisk

TERM, VOTE, DATA = 1, 2, 3
SEGMENT_BYTES = 4_000
"""Small, so that a few records roll it."""


@dataclass(slots=True)
class LogSubject:
    """The write-ahead log: records of data, and two absolute statements that preambles repeat."""

    appended: dict[int, Record] = field(default_factory=dict)
    durable: int = 0
    dropped: int = 0
    """Records below it may be gone."""

    def copy(self) -> Self:
        """See `Subject`."""
        return replace(self, appended=dict(self.appended))

    def check(self, disk: SimulatedDisk) -> None:
        """See `Subject`."""
        self.open(disk)

    def work(self, disk: SimulatedDisk, chance: Chance) -> None:
        """See `Subject`."""
        log = self.open(disk)
        for _ in range(chance.integer(3, 6)):
            for _ in range(chance.integer(1, 5)):
                size = chance.pick((0, 5, 100, 600, 1_500))
                log.append(chance.pick((TERM, VOTE, DATA, DATA)), 1, chance.bytes(size))
            self.write(log)
            if chance.happens(0.3):
                log.mark()
            if chance.happens(0.3):
                self.drop_before(log, chance.integer(1, self.durable))
        log.close()

    def open(self, disk: SimulatedDisk) -> WriteAheadLog:
        """Open the log, compare, and promise what was found."""
        log = WriteAheadLog.open(disk, "n1/wal", segment_bytes=SEGMENT_BYTES, disk_id=77)
        found = list(log.recovered)
        assert log.sequence >= self.durable, f"lost {log.sequence + 1} to {self.durable}"
        self.appended = {n: it for n, it in self.appended.items() if n <= log.sequence}
        for record in found:
            assert self.appended.get(record.sequence) == record, f"wrong: {record.sequence}"
        oldest = min(self.dropped, found[0].sequence) if found else self.dropped
        owed = [n for n in self.appended if n >= oldest]
        assert [record.sequence for record in found] == owed, "records are missing"
        for kind in (TERM, VOTE):
            assert _latest(found, kind) == _latest(list(self.appended.values()), kind)
        self.durable = log.sequence
        log.preamble = lambda: [
            (kind, 1, _latest(list(self.appended.values()), kind)) for kind in (TERM, VOTE)
        ]
        return log

    def write(self, log: WriteAheadLog) -> None:
        """Write what is buffered, and promise it once that returns."""
        batch = log.take()
        assert batch is not None
        for chunk in batch.chunks:
            for record in chunk.records:
                if record.kind != SEGMENT:
                    self.appended[record.sequence] = record
        self.durable = log.write(batch)

    def drop_before(self, log: WriteAheadLog, sequence: int) -> None:
        """Give up what is before a sequence, from now on."""
        self.dropped = max(self.dropped, sequence)
        log.drop_before(sequence)


def _latest(records: list[Record], kind: int) -> bytes:
    return next((it.payload for it in reversed(records) if it.kind == kind), b"")


@dataclass(slots=True)
class SnapshotSubject:
    """Snapshots and CURRENT."""

    committed: tuple[int, bytes] | None = None
    committing: tuple[int, bytes] | None = None

    def copy(self) -> Self:
        """See `Subject`."""
        return replace(self)

    def check(self, disk: SimulatedDisk) -> None:
        """See `Subject`."""
        self._open(disk)

    def work(self, disk: SimulatedDisk, chance: Chance) -> None:
        """See `Subject`."""
        store = self._open(disk)
        for _ in range(3):
            index = (self.committed or (0, b""))[0] + chance.integer(0, 5)
            state = chance.bytes(chance.pick((0, 10, 700, 3_000)))
            writer = store.create(index, 1, b"meta")
            for start in range(0, len(state), 900):
                writer.write(state[start : start + 900])
            if chance.happens(0.2):
                writer.abort()
                continue
            self.committing = (index, state)
            writer.commit()
            self.committed, self.committing = self.committing, None

    def _open(self, disk: SimulatedDisk) -> SnapshotStore:
        store = SnapshotStore.open(disk, "n1/snapshots")
        current = store.current
        found = current and (current.index, b"".join(current.blocks()))
        assert found in (self.committed, self.committing), "not the snapshot that was promised"
        assert found or not self.committed, "the snapshot is gone"
        self.committed, self.committing = found, None
        return store


@dataclass(slots=True)
class IdentitySubject:
    """The data directory and its identity."""

    saved: Identity | None = None
    saving: Identity | None = None

    def copy(self) -> Self:
        """See `Subject`."""
        return replace(self)

    def check(self, disk: SimulatedDisk) -> None:
        """See `Subject`."""
        self._open(disk)

    def work(self, disk: SimulatedDisk, chance: Chance) -> None:
        """See `Subject`."""
        directory = self._open(disk)
        directory.ensure_ballast(chance.pick((2_000, 3_000)))
        for _ in range(3):
            self.saving = replace(
                directory.identity, cluster_id=chance.below(1 << 53), rejoining=chance.happens(0.5)
            )
            directory.save_identity(self.saving)
            self.saved, self.saving = self.saving, None
        directory.release_after_enospc()
        directory.close()

    def _open(self, disk: SimulatedDisk) -> DataDirectory:
        disk.kill()
        fresh = Identity("n1", cluster_id=0, disk_id=disk.steps + 1, rejoining=False, origin=0)
        if self.saved is None and self.saving is None:
            self.saving = fresh  # promised from the moment `open` returns
        directory = DataDirectory.open(disk, "n1", "n1", rejoin=False, new_disk_id=fresh.disk_id)
        acceptable = [self.saved, self.saving]
        if self.saved is None:
            acceptable.append(fresh)
        assert directory.identity in acceptable, f"{directory.identity} was never promised"
        self.saved, self.saving = directory.identity, None
        return directory
