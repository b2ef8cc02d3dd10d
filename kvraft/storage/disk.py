"""The door to the disk: the few operations storage uses, and their real implementation.

The simulator has a twin of this door, so nothing else in the package may touch the file system.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from kvraft.storage.errors import AlreadyLocked, DiskFailed, DiskFull, StorageError

SHRINK_BYTES = 16 << 20
"""A larger file is removed in steps of this: freeing 600 MB at once held up the fsyncs of other
files for 60 to 80 ms on ext4, in steps for about 10 (measured)."""
SHRINK_PAUSE_S = 0.005
"""Between two steps, for the fsyncs that wait."""
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Closeable(Protocol):
    """Something held until it is closed."""

    def close(self) -> None:
        """Let go; closing twice is harmless."""


class File(Closeable, Protocol):
    """An append-only file; how it makes bytes durable (fdatasync, RWF_DSYNC) is its own affair."""

    @property
    def size(self) -> int:
        """Bytes written so far, those before it was opened included."""

    def write(self, data: bytes) -> None:
        """Append all of `data`; after an error an unknown part of it is in the file."""

    def sync(self) -> None:
        """Make everything written durable (fdatasync); never to be tried again after an error."""


class Disk(Protocol):
    """File system operations; every failure is a `StorageError`. Paths use `/`."""

    def makedirs(self, path: str) -> None:
        """Create missing directories and make the entries of `path`, new or not, durable."""

    def listdir(self, path: str) -> list[str]:
        """Names in a directory, sorted."""

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""

    def size(self, path: str) -> int:
        """Size of a file in bytes."""

    def read(self, path: str, offset: int = 0, size: int = -1) -> bytes:
        """Bytes from `offset`; the rest if `size` is -1; fewer than `size` only at the end."""

    def create(self, path: str) -> File:
        """A new empty file; it must not exist. Durable only after `sync` and `sync_dir`."""

    def append(self, path: str) -> File:
        """Open an existing file to write behind its end."""

    def rewrite(self, path: str, offset: int, data: bytes) -> None:
        """Write bytes over what is there already, and make the file durable."""

    def truncate(self, path: str, size: int) -> None:
        """Cut a file, and make that durable."""

    def allocate(self, path: str, size: int) -> None:
        """A new file whose `size` bytes are really allocated; it must not exist."""

    def rename(self, src: str, dst: str) -> None:
        """Rename over whatever is there, atomically; durable only after `sync_dir`."""

    def remove(self, path: str) -> None:
        """Remove a file; durable only after `sync_dir`."""

    def sync_dir(self, path: str) -> None:
        """Make the creations, renames and removals in a directory durable."""

    def free_bytes(self, path: str) -> int:
        """Bytes an ordinary process may still use on the file system of `path`."""

    def lock(self, path: str) -> Closeable:
        """Hold an exclusive lock until closed or the process ends; raises `AlreadyLocked`."""


class OsDisk:
    """The operating system's file system."""

    def makedirs(self, path: str) -> None:
        """See `Disk`."""
        missing: list[Path] = []
        existing = Path(path).absolute()
        while not existing.is_dir():
            missing.append(existing)
            existing = existing.parent
        # A process killed between mkdir and fsync left a directory that only the cache knows.
        # Where the parent may not be opened, it is not ours either, and was not made by us.
        if os.access(existing.parent, os.R_OK):
            self.sync_dir(str(existing.parent))
        for level in reversed(missing):
            with _explained("mkdir", str(level)):
                level.mkdir()
            self.sync_dir(str(level.parent))

    def listdir(self, path: str) -> list[str]:
        """See `Disk`."""
        with _explained("listing", path):
            return sorted(entry.name for entry in Path(path).iterdir())

    def exists(self, path: str) -> bool:
        """See `Disk`."""
        return Path(path).exists()

    def size(self, path: str) -> int:
        """See `Disk`."""
        with _explained("stat", path):
            return Path(path).stat().st_size

    def read(self, path: str, offset: int = 0, size: int = -1) -> bytes:
        """See `Disk`."""
        with _explained("read", path), Path(path).open("rb", buffering=0) as file:
            file.seek(offset)
            wanted = os.fstat(file.fileno()).st_size - offset if size < 0 else size
            pieces: list[bytes] = []
            while wanted > 0 and (piece := file.read(wanted)):
                pieces.append(piece)
                wanted -= len(piece)
            return b"".join(pieces)

    def create(self, path: str) -> "OsFile":
        """See `Disk`."""
        with _explained("create", path):
            return OsFile(path, os.open(path, _APPEND | os.O_CREAT | os.O_EXCL, 0o600))

    def append(self, path: str) -> "OsFile":
        """See `Disk`."""
        with _explained("open", path):
            return OsFile(path, os.open(path, _APPEND))

    def rewrite(self, path: str, offset: int, data: bytes) -> None:
        """See `Disk`."""
        with _explained("rewrite", path), Path(path).open("r+b", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                written = os.pwrite(file.fileno(), rest, offset)
                rest, offset = rest[written:], offset + written
            os.fsync(file.fileno())

    def truncate(self, path: str, size: int) -> None:
        """See `Disk`."""
        with _explained("truncate", path), Path(path).open("r+b", buffering=0) as file:
            os.ftruncate(file.fileno(), size)
            os.fsync(file.fileno())

    def allocate(self, path: str, size: int) -> None:
        """See `Disk`."""
        with _explained("allocation", path), Path(path).open("xb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, size)
            os.fsync(file.fileno())

    def rename(self, src: str, dst: str) -> None:
        """See `Disk`."""
        with _explained("rename", src):
            Path(src).rename(dst)

    def remove(self, path: str) -> None:
        """See `Disk`. A large file shrinks first: see SHRINK_BYTES."""
        with _explained("removal", path):
            size = Path(path).stat().st_size
            while size > SHRINK_BYTES:
                size -= SHRINK_BYTES
                os.truncate(path, size)
                time.sleep(SHRINK_PAUSE_S)
            Path(path).unlink()

    def sync_dir(self, path: str) -> None:
        """See `Disk`."""
        with _explained("fsync", path):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def free_bytes(self, path: str) -> int:
        """See `Disk`."""
        with _explained("statvfs", path):
            return _free_bytes(path)

    def lock(self, path: str) -> "OsFile":
        """See `Disk`."""
        with _explained("lock", path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(fd)
                raise AlreadyLocked(f"{path} is locked by another process (pid {owner})") from None
            with suppress(OSError):  # the pid is for people, and a full disk must still open
                os.ftruncate(fd, 0)
                os.pwrite(fd, b"%d\n" % os.getpid(), 0)
            return OsFile(path, fd)


_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC


class OsFile:
    """A file descriptor in append mode."""

    def __init__(self, path: str, fd: int) -> None:
        self._path = path
        self._fd = fd
        self._size = os.fstat(fd).st_size

    @property
    def size(self) -> int:
        """See `File`."""
        return self._size

    def write(self, data: bytes) -> None:
        """See `File`."""
        rest = memoryview(data)
        with _explained("write", self._path):
            while rest:
                written = os.write(self._fd, rest)
                self._size += written
                rest = rest[written:]

    def sync(self) -> None:
        """See `File`."""
        with _explained("fdatasync", self._path):
            os.fdatasync(self._fd)

    def close(self) -> None:
        """See `Closeable`."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


@contextmanager
def _explained(operation: str, path: str) -> Iterator[None]:
    """Turn an `OSError` into a `StorageError` that names the operation and the path."""
    try:
        yield
    except OSError as error:
        raise _storage_error(error, operation, path) from error


def _storage_error(error: OSError, operation: str, path: str) -> StorageError:
    if error.errno in _NO_SPACE:
        return DiskFull(path, _free_bytes(str(Path(path).parent)), operation)
    return DiskFailed(path, operation, error.strerror or str(error))


def _free_bytes(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
