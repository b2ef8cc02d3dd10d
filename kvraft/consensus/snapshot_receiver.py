"""Follower: a snapshot arriving, made durable, loaded beside the live state, then adopted.

SyncObj's own transfer commits on every chunk (gap row 3), leaves gaps across reconnects (row 11)
and swallows a load that fails (row 10). Here SyncObj learns of a snapshot once it is CURRENT on
disk and the state is built; a load that fails stops the node. The log is aligned in one record.
"""

from dataclasses import dataclass
from enum import Enum

from kvraft.consensus.links import Links
from kvraft.consensus.membership import Membership
from kvraft.consensus.messages import Progress, SnapshotAck, SnapshotChunk
from kvraft.consensus.port import Loading, SnapshotSink
from kvraft.consensus.shared import Shared


class _Stage(Enum):
    RECEIVING = 0
    COMMITTING = 1
    LOADING = 2


@dataclass(slots=True)
class _Incoming:
    peer: str
    term: int
    """The leader's term that the newest chunk came in."""
    index: int
    snapshot_term: int
    total: int
    sink: SnapshotSink
    offset: int = 0
    stage: _Stage = _Stage.RECEIVING
    loading: Loading | None = None
    owes_ack: bool = False


class SnapshotReceiver:
    """At most one snapshot at a time."""

    def __init__(self, shared: Shared, links: Links, membership: Membership) -> None:
        self._shared = shared
        self._links = links
        self._membership = membership
        self._incoming: _Incoming | None = None
        self.disk_busy = False
        """Another snapshot is being made CURRENT; two at once could end in the older one."""

    @property
    def index(self) -> int:
        """The snapshot that is being made CURRENT here ends at this index; 0: none."""
        incoming = self._incoming
        if incoming is None or incoming.stage is _Stage.RECEIVING:
            return 0
        return incoming.index

    def on_chunk(self, peer: str, message: SnapshotChunk) -> None:
        """Take the chunk that is due, and say what is due next."""
        shared = self._shared
        if not shared.switches.clamp_snapshot_commit:
            shared.core.snapshot_piece(peer, message.term, message.commit)
        if self._is_known(message.index, message.snapshot_term):
            self._installed(peer, message.term, message.index)
            return
        incoming = self._incoming
        if incoming is not None and incoming.stage is not _Stage.RECEIVING:
            incoming.peer, incoming.term = peer, message.term
            return  # all of it is here; the answer follows when it is installed
        if message.offset == 0 and (incoming is None or not self._continues(incoming, message)):
            incoming = self._begin(peer, message)
        if incoming is None or not self._continues(incoming, message):
            ack = SnapshotAck(shared.term, message.term, message.index, 0, installed=False)
            self._links.send(peer, ack)
            return
        incoming.peer, incoming.term = peer, message.term
        if message.offset == incoming.offset:
            incoming.sink.write(message.data)
            incoming.offset += len(message.data)
        incoming.owes_ack = True

    def drop(self, peer: str) -> None:
        """The link's epoch ended: the sender starts again."""
        incoming = self._incoming
        if incoming is None or incoming.peer != peer:
            return
        if incoming.stage is _Stage.RECEIVING:
            incoming.sink.abort()
            self._incoming = None

    def poll(self) -> bool:
        """Go on with what has arrived; True if there is more to do at once."""
        incoming = self._incoming
        if incoming is None:
            return False
        if incoming.stage is _Stage.RECEIVING:
            self._acknowledge(incoming)
            if incoming.offset == incoming.total and not self.disk_busy:
                incoming.stage = _Stage.COMMITTING
                incoming.sink.commit(lambda: self._durable(incoming))
            return False
        if incoming.stage is _Stage.LOADING:
            assert incoming.loading is not None
            if not incoming.loading.step():
                return True
            self._adopt(incoming, incoming.loading)
        return False

    def _begin(self, peer: str, message: SnapshotChunk) -> _Incoming:
        if self._incoming is not None:
            self._incoming.sink.abort()
        sink = self._shared.disk.create(message.index, message.snapshot_term)
        self._shared.doors.event(f"receives snapshot {message.index} from {peer}")
        self._incoming = _Incoming(
            peer, message.term, message.index, message.snapshot_term, message.total, sink
        )
        return self._incoming

    @staticmethod
    def _continues(incoming: _Incoming, message: SnapshotChunk) -> bool:
        return (incoming.index, incoming.snapshot_term, incoming.total) == (
            message.index,
            message.snapshot_term,
            message.total,
        )

    def _acknowledge(self, incoming: _Incoming) -> None:
        """Ask for more only while the disk keeps up."""
        flow = self._shared.flow
        room = flow.snapshot_window * flow.snapshot_chunk_bytes
        if incoming.owes_ack and incoming.sink.backlog_bytes() <= room:
            incoming.owes_ack = False
            ack = SnapshotAck(
                self._shared.term, incoming.term, incoming.index, incoming.offset, installed=False
            )
            self._links.send(incoming.peer, ack)

    def _durable(self, incoming: _Incoming) -> None:
        """It is CURRENT: from now on the state must come to hold it."""
        current = self._shared.disk.current
        assert current is not None
        if self._is_known(incoming.index, incoming.snapshot_term):
            self._finish(incoming)
            return
        incoming.loading = self._shared.application.begin_load(current)
        incoming.stage = _Stage.LOADING
        self._shared.doors.wake()

    def _adopt(self, incoming: _Incoming, loading: Loading) -> None:
        shared, index = self._shared, incoming.index
        if not self._is_known(index, incoming.snapshot_term):
            if shared.leads:
                shared.fatal(f"leads, and lacks snapshot {index} that another leader sent")
            # A log that ends before it, or differs there, was never committed behind it.
            shared.journal.reset(index, incoming.snapshot_term)
            if not shared.core.load(index, incoming.snapshot_term):
                shared.fatal(f"SyncObj did not adopt snapshot {index}")
            shared.application.adopt(loading, index)
            shared.counters["snapshots_installed"] += 1
            shared.doors.event(f"installed snapshot {index} from {incoming.peer}")
        self._finish(incoming)

    def _finish(self, incoming: _Incoming) -> None:
        self._incoming = None
        self._installed(incoming.peer, incoming.term, incoming.index)

    def _installed(self, peer: str, term: int, index: int) -> None:
        """Answer once the log's record of it is durable; a rejoining node's does not count."""
        shared = self._shared
        if self._membership.silent:
            self._links.send_durable(peer, Progress(shared.term, term, 0, True, index))
            return
        ack = SnapshotAck(shared.term, term, index, index, installed=True)
        self._links.send_durable(peer, ack)

    def _is_known(self, index: int, term: int) -> bool:
        return self._shared.core.applied >= index or self._shared.journal.term_at(index) == term
