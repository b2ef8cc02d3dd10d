"""A node's data directory: whose it is, one process at a time, and its reserve of disk space."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kvraft.storage.disk import Closeable, Disk
from kvraft.storage.errors import DamagedFile, DiskFull, WrongDirectory
from kvraft.storage.small_file import TEMPORARY, read_file, replace_file

BALLAST_BYTES = 16 << 20
"""Given up after ENOSPC: enough to recover, take a snapshot's first steps and drop old segments."""

_IDENTITY = "identity"
_IDENTITY_KIND = 0x49
_LOCK = "LOCK"
_BALLAST = "ballast"
_HARMLESS = frozenset({_LOCK, _IDENTITY + TEMPORARY, "lost+found"})
"""What a directory may hold and still be empty: leavings of a crash before its identity was
durable (nothing was promised then), and what mkfs puts at the root of a volume."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a data directory belongs to; ids are 63-bit, 0 means not known yet."""

    node_name: str
    cluster_id: int
    disk_id: int
    rejoining: bool
    origin: int


class DataDirectory:
    """An open, locked data directory."""

    def __init__(self, disk: Disk, path: str, lock: Closeable, identity: Identity) -> None:
        """Use `open`."""
        self._disk = disk
        self._lock = lock
        self.path = path
        self.identity = identity
        self.wal_path = f"{path}/wal"
        self.snapshot_path = f"{path}/snapshots"
        self.ballast_path = f"{path}/{_BALLAST}"

    @classmethod
    def open(
        cls, disk: Disk, path: str, node_name: str, *, rejoin: bool, new_disk_id: int
    ) -> "DataDirectory":
        """Create or open, and lock.

        Raises AlreadyLocked, WrongDirectory (another node's, or not empty where it must be) or
        DamagedFile. A new directory's identity is durable on return, before anything else is.
        """
        disk.makedirs(path)
        lock = disk.lock(f"{path}/{_LOCK}")
        try:
            identity = _opened(disk, path, node_name, rejoin=rejoin, new_disk_id=new_disk_id)
        except BaseException:
            lock.close()
            raise
        return cls(disk, path, lock, identity)

    def save_identity(self, identity: Identity) -> None:
        """Replace the identity, atomically and durably (blocking)."""
        _save(self._disk, self.path, identity)
        self.identity = identity

    def ensure_ballast(self, size: int = BALLAST_BYTES) -> bool:
        """Allocate the reserve if it is not there; False if there is no space for it."""
        if self._disk.exists(self.ballast_path):
            if self._disk.size(self.ballast_path) == size:
                return True
            self._disk.remove(self.ballast_path)  # a crash cut its allocation short
        try:
            self._disk.allocate(self.ballast_path, size)
        except DiskFull:
            self.release_after_enospc()
            return False
        self._disk.sync_dir(self.path)
        return True

    def release_after_enospc(self) -> bool:
        """Give the reserve back to the file system; False if there was none."""
        if not self._disk.exists(self.ballast_path):
            return False
        self._disk.remove(self.ballast_path)
        self._disk.sync_dir(self.path)
        return True

    def close(self) -> None:
        """Unlock."""
        self._lock.close()


def _opened(disk: Disk, path: str, node_name: str, *, rejoin: bool, new_disk_id: int) -> Identity:
    names = disk.listdir(path)
    if _IDENTITY not in names:
        return _created(disk, path, node_name, names, rejoin=rejoin, new_disk_id=new_disk_id)
    identity = _read(disk, path)
    if identity.node_name != node_name:
        raise WrongDirectory(
            f"{path}: this directory belongs to {identity.node_name}, not to {node_name}; "
            "check --name and --data-dir"
        )
    if rejoin and not identity.rejoining:
        raise WrongDirectory(
            f"{path}: --rejoin needs an empty directory, this one holds the data of "
            f"{node_name}; start without --rejoin, or name an empty directory"
        )
    # A process killed before its own directory fsync left a name that only the cache knows.
    disk.sync_dir(path)
    return identity


def _created(
    disk: Disk,
    path: str,
    node_name: str,
    names: Sequence[str],
    *,
    rejoin: bool,
    new_disk_id: int,
) -> Identity:
    strange = [name for name in names if name not in _HARMLESS]
    if strange:
        raise WrongDirectory(
            f"{path}: no identity file, but the directory is not empty (it holds {strange[0]}); "
            "if it was this node's, keep it for inspection and start on an empty directory with "
            "--rejoin"
        )
    identity = Identity(
        node_name=node_name, cluster_id=0, disk_id=new_disk_id, rejoining=rejoin, origin=0
    )
    _save(disk, path, identity)
    return identity


def _save(disk: Disk, path: str, identity: Identity) -> None:
    text = json.dumps(asdict(identity), sort_keys=True, indent=1) + "\n"
    replace_file(disk, path, _IDENTITY, kind=_IDENTITY_KIND, payload=text.encode())


def _read(disk: Disk, path: str) -> Identity:
    file = f"{path}/{_IDENTITY}"
    fields = json.loads(read_file(disk, file, kind=_IDENTITY_KIND))
    try:
        return Identity(**fields)
    except TypeError as error:
        raise DamagedFile(file, 0, f"its fields are not those of an identity ({error})") from error
