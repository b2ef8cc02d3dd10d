"""Messages of peers, each to the part that it concerns; terms are compared here, once."""

from collections.abc import Callable
from typing import Any, Final

from kvraft.consensus import messages as m
from kvraft.consensus import wire
from kvraft.consensus.contact import FollowerContact, LeaderContact
from kvraft.consensus.elections import Elections
from kvraft.consensus.links import Links
from kvraft.consensus.membership import Membership
from kvraft.consensus.port import ProtocolError
from kvraft.consensus.reads import Reads
from kvraft.consensus.reception import Reception
from kvraft.consensus.replication import Replication
from kvraft.consensus.shared import Shared
from kvraft.consensus.snapshot_receiver import SnapshotReceiver
from kvraft.consensus.snapshot_sender import SnapshotSender

TERM_JUMP_MAX: Final = 1 << 20
"""A term so far ahead comes from no election; taking it over would end the cluster's terms."""

_QUIET: Final = frozenset(
    {m.AppendAck, m.Heartbeat, m.HeartbeatAck, m.PreVoteRequest, m.HigherTerm}
)
"""Whoever handles these asks for a turn where one is needed: mostly it is not."""


class Inbox:
    """Decodes, checks and hands on."""

    def __init__(
        self,
        shared: Shared,
        links: Links,
        membership: Membership,
        *,
        elections: Elections,
        leader_contact: LeaderContact,
        follower_contact: FollowerContact,
        reception: Reception,
        replication: Replication,
        receiver: SnapshotReceiver,
        sender: SnapshotSender,
        reads: Reads,
        follows: Callable[[str], None],
    ) -> None:
        self._shared = shared
        self._links = links
        self._membership = membership
        self._elections = elections
        self._leader_contact = leader_contact
        self._follower_contact = follower_contact
        self._reception = reception
        self._replication = replication
        self._receiver = receiver
        self._sender = sender
        self._reads = reads
        self._follows = follows
        self._routes: dict[type[m.Message], Callable[[str, Any], None]] = {
            m.Append: self._append,
            m.Heartbeat: self._heartbeat,
            m.SnapshotChunk: self._chunk,
            m.AppendAck: self._append_answer,
            m.Progress: self._append_answer,
            m.HeartbeatAck: self._heartbeat_ack,
            m.SnapshotAck: self._snapshot_ack,
            m.VoteRequest: self._vote_request,
            m.VoteAnswer: elections.on_vote_answer,
            m.PreVoteRequest: self._prevote_request,
            m.PreVoteAnswer: self._prevote_answer,
            m.HigherTerm: self._higher_term,
            m.TimeoutNow: self._timeout_now,
            m.ReadAsk: self._read_ask,
            m.ReadAnswer: reads.on_answer,
            m.Join: self._join,
            m.ApplicationMessage: self._application,
        }

    def on_message(self, peer: str, data: bytes) -> None:
        """Handle one message; ProtocolError if it is none, or no honest node would send it."""
        message = wire.decode(data)
        if not self._links.is_current(peer):
            self._shared.counters["messages_of_old_boots"] += 1
            return
        term = self._shared.term
        if message.term > term + TERM_JUMP_MAX and term > 0:
            raise ProtocolError(f"{peer} speaks in term {message.term}, this node is in {term}")
        kind = type(message)
        self._routes[kind](peer, message)
        if kind not in _QUIET:
            self._shared.doors.wake()

    # -- from a leader
    def _from_leader(self, peer: str, message: m.Message) -> bool:
        """Follow the leader of this message's term; False if it is none for us."""
        shared, elections = self._shared, self._elections
        if message.term < shared.term:
            elections.notify_higher_term(peer)
            return False
        if not self._membership.may_lead(peer):
            shared.counters["frames_of_other_disks"] += 1
            return False
        if shared.leads and message.term == shared.term:
            shared.fatal(f"{peer} and {shared.name} both lead term {shared.term}")
        if message.term > shared.term or shared.core.is_candidate:
            elections.reason = f"{peer} leads term {message.term}"
            self._reception.follow(peer, message.term)
            elections.changed_role()
        if elections.hear(peer, shared.doors.now()):
            self._follows(peer)
            shared.doors.wake()
        return True

    def _append(self, peer: str, message: m.Append) -> None:
        if self._from_leader(peer, message):
            self._reception.on_append(peer, message)

    def _heartbeat(self, peer: str, message: m.Heartbeat) -> None:
        if self._from_leader(peer, message):
            self._follower_contact.on_heartbeat(peer, message)
            self._reception.note_commit(peer, message.term, message.commit)
            if self._shared.core.behind:
                self._shared.doors.wake()

    def _chunk(self, peer: str, message: m.SnapshotChunk) -> None:
        if self._from_leader(peer, message):
            self._receiver.on_chunk(peer, message)

    def _timeout_now(self, peer: str, message: m.TimeoutNow) -> None:
        if message.term == self._shared.term and peer == self._elections.leader:
            self._elections.campaign_for_transfer()

    # -- to a leader
    def _answers(self, peer: str, message: m.Message, request_term: int) -> bool:
        """Does this answer a question of this term? Gap row 2: an old ack counts for nothing."""
        shared = self._shared
        if message.term > shared.term:
            self._elections.adopt_term(message.term, f"{peer} is in term {message.term}")
            return False
        if not shared.leads or (shared.switches.term_on_acks and request_term != shared.term):
            shared.counters["stale_acks"] += 1
            return False
        return True

    def _append_answer(self, peer: str, message: m.AppendAck | m.Progress) -> None:
        if self._answers(peer, message, message.request_term):
            if isinstance(message, m.Progress) and message.success:
                self._sender.done(peer, message.index, counts=False)
            self._replication.on_answer(peer, message)

    def _heartbeat_ack(self, peer: str, message: m.HeartbeatAck) -> None:
        if self._answers(peer, message, message.term) and self._leader_contact.on_ack(
            peer, message
        ):
            self._reads.finish()

    def _snapshot_ack(self, peer: str, message: m.SnapshotAck) -> None:
        if self._answers(peer, message, message.request_term):
            self._sender.on_ack(peer, message)

    def _read_ask(self, peer: str, message: m.ReadAsk) -> None:
        if self._shared.leads and message.term == self._shared.term:
            self._reads.on_ask(peer, message)

    def _join(self, peer: str, message: m.Join) -> None:
        """RULES B2: what the former disk said is void before the new one is proposed."""
        hello, shared = self._links[peer].hello, self._shared
        if not shared.leads or hello is None or hello.disk_id != message.disk_id:
            return
        if shared.journal.members.disks.get(peer) == message.disk_id:
            return  # its entry is in our state; it will see it committed
        if not self._membership.members.disks:
            return  # no bootstrap yet: nothing to join
        shared.counters["joins_asked"] += 1
        self._leader_contact.forget(peer)
        self._replication.forget_match(peer)
        shared.application.on_join_request(peer, message.disk_id, message.command_version)

    # -- elections
    @property
    def _leader_alive(self) -> bool:
        if self._shared.leads:
            now, limit = self._shared.doors.now(), self._shared.timing.election_min_ms
            return self._leader_contact.has_quorum(now, limit)
        return self._elections.leader_alive

    def _vote_request(self, peer: str, message: m.VoteRequest) -> None:
        self._elections.on_vote_request(peer, message, leader_alive=self._leader_alive)

    def _prevote_request(self, peer: str, message: m.PreVoteRequest) -> None:
        self._elections.on_prevote_request(peer, message, leader_alive=self._leader_alive)

    def _prevote_answer(self, peer: str, message: m.PreVoteAnswer) -> None:
        if message.term > self._shared.term:
            self._elections.adopt_term(message.term, f"{peer} is in term {message.term}")
        else:
            self._elections.on_prevote_answer(peer, message)

    def _higher_term(self, peer: str, message: m.HigherTerm) -> None:
        self._elections.adopt_term(message.term, f"{peer} is in term {message.term}")

    # -- the node above
    def _application(self, peer: str, message: m.ApplicationMessage) -> None:
        self._shared.application.on_peer_message(peer, message.payload)
