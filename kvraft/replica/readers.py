"""Reads that wait for a barrier: all that arrived before a round share it (thesis 6.4).

Imports: the consensus port. A read has no effect, so every failure is NOT_APPLIED.
"""

from kvraft.consensus.port import Consensus, Failure
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.deadlines import Caller, Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import BarrierDone, Denied


class _Reader(Caller[Denied | None]):
    """So many reads that wait together."""

    __slots__ = ("reads",)

    def __init__(self, deadline: float, done: BarrierDone, reads: int) -> None:
        super().__init__(deadline, done)
        self.reads = reads


class Readers:
    """Readers waiting for the next round, and those whose round is under way."""

    def __init__(self, consensus: Consensus, limits: ReplicaLimits) -> None:
        self._consensus = consensus
        self._limits = limits
        self.waiting: list[_Reader] = []
        """Who `flush` is for."""
        self._rounds: list[list[_Reader]] = []
        self._deadlines: Deadlines[_Reader] = Deadlines()
        self._count = 0
        self.barriers = 0

    def add(self, deadline: float, done: BarrierDone, reads: int = 1) -> None:
        """Wait for a round that begins after now."""
        if self._count + reads > self._limits.readers:
            text = f"{self._count} reads are waiting"
            done(Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, retry_after_ms=100))
            return
        self._count += reads
        reader = _Reader(deadline, done, reads)
        self.waiting.append(reader)
        self._deadlines.add(reader)

    def flush(self) -> None:
        """Begin one round for everybody who waits; somebody does."""
        group, self.waiting = self.waiting, []
        self._rounds.append(group)
        self.barriers += 1

        def done(failure: Failure | None) -> None:
            self._rounds.remove(group)
            self._count -= sum([reader.reads for reader in group])
            denied = None if failure is None else self._no_round(failure)
            for reader in group:
                self._deadlines.discard(reader)
                reader.finish(denied)

        self._consensus.read_barrier(done)

    def expire(self, now: float) -> None:
        """Answer whoever's deadline has passed."""
        for reader in self._deadlines.take_due(now):
            text = "the deadline passed before a quorum confirmed the read"
            reader.finish(Denied(Reason.DEADLINE, Outcome.NOT_APPLIED, text))

    def _no_round(self, failure: Failure) -> Denied:
        text, retry_ms = f"no quorum confirmed the read: {failure.value}", self._limits.retry_ms
        return Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, text, retry_after_ms=retry_ms)
