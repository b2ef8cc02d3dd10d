"""One process of the real node: opened on a simulated disk, wired to simulated doors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from kvraft.consensus.disk_door import NodeDisk, QueuedSnapshot
from kvraft.consensus.engine import RaftEngine
from kvraft.consensus.membership import Identity
from kvraft.consensus.port import Role
from kvraft.consensus.pysyncobj_core import LEADER
from kvraft.consensus.switches import Switches
from kvraft.consensus.timing import Flow, Timing
from kvraft.open_disk import Backup
from kvraft.replica.port import BackupReader
from kvraft.storage.directory import DataDirectory
from kvraft.storage.errors import StorageError
from kvraft.storage.snapshots import SnapshotStore
from kvraft.storage.wal import WriteAheadLog
from kvraft_chaos.simulation.disk import UNLIMITED_BYTES
from kvraft_chaos.simulation.ledger import Ledger
from kvraft_chaos.simulation.logview import DATA, LiveLog
from kvraft_chaos.simulation.store import WIDE, Bounds, Store
from kvraft_chaos.simulation.writer import SimulatedWriter

if TYPE_CHECKING:
    from kvraft_chaos.simulation.node import SimulatedNode

ENTRY_BYTES = 300
"""What an entry of the campaigns costs about, for the replica's own count."""
_ID_BITS = 1 << 52
"""Ids are drawn from one random double, which has 53 bits."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made of; the defaults suit scripts: nothing in them is left to chance."""

    timing: Timing = field(default_factory=Timing)
    flow: Flow = field(default_factory=lambda: Flow(snapshot_chunk_bytes=512))
    """Chunks are tiny, so that short histories make snapshots of many."""
    switches: Switches = field(default_factory=Switches)
    delay: tuple[float, float] = (0.001, 0.001)
    """Of a link, in seconds."""
    tick_delay: float = 0.0
    """Longest pause between an event and the tick that follows it."""
    tick_jitter: float = 0.0
    """How much longer than `tick_ms` a tick may take, as a fraction."""
    snapshot_every: int = 0
    """Entries between snapshots; 0: only where a script asks."""
    bounds: Bounds = WIDE
    replica: bool = False
    """The real replica and core above consensus, instead of the small ledger."""
    segment_bytes: int = 16 << 10
    """Of the log, so that short runs have several."""


class FatalError(BaseException):
    """The node stopped itself; derived so that no code of the node can swallow it."""


class _WatchedDisk(NodeDisk):
    """The real one; tells of the snapshot files that are begun."""

    def __init__(
        self,
        wal: WriteAheadLog,
        store: SnapshotStore,
        writer: SimulatedWriter,
        begun: Callable[[], None],
    ) -> None:
        super().__init__(wal, store, writer)
        self._begun = begun

    def create(self, index: int, term: int) -> QueuedSnapshot:
        """Begin a snapshot file."""
        self._begun()
        return super().create(index, term)


