"""State hashes at a marker in the log: the same index on every node, so the digests must be equal.

Imports: core, the consensus port. A marker freezes the state where it is applied; the digest is
computed in slices and told to every peer; the node that asked gathers them (RULES I15). A node that
cannot say its digest says so, and is missing from the list.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kvraft.consensus.port import Consensus
from kvraft.core.errors import Outcome, Reason
from kvraft.core.frozen import FrozenState, state_hash
from kvraft.core.machine import StateMachine
from kvraft.replica.deadlines import Caller, Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import HashReport, encode
from kvraft.replica.outcomes import Answer, Denied
from kvraft.replica.port import StateHash

Gathered = Callable[[list[StateHash] | Denied], None]


@dataclass(slots=True)
class _Hashing:
    """One digest in progress."""

    nonce: int
    index: int
    frozen: FrozenState
    steps: Iterator[str | None]
    """Nothing for each block hashed, the digest last."""


class _Request(Caller[list[StateHash] | Denied]):
    """Somebody on this node waits for the digests of one marker."""

    __slots__ = ("heard", "marked", "nonce")

    def __init__(self, nonce: int, deadline: float, done: Gathered) -> None:
        super().__init__(deadline, done)
        self.nonce = nonce
        self.marked = False
        """The marker is in the log."""
        self.heard: dict[str, StateHash | None] = {}
        """None: that node cannot say."""


class Hashes:
    """Digests in progress on this node, and requests for the digests of all."""

    def __init__(self, consensus: Consensus, limits: ReplicaLimits, name: str) -> None:
        self._consensus = consensus
        self._limits = limits
        self._name = name
        self.hashing: list[_Hashing] = []
        self._requests: dict[int, _Request] = {}
        self._deadlines: Deadlines[_Request] = Deadlines()

    def gather(self, nonce: int, deadline: float, done: Gathered) -> bool:
        """Collect the reports for `nonce` until every node has told, or `deadline`.

        False: refused, and `done` was called.
        """
        if len(self._requests) >= self._limits.hash_requests:
            text = f"{len(self._requests)} state hashes are being gathered"
            done(Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, retry_after_ms=1000))
            return False
        request = self._requests[nonce] = _Request(nonce, deadline, done)
        self._deadlines.add(request)
        return True

    def on_marked(self, nonce: int, outcome: Answer | Denied) -> None:
        """What became of the marker: denied, nobody will report."""
        request = self._requests.get(nonce)
        if request is None:
            return
        if isinstance(outcome, Denied):
            self._finish(request, outcome)
        else:
            request.marked = True

    def on_marker(self, machine: StateMachine, index: int, nonce: int) -> None:
        """Freeze the state at a marker; a node with too many views says that it cannot."""
        if len(self.hashing) >= self._limits.hash_views:
            self._report(HashReport(nonce, index, machine.revision, ""))
            return
        frozen = machine.freeze()
        self.hashing.append(_Hashing(nonce, index, frozen, state_hash(frozen)))

    def abort(self) -> None:
        """The state was replaced: what is in progress cannot be finished."""
        hashing, self.hashing = self.hashing, []
        for one in hashing:
            revision = one.frozen.revision
            one.frozen.release()
            self._report(HashReport(one.nonce, one.index, revision, ""))

    def step(self, now: Callable[[], float]) -> bool:
        """Do one slice of what there is in `hashing`; True while there is more to do at once."""
        hashing, end = self.hashing[0], now() + self._limits.snapshot_slice_ms / 1000
        digest = next(hashing.steps)
        while digest is None:
            if now() >= end:
                return True
            digest = next(hashing.steps)
        self.hashing.pop(0)
        revision = hashing.frozen.revision
        hashing.frozen.release()
        self._report(HashReport(hashing.nonce, hashing.index, revision, digest))
        return bool(self.hashing)

    def on_report(self, node: str, report: HashReport) -> None:
        """Add one node's word to the request that waits for it."""
        request = self._requests.get(report.nonce)
        if request is None:
            return
        found = StateHash(node, report.index, report.revision, report.digest)
        request.heard[node] = found if report.digest else None
        if len(request.heard) == 1 + len(self._consensus.status().peers):
            self._finish(request, _told(request))

    def expire(self, now: float) -> None:
        """Hand out what has been gathered by a request's deadline."""
        for request in self._deadlines.take_due(now):
            if request.marked or request.heard:
                self._finish(request, _told(request))
            else:
                text = "the deadline passed before the marker was applied"
                self._finish(request, Denied(Reason.DEADLINE, Outcome.UNKNOWN, text))

    def _report(self, report: HashReport) -> None:
        message = encode(report)
        for peer in self._consensus.status().peers:
            self._consensus.send_to_peer(peer.name, message)
        self.on_report(self._name, report)

    def _finish(self, request: _Request, outcome: list[StateHash] | Denied) -> None:
        self._requests.pop(request.nonce, None)
        self._deadlines.discard(request)
        request.finish(outcome)


def _told(request: _Request) -> list[StateHash]:
    return [found for _, found in sorted(request.heard.items()) if found is not None]
