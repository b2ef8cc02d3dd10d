"""`RaftEngine`: the port of consensus on PySyncObj, and the parts that make PySyncObj safe.

SyncObj elects, counts and applies; around it stand one part for each thing it gets wrong (see the
modules' first lines, and the gap table in ARCHITECTURE.md). Everything runs on one thread, driven
by `tick`, the links' events and `on_durable`; nothing here blocks, and a failure stops the node.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kvraft.consensus.contact import FollowerContact, LeaderContact
from kvraft.consensus.elections import Elections
from kvraft.consensus.failstop import entry_point
from kvraft.consensus.inbox import Inbox
from kvraft.consensus.journal import Journal, JournalError, Log
from kvraft.consensus.links import Links
from kvraft.consensus.membership import Identity, Membership, SaveIdentity
from kvraft.consensus.messages import ApplicationMessage
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
from kvraft.consensus.proposals import Proposals
from kvraft.consensus.pysyncobj_core import CANDIDATE, LEADER, Core
from kvraft.consensus.reads import Reads
from kvraft.consensus.reception import Reception
from kvraft.consensus.records import FIRST_INDEX
from kvraft.consensus.replication import Replication
from kvraft.consensus.shared import DiskDoor, Shared
from kvraft.consensus.snapshot_receiver import SnapshotReceiver
from kvraft.consensus.snapshot_sender import SnapshotSender
from kvraft.consensus.switches import Switches
from kvraft.consensus.timing import Flow, Timing
from kvraft.consensus.transfer import Transfer


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
        journal = Journal(log, distrust_stored_commit=switches.distrust_stored_commit)
        self._shared = shared = Shared(
            name,
            tuple(sorted(peers)),
            timing or Timing(),
            flow or Flow(),
            switches,
            doors,
            disk,
            application,
            journal,
        )
        self._align()
        self._kicked = 0
        self._told_commit = 0
        self._leading = False
        self._stalled_since: float | None = None
        self._stalled_at = 0
        self._state_index = 0
        self._reported: str | None = None
        self._links = Links(shared, self._epoch_ended)
        self._membership = Membership(shared, self._links, identity, save_identity)
        self._leader_contact = LeaderContact(shared, self._links, self._membership)
        self._follower_contact = FollowerContact(shared, self._links, self._membership)
        self._elections = Elections(shared, self._links, self._membership)
        self._reception = Reception(shared, self._links, self._membership)
        self._receiver = SnapshotReceiver(shared, self._links, self._membership)
        self._sender = SnapshotSender(shared, self._links, self._snapshot_installed)
        self._replication = Replication(shared, self._links, self._membership, self._sender.start)
        self._proposals = Proposals(shared)
        self._reads = Reads(shared, self._links, self._leader_contact)
        self._transfer = Transfer(
            shared, self._links, self._membership, self._replication, self._proposals
        )
        self._inbox = Inbox(
            shared,
            self._links,
            self._membership,
            elections=self._elections,
            leader_contact=self._leader_contact,
            follower_contact=self._follower_contact,
            reception=self._reception,
            replication=self._replication,
            receiver=self._receiver,
            sender=self._sender,
            reads=self._reads,
            follows=self._follows,
        )
        journal.on_add = self._proposals.on_add
        shared.core = Core(
            name,
            shared.peers,
            journal,
            shared.timing,
            send=self._on_syncobj_message,
            on_entry=self._apply,
            on_state=self._on_state,
        )

    def _align(self) -> None:
        """Gap row 4: the log and the newest snapshot, made one story."""
        shared, current = self._shared, self._shared.disk.current
        if current is not None:
            keep = shared.switches.align_log_to_snapshot
            shared.journal.align(current.index, current.term, keep_suffix=keep)
        elif shared.journal.first_index != FIRST_INDEX:
            raise JournalError(
                f"the log begins at entry {shared.journal.first_index} and there is no snapshot: "
                "restore the directory, or start with --rejoin"
            )

    @entry_point
    def start(self) -> None:
        """Load the newest snapshot, if any (blocks; nothing is served yet)."""
        shared, current = self._shared, self._shared.disk.current
        index, term = (current.index, current.term) if current is not None else (FIRST_INDEX, 0)
        if not shared.core.load(index, term):
            shared.fatal(f"SyncObj did not adopt snapshot {index}")
        if current is not None:
            loading = shared.application.begin_load(current)
            while not loading.step():
                pass
            shared.application.adopt(loading, index)
        shared.disk.kick()

    # -- what the node above asks
    @entry_point
    def propose(self, payload: bytes, done: ProposeDone) -> None:
        """Leader only; `done` is called exactly once."""
        if not self._leading:
            done(Failure.NOT_LEADER)
        elif not self.quorum_reachable():
            done(Failure.NO_QUORUM)
        else:
            self._proposals.propose(payload, done)

    @entry_point
    def read_barrier(self, done: BarrierDone) -> None:
        """ReadIndex on any node; exactly one call of `done`, within an election timeout."""
        if not self.quorum_reachable():
            done(Failure.NO_QUORUM)
            return
        self._reads.ask(done)
        self._shared.doors.wake()

    @entry_point
    def transfer_leadership(self, to: str | None, done: Callable[[str | None], None]) -> None:
        """Hand leadership to `to` (None: the most caught-up peer)."""
        self._transfer.start(to, done)

    @entry_point
    def set_members(self, cluster_id: int, disks: Mapping[str, int]) -> None:
        """The replicated member table changed (or was loaded)."""
        index = max(self._state_index, self._shared.core.applied)
        self._membership.set_members(cluster_id, disks, index)
        self._shared.doors.wake()

    def known_peers(self) -> Mapping[str, Hello]:
        """The newest HELLO of every peer heard from in this boot, and this node's own."""
        return {**self._links.hellos(), self._shared.name: self._membership.hello()}

    def quorum_reachable(self) -> bool:
        """Return False where requests must be answered NO_QUORUM now."""
        if self._membership.silent:
            return False
        now, limit_ms = self._shared.doors.now(), self._shared.timing.election_max_ms
        if self._shared.leads:
            muted = self._replication.muted
            return not muted and self._leader_contact.has_quorum(now, limit_ms)
        elections = self._elections
        return (
            elections.leader is not None
            and now - elections.leader_seen <= limit_ms / 1000
            and self._follower_contact.is_heard(now)
        )

    @entry_point
    def begin_snapshot(self) -> tuple[int, SnapshotSink]:
        """Start a snapshot of the state as applied right now; returns its index."""
        shared = self._shared
        index = shared.core.applied
        term = shared.journal.term_at(index)
        assert term is not None, "the log begins behind what is applied"
        sink = shared.disk.create(index, term)
        return index, OwnSnapshot(shared, self._receiver, index, sink)

    def send_to_peer(self, peer: str, payload: bytes) -> bool:
        """Send an application message; False: not handed over."""
        return self._links.send(peer, ApplicationMessage(self._shared.term, payload))

    def status(self) -> ConsensusStatus:
        """Return the present state; cheap."""
        shared, current = self._shared, self._shared.disk.current
        now = shared.doors.now()
        return ConsensusStatus(
            name=shared.name,
            role=self.role,
            term=shared.term,
            leader=self._elections.leader,
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
            return PeerStatus(peer, self._links[peer].up, 0, None)
        age = self._leader_contact.age(peer, now)
        match = self._replication.followers[peer].match
        age_ms = None if age is None else round(age * 1000)
        return PeerStatus(peer, self._links[peer].up, match, age_ms)

    @property
    def role(self) -> Role:
        """The part this node plays now."""
        if self._membership.silent:
            return Role.REJOINING
        state = self._shared.core.state
        if state == LEADER:
            return Role.LEADER
        return Role.CANDIDATE if state == CANDIDATE else Role.FOLLOWER

    # -- what the links call
    def hello(self) -> Hello:
        """What this node says of itself now."""
        return self._membership.hello()

    def check_hello(self, hello: Hello) -> HelloRefused | None:
        """May this peer's connection be accepted (or, for an answer, kept)?"""
        return self._membership.check_hello(hello)

    @entry_point
    def on_outbound_up(self, peer: str, ack: Hello) -> None:
        """Our dial was acknowledged; messages may be sent."""
        restarted = self._greet(peer, ack)
        self._links.outbound_up(peer, ack)
        if peer == self._elections.leader and not self._shared.leads:
            if restarted:
                self._suspect(peer)
                self._unreachable(peer, "has started again")
            else:
                self._elections.leader_answered()

    @entry_point
    def on_outbound_down(self, peer: str) -> None:
        """Our connection is lost; what was sent may be too."""
        self._links.outbound_down(peer)
        self._shared.application.on_peer_lost(peer)

    @entry_point
    def on_inbound_up(self, peer: str, hello: Hello) -> None:
        """The peer's dial was accepted by us."""
        restarted = self._greet(peer, hello)
        self._links.inbound_up(peer, hello)
        if restarted and peer == self._elections.leader and not self._shared.leads:
            self._suspect(peer)
            self._unreachable(peer, "has started again")

    @entry_point
    def on_inbound_down(self, peer: str) -> None:
        """The peer's connection is lost; from a leader that starts the fast path (RULES I7)."""
        self._links.inbound_down(peer)
        self._shared.application.on_peer_lost(peer)
        self._suspect(peer)

    @entry_point
    def on_dial_failed(self, peer: str) -> None:
        """A dial was refused, closed or timed out."""
        self._unreachable(peer, "refuses a new connection")

    @entry_point
    def on_message(self, peer: str, message: bytes) -> None:
        """One whole message arrived. A malformed one raises `ProtocolError`."""
        self._inbox.on_message(peer, message)
        self._shared.doors.wake()

    @entry_point
    def on_piece(self, peer: str) -> None:
        """Part of a message arrived: a slow link must not look dead."""
        if peer == self._elections.leader and not self._shared.leads:
            self._elections.hear(peer, self._shared.doors.now())

    @entry_point
    def on_writable(self, peer: str) -> None:
        """A link that was full has room for bulk again."""
        self._replication.on_writable(peer)
        self._sender.pump(peer)

    @entry_point
    def on_durable(self, sequence: int) -> None:
        """The write-ahead log is on disk up to `sequence`: release what waited for it."""
        self._shared.journal.on_durable(sequence)
        self._links.release(sequence)
        self._shared.doors.wake()

    def _greet(self, peer: str, hello: Hello) -> bool:
        """Note a HELLO before it is taken; True if the peer has started again since the last."""
        known = self._links[peer].hello
        if known is not None and known.disk_id != hello.disk_id:
            self._leader_contact.forget(peer)
            self._replication.forget_match(peer)
        return known is not None and known.boot_id != hello.boot_id

    def _suspect(self, peer: str) -> None:
        if peer == self._elections.leader and not self._shared.leads:
            self._elections.lost_leader_connection()

    def _unreachable(self, peer: str, why: str) -> None:
        if peer == self._elections.leader and self._elections.leader_unreachable(why):
            self._lost_leader()
            self._shared.doors.wake()

    def _epoch_ended(self, peer: str) -> None:
        """A connection of the pair came or went (RULES B1)."""
        if self._shared.switches.link_epochs:
            self._sender.stop(peer)
            self._receiver.drop(peer)
            self._reads.void()
        self._replication.restart(peer)

    def _snapshot_installed(self, peer: str, index: int, *, counts: bool) -> None:
        self._replication.note_position(peer, index, counts=counts)
        self._replication.snapshot_done(peer, index)

    # -- time
    @entry_point
    def tick(self) -> None:
        """Let time pass: timers, elections, apply."""
        shared = self._shared
        now = shared.doors.now()
        self._watch_disk(now)
        self._membership.poll(now, self._elections.leader)
        if shared.leads:
            self._lead(now)
        else:
            self._follow(now)
        self._reads.poll(now, self._elections.leader)
        more = self._receiver.poll()
        more = self._reception.advance() or more
        shared.core.tick()
        self._settle()
        if more or (shared.leads and self._replication.feeds_more):
            shared.doors.wake()

    def _lead(self, now: float) -> None:
        shared, limit_ms = self._shared, self._shared.timing.election_max_ms
        if shared.switches.check_quorum and not self._leader_contact.has_quorum(now, limit_ms):
            self._elections.reason = f"no majority answered for {limit_ms} ms"
            shared.core.resign()
            return
        self._transfer.poll(now)
        if not self._replication.muted:
            self._leader_contact.beat_if_due(now)
        self._replication.poll(now)
        self._sender.poll(now)
        self._replication.feed()

    def _follow(self, now: float) -> None:
        may_campaign = not (self._replication.muted or self._membership.silent)
        if self._elections.poll(now, may_campaign=may_campaign):
            self._lost_leader()
        self._transfer.poll(now)

    def _settle(self) -> None:
        """After SyncObj's tick: what became true in it."""
        shared = self._shared
        core = shared.core
        if shared.leads:
            if core.commit > self._told_commit:
                self._told_commit = core.commit
                self._leader_contact.tell_commit()
            if not self._leading and shared.journal.term_at(core.applied) == shared.term:
                self._leading = True
                shared.application.on_leading(shared.term)
        elif self._elections.leader is None and self._reported is not None:
            self._lost_leader()
        self._reads.finish()
        if shared.journal.sequence > self._kicked:
            self._kicked = shared.journal.sequence
            shared.disk.kick()

    def _watch_disk(self, now: float) -> None:
        """A node whose disk hangs goes silent as a leader, so that others take over (row 25)."""
        journal = self._shared.journal
        if journal.durable:
            self._stalled_since = None
        elif self._stalled_since is None or self._stalled_at <= journal.durable_sequence:
            self._stalled_since, self._stalled_at = now, journal.sequence
        limit = self._shared.timing.disk_stall_ms / 1000
        stalled = self._stalled_since is not None and now - self._stalled_since > limit
        if stalled and not self._replication.muted:
            self._shared.counters["disk_stalls"] += 1
            self._shared.doors.event(f"its disk has not answered for {limit:.1f} s: goes silent")
        self._replication.muted = stalled

    # -- SyncObj
    def _on_syncobj_message(self, peer: str, message: dict[str, Any]) -> bool:
        kind = message["type"]
        if kind == "append_entries":
            return self._replication.on_append(peer, message)
        if kind == "request_vote":
            self._elections.request_vote(peer)
        elif kind == "response_vote":
            self._elections.note_grant(peer)
        elif kind not in ("next_node_idx", "apply_command"):
            # next_node_idx: the guard answers appends itself. apply_command: dropped, `Proposals`
            # has answered it when leadership went.
            self._shared.fatal(f"SyncObj sends a message of the unknown kind {kind}")
        return True

    def _apply(self, payload: bytes) -> None:
        index = self._shared.core.applied + 1
        self._state_index = index
        result = self._shared.application.apply(index, payload)
        self._proposals.on_applied(index, result)

    def _on_state(self, old: int, new: int) -> None:
        shared = self._shared
        self._leading = False
        self._elections.changed_role()
        self._reads.void()
        if new == LEADER:
            self._told_commit = shared.core.commit
            self._leader_contact.begin()
            self._replication.begin()
            shared.counters["terms_led"] += 1
            shared.doors.event(f"leads term {shared.term}: {self._elections.reason}")
        elif old == LEADER:
            self._sender.stop_all()
            self._replication.end()
            self._proposals.fail()
            self._lost_leader()

    def _follows(self, leader: str) -> None:
        """A leader of the present term was heard for the first time."""
        shared = self._shared
        self._reported = leader
        self._follower_contact.begin()
        self._reads.void()
        shared.doors.event(f"follows {leader} in term {shared.term}")
        shared.application.on_following(leader, shared.term, f"{leader} leads")
        self._transfer.following(leader)

    def _lost_leader(self) -> None:
        reason = self._elections.reason
        self._reported = None
        self._shared.doors.event(f"has no leader in term {self._shared.term}: {reason}")
        self._shared.application.on_following(None, self._shared.term, reason)
