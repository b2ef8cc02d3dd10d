"""Read barriers: ReadIndex (thesis 6.4) on the leader, asked for by followers.

Gap row 16. All barriers that wait share one attempt. On the leader an attempt is a round of
heartbeats begun after they were asked for, with an entry of its own term committed; on a follower
it is a question to the leader with a nonce of its own, void once leader or term change. An attempt
that comes to nothing is made again until the barrier is older than an election timeout.
"""

from dataclasses import dataclass, field

from kvraft.consensus.contact import LeaderContact
from kvraft.consensus.links import Links
from kvraft.consensus.messages import ReadAnswer, ReadAsk
from kvraft.consensus.port import BarrierDone, Failure
from kvraft.consensus.shared import Shared


@dataclass(slots=True)
class _Waiting:
    """A barrier of this node, or a follower's question."""

    since: float
    done: BarrierDone | None
    peer: str = ""
    nonce: int = 0


@dataclass(slots=True)
class _Attempt:
    """Barriers on the way together; `index` is 0 until it is known."""

    barriers: list[_Waiting]
    asked_at: float
    number: int = 0
    nonce: int = 0
    leader: str = ""
    index: int = 0


@dataclass(slots=True)
class _State:
    queued: list[_Waiting] = field(default_factory=list)
    attempt: _Attempt | None = None
    """Without its index: at most one."""
    applying: list[_Attempt] = field(default_factory=list)
    """With their index: they wait for the state to reach it."""


class Reads:
    """The barriers of one node."""

    def __init__(self, shared: Shared, links: Links, contact: LeaderContact) -> None:
        self._shared = shared
        self._links = links
        self._contact = contact
        self._state = _State()
        self._nonce = 0

    def ask(self, done: BarrierDone) -> None:
        """Queue a barrier; `begin` sends it on its way with all others of this turn."""
        self._state.queued.append(_Waiting(self._shared.doors.now(), done))

    def on_ask(self, peer: str, message: ReadAsk) -> None:
        """Leader: a follower asks; its own round begins after this moment."""
        now = self._shared.doors.now()
        self._state.queued.append(_Waiting(now, None, peer, message.nonce))

    def on_answer(self, peer: str, message: ReadAnswer) -> None:
        attempt = self._state.attempt
        if attempt is None or attempt.nonce != message.nonce or attempt.leader != peer:
            return
        self._state.attempt = None
        attempt.index = message.index
        self._state.applying.append(attempt)

    def void(self) -> None:
        """Leader or term changed, or a link's epoch did: attempts on the way are void."""
        attempt = self._state.attempt
        if attempt is not None:
            self._state.queued[:0] = attempt.barriers
            self._state.attempt = None
        if not self._shared.leads:
            self._state.queued = [one for one in self._state.queued if one.done is not None]

    def poll(self, now: float, leader: str | None) -> None:
        """Send what is queued, give up what is too old."""
        state = self._state
        if not (state.queued or state.attempt or state.applying):
            return
        self._expire(now)
        if state.attempt is not None:
            self._hurry(state.attempt, now)
        if state.attempt is None and state.queued:
            if self._shared.leads:
                self._begin_round(now)
            elif leader is not None:
                self._ask_leader(now, leader)

    def finish(self) -> None:
        """Complete what has its answers and is applied; call whenever either may be so."""
        state, shared = self._state, self._shared
        attempt = state.attempt
        if attempt is not None and attempt.number and self._contact.has_answers(attempt.number):
            state.attempt = None
            state.applying.append(attempt)
            if state.queued:
                shared.doors.wake()  # the next round, for what came since
        if not state.applying:
            return
        applied = shared.core.applied
        ready = [one for one in state.applying if one.index <= applied]
        if ready:
            state.applying = [one for one in state.applying if one.index > applied]
            for attempt in ready:
                self._complete(attempt)

    def _complete(self, attempt: _Attempt) -> None:
        for one in attempt.barriers:
            if one.done is not None:
                one.done(None)
            else:
                answer = ReadAnswer(self._shared.term, one.nonce, attempt.index)
                self._links.send(one.peer, answer)

    def _begin_round(self, now: float) -> None:
        shared, commit = self._shared, self._shared.core.commit
        own_term = shared.journal.term_at(commit) == shared.term
        if not own_term and shared.switches.own_term_barrier:
            return  # the no-op of this term commits soon, or never: then they expire
        if shared.switches.barrier_fresh_round:
            self._contact.beat(now)
        barriers, self._state.queued = self._state.queued, []
        shared.counters["read_rounds"] += 1
        self._state.attempt = _Attempt(
            barriers, now, number=max(self._contact.number, 1), index=commit
        )

    def _ask_leader(self, now: float, leader: str) -> None:
        self._nonce += 1
        if not self._links.send(leader, ReadAsk(self._shared.term, self._nonce)):
            return
        barriers, self._state.queued = self._state.queued, []
        self._state.attempt = _Attempt(barriers, now, nonce=self._nonce, leader=leader)

    def _hurry(self, attempt: _Attempt, now: float) -> None:
        """Rounds repeat with every heartbeat; a question to the leader must be asked again."""
        limit = self._shared.timing.election_min_ms / 1000
        if attempt.nonce and now - attempt.asked_at > limit and self._shared.switches.ask_again:
            self.void()

    def _expire(self, now: float) -> None:
        horizon = now - self._shared.timing.election_max_ms / 1000
        state = self._state
        groups = [state.queued, *(attempt.barriers for attempt in state.applying)]
        if state.attempt is not None:
            groups.append(state.attempt.barriers)
        for group in groups:
            old = [one for one in group if one.since <= horizon]
            if old:
                group[:] = [one for one in group if one.since > horizon]
                for one in old:
                    if one.done is not None:
                        one.done(Failure.NO_QUORUM)
