"""`RaftEngine`: the port of consensus on PySyncObj, and the parts that make PySyncObj safe.

SyncObj elects, counts and applies; around it stand one part for each thing it gets wrong (see the
modules' first lines, and the gap table in ARCHITECTURE.md). Everything runs on one thread, driven
by `tick`, the links' events and `on_durable`; nothing here blocks, except that the disk's door
waits for a quick disk (`DiskDoor.kick`), and a failure stops the node.
"""

from collections.abc import Callable, Mapping

from kvraft.consensus.failstop import entry_point
from kvraft.consensus.journal import Journal, Log
from kvraft.consensus.membership import Identity, SaveIdentity
from kvraft.consensus.messages import ApplicationMessage
from kvraft.consensus.node import RaftNode
from kvraft.consensus.own_snapshots import OwnSnapshot
from kvraft.consensus.port import (
    Application,
    BarrierDone,
    ConsensusStatus,
    Doors,
    Failure,
    Hello,
    HelloRefused,
    PeerStatus,
    ProposeDone,
    Role,
    SnapshotSink,
)
from kvraft.consensus.pysyncobj_core import CANDIDATE, LEADER
from kvraft.consensus.shared import DiskDoor, Shared
from kvraft.consensus.switches import Switches
from kvraft.consensus.timing import Flow, Timing