class Process:
    """From start to crash; also the `Doors` of its engine."""

    def __init__(self, node: "SimulatedNode", settings: Settings) -> None:
        """Open or recover; raises StorageError or FatalError as the real node would refuse."""
        self._node = node
        self.now = node.local_time
        """Monotonic seconds (a door; the clock's own method, for it is asked all the time)."""
        self.random = node.random
        """Uniform in [0, 1) (a door)."""
        self.wake = node.wake
        """Tick soon (a door)."""
        self._network = node.shared.network
        self._seen_commit = self._seen_term_led = self._seen_length = -1
        self._seen_history: object = None
        self._settings = settings
        self.fatal_reason: str | None = None
        self.disk_failed = False
        self.events: list[str] = []
        """Lines for people."""
        chance = node.chance
        # An operator gives the flag for an empty directory, and takes it away once it has an owner.
        rejoin = node.rejoin and not node.disk.exists(f"{DATA}/identity")
        self.directory = DataDirectory.open(
            node.disk, DATA, node.name, rejoin=rejoin, new_disk_id=chance.below(_ID_BITS) | 1
        )
        self._store = SnapshotStore.open(node.disk, self.directory.snapshot_path)
        self.wal = WriteAheadLog.open(
            node.disk,
            self.directory.wal_path,
            segment_bytes=settings.segment_bytes,
            disk_id=self.directory.identity.disk_id,
        )
        self.writer = SimulatedWriter(
            self.wal,
            speed=node.speed,
            chance=node.disk_chance,
            after=self._after,
            on_durable=self._durable,
            on_error=self._disk_error,
        )
        self.ledger = self._build_application()
        self.engine = self._build_engine(chance.below(_ID_BITS) | 1)
        self.ledger.attach(self.engine)
        self._inside = self.engine._shared  # noqa: SLF001 - the checks look inside on every step
        self._core, self._journal = self._inside.core, self._inside.journal
        self.log = LiveLog(self._journal)
        self.engine.start()

    def _build_application(self) -> Ledger | Store:
        node, settings = self._node, self._settings
        if settings.replica:
            return Store(
                node.name,
                self,
                chronicle=node.shared.chronicle,
                disk_id=self.directory.identity.disk_id,
                snapshot_bytes=settings.snapshot_every * ENTRY_BYTES or 1 << 40,
                free_bytes=self._free_bytes,
                bounds=settings.bounds,
            )
        ledger = Ledger(node.name, self._after, self.wake)
        ledger.snapshot_every = settings.snapshot_every
        ledger.new_cluster_id = node.chance.below(_ID_BITS) | 1
        return ledger

    def _build_engine(self, boot_id: int) -> RaftEngine:
        node, settings, mine = self._node, self._settings, self.directory.identity
        identity = Identity(
            disk_id=mine.disk_id,
            boot_id=boot_id,
            cluster_id=mine.cluster_id,
            origin=mine.origin,
            rejoining=mine.rejoining,
            command_version=1,
            endpoint=f"{node.name}:4379",
        )
        return RaftEngine(
            node.name,
            tuple(name for name in node.shared.nodes if name != node.name),
            identity=identity,
            save_identity=self._save_identity,
            log=self.wal,
            disk=_WatchedDisk(self.wal, self._store, self.writer, self._snapshot_begun),
            doors=self,
            application=self.ledger,
            timing=settings.timing,
            flow=settings.flow,
            switches=node.switches,
        )

    def _save_identity(self, cluster_id: int, rejoining: bool) -> None:  # noqa: FBT001 - its caller's
        mine = replace(self.directory.identity, cluster_id=cluster_id, rejoining=rejoining)
        try:
            self.directory.save_identity(mine)
        except StorageError:
            self.disk_failed = True  # to stop is right then
            raise

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._node.after(self, seconds, action)

    def _snapshot_begun(self) -> None:
        self._node.shared.count("snapshots")
        if isinstance(self.ledger, Store):  # whoever loads it must come to the same
            self.ledger.compare_state()

    def _free_bytes(self) -> int | None:
        """What the real driver measures; unlimited disks are not counted through on every turn."""
        disk = self._node.disk
        return disk.free_bytes("/") if disk.capacity_bytes < UNLIMITED_BYTES else None

    # -- the loop

    def begin(self) -> None:
        """The first turn."""
        self.engine.tick()

    def tick(self) -> None:
        """One turn of the loop, as the real driver takes it."""
        self.ledger.tick()
        self.engine.tick()

    def poll(self) -> None:
        """The driver's own turn, every few milliseconds."""
        self.ledger.expire()
        self.tick()

    def expire(self) -> None:
        """What of a poll remains where a turn has just been taken."""
        self.ledger.expire()

    def crash(self) -> None:
        """The process is gone; what was in flight to the disk is done in part."""
        self.writer.crash(self._node.disk)

    def _durable(self, sequence: int) -> None:
        self.engine.on_durable(sequence)

    def _disk_error(self, error: StorageError) -> None:
        self.disk_failed = True
        self.fatal(str(error))

    # -- Doors

    def send(self, peer: str, message: bytes, *, bulk: bool) -> bool:
        """Hand one message to the network."""
        if self.fatal_reason is not None:
            return False
        return self._network.send(self._node.name, peer, message, bulk=bulk)

    def flush(self) -> None:
        """What is sent is on its way at once here."""

    def dial_now(self, peer: str) -> None:
        """Dial without the pause."""
        self._node.shared.network.dial_now(self._node.name, peer)

    def reset(self, peer: str, reason: str) -> None:
        """Close both connections; the callbacks come in a later turn."""
        self._node.note(f"resets {peer}: {reason}")
        name, network = self._node.name, self._node.shared.network
        self._after(0.0, lambda: network.close(name, peer))

    def wake_in(self, seconds: float) -> None:
        """Tick soon: work takes no time here, so its pauses take none either."""
        del seconds
        self.wake()

    def event(self, text: str) -> None:
        """A line for people."""
        self.events.append(text)
        self._node.note(text)

    def fatal(self, reason: str) -> NoReturn:
        """Stop the node."""
        self.fatal_reason = reason
        raise FatalError(reason)

    def counters(self) -> Mapping[str, int]:
        """What the disk has done."""
        return {"fsyncs": self.wal.fsyncs}

    def open_backup(self) -> BackupReader:
        """Open the CURRENT snapshot."""
        return Backup(self._store)

    # -- what the checks see

    @property
    def leads(self) -> bool:
        """Whether it calls itself leader."""
        return self._inside.leads

    @property
    def holds(self) -> bool:
        """Whether its proposals wait for leadership to be handed over."""
        return self.engine._node.proposals.holding  # noqa: SLF001 - as `_inside`

    @property
    def role(self) -> Role:
        """The part it plays."""
        return self.engine.status().role

    @property
    def term(self) -> int:
        """Its term."""
        return self._inside.term

    @property
    def commit_index(self) -> int:
        """How far it knows the log committed."""
        return self._inside.core.commit

    def has_moved(self) -> bool:
        """True where a check may find something new: all that the invariants look for."""
        journal, history = self._journal, self.ledger.history
        term_led = journal.vote.term if self._core.state == LEADER else 0
        if (
            journal.commit == self._seen_commit
            and len(history) == self._seen_length
            and history is self._seen_history
            and term_led == self._seen_term_led
        ):
            return False
        self._seen_commit, self._seen_term_led = journal.commit, term_led
        self._seen_history, self._seen_length = history, len(history)
        return True

    def watch_cuts(self, on_cut: Callable[[int], None]) -> None:
        """Call `on_cut(index)` before the log is cut from there on."""
        self._inside.journal.on_cut = on_cut

    def is_member(self) -> bool:
        """Whether it is a voter, under the disk it has."""
        name, disk_id = self._node.name, self.directory.identity.disk_id
        voter = self.role is not Role.REJOINING
        return voter and self.ledger.state.disks.get(name) == disk_id
