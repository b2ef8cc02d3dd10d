"""Leadership handed over on request; whoever asked hears by its deadline.

Imports: core, the consensus port. Consensus bounds a transfer by one election timeout; a caller
that waits less long must still hear in time.
"""

from kvraft.consensus.port import Consensus
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.deadlines import Caller, Deadlines
from kvraft.replica.outcomes import BarrierDone, Denied


class Handover:
    """Callers that wait for another node to lead."""

    def __init__(self, consensus: Consensus) -> None:
        self._consensus = consensus
        self._deadlines: Deadlines[Caller[Denied | None]] = Deadlines()

    def start(self, to: str | None, deadline: float, done: BarrierDone) -> None:
        """Hand leadership to `to`, or to the most caught-up peer; a refusal is NOT_APPLIED."""
        caller: Caller[Denied | None] = Caller(deadline, done)
        self._deadlines.add(caller)

        def finished(why_not: str | None) -> None:
            self._deadlines.discard(caller)
            caller.finish(None if why_not is None else _refused(why_not))

        self._consensus.transfer_leadership(to, finished)

    def expire(self, now: float) -> None:
        """Answer whoever's deadline has passed; the transfer goes on, so that is UNKNOWN."""
        for caller in self._deadlines.take_due(now):
            text = "the deadline passed before another node led; one may yet"
            caller.finish(Denied(Reason.DEADLINE, Outcome.UNKNOWN, text))


def _refused(why_not: str) -> Denied:
    return Denied(Reason.NOT_LEADER, Outcome.NOT_APPLIED, why_not)
