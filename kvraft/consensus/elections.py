"""When to campaign, whom to vote for, whom to follow: all that SyncObj's timers do not.

Gap row 15: PreVote, stickiness, stepping down on a higher term; RULES I7: the fast path after the
leader's connection is lost, and quick retries after a split vote. The vote itself, and counting
votes, stay SyncObj's; its own election timer never fires.
"""

from kvraft.consensus.links import Links
from kvraft.consensus.membership import Membership
from kvraft.consensus.messages import (
    HigherTerm,
    PreVoteAnswer,
    PreVoteRequest,
    VoteAnswer,
    VoteRequest,
)
from kvraft.consensus.pysyncobj_core import CANDIDATE
from kvraft.consensus.shared import Shared

_QUICK_RETRIES = 4
"""Tries in quick succession once a timeout has passed; then, behind slow links, a timeout each."""
_NEVER = float("-inf")


class Elections:
    """Follower and candidate. A leader only answers here."""

    def __init__(self, shared: Shared, links: Links, membership: Membership) -> None:
        self._shared = shared
        self._links = links
        self._membership = membership
        self.leader: str | None = None
        self.leader_seen = _NEVER
        self.reason = "started"
        """Why the role changes next; for people."""
        self._patience = self._timeout()
        self._deadline = shared.doors.now() + self._split_delay()
        self._quick = 0
        self._round = 0
        self._prevotes: set[str] | None = None
        self._votes: set[str] = set()
        self._refusals: set[str] = set()
        self._asked_at = _NEVER
        self._forced_term = 0
        self._granting: str | None = None
        self._suspicion: float | None = None  # the leader's connection is lost; wait until then
        self._fast = False
        self._fast_end = _NEVER

    # -- hearing a leader
    def hear(self, peer: str, now: float) -> bool:
        """Note a sign of life of this term's leader; True if it is news who leads."""
        self.leader_seen = now
        self._deadline = now + self._patience
        if peer == self.leader:
            if self._fast or self._suspicion is not None:
                self._suspicion, self._fast = None, False
            return False
        self.leader = peer
        self._forced_term = self._quick = 0
        self._calm(now)
        return True

    @property
    def leader_alive(self) -> bool:
        """Follower: was a leader heard within the shortest election timeout (stickiness)?"""
        age = self._shared.doors.now() - self.leader_seen
        return age < self._shared.timing.election_min_ms / 1000

    def changed_role(self) -> None:
        """The role or the term changed: whom to follow is open again."""
        self.leader = self._shared.name if self._shared.leads else None
        self.leader_seen = _NEVER
        now = self._shared.doors.now()
        self._calm(now)
        self._deadline = now + self._timeout()

    def _calm(self, now: float) -> None:
        self._patience = self._timeout()
        self._deadline = now + self._patience
        self._prevotes = None
        self._suspicion, self._fast = None, False

    # -- the fast path (RULES I7)
    def lost_leader_connection(self) -> None:
        """Its inbound connection is lost: it has a moment to answer our dial."""
        if not self._shared.switches.fast_failover or self._suspicion is not None or self._fast:
            return
        assert self.leader is not None
        self._suspicion = self._shared.doors.now() + self._shared.timing.redial_grace_ms / 1000
        self._shared.doors.dial_now(self.leader)

    def lost_own_connection(self, peer: str) -> None:
        """Ours to the suspected leader is lost as well: dial it now, not after a pause."""
        if self._suspicion is not None and peer == self.leader:
            self._shared.doors.dial_now(peer)

    def leader_answered(self) -> None:
        """It acknowledged a new dial, in the same boot: nothing happened."""
        self._suspicion = None

    def leader_unreachable(self, why: str) -> bool:
        """Campaign ahead of the timeout, in order of rank. False: it was not suspected."""
        if self._suspicion is None:
            return False
        self._suspicion, self._fast = None, True
        self.reason = f"{self.leader} {why}"
        followers = sorted({*self._shared.peers, self._shared.name} - {self.leader or ""})
        rank = followers.index(self._shared.name)
        step = self._shared.timing.rank_delay_ms
        self._fast_end = self._deadline
        self._deadline = self._shared.doors.now() + self._shared.between(
            rank * step, (rank + 1) * step
        )
        self.leader, self.leader_seen = None, _NEVER
        return True

    # -- time passes
    def poll(self, now: float, *, may_campaign: bool) -> bool:
        """Follower or candidate: campaign where it is time. True: the leader was given up."""
        if self._suspicion is not None and now >= self._suspicion:
            outbound = self.leader is not None and self._links[self.leader].outbound
            if outbound:
                self._suspicion = None  # our connection to it stands: it is alive, or a slow case
            else:
                return self.leader_unreachable("does not answer a new connection")
        if now < self._deadline:
            if self._shared.core.state == CANDIDATE:
                self._ask_votes_again(now)
            return False
        lost, self.leader = self.leader is not None, None
        if lost:
            self.reason = "heard no leader for an election timeout"
        reachable = sum(
            1
            for peer in self._shared.peers
            if self._links[peer].outbound and self._membership.counts(peer)
        )
        if not may_campaign or not self._shared.is_quorum(reachable + 1):
            self._deadline = now + self._shared.timing.fast_retry_ms / 1000
            return lost
        self._deadline = now + self._until_next(now)
        if self._shared.switches.prevote:
            self._start_prevote()
        else:
            self._campaign()
        return lost

    def _until_next(self, now: float) -> float:
        timing = self._shared.timing
        if self._fast:
            if now < self._fast_end:
                return self._shared.between(timing.fast_retry_ms, 2 * timing.fast_retry_ms)
            self._fast = False
        self._quick += 1
        return self._split_delay() if self._quick <= _QUICK_RETRIES else self._timeout()

    def _timeout(self) -> float:
        timing = self._shared.timing
        return self._shared.between(timing.election_min_ms, timing.election_max_ms)

    def _split_delay(self) -> float:
        timing = self._shared.timing
        return self._shared.between(timing.split_vote_min_ms, timing.split_vote_max_ms)

    # -- pre-vote
    def _start_prevote(self) -> None:
        shared, journal = self._shared, self._shared.journal
        self._round += 1
        self._prevotes = {shared.name}
        shared.counters["prevotes"] += 1
        for peer in shared.peers:
            request = PreVoteRequest(
                shared.term, self._round, journal.last_index, journal.last_term
            )
            self._links.send(peer, request)

    def on_prevote_request(self, peer: str, message: PreVoteRequest, *, leader_alive: bool) -> None:
        if not self._may_answer(peer):
            return
        granted = (
            message.term >= self._shared.term
            and not (leader_alive and self._shared.switches.stickiness)
            and self._is_up_to_date(message.last_index, message.last_term)
        )
        self._links.send(peer, PreVoteAnswer(self._shared.term, message.round, granted))

    def on_prevote_answer(self, peer: str, message: PreVoteAnswer) -> None:
        if self._prevotes is None or message.round != self._round or self._shared.leads:
            return
        if message.granted and self._membership.counts(peer):
            self._prevotes.add(peer)
            if self._shared.is_quorum(len(self._prevotes)):
                self._prevotes = None
                self._campaign()

    # -- vote
    def campaign_for_transfer(self) -> None:
        """The leader hands over: campaign past everyone's stickiness."""
        self._forced_term = self._shared.term + 1
        self.reason = f"{self.leader} hands leadership over"
        self._campaign()

    def _campaign(self) -> None:
        reachable = any(self._links[peer].outbound for peer in self._shared.peers)
        if self._shared.leads or self._membership.silent or not reachable:
            return  # without a connection SyncObj would keep the campaign for later
        self._shared.counters["elections"] += 1
        self._votes, self._refusals = {self._shared.name}, set()
        self._asked_at = self._shared.doors.now()
        self._shared.core.campaign()
        if self._shared.core.state == CANDIDATE:
            self._deadline = self._asked_at + self._timeout()

    def _ask_votes_again(self, now: float) -> None:
        limit = self._shared.timing.election_min_ms / 1000
        if self._shared.switches.ask_again and now - self._asked_at >= limit:
            self._asked_at = now
            for peer in self._shared.peers:
                if peer not in self._votes and peer not in self._refusals:
                    self.request_vote(peer)

    def request_vote(self, peer: str) -> None:
        """Ask for the vote of the present term, once our own is on disk."""
        shared, journal = self._shared, self._shared.journal
        forced = self._forced_term == shared.term
        request = VoteRequest(shared.term, journal.last_index, journal.last_term, forced)
        self._links.send_durable(peer, request, hold=shared.switches.vote_durable)

    def on_vote_request(self, peer: str, message: VoteRequest, *, leader_alive: bool) -> None:
        shared = self._shared
        if not self._may_answer(peer):
            return
        if message.term < shared.term:
            self.notify_higher_term(peer)
            return
        sticky = shared.switches.stickiness and leader_alive and not message.forced
        if sticky or self._is_spent(message.term) or not self._vote(peer, message):
            self._links.send(peer, VoteAnswer(message.term, granted=False))
            return
        self._deadline = shared.doors.now() + self._timeout()
        answer = VoteAnswer(message.term, granted=True)
        self._links.send_durable(peer, answer, hold=shared.switches.vote_durable)

    def _vote(self, peer: str, message: VoteRequest) -> bool:
        """Let SyncObj decide; a vote given before is given again (gap row 23)."""
        core, journal = self._shared.core, self._shared.journal
        self._granting = None
        core.request_vote(peer, message.term, message.last_index, message.last_term)
        if self._granting == peer:
            return True
        return journal.vote.term == message.term and journal.vote.voted_for == peer

    def note_grant(self, peer: str) -> None:
        """SyncObj answers a request for its vote: it granted it."""
        self._granting = peer

    def on_vote_answer(self, peer: str, message: VoteAnswer) -> None:
        shared = self._shared
        if shared.core.state != CANDIDATE or message.term != shared.term:
            return
        if not self._membership.counts(peer) or peer in self._votes:
            return
        if message.granted:
            self._votes.add(peer)
            self.reason = f"elected by {', '.join(sorted(self._votes))}"
            shared.core.vote_granted(peer, message.term)
            return
        # A majority would have voted (pre-vote), so this is a split: do not wait for a timeout.
        self._refusals.add(peer)
        if self._quick < _QUICK_RETRIES:
            self._deadline = min(self._deadline, shared.doors.now() + self._split_delay())

    # -- terms
    def notify_higher_term(self, peer: str) -> None:
        """Tell a peer that speaks in an old term (else it learns it in seconds, or never)."""
        if self._shared.switches.higher_term_notice:
            self._links.send(peer, HigherTerm(self._shared.term))

    def adopt_term(self, term: int, reason: str) -> None:
        """Step down into a higher term."""
        if term > self._shared.term:
            self.reason = reason
            self._shared.counters["terms_adopted"] += 1
            self._shared.core.adopt_term(term)
            if not self._shared.leads:
                self.leader, self.leader_seen = None, _NEVER

    def _is_spent(self, term: int) -> bool:
        vote = self._shared.journal.vote
        return vote.spent and term == vote.term

    def _may_answer(self, peer: str) -> bool:
        return not self._membership.silent and self._membership.counts(peer)

    def _is_up_to_date(self, index: int, term: int) -> bool:
        journal = self._shared.journal
        return (term, index) >= (journal.last_term, journal.last_index)
