"""Heartbeats, and what each side may conclude from them.

RULES I8: a heartbeat has a number, the answer echoes it, and contact with a peer dates from when
the newest echoed heartbeat was *sent*, so that bytes delayed on the way prove nothing. CheckQuorum
(gap row 15), read rounds (row 16) and a follower's "does the leader hear me" rest on these numbers.
"""

from collections import deque

from kvraft.consensus.links import Links
from kvraft.consensus.membership import Membership
from kvraft.consensus.messages import Heartbeat, HeartbeatAck
from kvraft.consensus.shared import Shared

_REMEMBERED = 512
"""Heartbeats whose time of sending is kept; older answers count as no contact."""


class LeaderContact:
    """The leader's side: rounds of heartbeats, and who answered which."""

    def __init__(self, shared: Shared, links: Links, membership: Membership) -> None:
        self._shared = shared
        self._links = links
        self._membership = membership
        self.number = 0
        """Of the newest round sent; it only grows, across terms too."""
        self._sent_at: dict[int, float] = {}
        self._echoed: dict[str, int] = {}
        self._contact: dict[str, float] = {}
        self._due = 0.0

    def begin(self) -> None:
        """This node was elected: its voters have just been in contact."""
        now = self._shared.doors.now()
        self._echoed.clear()
        counting = filter(self._membership.counts, self._shared.peers)
        self._contact = dict.fromkeys(counting, now)
        self._due = now

    def forget(self, peer: str) -> None:
        """What was heard from the peer's former disk proves nothing."""
        self._echoed.pop(peer, None)
        self._contact.pop(peer, None)

    def beat_if_due(self, now: float) -> None:
        if now >= self._due:
            self.beat(now)

    def beat(self, now: float) -> None:
        """Send a round of heartbeats to all."""
        shared = self._shared
        self._due = now + shared.timing.heartbeat_ms / 1000
        self.number += 1
        self._sent_at[self.number] = now
        self._sent_at.pop(self.number - _REMEMBERED, None)
        commit, term = shared.core.commit, shared.term
        for peer in shared.peers:
            heard = self._echoed.get(peer, 0)
            self._links.send(peer, Heartbeat(term, self.number, heard, commit))

    def on_ack(self, peer: str, message: HeartbeatAck) -> bool:
        """Note an answer of the present term; False if it counts for nothing."""
        if message.number > self.number or not self._membership.counts(peer):
            self._shared.counters["acks_uncounted"] += 1
            return False
        if message.number > self._echoed.get(peer, 0):
            self._echoed[peer] = message.number
            sent_at = self._sent_at.get(message.number)
            if not self._shared.switches.send_time_contact:
                sent_at = self._shared.doors.now()
            if sent_at is not None:
                self._contact[peer] = max(sent_at, self._contact.get(peer, sent_at))
        return True

    def age(self, peer: str, now: float) -> float | None:
        """Seconds since the newest heartbeat that the peer answered was sent."""
        at = self._contact.get(peer)
        return None if at is None else now - at

    def has_quorum(self, now: float, within_ms: int) -> bool:
        """Was a majority in contact within that time?"""
        horizon = now - within_ms / 1000
        return self._shared.is_quorum(1 + sum([at > horizon for at in self._contact.values()]))

    def has_answers(self, number: int) -> bool:
        """Did a majority answer round `number` or a later one?"""
        echoed = self._echoed.values()
        return self._shared.is_quorum(1 + sum(newest >= number for newest in echoed))


class FollowerContact:
    """The follower's side: answers, and whether the leader gets them."""

    def __init__(self, shared: Shared, links: Links, membership: Membership) -> None:
        self._shared = shared
        self._links = links
        self._membership = membership
        self._answered: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
        self._heard_at = float("-inf")

    def begin(self) -> None:
        """Another leader, or another term: numbers start again; it gets an election timeout."""
        self._answered.clear()
        self._heard_at = self._shared.doors.now()

    def on_heartbeat(self, leader: str, message: Heartbeat) -> None:
        """Answer at once: this needs no disk, and nothing but time must delay it."""
        if not message.number:
            return
        now = self._shared.doors.now()
        while self._answered and self._answered[0][0] <= message.heard:
            _, at = self._answered.popleft()
            self._heard_at = max(self._heard_at, at)
        if not self._membership.silent:
            self._answered.append((message.number, now))
            self._links.send(leader, HeartbeatAck(message.term, message.number))

    def is_heard(self, now: float) -> bool:
        """Does the leader hear this node (within the longest election timeout)?"""
        return now - self._heard_at <= self._shared.timing.election_max_ms / 1000
