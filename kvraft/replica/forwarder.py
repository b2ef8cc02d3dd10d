"""Carries commands of this node's clients to the leader, once, and their answers back.

Imports: core, the consensus port. What was handed to a link that then broke is UNKNOWN: the leader
may have proposed it.
"""

from collections.abc import Iterable

from kvraft.consensus.port import Consensus
from kvraft.core.commands import Command
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.batcher import late_proposed
from kvraft.replica.congestion import may_pass
from kvraft.replica.deadlines import Caller, Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import Forward, ForwardReply, encode
from kvraft.replica.outcomes import Answer, Denied, Done

LEFT_MAX_MS = (1 << 32) - 1
"""What the wire holds of a deadline: 49 days."""


class _Sent(Caller[Answer | Denied]):
    """One request on its way; answered by this peer only."""

    __slots__ = ("peer", "request_id")

    def __init__(self, request_id: int, peer: str, deadline: float, done: Done) -> None:
        super().__init__(deadline, done)
        self.request_id = request_id
        self.peer = peer


class Forwarder:
    """Requests handed to the leader and not answered yet."""

    def __init__(self, consensus: Consensus, limits: ReplicaLimits, first_id: int) -> None:
        """`first_id`: random, so that an answer to an earlier start of this node fits no request.

        A leader may hold a command of a process that was killed, and answer it when the next one
        on this node has dialled.
        """
        self._consensus = consensus
        self._limits = limits
        self._next_id = first_id
        self._deadlines: Deadlines[_Sent] = Deadlines()
        self._sent: dict[int, _Sent] = {}
        self.forwarded = 0

    def forward(
        self, leader: str, command: Command, *, now: float, deadline: float, done: Done
    ) -> None:
        """Send `command` to `leader`; refused NOT_APPLIED where the link does not take it."""
        beyond = len(self._sent) - self._limits.forwarded
        if beyond >= 0 and (beyond >= self._limits.queue_spare_commands or not may_pass(command)):
            text = f"{len(self._sent)} forwarded requests are unanswered"
            done(Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, leader, retry_after_ms=100))
            return
        self._next_id += 1
        left_ms = int(max(0, min((deadline - now) * 1000, LEFT_MAX_MS)))
        message = encode(Forward(self._next_id, left_ms, command))
        if not self._consensus.send_to_peer(leader, message):
            text = f"the leader {leader} cannot be reached from this node"
            done(Denied(Reason.NOT_LEADER, Outcome.NOT_APPLIED, text, leader))
            return
        self.forwarded += 1
        sent = self._sent[self._next_id] = _Sent(self._next_id, leader, deadline, done)
        self._deadlines.add(sent)

    def on_reply(self, peer: str, reply: ForwardReply) -> None:
        """Pass the leader's word on; a late or foreign reply is dropped."""
        sent = self._sent.get(reply.request_id)
        if sent is not None and sent.peer == peer:
            self._deadlines.discard(sent)
            self._finish([sent], reply.outcome)

    def on_peer_lost(self, peer: str) -> None:
        """The link broke: whatever it carried may have been proposed or not."""
        text = f"the connection to the leader {peer} broke after the command was forwarded"
        denied = Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, text)
        lost = [sent for sent in self._sent.values() if sent.peer == peer]
        for sent in lost:
            self._deadlines.discard(sent)
        self._finish(lost, denied)

    def expire(self, now: float) -> None:
        """Answer whoever's deadline has passed."""
        due = self._deadlines.take_due(now)
        if due:
            self._finish(due, late_proposed())

    @property
    def idle(self) -> bool:
        """Whether no request is unanswered."""
        return not self._sent

    def _finish(self, requests: Iterable[_Sent], outcome: Answer | Denied) -> None:
        for sent in requests:
            self._sent.pop(sent.request_id, None)
            sent.finish(outcome)
