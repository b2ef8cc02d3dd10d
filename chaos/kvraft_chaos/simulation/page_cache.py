"""Files and directories as a kernel holds them: what processes see, and what a power loss leaves.

Assumed, as storage does: a sector is written whole or not at all, and fsync does what it says.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from kvraft_chaos.simulation.chance import Chance

SECTOR_BYTES = 512
"""What a disk writes as one; the smallest in use, so the hardest on the code."""


class Loss(Enum):
    """How much of what was not fsynced survives a power loss."""

    EVERYTHING = "everything un-fsynced is lost"
    NOTHING = "all of it had been written back"
    PREFIX = "it was written back in order, up to some byte"
    SUBSET = "any sectors of it, in any order; lost ones read as zeros or as old garbage"


Choose = Callable[[], Loss]


@dataclass(eq=False, slots=True)
class FileNode:
    """One file: its bytes in the cache, its bytes on the platter, and the writes in between."""

    cached: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, offset: int, data: bytes) -> None:
        """Into the cache."""
        _put(self.cached, offset, data)
        self.pending.append((offset, data))

    def sync(self) -> None:
        """Write the dirty pages."""
        for offset, data in self.pending:
            _put(self.durable, offset, data)
        self.pending.clear()

    def fail_sync(self) -> None:
        """As Linux does: the pages count as clean, stay readable, and never reach the platter."""
        self.pending.clear()

    def truncate(self, size: int) -> None:
        """Cut, durably."""
        self.sync()
        del self.cached[size:]
        del self.durable[size:]

    def lose(self, chance: Chance, loss: Loss) -> None:
        """Power loss."""
        if self.pending and loss is not Loss.EVERYTHING:
            if loss is Loss.PREFIX:
                self._keep_prefix(chance)
            elif loss is Loss.SUBSET:
                self._keep_sectors(chance)
            self.sync()
        self.pending.clear()
        self.cached = bytearray(self.durable)

    def copy(self) -> "FileNode":
        """An independent copy."""
        return FileNode(bytearray(self.cached), bytearray(self.durable), list(self.pending))

    def _keep_prefix(self, chance: Chance) -> None:
        left = chance.below(sum(len(data) for _, data in self.pending) + 1)
        kept: list[tuple[int, bytes]] = []
        for offset, data in self.pending:
            kept.append((offset, data[:left]))
            left -= len(kept[-1][1])
        self.pending = [write for write in kept if write[1]]

    def _keep_sectors(self, chance: Chance) -> None:
        """Give every dirty sector one of the contents it has had, and the file one of its sizes."""
        sizes = [len(self.durable)]
        versions: dict[int, list[tuple[int, bytes]]] = {}
        for offset, data in self.pending:
            sizes.append(max(sizes[-1], offset + len(data)))
            for start, piece in _by_sector(offset, data):
                versions.setdefault(start // SECTOR_BYTES, []).append((start, piece))
        size = chance.pick(sizes)
        kept: list[tuple[int, bytes]] = []
        for sector, writes in versions.items():
            count = chance.below(len(writes) + 1)
            if count == 0 and sector * SECTOR_BYTES >= len(self.durable):
                garbage = chance.bytes(SECTOR_BYTES) if chance.happens(0.2) else b""
                kept.append((sector * SECTOR_BYTES, garbage.ljust(SECTOR_BYTES, b"\0")))
            kept += writes[:count]
        self.pending = [(offset, data[: size - offset]) for offset, data in kept if offset < size]
        if size > len(self.durable):
            self.pending.insert(0, (size - 1, b"\0"))  # the size survived, whatever the bytes did


class DirectoryNode:
    """One directory: the names processes see, those on the platter, and the changes between."""

    def __init__(self) -> None:
        self.cached: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}
        self.pending: list[dict[str, Node | None]] = []

    def bind(self, change: dict[str, "Node | None"]) -> None:
        """Add, replace or (None) remove names, as one atomic change."""
        _bind(self.cached, change)
        self.pending.append(change)

    def sync(self) -> None:
        """Make the changes so far durable."""
        for change in self.pending:
            _bind(self.durable, change)
        self.pending.clear()

    def lose(self, chance: Chance, choose: Choose) -> None:
        """Power loss, for everything below too."""
        loss = choose()
        if loss is Loss.NOTHING:
            kept = self.pending
        elif loss is Loss.EVERYTHING:
            kept = []
        elif loss is Loss.PREFIX:
            kept = self.pending[: chance.below(len(self.pending) + 1)]
        else:
            kept = [change for change in self.pending if chance.happens(0.5)]
        self.pending = list(kept)
        self.sync()
        self.cached = dict(self.durable)
        for node in self.cached.values():
            if isinstance(node, DirectoryNode):
                node.lose(chance, choose)
            else:
                node.lose(chance, choose())

    def copy(self, copies: "dict[Node, Node]") -> "DirectoryNode":
        """An independent copy; `copies` keeps one file that has two names one file."""
        twin = DirectoryNode()
        twin.cached = {name: _copy(node, copies) for name, node in self.cached.items()}
        twin.durable = {name: _copy(node, copies) for name, node in self.durable.items()}
        twin.pending = [
            {name: node and _copy(node, copies) for name, node in change.items()}
            for change in self.pending
        ]
        return twin


Node = FileNode | DirectoryNode


def _copy(node: Node, copies: dict[Node, Node]) -> Node:
    if node not in copies:
        copies[node] = node.copy() if isinstance(node, FileNode) else node.copy(copies)
    return copies[node]


def _bind(names: dict[str, Node], change: dict[str, Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _by_sector(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    pieces: list[tuple[int, bytes]] = []
    done = 0
    while done < len(data):
        start = offset + done
        room = SECTOR_BYTES - start % SECTOR_BYTES
        pieces.append((start, data[done : done + room]))
        done += room
    return pieces
