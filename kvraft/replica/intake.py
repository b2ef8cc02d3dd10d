"""What happens to a command before it is proposed: checked, admitted, queued here or forwarded.

Imports: core, the consensus port. Everything refused here is NOT_APPLIED: it was never proposed.
"""

from collections.abc import Callable
from math import inf
from typing import Protocol

from kvraft.consensus.port import Consensus, Role
from kvraft.core.commands import Acquire, Command
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.machine import StateMachine
from kvraft.core.validation import validate
from kvraft.replica.admission import Admission
from kvraft.replica.batcher import Batcher
from kvraft.replica.congestion import SIGNS_OF_LIFE, goes_first, will_queue
from kvraft.replica.forwarder import Forwarder
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import Forward, ForwardReply, encode
from kvraft.replica.outcomes import Answer, Denied, Done


class Surroundings(Protocol):
    """The node that the intake belongs to."""

    name: str
    machine: StateMachine

    @property
    def leader(self) -> str | None:
        """The node that leads, as far as this one knows."""
        ...

    def now(self) -> float:
        """Monotonic seconds."""
        ...


class Intake:
    """The way in for commands of this node's clients, and of other nodes'."""

    def __init__(
        self,
        node: Surroundings,
        consensus: Consensus,
        *,
        requests: RequestLimits,
        limits: ReplicaLimits,
        admission: Admission,
        batcher: Batcher,
        forwarder: Forwarder,
        wake: Callable[[], None],
    ) -> None:
        self._node = node
        self._consensus = consensus
        self._requests = requests
        self._limits = limits
        self._admission = admission
        self._batcher = batcher
        self._forwarder = forwarder
        self._wake = wake
        self.stopping = False
        """Refuse new work, so that what is in flight can finish."""
        self.leader_lost_at = -inf
        self.is_open = False
        """Something was let in since the last tick: what arrives before the next one, in the same
        turn of the loop, need not ask again whether there is a quorum."""

    def submit(self, command: Command, deadline: float, done: Done) -> None:
        """Take a command of this node's client."""
        node = self._node
        refused = validate(command, self._requests)
        if refused is not None:
            done(Answer(refused, node.machine.revision, node.machine.index))
            return
        denied = None if self.is_open else self.denied()
        if denied is not None:
            done(denied)
        elif self._consensus.role is Role.LEADER:
            self._queue(command, deadline, done)
        elif node.leader is None:
            done(self._no_quorum("no leader is known"))
        else:
            self._forwarder.forward(
                node.leader, command, now=node.now(), deadline=deadline, done=done
            )

    def on_forward(self, peer: str, forward: Forward) -> None:
        """Serve a follower's client; forwarded once already, so never again."""

        def reply(outcome: Answer | Denied) -> None:
            message = encode(ForwardReply(forward.request_id, outcome))
            self._consensus.send_to_peer(peer, message)

        node = self._node
        denied = None if self.is_open else self.denied()
        if denied is None and self._consensus.role is not Role.LEADER:
            text = f"{node.name} does not lead"
            denied = Denied(Reason.NOT_LEADER, Outcome.NOT_APPLIED, text, node.leader)
        if denied is not None:
            reply(denied)
            return
        refused = validate(forward.command, self._requests)
        if refused is not None:
            reply(Answer(refused, node.machine.revision, node.machine.index))
            return
        self._queue(forward.command, node.now() + forward.left_ms / 1000, reply)

    def denied(self) -> Denied | None:
        """Return why this node must answer nothing that needs a quorum now, or None."""
        if not self.stopping and not self._consensus.quorum_reachable():
            return self._no_quorum("no majority of the nodes is in contact")
        return self.denied_alone()

    def let_in(self) -> None:
        """Something waits for the next tick: let in what else arrives before it."""
        if not self.is_open:
            self.is_open = True
            self._wake()

    def denied_alone(self) -> Denied | None:
        """Return why this node must not even work on what it has itself, or None."""
        if self.stopping:
            text = f"{self._node.name} is shutting down"
            return Denied(Reason.SHUTTING_DOWN, Outcome.NOT_APPLIED, text, self._node.leader)
        if not self._node.machine.cluster_id:
            text = f"{self._node.name} belongs to no cluster yet: one is being formed"
            return self._no_quorum(text)
        return None

    def _queue(self, command: Command, deadline: float, done: Done) -> None:
        denied = self._admission.check(command, self._node.machine)
        if denied is not None:
            done(denied)
            return
        machine, kind = self._node.machine, command.__class__
        first = kind in SIGNS_OF_LIFE and goes_first(command, machine)
        patient = first or (kind is Acquire and will_queue(command, machine))
        patient_from = self._node.now() if patient else None
        self._batcher.submit(command, deadline, done, first=first, patient_from=patient_from)
        if not self._batcher.waits_for_company:  # a turn for each of these would cost the others
            self.let_in()

    def _no_quorum(self, text: str) -> Denied:
        """Return the answer of a node that can do nothing alone."""
        limits = self._limits
        is_soon = (self._node.now() - self.leader_lost_at) * 1000 < limits.soon_ms
        retry_ms = limits.retry_soon_ms if is_soon else limits.retry_ms
        return Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, text, retry_after_ms=retry_ms)
