"""Reads that wait for a barrier: all that arrived before a round share it (thesis 6.4).

Imports: the consensus port. A read has no effect, so every failure is NOT_APPLIED.
"""

from dataclasses import dataclass

from kvraft.consensus.port import Consensus, Failure
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import BarrierDone, Denied


@dataclass(slots=True, eq=False)
class _Reader:
    deadline: float
    done: BarrierDone | None

    def finish(self, denied: Denied | None) -> None:
        done, self.done = self.done, None
        if done is not None:
            done(denied)


class Readers:
    """Readers waiting for the next round, and those whose round is under way."""

    def __init__(self, consensus: Consensus, limits: ReplicaLimits) -> None:
        self._consensus = consensus
        self._limits = limits
        self._waiting: list[_Reader] = []
        self._rounds: list[list[_Reader]] = []
        self._count = 0
        self.barriers = 0

    def add(self, deadline: float, done: BarrierDone) -> None:
        """Wait for a round that begins after now."""
        if self._count >= self._limits.readers:
            text = f"{self._count} reads are waiting"
            done(Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, retry_after_ms=100))
            return
        self._count += 1
        self._waiting.append(_Reader(deadline, done))

    def flush(self) -> None:
        """Begin one round for everybody who waits."""
        if not self._waiting:
            return
        group, self._waiting = self._waiting, []
        self._rounds.append(group)
        self.barriers += 1

        def done(failure: Failure | None) -> None:
            self._rounds.remove(group)
            self._count -= len(group)
            denied = None if failure is None else _no_round(failure)
            for reader in group:
                reader.finish(denied)

        self._consensus.read_barrier(done)

    def expire(self, now: float) -> None:
        """Answer whoever's deadline has passed."""
        for group in (*self._rounds, self._waiting):
            for reader in group:
                if reader.deadline <= now and reader.done is not None:
                    text = "the deadline passed before a quorum confirmed the read"
                    reader.finish(Denied(Reason.DEADLINE, Outcome.NOT_APPLIED, text))


def _no_round(failure: Failure) -> Denied:
    text = f"no quorum confirmed the read: {failure.value}"
    return Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, text, retry_after_ms=100)
