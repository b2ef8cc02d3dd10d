"""A node's log as the checks see it: of a running process, or of a disk that none runs on."""

from kvraft.consensus.journal import Journal
from kvraft.consensus.records import Entry
from kvraft.storage.directory import DataDirectory
from kvraft.storage.errors import StorageError
from kvraft.storage.snapshots import SnapshotStore
from kvraft.storage.wal import WriteAheadLog
from kvraft_chaos.simulation.disk import SimulatedDisk

DATA = "data"
"""The data directory's path on every simulated disk."""


class LiveLog:
    """The log of a running process."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def first_index(self) -> int:
        """Of the oldest entry kept."""
        return self._journal.first_index

    @property
    def last_index(self) -> int:
        """Of the newest entry."""
        return self._journal.last_index

    @property
    def durable_index(self) -> int:
        """Up to here it would survive a power loss."""
        return self._journal.durable_index

    def entry(self, index: int) -> tuple[int, bytes] | None:
        """(term, command) of an entry; None outside what is kept."""
        entries = self._journal.entries
        at = index - entries[0].log_index
        if not 0 <= at < len(entries):
            return None
        command, _, term = entries[at]
        return term, command

    def between(self, first: int, last: int) -> list[Entry]:
        """Entries `first` to `last`, all of them kept."""
        below = self._journal.first_index
        return self._journal.entries[first - below : last + 1 - below]


def stored_log(disk: SimulatedDisk, name: str) -> LiveLog:
    """Return what a restart would find, by the code of a restart, on a copy of the disk."""
    twin = disk.clone()
    try:
        directory = DataDirectory.open(twin, DATA, name, rejoin=False, new_disk_id=1)
        log = WriteAheadLog.open(twin, directory.wal_path, disk_id=directory.identity.disk_id)
        journal = Journal(log)
        snapshot = SnapshotStore.open(twin, directory.snapshot_path).current
    except StorageError:
        return stored_log(SimulatedDisk(), name)  # nothing that a restart could use
    if snapshot is not None:
        journal.align(snapshot.index, snapshot.term)
        journal.on_durable(log.sequence)
    return LiveLog(journal)
