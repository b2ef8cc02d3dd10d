"""What the parts of the engine share: who this node is, its doors, its log, and its SyncObj."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from kvraft.consensus.journal import Journal
from kvraft.consensus.port import Application, Doors, SnapshotSink, SnapshotSource
from kvraft.consensus.pysyncobj_core import Core
from kvraft.consensus.switches import Switches
from kvraft.consensus.timing import Flow, Timing

COUNTERS = (
    "acks_uncounted",
    "asked_again",
    "conflicts",
    "disk_stalls",
    "duplicates_trimmed",
    "elections",
    "frames_of_other_disks",
    "joins_asked",
    "malformed",
    "messages_of_old_boots",
    "prevotes",
    "read_rounds",
    "refusals",
    "resends_trimmed",
    "snapshots_installed",
    "snapshots_sent",
    "snapshots_taken",
    "stale_acks",
    "terms_adopted",
    "terms_led",
)
"""All that `status` shows from the first moment, at 0."""


class StoredSnapshot(SnapshotSource, Protocol):
    """The CURRENT snapshot on disk."""

    @property
    def state_bytes(self) -> int:
        """Size of the state's encoding, all of what `read` gives."""
        ...


class DiskDoor(Protocol):
    """The node's disk beside the log's own buffer; nothing here blocks the caller."""

    @property
    def current(self) -> StoredSnapshot | None:
        """The newest durable snapshot."""
        ...

    def pin(self) -> StoredSnapshot | None:
        """Return the newest durable snapshot, kept readable until `unpin`."""
        ...

    def unpin(self, snapshot: Any) -> None:
        """Give up a snapshot that `pin` returned."""
        ...

    def kick(self) -> None:
        """Records wait in the write-ahead log: write and sync them.

        `on_durable` follows, or is called in here where the disk is quick.
        """
        ...

    def create(self, index: int, term: int) -> SnapshotSink:
        """Begin a snapshot file; once its `commit` is done, `current` is that one."""
        ...

    def drop_before(self, sequence: int) -> None:
        """The log below this sequence is not needed any more."""
        ...


@dataclass(slots=True)
class Shared:
    """One node's fixed parts; the engine fills `core` in when SyncObj is built."""

    name: str
    peers: tuple[str, ...]
    timing: Timing
    flow: Flow
    switches: Switches
    doors: Doors
    disk: DiskDoor
    application: Application
    journal: Journal
    core: Core = field(init=False)
    counters: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(COUNTERS, 0)))

    leads: bool = False
    """This node is SyncObj's leader; set with its state."""
    dead: bool = False
    """`fatal` was called: nothing may leave this node any more."""

    def fatal(self, reason: str) -> NoReturn:
        """Stop the node: what follows could only make things worse."""
        self.dead = True
        self.doors.fatal(reason)

    @property
    def term(self) -> int:
        return self.journal.vote.term

    def is_quorum(self, votes: int) -> bool:
        """Are so many of all nodes, this one included, a majority?"""
        return votes > (len(self.peers) + 1) // 2

    def between(self, low_ms: int, high_ms: int) -> float:
        """Draw a duration in seconds."""
        return (low_ms + (high_ms - low_ms) * self.doors.random()) / 1000
