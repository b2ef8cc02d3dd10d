"""How long a call may take: the client's deadline, bounded, less the time an answer travels."""

from kvraft.core.errors import Outcome, Reason
from kvraft.service.errors import CallError
from kvraft.service.limits import ServiceLimits


def answer_by(
    now: float, remaining: float | None, limits: ServiceLimits, *, longest_ms: int | None = None
) -> float:
    """Return the moment (in the clock of `now`) by which the node must have answered.

    `remaining` is the seconds the client left, None where it left no deadline; `longest_ms` (else
    `deadline_max_ms`) bounds them. Raises CallError (NOT_APPLIED) where nothing is left: what is
    not begun must not be begun.
    """
    allowed = limits.deadline_ms / 1000
    if remaining is not None:
        left = remaining * (1 - limits.wire_rounding_part)
        allowed = min(left, (longest_ms or limits.deadline_max_ms) / 1000)
    if allowed <= 0:
        text = "the deadline had passed when the call arrived"
        raise CallError(Reason.DEADLINE, Outcome.NOT_APPLIED, text)
    early = min(limits.answer_early_ms / 1000, allowed * limits.answer_early_part)
    return now + allowed - early
