"""Carries commands of this node's clients to the leader, once, and their answers back.

Imports: core, the consensus port. What was handed to a link that then broke is UNKNOWN: the leader
may have proposed it.
"""

from dataclasses import dataclass

from kvraft.consensus.port import Consensus
from kvraft.core.commands import Command
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.batcher import late_proposed
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import Forward, ForwardReply, encode
from kvraft.replica.outcomes import Answer, Denied, Done


@dataclass(frozen=True, slots=True)
class _Sent:
    peer: str
    deadline: float
    done: Done


class Forwarder:
    """Requests handed to the leader and not answered yet."""

    def __init__(self, consensus: Consensus, limits: ReplicaLimits) -> None:
        self._consensus = consensus
        self._limits = limits
        self._next_id = 0
        self._sent: dict[int, _Sent] = {}
        self.forwarded = 0

    def forward(
        self, leader: str, command: Command, *, now: float, deadline: float, done: Done
    ) -> None:
        """Send `command` to `leader`; refused NOT_APPLIED where the link does not take it."""
        if len(self._sent) >= self._limits.forwarded:
            text = f"{len(self._sent)} forwarded requests are unanswered"
            done(Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, leader, retry_after_ms=100))
            return
        self._next_id += 1
        left_ms = max(0, int((deadline - now) * 1000))
        message = encode(Forward(self._next_id, left_ms, command))
        if not self._consensus.send_to_peer(leader, message):
            text = f"the leader {leader} cannot be reached from this node"
            done(Denied(Reason.NOT_LEADER, Outcome.NOT_APPLIED, text, leader))
            return
        self.forwarded += 1
        self._sent[self._next_id] = _Sent(leader, deadline, done)

    def on_reply(self, peer: str, reply: ForwardReply) -> None:
        """Pass the leader's word on; a late or foreign reply is dropped."""
        sent = self._sent.get(reply.request_id)
        if sent is not None and sent.peer == peer:
            del self._sent[reply.request_id]
            sent.done(reply.outcome)

    def on_peer_lost(self, peer: str) -> None:
        """The link broke: whatever it carried may have been proposed or not."""
        text = f"the connection to the leader {peer} broke after the command was forwarded"
        denied = Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, text)
        self._finish([key for key, sent in self._sent.items() if sent.peer == peer], denied)

    def expire(self, now: float) -> None:
        """Answer whoever's deadline has passed."""
        self._finish(
            [key for key, sent in self._sent.items() if sent.deadline <= now], late_proposed()
        )

    @property
    def idle(self) -> bool:
        """Whether no request is unanswered."""
        return not self._sent

    def _finish(self, keys: list[int], outcome: Answer | Denied) -> None:
        for key in keys:
            self._sent.pop(key).done(outcome)
