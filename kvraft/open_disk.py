"""Opens what a node has on its disk, or makes it: identity, log, snapshots, a first state."""

import contextlib
import dataclasses
import hashlib
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from kvraft.config import ServerConfig
from kvraft.core.errors import CodecError
from kvraft.core.machine import StateMachine
from kvraft.core.snapshot import StateLoader, restored, revision_of
from kvraft.storage.directory import DataDirectory
from kvraft.storage.disk import OsDisk
from kvraft.storage.errors import DamagedFile, DiskFull, WrongDirectory
from kvraft.storage.snapshot_file import SnapshotFile, verify_backup
from kvraft.storage.snapshots import SnapshotStore
from kvraft.storage.wal import WriteAheadLog

logger = logging.getLogger("kvraft")

RESTORED_INDEX = 2
"""Where a restored cluster's log begins: behind the entry that every empty log has."""
HEAD_BYTES = 4096
"""Enough of a state's encoding to hold its counters."""
ANOTHER_BACKUP = "take another backup; nothing was restored"
"""What to do about a damaged backup: the advice for a node's own files does not fit it."""


class Backup:
    """A `BackupReader` over the CURRENT snapshot, pinned until it is closed."""

    def __init__(self, store: SnapshotStore) -> None:
        snapshot = store.pin()
        if snapshot is None:
            raise FileNotFoundError("there is no snapshot yet")
        self._store = store
        self._snapshot = snapshot
        self.index = snapshot.index
        self.revision = revision_of(snapshot.read(0, HEAD_BYTES))
        self.total_bytes = snapshot.file_bytes

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of the file; blocking."""
        return self._snapshot.read_file(offset, size)

    def close(self) -> None:
        """Let the file go."""
        self._store.unpin(self._snapshot)


@dataclass(frozen=True, slots=True)
class OpenDisk:
    """One node's open directory."""

    disk: OsDisk
    directory: DataDirectory
    wal: WriteAheadLog
    snapshots: SnapshotStore

    def free_bytes(self) -> int:
        """Return what the file system has left."""
        return self.disk.free_bytes(self.directory.path)

    def open_current(self) -> Backup:
        """Open the CURRENT snapshot for a backup."""
        return Backup(self.snapshots)

    def save_identity(self, cluster_id: int, rejoining: bool) -> None:  # noqa: FBT001 - a door
        """Persist what the member table says of this disk, before anything counts on it."""
        identity = self.directory.identity
        self.directory.save_identity(
            dataclasses.replace(identity, cluster_id=cluster_id, rejoining=rejoining)
        )

    def prepare_for_the_next_start(self) -> None:
        """Give up the ballast if the disk is full, so that recovery has room."""
        with contextlib.suppress(Exception):  # the node is ending anyhow, for a better reason
            if self.free_bytes() == 0:
                self.directory.release_after_enospc()

    def close(self) -> None:
        """Unlock the directory."""
        self.directory.close()


def open_disk(config: ServerConfig) -> OpenDisk:
    """Open or create everything; every `StorageError` is one line that says what to do."""
    disk = OsDisk()
    path = str(config.data_dir)
    directory = DataDirectory.open(
        disk, path, config.name, rejoin=config.rejoin, new_disk_id=secrets.randbits(63) | 1
    )
    with _closed_on_failure(directory):
        try:
            opened = _open_contents(disk, directory)
        except DiskFull:
            if not directory.release_after_enospc():
                raise
            logger.warning("the disk of %s is full: released the ballast file to start", path)
            opened = _open_contents(disk, directory)
        if config.restore is not None:
            _restore(opened, str(config.restore))
        if not directory.ensure_ballast():
            logger.warning("no room for the ballast file in %s", path)
    return opened


@contextlib.contextmanager
def _closed_on_failure(directory: DataDirectory) -> Iterator[None]:
    try:
        yield
    except BaseException:
        directory.close()
        raise


def _open_contents(disk: OsDisk, directory: DataDirectory) -> OpenDisk:
    snapshots = SnapshotStore.open(disk, directory.snapshot_path)
    wal = WriteAheadLog.open(disk, directory.wal_path, disk_id=directory.identity.disk_id)
    if directory.identity.cluster_id and not wal.sequence:
        # A member has voted and acknowledged; without its log it would have forgotten both.
        raise DamagedFile(directory.wal_path, 0, "the log of a member of a cluster is gone")
    return OpenDisk(disk, directory, wal, snapshots)


def _restore(opened: OpenDisk, path: str) -> None:
    """Make the backup the first state of a new cluster; again after a crash in between."""
    identity = opened.directory.identity
    if identity.origin and identity.cluster_id == 0:
        return  # this node was restored already and waits for the others
    if identity.cluster_id or opened.wal.sequence or opened.snapshots.current is not None:
        raise WrongDirectory(
            f"{opened.directory.path}: --restore needs an empty directory, "
            "this one holds a node's data; name another one"
        )
    backup = _verified(opened.disk, path)
    machine = restored(_load(backup), index=RESTORED_INDEX)
    writer = opened.snapshots.create(RESTORED_INDEX, 0, b"")
    frozen = machine.freeze()
    for block in frozen.blocks():
        writer.write(block)
    frozen.release()
    writer.commit()
    origin = int.from_bytes(hashlib.blake2b(backup.digest, digest_size=8).digest()) >> 1 | 1
    opened.directory.save_identity(dataclasses.replace(identity, origin=origin))
    logger.info("restored %d keys, revision %d, from %s", machine.key_count, machine.revision, path)


def _verified(disk: OsDisk, path: str) -> SnapshotFile:
    try:
        return verify_backup(disk, path)
    except DamagedFile as error:
        text = str(error).replace(error.what_to_do, ANOTHER_BACKUP)
        raise WrongDirectory(f"--restore: {text}") from error


def _load(backup: SnapshotFile) -> StateMachine:
    loader = StateLoader()
    try:
        for block in backup.blocks():
            loader.feed(block)
        return loader.finish()
    except CodecError as error:
        problem = f"it holds no state of kvraft: {error}"
        raise DamagedFile(backup.path, 0, problem, ANOTHER_BACKUP) from error
