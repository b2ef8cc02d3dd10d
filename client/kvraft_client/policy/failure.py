"""One failed attempt, and what it says about the effect of the call."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Outcome(StrEnum):
    """What an error says about the effect of the call that raised it."""

    NOT_APPLIED = "NOT_APPLIED"
    UNKNOWN = "UNKNOWN"


class Effect(Enum):
    """What a method does, as far as trying it again is concerned."""

    READ = "read"
    """Changes nothing."""
    REPEATABLE = "repeatable"
    """Changes something, and doing it twice equals doing it once (a keepalive)."""
    MUTATION = "mutation"
    """Must not be done twice; without an identity it is never sent again once it may be out."""
    IDENTIFIED = "identified"
    """A mutation that carries an identity: however often it is sent, it is done at most once."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one attempt gave no answer."""

    code: str
    """The gRPC status code's name."""
    message: str
    endpoint: str
    sent: bool
    """Whether the request itself may have left this process (a probe before it does not count)."""
    reason: str | None = None
    """From ErrorInfo; None: the answer is not the store's own word."""
    outcome: Outcome | None = None
    """From ErrorInfo; None: the answer is not the store's own word."""
    leader: str | None = None
    """The leader's name, where the store gave it."""
    retry_after_ms: int | None = None
    limit: str | None = None
    actual: str | None = None
    oldest_revision: int | None = None
    """Of COMPACTED: what is still kept."""

    def outcome_of(self, effect: Effect) -> Outcome:
        """Say what this failure means for a call of that effect (RULES I12).

        Anything that is not the store's own word is UNKNOWN, unless nothing was sent.
        """
        if effect is Effect.READ or not self.sent:
            return Outcome.NOT_APPLIED
        return self.outcome or Outcome.UNKNOWN
