"""What all retries of one client share, so that an outage is not answered by a flood."""

OWN_TRIES = 8
"""Retries that a call has of its own, unless the store is overloaded: what an election takes. Its
back-off spreads them over a second, and a client has no more calls than its callers begin."""
BURST = 500
"""Retries beyond those, at once: of 64 callers eight more."""
PER_SECOND = 200.0
"""... and in the long run. Retries above it wait for their turn; they do not fail for it."""


class RetryBudget:
    """A token bucket that paces: each retry takes a token, and waits until there is one."""

    def __init__(self, burst: float = BURST, per_second: float = PER_SECOND) -> None:
        """Begin with a full bucket."""
        self._burst, self._per_second = burst, per_second
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take a token; return the seconds until it is there."""
        if self._at is not None and now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now if self._at is None else max(self._at, now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._per_second)
