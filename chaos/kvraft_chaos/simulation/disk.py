"""The twin of the disk door: in memory, deterministic, and able to do what real disks do.

Faults enter through `on_step`, which is called before every I/O step and may raise:
`Crash` (the process or the machine ends there) or a `StorageError` (the step fails; a failed sync
loses the dirty pages, as Linux does). After a crash call `kill` (the cache survives) or
`power_loss`, and open everything anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from kvraft.storage.errors import AlreadyLocked, DiskFailed, DiskFull, StorageError
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.page_cache import DirectoryNode, FileNode, Loss, Node

UNLIMITED_BYTES = 1 << 50

_N = TypeVar("_N", FileNode, DirectoryNode)


@dataclass(frozen=True, slots=True)
class Step:
    """One I/O step about to be done."""

    number: int
    operation: str
    path: str
    data: bytes = b""
    """Of a write."""


class Crash(BaseException):
    """The process ends in the middle of a step; of a write, `written` bytes still got through."""

    def __init__(self, written: int = 0) -> None:
        super().__init__(written)
        self.written = written


class SimulatedDisk:
    """One machine's disk. Implements `kvraft.storage.disk.Disk`."""

    def __init__(self, capacity_bytes: int = UNLIMITED_BYTES) -> None:
        self.capacity_bytes = capacity_bytes
        self.on_step: Callable[[Step], None] | None = None
        """None: no fault, and nobody who wants to know."""
        self.steps = 0
        self.boot = 0
        """Counts crashes; files opened before the last one are dead."""
        self._root = DirectoryNode()
        self._locks: dict[str, SimulatedLock] = {}

    # Faults

    def kill(self) -> None:
        """The process died (kill -9): locks and open files go, the page cache stays."""
        self.boot += 1
        self._locks.clear()

    def power_loss(self, chance: Chance, loss: Loss | None = None) -> None:
        """The machine died: un-fsynced bytes and names go as `loss` says, or as `chance` has it."""
        self.kill()
        self._root.lose(chance, lambda: loss or chance.pick(tuple(Loss)))

    def flip_bit(self, path: str, offset: int, bit: int) -> None:
        """Rot."""
        node = self._file(path)
        for content in (node.cached, node.durable):
            if offset < len(content):
                content[offset] ^= 1 << bit

    def fill(self, *, left: int) -> None:
        """Somebody else takes the space: only `left` bytes remain."""
        self.capacity_bytes = _used(self._root) + left

    def clone(self) -> "SimulatedDisk":
        """An independent copy, as after `kill`."""
        twin = SimulatedDisk(self.capacity_bytes)
        twin._root = self._root.copy({})
        return twin

    def wipe(self) -> None:
        """Put an empty disk in its place."""
        self.kill()
        self._root = DirectoryNode()

    # The door

    def makedirs(self, path: str) -> None:
        """See `Disk`."""
        parts = _parts(path)
        for depth in range(len(parts)):
            parent = self._resolve(parts[:depth], DirectoryNode)
            if parts[depth] not in parent.cached:
                self._step("mkdir", "/".join(parts[: depth + 1]))
                parent.bind({parts[depth]: DirectoryNode()})
            elif (
                depth + 1 < len(parts)
                and parts[depth + 1] in self._resolve(parts[: depth + 1], DirectoryNode).cached
            ):
                continue  # only the last one that exists may be news to the platter
            self._step("sync_dir", "/".join(parts[:depth]))
            parent.sync()

    def listdir(self, path: str) -> list[str]:
        """See `Disk`."""
        return sorted(self._resolve(_parts(path), DirectoryNode).cached)

    def exists(self, path: str) -> bool:
        """See `Disk`."""
        try:
            parent, name = self._parent(path)
        except DiskFailed:
            return False
        return name in parent.cached

    def size(self, path: str) -> int:
        """See `Disk`."""
        return len(self._file(path).cached)

    def read(self, path: str, offset: int = 0, size: int = -1) -> bytes:
        """See `Disk`."""
        end = None if size < 0 else offset + size
        return bytes(self._file(path).cached[offset:end])

    def create(self, path: str) -> "SimulatedFile":
        """See `Disk`."""
        parent, name = self._parent(path)
        if name in parent.cached:
            raise DiskFailed(path, "create", "File exists")
        self._step("create", path)
        node = FileNode()
        parent.bind({name: node})
        return SimulatedFile(self, path, node)

    def append(self, path: str) -> "SimulatedFile":
        """See `Disk`."""
        return SimulatedFile(self, path, self._file(path))

    def rewrite(self, path: str, offset: int, data: bytes) -> None:
        """See `Disk`."""
        node = self._file(path)
        self.write_node(node, path, offset, data, operation="rewrite")
        self.sync_node(node, path)

    def truncate(self, path: str, size: int) -> None:
        """See `Disk`."""
        node = self._file(path)
        self._step("truncate", path)
        node.truncate(size)

    def allocate(self, path: str, size: int) -> None:
        """See `Disk`."""
        file = self.create(path)
        file.write(bytes(size))
        file.sync()

    def rename(self, src: str, dst: str) -> None:
        """See `Disk`."""
        parent, name = self._parent(src)
        target, new_name = self._parent(dst)
        assert parent is target, "storage renames within one directory only"
        node = self._file(src)
        self._step("rename", src)
        parent.bind({new_name: node, name: None})

    def remove(self, path: str) -> None:
        """See `Disk`."""
        parent, name = self._parent(path)
        self._file(path)
        self._step("remove", path)
        parent.bind({name: None})

    def sync_dir(self, path: str) -> None:
        """See `Disk`."""
        node = self._resolve(_parts(path), DirectoryNode)
        self._step("sync_dir", path)
        node.sync()

    def free_bytes(self, path: str) -> int:
        """See `Disk`."""
        self._resolve(_parts(path), DirectoryNode)
        return max(0, self.capacity_bytes - _used(self._root))

    def lock(self, path: str) -> "SimulatedLock":
        """See `Disk`."""
        if path in self._locks:
            raise AlreadyLocked(f"{path} is locked by another process")
        if not self.exists(path):
            self.create(path)
        self._locks[path] = SimulatedLock(self._locks, path)
        return self._locks[path]

    # For files

    def write_node(
        self, node: FileNode, path: str, offset: int, data: bytes, *, operation: str = "write"
    ) -> None:
        """A write step: all of it, or as much as a crash or a full disk lets through."""
        try:
            self._step(operation, path, data)
        except Crash as crash:
            node.write(offset, data[: crash.written])
            raise
        grows = offset + len(data) - len(node.cached)
        free = self.free_bytes("/") if self.capacity_bytes < UNLIMITED_BYTES else grows
        if grows > free:
            node.write(offset, data[: len(data) - grows + free])
            raise DiskFull(path, 0, "write")
        node.write(offset, data)

    def sync_node(self, node: FileNode, path: str) -> None:
        """An fsync step."""
        try:
            self._step("sync", path)
        except StorageError:
            node.fail_sync()
            raise
        node.sync()

    def _step(self, operation: str, path: str, data: bytes = b"") -> None:
        self.steps += 1
        if self.on_step is not None:
            self.on_step(Step(self.steps, operation, path, data))

    def _parent(self, path: str) -> tuple[DirectoryNode, str]:
        *directory, name = _parts(path)
        return self._resolve(directory, DirectoryNode), name

    def _file(self, path: str) -> FileNode:
        return self._resolve(_parts(path), FileNode)

    def _resolve(self, parts: list[str], kind: type[_N]) -> _N:
        node: Node | None = self._root
        for part in parts:
            node = node.cached.get(part) if isinstance(node, DirectoryNode) else None
        if not isinstance(node, kind):
            raise DiskFailed("/".join(parts), "open", "No such file or directory")
        return node


