"""State hashes at a marker in the log: the same index on every node, so the digests must be equal.

Imports: core, the consensus port. A marker freezes the state where it is applied; the digest is
computed in slices and told to every peer; the node that asked gathers them (RULES I15).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kvraft.consensus.port import Consensus
from kvraft.core.frozen import FrozenState, state_hash
from kvraft.core.machine import StateMachine
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import HashReport, encode
from kvraft.replica.port import StateHash

Gathered = Callable[[list[StateHash]], None]


@dataclass(slots=True)
class _Hashing:
    """One digest in progress."""

    nonce: int
    index: int
    frozen: FrozenState
    steps: Iterator[str | None]
    """Nothing for each block hashed, the digest last."""


@dataclass(slots=True)
class _Request:
    """Somebody on this node waits for the digests of one marker."""

    deadline: float
    done: Gathered
    hashes: dict[str, StateHash] = field(default_factory=dict)


class Hashes:
    """Digests in progress on this node, and requests for the digests of all."""

    def __init__(self, consensus: Consensus, limits: ReplicaLimits, name: str) -> None:
        self._consensus = consensus
        self._limits = limits
        self._name = name
        self._hashing: list[_Hashing] = []
        self._requests: dict[int, _Request] = {}

    def gather(self, nonce: int, deadline: float, done: Gathered) -> None:
        """Collect the reports for `nonce` until all peers have told theirs, or `deadline`."""
        self._requests[nonce] = _Request(deadline, done)

    def forget(self, nonce: int) -> None:
        """The marker was not applied: nobody will report."""
        self._requests.pop(nonce, None)

    def on_marker(self, machine: StateMachine, index: int, nonce: int) -> None:
        """Freeze the state at a marker; a node with too many views leaves this one out."""
        if len(self._hashing) < self._limits.hash_views:
            frozen = machine.freeze()
            self._hashing.append(_Hashing(nonce, index, frozen, state_hash(frozen)))

    def abort(self) -> None:
        """The state was replaced: what is in progress cannot be finished."""
        for hashing in self._hashing:
            hashing.frozen.release()
        self._hashing.clear()

    def step(self, now: Callable[[], float]) -> bool:
        """Do one slice; True while there is more to do at once."""
        if not self._hashing:
            return False
        hashing, end = self._hashing[0], now() + self._limits.snapshot_slice_ms / 1000
        digest = next(hashing.steps)
        while digest is None:
            if now() >= end:
                return True
            digest = next(hashing.steps)
        self._hashing.pop(0)
        revision = hashing.frozen.revision
        hashing.frozen.release()
        report = HashReport(hashing.nonce, hashing.index, revision, digest)
        for peer in self._consensus.status().peers:
            self._consensus.send_to_peer(peer.name, encode(report))
        self.on_report(self._name, report)
        return bool(self._hashing)

    def on_report(self, node: str, report: HashReport) -> None:
        """Add one node's digest to the request that waits for it."""
        request = self._requests.get(report.nonce)
        if request is None:
            return
        request.hashes[node] = StateHash(node, report.index, report.revision, report.digest)
        if len(request.hashes) == 1 + len(self._consensus.status().peers):
            self._finish(report.nonce)

    def expire(self, now: float) -> None:
        """Hand out what has been gathered by a request's deadline."""
        for nonce in [key for key, value in self._requests.items() if value.deadline <= now]:
            self._finish(nonce)

    def _finish(self, nonce: int) -> None:
        request = self._requests.pop(nonce)
        request.done(sorted(request.hashes.values(), key=lambda state_hash: state_hash.node))
