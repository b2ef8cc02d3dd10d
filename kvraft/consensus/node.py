"""One node's parts, SyncObj among them, and what a turn of them does.

`engine.RaftEngine` is the port in front of this; the guards are the parts, each in its own module.
"""

from typing import Any

from kvraft.consensus.contact import FollowerContact, LeaderContact
from kvraft.consensus.elections import Elections
from kvraft.consensus.inbox import Inbox
from kvraft.consensus.journal import JournalError
from kvraft.consensus.links import Links
from kvraft.consensus.membership import Identity, Membership, SaveIdentity
from kvraft.consensus.proposals import Proposals
from kvraft.consensus.pysyncobj_core import LEADER, Core
from kvraft.consensus.reads import Reads
from kvraft.consensus.reception import Reception
from kvraft.consensus.records import FIRST_INDEX
from kvraft.consensus.replication import Replication
from kvraft.consensus.shared import Shared
from kvraft.consensus.snapshot_receiver import SnapshotReceiver
from kvraft.consensus.snapshot_sender import SnapshotSender
from kvraft.consensus.transfer import Transfer


class RaftNode:
    """Wires the parts, reacts to SyncObj, lets time pass."""

    def __init__(self, shared: Shared, identity: Identity, save_identity: SaveIdentity) -> None:
        self.shared = shared
        self._align()
        self.leading = False
        """An entry of this leader's own term is applied: it may propose."""
        self.state_index = 0
        """Of the entry being applied, or applied last."""
        self._kicked = 0
        self._timers_at = float("-inf")
        self._told_commit = 0
        self._tell_at = self._look_at = float("inf")
        """When the last commit is told, if none follows; and when the timer looks at that."""
        self._look_for = 0
        """The commit that followers must have heard of by then, whatever follows."""
        self._stalled_since: float | None = None
        self._stalled_at = 0
        self._reported: str | None = None
        self._was_silent = False
        self._writing = False
        self.links = Links(shared, self._epoch_ended)
        self.membership = Membership(shared, self.links, identity, save_identity)
        self.leader_contact = LeaderContact(shared, self.links, self.membership)
        self.follower_contact = FollowerContact(shared, self.links, self.membership)
        self.elections = Elections(shared, self.links, self.membership)
        self.reception = Reception(shared, self.links, self.membership)
        self.receiver = SnapshotReceiver(shared, self.links, self.membership)
        self.sender = SnapshotSender(shared, self.links, self._snapshot_installed)
        self.replication = Replication(shared, self.links, self.membership, self.sender.start)
        self.proposals = Proposals(shared)
        self.reads = Reads(shared, self.links, self.leader_contact)
        self.transfer = Transfer(
            shared, self.links, self.leader_contact, self.replication, self.proposals
        )
        self.inbox = Inbox(
            shared,
            self.links,
            self.membership,
            elections=self.elections,
            leader_contact=self.leader_contact,
            follower_contact=self.follower_contact,
            reception=self.reception,
            replication=self.replication,
            receiver=self.receiver,
            sender=self.sender,
            reads=self.reads,
            follows=self._follows,
        )
        shared.journal.on_add = self.proposals.on_add
        shared.core = self._build_core()

    def _build_core(self) -> Core:
        shared = self.shared
        return Core(
            shared.name,
            shared.peers,
            shared.journal,
            shared.timing,
            send=self._on_syncobj_message,
            on_entry=self._apply,
            on_state=self._on_state,
        )

    def _align(self) -> None:
        """Gap row 4: the log and the newest snapshot, made one story."""
        shared, current = self.shared, self.shared.disk.current
        if current is not None:
            keep = shared.switches.align_log_to_snapshot
            shared.journal.align(current.index, current.term, keep_suffix=keep)
            shared.journal.trim(current.index, shared.flow.log_tail_bytes)
        elif shared.journal.first_index != FIRST_INDEX:
            raise JournalError(
                f"the log begins at entry {shared.journal.first_index} and there is no snapshot: "
                "restore the directory, or start with --rejoin"
            )

    def load(self) -> None:
        """Load the newest snapshot, if any (blocks; nothing is served yet)."""
        shared, current = self.shared, self.shared.disk.current
        index, term = (current.index, current.term) if current is not None else (FIRST_INDEX, 0)
        if not shared.core.load(index, term):
            shared.fatal(f"SyncObj did not adopt snapshot {index}")
        if current is not None:
            loading = shared.application.begin_load(current)
            while not loading.step():
                pass
            shared.application.adopt(loading, index)
        self._was_silent = self.membership.silent
        shared.disk.kick()

    # -- links
    def _epoch_ended(self, peer: str) -> None:
        """A connection of the pair came or went (RULES B1)."""
        if self.shared.switches.link_epochs:
            self.sender.stop(peer)
            self.receiver.drop(peer)
            self.reads.void()
        self.replication.restart(peer)

    def suspect(self, peer: str) -> None:
        """A connection from this peer is lost; if it leads, that starts the fast path."""
        if peer == self.elections.leader and not self.shared.leads:
            self.elections.lost_leader_connection()

    def unreachable(self, peer: str, why: str) -> None:
        """If this peer is a suspected leader, its time is over."""
        if peer == self.elections.leader and self.elections.leader_unreachable(why):
            self._lost_leader()
            self.shared.doors.wake()

    def leader_restarted(self, peer: str) -> None:
        """A new boot of the leader leads nothing."""
        self.suspect(peer)
        self.unreachable(peer, "has started again")

    def _snapshot_installed(self, peer: str, index: int, *, counts: bool) -> None:
        self.replication.note_position(peer, index, counts=counts)
        self.replication.snapshot_done(peer, index)

    def on_durable(self, sequence: int) -> None:
        """Release what waited for the disk; then a turn, where something may commit or apply."""
        self.shared.journal.on_durable(sequence)
        self._writing = not self.shared.journal.durable
        self.links.release(sequence)
        if self.replication.feed() if self.shared.leads else self.shared.core.behind:
            self.shared.doors.wake()

    # -- time
    def tick(self) -> None:
        """One turn: timers, then SyncObj, then what follows from it.

        A write takes two turns, thousands a second, and no timer is as fine as half a poll: looking
        at all of them in each turn was a third of what consensus took.
        """
        shared = self.shared
        now = shared.doors.now()
        if self.membership.outside or self._was_silent:
            self._watch_standing(now)
        if now >= self._timers_at:
            self._timers_at = now + shared.timing.tick_ms / 2000
            self._writing = False  # for too long to wait for
            self._watch_time(now)
        if now >= self._look_at:  # never on a node that does not lead
            self._tell_or_wait(now)
        if self.transfer.is_on:
            self.transfer.poll(now)
        self.reads.poll(now, self.elections.leader)
        loads = self.receiver.poll()
        if self._writing and shared.core.behind and not shared.leads:
            return  # a caller waits for our ack, and nobody for what we apply: `on_durable` goes on
        shared.core.turn(now)
        self._settle()
        if loads or shared.core.behind:
            shared.doors.wake()

    def _watch_time(self, now: float) -> None:
        self._watch_disk(now)
        if self.shared.leads:
            self._lead(now)
        else:
            self._follow(now)

    def _watch_standing(self, now: float) -> None:
        """A node that begins to count says at once what it holds; nothing else would ask it."""
        self.membership.poll(now, self.elections.leader)
        silent = self.membership.silent
        if self._was_silent and not silent:
            self.reception.announce()
        self._was_silent = silent

    def _lead(self, now: float) -> None:
        shared, limit_ms = self.shared, self.shared.timing.election_max_ms
        if shared.switches.check_quorum and not self.leader_contact.has_quorum(now, limit_ms):
            self.elections.reason = f"no majority answered for {limit_ms} ms"
            shared.core.resign()
            return
        if not self.replication.muted:
            self.leader_contact.beat_if_due(now)
        self.replication.poll(now)
        self.sender.poll(now)
        self.replication.feed()

    def _follow(self, now: float) -> None:
        may_campaign = not (self.replication.muted or self.membership.silent)
        if self.elections.poll(now, may_campaign=may_campaign):
            self._lost_leader()

    def _settle(self) -> None:
        """After SyncObj's tick: what became true in it."""
        shared = self.shared
        core = shared.core
        if shared.leads:
            if core.commit > self._told_commit:
                self._told_commit = core.commit
                self._tell_soon()
            if not self.leading and shared.journal.term_at(core.applied) == shared.term:
                self.leading = True
                shared.application.on_leading(shared.term)
        elif self.elections.leader is None and self._reported is not None:
            self._lost_leader()
        self.reads.finish()
        if shared.leads and shared.journal.sequence > self._kicked:
            shared.doors.flush()  # followers write while this node does
        self._kick()

    def _kick(self) -> None:
        """Have what was added to the log written."""
        sequence = self.shared.journal.sequence
        if sequence > self._kicked:
            self._kicked = sequence
            self._writing = True
            self.shared.disk.kick()

    def after_messages(self) -> None:
        """All of one read are handled: a leader waits for what they added to our log."""
        if not self.shared.leads and self.shared.journal.sequence > self._kicked:
            self._kick()
            self.shared.doors.flush()

    def _tell_soon(self) -> None:
        """Have followers told of a commit, soon: the next append may tell them before.

        A message of its own would wake them just when the caller's next write wants the processor.
        """
        pause_s = self.shared.timing.tell_commit_ms / 1000
        self._tell_at = self.shared.doors.now() + pause_s
        if self._look_at == float("inf"):
            self._look_at, self._look_for = self._tell_at, self.shared.core.commit
            self.shared.doors.wake_in(pause_s)

    def _tell_or_wait(self, now: float) -> None:
        """Tell of it all; while more is committed, only of what no append has carried by now."""
        commit = self.shared.core.commit
        if now >= self._tell_at:
            self._tell_at = self._look_at = float("inf")
            self.replication.tell_commit(commit)
        else:
            self.replication.tell_commit(self._look_for)
            self._look_at, self._look_for = self._tell_at, commit
            self.shared.doors.wake_in(self._tell_at - now)

    def _watch_disk(self, now: float) -> None:
        """A node whose disk hangs goes silent as a leader, so that others take over (row 25)."""
        journal = self.shared.journal
        if journal.durable:
            self._stalled_since = None
        elif self._stalled_since is None or self._stalled_at <= journal.durable_sequence:
            self._stalled_since, self._stalled_at = now, journal.sequence
        limit = self.shared.timing.disk_stall_ms / 1000
        stalled = self._stalled_since is not None and now - self._stalled_since > limit
        if stalled and not self.replication.muted:
            self.shared.counters["disk_stalls"] += 1
            self.shared.doors.event(f"its disk has not answered for {limit:.1f} s: goes silent")
        self.replication.muted = stalled

    # -- SyncObj
    def _on_syncobj_message(self, peer: str, message: dict[str, Any]) -> bool:
        kind = message["type"]
        if kind == "append_entries":
            return self.replication.on_append(peer, message)
        if kind == "request_vote":
            self.elections.request_vote(peer)
        elif kind == "response_vote":
            self.elections.note_grant(peer)
        elif kind not in ("next_node_idx", "apply_command"):
            # next_node_idx: the guard answers appends itself. apply_command: dropped, `Proposals`
            # has answered it when leadership went.
            self.shared.fatal(f"SyncObj sends a message of the unknown kind {kind}")
        return True

    def _apply(self, payload: bytes) -> None:
        index = self.shared.core.applied + 1
        self.state_index = index
        result = self.shared.application.apply(index, payload)
        self.proposals.on_applied(index, result)

    def _on_state(self, old: int, new: int) -> None:
        shared = self.shared
        shared.leads, self.leading = new == LEADER, False
        self._timers_at = float("-inf")  # another role has other timers
        self._tell_at = self._look_at = float("inf")
        self.elections.changed_role()
        self.reads.void()
        if new == LEADER:
            self._told_commit = shared.core.commit
            self.leader_contact.begin()
            self.replication.begin()
            shared.counters["terms_led"] += 1
            shared.doors.event(f"leads term {shared.term}: {self.elections.reason}")
        elif old == LEADER:
            self.sender.stop_all()
            self.replication.end()
            self.proposals.fail()
            self._lost_leader()

    def _follows(self, leader: str) -> None:
        """A leader of the present term was heard for the first time."""
        shared = self.shared
        self._reported = leader
        self.follower_contact.begin()
        self.reads.void()
        shared.doors.event(f"follows {leader} in term {shared.term}")
        shared.application.on_following(leader, shared.term, f"{leader} leads")
        self.transfer.following(leader)

    def _lost_leader(self) -> None:
        reason = self.elections.reason
        self._reported = None
        self.shared.doors.event(f"has no leader in term {self.shared.term}: {reason}")
        self.shared.application.on_following(None, self.shared.term, reason)