class RaftEngine:
    """One node's consensus (`port.Consensus`). Build it, `start` it, then drive it."""

    def __init__(
        self,
        name: str,
        peers: tuple[str, ...],
        *,
        identity: Identity,
        save_identity: SaveIdentity,
        log: Log,
        disk: DiskDoor,
        doors: Doors,
        application: Application,
        timing: Timing | None = None,
        flow: Flow | None = None,
        switches: Switches | None = None,
    ) -> None:
        if len(peers) % 2 or len(peers) < 2 or name in peers or len(set(peers)) != len(peers):
            raise ValueError(
                f"a cluster has an odd number of names, at least 3; this one is {name} "
                f"and its peers {', '.join(peers) or 'none'}"
            )
        switches = switches or Switches()
        self._shared = Shared(
            name,
            tuple(sorted(peers)),
            timing or Timing(),
            flow or Flow(),
            switches,
            doors,
            disk,
            application,
            Journal(log, flow, distrust_stored_commit=switches.distrust_stored_commit),
        )
        self._node = RaftNode(self._shared, identity, save_identity)

    @entry_point
    def start(self) -> None:
        """Load the newest snapshot, if any (blocks; nothing is served yet)."""
        self._node.load()

    # -- what the node above asks
    @entry_point
    def propose(self, payload: bytes, done: ProposeDone) -> None:
        """Leader only; `done` is called exactly once."""
        if not self._node.leading:
            done(Failure.NOT_LEADER)
        elif not self.quorum_reachable():
            done(Failure.NO_QUORUM)
        else:
            self._node.proposals.propose(payload, done)

    @entry_point
    def read_barrier(self, done: BarrierDone) -> None:
        """ReadIndex on any node; exactly one call of `done`, within an election timeout."""
        if not self.quorum_reachable():
            done(Failure.NO_QUORUM)
            return
        self._node.reads.ask(done)

    @entry_point
    def transfer_leadership(self, to: str | None, done: Callable[[str | None], None]) -> None:
        """Hand leadership to `to` (None: the most caught-up peer)."""
        self._node.transfer.start(to, done)

    @entry_point
    def set_members(self, cluster_id: int, disks: Mapping[str, int]) -> None:
        """The replicated member table changed (or was loaded)."""
        index = max(self._node.state_index, self._shared.core.applied)
        self._node.membership.set_members(cluster_id, disks, index)
        self._shared.doors.wake()

    def known_peers(self) -> Mapping[str, Hello]:
        """The newest HELLO of every peer heard from in this boot, and this node's own."""
        return {**self._node.links.hellos(), self._shared.name: self._node.membership.hello()}

    def quorum_reachable(self) -> bool:
        """Return False where requests must be answered NO_QUORUM now."""
        if self._node.membership.silent:
            return False
        now, limit_ms = self._shared.doors.now(), self._shared.timing.election_max_ms
        if self._shared.leads:
            muted = self._node.replication.muted
            return not muted and self._node.leader_contact.has_quorum(now, limit_ms)
        elections = self._node.elections
        return (
            elections.leader is not None
            and now - elections.leader_seen <= limit_ms / 1000
            and self._node.follower_contact.is_heard(now)
        )

    @entry_point
    def begin_snapshot(self) -> tuple[int, SnapshotSink]:
        """Start a snapshot of the state as applied right now; returns its index."""
        shared = self._shared
        index = shared.core.applied
        term = shared.journal.term_at(index)
        assert term is not None, "the log begins behind what is applied"
        sink = shared.disk.create(index, term)
        return index, OwnSnapshot(shared, self._node.receiver, index, sink)

    def send_to_peer(self, peer: str, payload: bytes) -> bool:
        """Send an application message; False: not handed over."""
        return self._node.links.send(peer, ApplicationMessage(self._shared.term, payload))

    def status(self) -> ConsensusStatus:
        """Return the present state; cheap."""
        shared, current = self._shared, self._shared.disk.current
        now = shared.doors.now()
        return ConsensusStatus(
            name=shared.name,
            role=self.role,
            term=shared.term,
            leader=self._node.elections.leader,
            commit_index=shared.core.commit,
            applied_index=shared.core.applied,
            last_index=shared.journal.last_index,
            durable_index=shared.journal.durable_index,
            snapshot_index=current.index if current is not None else 0,
            peers=tuple(self._peer_status(peer, now) for peer in shared.peers),
            counters=dict(shared.counters),
        )

    def _peer_status(self, peer: str, now: float) -> PeerStatus:
        if not self._shared.leads:
            return PeerStatus(peer, self._node.links[peer].up, 0, None)
        age = self._node.leader_contact.age(peer, now)
        match = self._node.replication.followers[peer].match
        age_ms = None if age is None else round(age * 1000)
        return PeerStatus(peer, self._node.links[peer].up, match, age_ms)

    @property
    def term(self) -> int:
        """The present term."""
        return self._shared.journal.vote.term

    @property
    def role(self) -> Role:
        """The part this node plays now."""
        if self._node.membership.silent:
            return Role.REJOINING
        state = self._shared.core.state
        if state == LEADER:
            return Role.LEADER
        return Role.CANDIDATE if state == CANDIDATE else Role.FOLLOWER

    # -- what the links call
    def hello(self) -> Hello:
        """What this node says of itself now."""
        return self._node.membership.hello()

    def check_hello(self, hello: Hello) -> HelloRefused | None:
        """May this peer's connection be accepted (or, for an answer, kept)?"""
        return self._node.membership.check_hello(hello)

    @entry_point
    def on_outbound_up(self, peer: str, ack: Hello) -> None:
        """Our dial was acknowledged; messages may be sent."""
        restarted = self._greet(peer, ack)
        self._node.links.outbound_up(peer, ack)
        if restarted:
            self._node.leader_restarted(peer)
        elif peer == self._node.elections.leader:
            self._node.elections.leader_answered()

    @entry_point
    def on_outbound_down(self, peer: str) -> None:
        """Our connection is lost; what was sent may be too."""
        self._node.links.outbound_down(peer)
        self._shared.application.on_peer_lost(peer)
        self._node.elections.lost_own_connection(peer)

    @entry_point
    def on_inbound_up(self, peer: str, hello: Hello) -> None:
        """The peer's dial was accepted by us."""
        restarted = self._greet(peer, hello)
        if self._node.links[peer].inbound:
            self._shared.application.on_peer_lost(peer)  # a new connection took the old one's place
        self._node.links.inbound_up(peer, hello)
        if restarted:
            self._node.leader_restarted(peer)

    @entry_point
    def on_inbound_down(self, peer: str) -> None:
        """The peer's connection is lost; from a leader that starts the fast path (RULES I7)."""
        self._node.links.inbound_down(peer)
        self._shared.application.on_peer_lost(peer)
        self._node.suspect(peer)

    @entry_point
    def on_dial_failed(self, peer: str) -> None:
        """A dial was refused, closed or timed out."""
        self._node.unreachable(peer, "refuses a new connection")

    @entry_point
    def on_message(self, peer: str, message: bytes, *, more: bool = False) -> None:
        """One whole message arrived, and `more` with it. A malformed one raises `ProtocolError`."""
        self._node.inbox.on_message(peer, message)
        if not more:
            self._node.after_messages()

    @entry_point
    def on_piece(self, peer: str) -> None:
        """Part of a message arrived: a slow link must not look dead."""
        if peer == self._node.elections.leader and not self._shared.leads:
            self._node.elections.hear(peer, self._shared.doors.now())

    @entry_point
    def on_writable(self, peer: str) -> None:
        """A link that was full has room for bulk again."""
        self._node.replication.on_writable(peer)
        self._node.sender.pump(peer)

    @entry_point
    def on_durable(self, sequence: int) -> None:
        """The write-ahead log is on disk up to `sequence`: release what waited for it."""
        self._node.on_durable(sequence)

    def _greet(self, peer: str, hello: Hello) -> bool:
        """Note a HELLO before it is taken; True if the peer has started again since the last."""
        known = self._node.links[peer].hello
        if known is not None and known.disk_id != hello.disk_id:
            self._node.leader_contact.forget(peer)
            self._node.replication.forget_match(peer)
        return known is not None and known.boot_id != hello.boot_id

    # -- time
    @entry_point
    def tick(self) -> None:
        """Let time pass: timers, elections, apply."""
        self._node.tick()