class SimulatedFile:
    """An open file. Implements `kvraft.storage.disk.File`."""

    def __init__(self, disk: SimulatedDisk, path: str, node: FileNode) -> None:
        self._disk = disk
        self._path = path
        self._node = node
        self._boot = disk.boot

    @property
    def size(self) -> int:
        """See `File`."""
        return len(self._node.cached)

    def write(self, data: bytes) -> None:
        """See `File`."""
        self._check()
        self._disk.write_node(self._node, self._path, self.size, data)

    def sync(self) -> None:
        """See `File`."""
        self._check()
        self._disk.sync_node(self._node, self._path)

    def close(self) -> None:
        """See `Closeable`."""
        self._boot = -1

    def _check(self) -> None:
        assert self._boot == self._disk.boot, f"{self._path} used after a crash, or closed"


class SimulatedLock:
    """A held lock."""

    def __init__(self, locks: "dict[str, SimulatedLock]", path: str) -> None:
        self._locks = locks
        self._path = path

    def close(self) -> None:
        """See `Closeable`."""
        if self._locks.get(self._path) is self:
            del self._locks[self._path]


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _used(directory: DirectoryNode) -> int:
    return sum(
        _used(node) if isinstance(node, DirectoryNode) else len(node.cached)
        for node in directory.cached.values()
    )
