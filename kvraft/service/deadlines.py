"""How long a call may take: the client's deadline, bounded, less what the answer needs to travel."""

from kvraft.core.errors import Outcome, Reason
from kvraft.service.errors import CallError
from kvraft.service.limits import ServiceLimits


def answer_by(now: float, remaining: float | None, limits: ServiceLimits) -> float:
    """Return the moment (in the clock of `now`) by which the node must have answered.

    `remaining` is the seconds the client left, None where it left no deadline. Raises CallError
    (NOT_APPLIED) where nothing is left: what is not begun must not be begun.
    """
    allowed = limits.deadline_ms / 1000
    if remaining is not None:
        allowed = min(remaining, limits.deadline_max_ms / 1000)
    if allowed <= 0:
        text = "the deadline had passed when the call arrived"
        raise CallError(Reason.DEADLINE, Outcome.NOT_APPLIED, text)
    early = min(limits.answer_early_ms / 1000, allowed * limits.answer_early_part)
    return now + allowed - early
