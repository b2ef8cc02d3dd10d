"""Whether and when to try again: by outcome first, then by time and budget.

Back-off with full jitter after Brooker 2015, "Exponential Backoff And Jitter" (AWS Architecture
Blog): the wait is uniform in [0, bound], and the bound doubles.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kvraft_client.policy.budget import OWN_TRIES, RetryBudget
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
    resend_s: float = 300.0
    """An identity is not sent again later than this after it was first sent: half the time for
    which the store keeps the outcome of an idempotency key (RULES B5)."""

    def attempt_limit(self, effect: Effect, left_s: float) -> float:
        """Return the seconds that an attempt may take, of those that are left.

        A mutation without identity gets them all: once it is out, giving up early only makes an
        UNKNOWN.
        """
        if effect is Effect.MUTATION or left_s < self.attempt_s:
            return left_s
        return self.attempt_s


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
)
"""Not FUTURE: a node says so behind a read barrier, so no other node is any further."""
_RETRYABLE_CODES = frozenset(
    {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN", "ABORTED", "DATA_LOSS"}
)
_SETTLED = frozenset(
    {
        "TOO_LARGE",
        "TTL_OUT_OF_RANGE",
        "TOO_MANY_ENTRIES",
        "LEASE_NOT_FOUND",
        "LEASE_EXISTS",
        "LEASE_FULL",
        "TOO_MANY_LEASES",
        "INVARIANT",
        "WRONG_TYPE",
        "TOO_MANY_INVARIANTS",
        "MEMBER_UNKNOWN",
        "KEY_REUSED",
        "ABANDONED",
        "STALE_FENCE",
        "FENCE_REQUIRED",
        "DEADLOCK",
        "ALREADY_HELD",
        "LOCK_MODE",
        "LOCK_NOT_FOUND",
        "TOO_MANY_WAITERS",
        "TOO_MANY_LOCKS",
        "TOO_MANY_GUARDS",
    }
)
"""What the state says of an identity, whichever copy of the request it answers; any other refusal
is about one copy only, and leaves open what became of those before it."""
_ELSEWHERE = frozenset({"NO_QUORUM", "NOT_LEADER", "SHUTTING_DOWN", "CORRUPT"})


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
        self,
        effect: Effect,
        now: float,
        timeout_s: float,
        settings: RetrySettings,
        *,
        shared: RetryBudget | None = None,
    ) -> None:
        """Begin a call at `now` that must end by `now + timeout_s`; `shared` paces its retries."""
        self.effect = effect
        self.deadline = now + timeout_s
        self.last: Failure | None = None
        """The failure to report: the store's own word rather than a connection's."""
        self._maybe_applied = False
        self._settings = settings
        self._reserve_s = min(settings.reserve_s, timeout_s / 10)
        self._tried: list[str] = []
        self._failures = 0
        self._waits = 0
        self._budget = settings.rounds_free + int(settings.rounds_per_s * timeout_s)
        self._shared = shared
        self.maybe_applied_at: float | None = None
        """When the first attempt was sent after which nobody knew the outcome."""
        self._first_sent_at: float | None = None
        self._sent_at = now

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

        0: too little is left to send anything, or it is too late to repeat it.
        """
        left = max(0.0, self.deadline - now)
        self._sent_at = now
        if self._is_mutation and self.last is not None and left < self._reserve_s:
            return 0.0
        if self.effect is Effect.IDENTIFIED:
            if self._first_sent_at is None:
                self._first_sent_at = now
            if self._is_too_late(now):
                return 0.0
        return self._settings.attempt_limit(self.effect, left)

    def _is_too_late(self, now: float) -> bool:
        """Whether the store may have forgotten the identity by the time a copy comes."""
        first = self._first_sent_at
        return first is not None and now - first > self._settings.resend_s

    @property
    def _is_mutation(self) -> bool:
        return self.effect in (Effect.MUTATION, Effect.IDENTIFIED)

    def failed(
        self, failure: Failure, endpoints: Endpoints, now: float, random: Callable[[], float]
    ) -> float | None:
        """Take a failed attempt; return the seconds to wait before the next, None: give up."""
        self._learn(failure, endpoints, now, random)
        before = self._maybe_applied
        if failure.outcome_of(self.effect) is Outcome.UNKNOWN:
            self._maybe_applied = True
            if self.maybe_applied_at is None:
                self.maybe_applied_at = self._sent_at
        if failure.reason is not None or self.last is None or self.last.reason is None:
            self.last = failure
        if not may_retry(failure, self.effect):
            self.last = failure
            self._maybe_applied = self._stays_unknown(failure, before=before)
            return None
        if failure.endpoint not in self._tried:
            self._tried.append(failure.endpoint)
        if self._goes_elsewhere(failure) and len(self._tried) < len(endpoints.addresses):
            wait = 0.0
        else:
            wait = self._back_off(failure, random)
        self._failures += 1
        if self._shared is not None and (
            self._failures > OWN_TRIES or failure.reason == "OVERLOAD"
        ):
            wait = max(wait, self._shared.take(now))
        reserve_s = self._reserve_s if self._is_mutation else 0.0
        if self._waits > self._budget or now + wait + reserve_s >= self.deadline:
            return None
        if self._is_too_late(now + wait):
            return None
        return wait

    def _stays_unknown(self, failure: Failure, *, before: bool) -> bool:
        """Whether the effect is unknown after a final refusal; `before`: it was before that."""
        unknown = failure.outcome_of(self.effect) is Outcome.UNKNOWN
        if self.effect is not Effect.IDENTIFIED:
            # A refusal of what may be repeated speaks for the attempts before it as well.
            return unknown
        if failure.reason == "SESSION_EXPIRED":
            # Of the first copy that can have arrived: it was not done (RULES I5).
            return before
        return unknown or (before and failure.reason not in _SETTLED)

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


CONFLICT_FIRST_S = 0.002
"""Bound of the first pause after a conflict: about one write by the other side."""
CONFLICT_MAX_S = 0.25
"""... and of every later one: whoever lost seven times in a row meets a crowd."""


def conflict_pause(conflicts: int, uniform: float) -> float:
    """Return the seconds to wait after so many conflicts before this one, with full jitter."""
    return min(CONFLICT_MAX_S, CONFLICT_FIRST_S * 2.0 ** min(conflicts, 10)) * uniform
