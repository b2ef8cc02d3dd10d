"""Whether and when to try again: by outcome first, then by time and budget.

Back-off with full jitter after Brooker 2015, "Exponential Backoff And Jitter" (AWS Architecture
Blog): the wait is uniform in [0, bound], and the bound doubles.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kvraft_client.policy.endpoints import Endpoints
from kvraft_client.policy.failure import Effect, Failure, Outcome


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """The bounds of retrying, in seconds."""

    first_s: float = 0.02
    """Bound of the first wait: a round trip or two."""
    max_s: float = 0.2
    """Bound of every later wait: below the time an election takes, so that its end is noticed."""
    probe_s: float = 1.0
    """How long connecting to one endpoint, and its first word, may take."""
    attempt_s: float = 1.5
    """How long one attempt of what may be repeated may take: a node without a quorum answers
    within 1.1 s, so one that is silent for longer is not worth waiting for."""
    reserve_s: float = 0.1
    """A mutation that was refused is not sent again with less time than this, or a tenth of its
    timeout: a definite refusal is worth more than an answer that may come too late."""
    rounds_free: int = 16
    rounds_per_s: float = 10.0
    """Budget of waits a call: 16 and 10 for each second of its timeout. Full jitter alone would
    let one unlucky caller ask hundreds of times a second."""


_RETRYABLE = frozenset(
    {
        "NO_QUORUM",
        "NOT_LEADER",
        "SHUTTING_DOWN",
        "OVERLOAD",
        "DEADLINE",
        "UNKNOWN_RESULT",
        "CORRUPT",
    }
    | {"FUTURE"}  # a `min_revision` that this node has not reached; it, or another, will
)
_RETRYABLE_CODES = frozenset(
    {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN", "ABORTED", "DATA_LOSS"}
)
_ELSEWHERE = frozenset({"NO_QUORUM", "NOT_LEADER", "SHUTTING_DOWN", "CORRUPT", "FUTURE"})


def may_retry(failure: Failure, effect: Effect) -> bool:
    """Whether sending the request again is safe and may help."""
    if effect is Effect.MUTATION and failure.outcome_of(effect) is Outcome.UNKNOWN:
        return False
    if not failure.sent:
        return True
    if failure.reason is not None:
        # NO_SPACE ends only when somebody deletes: only the store can say that waiting helps.
        return failure.reason in _RETRYABLE or failure.retry_after_ms is not None
    return failure.code in _RETRYABLE_CODES


class Attempts:
    """One call's attempts, from the first endpoint to the answer or the last error."""

    def __init__(
        self, effect: Effect, now: float, timeout_s: float, settings: RetrySettings
    ) -> None:
        """Begin a call at `now` that must end by `now + timeout_s`."""
        self.effect = effect
        self.deadline = now + timeout_s
        self.last: Failure | None = None
        """The failure to report: the store's own word rather than a connection's."""
        self._maybe_applied = False
        self._settings = settings
        self._reserve_s = min(settings.reserve_s, timeout_s / 10)
        self._tried: list[str] = []
        self._waits = 0
        self._budget = settings.rounds_free + int(settings.rounds_per_s * timeout_s)

    @property
    def outcome(self) -> Outcome:
        """What the failed call as a whole means: UNKNOWN if any attempt may have been applied."""
        return Outcome.UNKNOWN if self._maybe_applied else Outcome.NOT_APPLIED

    def endpoint(self, endpoints: Endpoints, now: float) -> str:
        """Return whom to ask now: somebody not asked in this round."""
        chosen = endpoints.choose(now, self._tried)
        if chosen is None:
            self._tried.clear()
            chosen = endpoints.choose(now)
        if chosen is None:  # there is at least one endpoint
            raise AssertionError("no endpoint")
        return chosen

    def probe_limit(self, now: float) -> float:
        """Seconds that connecting to the endpoint may take."""
        return max(0.0, min(self.deadline - now, self._settings.probe_s))

    def limit(self, now: float) -> float:
        """Seconds that the attempt may take.

        A mutation gets all that is left: once it is out, giving up early only makes an UNKNOWN.
        0: too little is left to send anything.
        """
        left = max(0.0, self.deadline - now)
        if self.effect is Effect.MUTATION:
            return 0.0 if self.last is not None and left < self._reserve_s else left
        return min(left, self._settings.attempt_s)

    def failed(
        self, failure: Failure, endpoints: Endpoints, now: float, random: Callable[[], float]
    ) -> float | None:
        """Take a failed attempt; return the seconds to wait before the next, None: give up."""
        self._learn(failure, endpoints, now, random)
        self._maybe_applied |= failure.outcome_of(self.effect) is Outcome.UNKNOWN
        if failure.reason is not None or self.last is None or self.last.reason is None:
            self.last = failure
        if not may_retry(failure, self.effect):
            self.last = failure
            # A refusal of what may be repeated speaks for the attempts before it as well.
            self._maybe_applied = failure.outcome_of(self.effect) is Outcome.UNKNOWN
            return None
        if failure.endpoint not in self._tried:
            self._tried.append(failure.endpoint)
        if self._goes_elsewhere(failure) and len(self._tried) < len(endpoints.addresses):
            wait = 0.0
        else:
            wait = self._back_off(failure, random)
        reserve_s = self._reserve_s if self.effect is Effect.MUTATION else 0.0
        if self._waits > self._budget or now + wait + reserve_s >= self.deadline:
            return None
        return wait

    def _goes_elsewhere(self, failure: Failure) -> bool:
        """Whether another endpoint may do at once what this one did not."""
        return failure.reason is None or failure.reason in _ELSEWHERE

    def _back_off(self, failure: Failure, random: Callable[[], float]) -> float:
        bound = min(self._settings.max_s, self._settings.first_s * 2.0 ** min(self._waits, 10))
        self._waits += 1
        self._tried.clear()
        wait = bound * random()
        return max(wait, (failure.retry_after_ms or 0) / 1_000)

    @staticmethod
    def _learn(
        failure: Failure, endpoints: Endpoints, now: float, random: Callable[[], float]
    ) -> None:
        if failure.reason is None:
            endpoints.failed(failure.endpoint, now, random())
            return
        endpoints.heard(failure.endpoint, now)
        if failure.reason in _ELSEWHERE:
            endpoints.refused(failure.endpoint, failure.leader)
