"""Snapshots of the state: written whole or not at all, and checked before they are believed.

The order of `commit` is what makes a crash harmless: content durable, then its name, then CURRENT,
and only then the files that CURRENT named before may go.
"""

import json
import threading
from collections.abc import Sequence

from kvraft.storage.disk import Disk
from kvraft.storage.errors import DamagedSnapshot
from kvraft.storage.small_file import TEMPORARY, read_file, replace_file
from kvraft.storage.snapshot_file import SnapshotEncoder, SnapshotFile, verify_backup

_CURRENT = "CURRENT"
_CURRENT_KIND = 0x43
_SNAPSHOT = ".snapshot"
SYNC_BYTES = 4 << 20
"""A snapshot is synced this often as it grows: an fsync of hundreds of MiB at its end would hold up
the log's own fsyncs (0.1 to 0.2 s on ext4, measured; see docs/performance.md)."""


class SnapshotWriter:
    """A snapshot being written; every method blocks, and belongs to the snapshot thread."""

    def __init__(self, store: "SnapshotStore", path: str, encoder: SnapshotEncoder) -> None:
        """Use `SnapshotStore.create`."""
        self._store = store
        self._path = path
        self._encoder = encoder
        self._file = store.disk.create(path)
        self._file.write(encoder.header())
        self._unsynced = 0

    def write(self, data: bytes) -> None:
        """Add a piece of the state's encoding, of any size."""
        if framed := self._encoder.feed(data):
            self._file.write(framed)
            self._unsynced += len(framed)
        if self._unsynced >= SYNC_BYTES:
            self._file.sync()
            self._unsynced = 0

    def commit(self, expected_digest: bytes | None = None) -> SnapshotFile:
        """Make it the current snapshot, durably; DamagedSnapshot if its digest is another."""
        digest = self._encoder.digest
        if expected_digest is not None and digest != expected_digest:
            self.abort()
            raise DamagedSnapshot(
                self._path,
                0,
                f"what arrived has the digest {digest.hex()}, not {expected_digest.hex()}",
                "transfer it again",
            )
        self._file.write(self._encoder.finish())
        self._file.sync()
        self._file.close()
        return self._store.install(self._path, self._encoder)

    def abort(self) -> None:
        """Forget it."""
        self._file.close()
        self._store.disk.remove(self._path)


class SnapshotStore:
    """The directory of snapshots. One is current; older ones stay while they are pinned."""

    def __init__(self, disk: Disk, directory: str) -> None:
        """Use `open`."""
        self.disk = disk
        self.directory = directory
        self.current: SnapshotFile | None = None
        self._started = 0
        self._pins: dict[str, int] = {}
        self._lock = threading.Lock()  # of current and pins: the loop reads, a thread commits

    @classmethod
    def open(cls, disk: Disk, directory: str) -> "SnapshotStore":
        """Create or open; reads the current snapshot whole, and raises DamagedFile."""
        store = cls(disk, directory)
        disk.makedirs(directory)
        names = disk.listdir(directory)
        if _CURRENT in names:
            store.current = store._read_current(names)
        # A process killed before its own directory fsync left names that only the cache knows.
        # They must last before what CURRENT named earlier goes, and before the log is trimmed.
        disk.sync_dir(directory)
        store._remove_strays(names)
        return store

    def create(self, index: int, term: int, meta: bytes) -> SnapshotWriter:
        """Start a snapshot (blocking); `meta` is the caller's, at most 64 KiB (ValueError)."""
        encoder = SnapshotEncoder(index, term, meta)
        self._started += 1
        return SnapshotWriter(self, f"{self.directory}/{self._started}{TEMPORARY}", encoder)

    def pin(self) -> SnapshotFile | None:
        """The current snapshot, kept on disk until `unpin`, even when a newer one is committed."""
        with self._lock:
            if self.current is not None:
                self._pins[self.current.path] = self._pins.get(self.current.path, 0) + 1
            return self.current

    def unpin(self, snapshot: SnapshotFile) -> None:
        """Give a pinned snapshot up; the next commit removes it if it is not current."""
        with self._lock:
            self._pins[snapshot.path] -= 1
            if not self._pins[snapshot.path]:
                del self._pins[snapshot.path]

    def install(self, written: str, encoder: SnapshotEncoder) -> SnapshotFile:
        """The second half of `SnapshotWriter.commit`: name it, point CURRENT at it, tidy up."""
        # A name of its own (it holds the digest): the file that CURRENT names is never replaced.
        path = f"{self.directory}/{encoder.name}"
        self.disk.rename(written, path)
        self.disk.sync_dir(self.directory)
        text = json.dumps({"file": encoder.name, "digest": encoder.digest.hex()}) + "\n"
        replace_file(self.disk, self.directory, _CURRENT, kind=_CURRENT_KIND, payload=text.encode())
        snapshot = encoder.described(self.disk, path)
        with self._lock:
            self.current = snapshot
            kept = {*self._pins, path}
        for name in self.disk.listdir(self.directory):
            if name.endswith(_SNAPSHOT) and f"{self.directory}/{name}" not in kept:
                self.disk.remove(f"{self.directory}/{name}")
        return snapshot

    def _read_current(self, names: Sequence[str]) -> SnapshotFile:
        current = f"{self.directory}/{_CURRENT}"
        pointer = json.loads(read_file(self.disk, current, kind=_CURRENT_KIND))
        path = f"{self.directory}/{pointer['file']}"
        if pointer["file"] not in names:
            raise DamagedSnapshot(path, 0, f"{current} names it, but it is missing")
        snapshot = verify_backup(self.disk, path)
        if snapshot.digest.hex() != pointer["digest"]:
            raise DamagedSnapshot(path, 0, f"{current} names a snapshot with another digest")
        return snapshot

    def _remove_strays(self, names: Sequence[str]) -> None:
        """Remove what crashes left behind.

        Without a CURRENT, whole snapshots stay: a crash before the very first CURRENT explains
        them, but so does a lost CURRENT, and then they are precious.
        """
        for name in names:
            path = f"{self.directory}/{name}"
            superseded = (
                name.endswith(_SNAPSHOT) and self.current is not None and self.current.path != path
            )
            if superseded or name.endswith(TEMPORARY):
                self.disk.remove(path)
