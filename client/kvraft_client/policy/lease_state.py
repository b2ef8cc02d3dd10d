"""Whether this process may still act on its lease, by its own clock alone.

The store counts a TTL from when it applied the last grant or keepalive, which is later than when
this process sent it. So this side counts from the sending of the last *acknowledged* one, and
gives up a margin for clocks of different rates: it always stops before the store does.
"""

from enum import StrEnum

MARGIN_SHARE = 0.05
"""Share of the TTL given up: more than the 1 % clock rate error of the contract."""
MARGIN_MIN_S = 0.05
"""... and at least this: scheduling of a loaded machine."""
RENEWALS_PER_TTL = 3
"""A renewal is due every TTL/3, so that two may fail (etcd's clients do the same)."""
MISSED_SHARE = 0.5
"""A renewal due at TTL/3 counts as missed when it is not acknowledged by TTL/2."""
RETRY_SHARE = 1 / 20
"""Share of the TTL to wait before a failed renewal is tried again, and at most this: """
RETRY_MAX_S = 0.5


class LeaseState(StrEnum):
    """SAFE -> JEOPARDY -> LOST; JEOPARDY may return to SAFE, LOST is final."""

    SAFE = "SAFE"
    """Renewed in time."""
    JEOPARDY = "JEOPARDY"
    """A renewal was missed; the lease still holds, for now."""
    LOST = "LOST"
    """The deadline passed, or the store said so."""


class LeaseClock:
    """The state of one lease. `now` and `sent_at` are seconds of one clock that counts suspends."""

    def __init__(self, ttl_s: float, sent_at: float) -> None:
        """Begin with a grant that was sent at `sent_at` and acknowledged."""
        self._ttl_s = ttl_s
        self._renewed_at = sent_at
        self._lost = False
        self._retry_at: float | None = None

    @property
    def renewed_at(self) -> float:
        """When the last renewal that was acknowledged was sent."""
        return self._renewed_at

    @property
    def deadline(self) -> float:
        """When the lease is LOST unless a renewal is acknowledged before."""
        return self._renewed_at + self._ttl_s - max(MARGIN_SHARE * self._ttl_s, MARGIN_MIN_S)

    @property
    def attempt_s(self) -> float:
        """Seconds one attempt to renew may take, so that a black hole leaves time for others."""
        return self._ttl_s / 6

    def state(self, now: float) -> LeaseState:
        """Return the state at `now`; once LOST, always LOST."""
        if self._lost or now >= self.deadline:
            self._lost = True
            return LeaseState.LOST
        if now - self._renewed_at >= self._ttl_s * MISSED_SHARE:
            return LeaseState.JEOPARDY
        return LeaseState.SAFE

    def remaining_s(self, now: float) -> float:
        """Seconds until the deadline; 0 once LOST."""
        return 0.0 if self.state(now) is LeaseState.LOST else self.deadline - now

    def next_renewal(self) -> float:
        """When to send the next renewal; never later than the deadline."""
        due = self._renewed_at + self._ttl_s / RENEWALS_PER_TTL
        return min(self.deadline, due if self._retry_at is None else self._retry_at)

    def renewed(self, sent_at: float, ttl_s: float, now: float) -> None:
        """Take the acknowledgement of a renewal sent at `sent_at`; too late once LOST."""
        if self.state(now) is LeaseState.LOST:
            return
        if sent_at > self._renewed_at:
            self._renewed_at, self._ttl_s = sent_at, ttl_s
        self._retry_at = None

    def renewal_failed(self, now: float) -> None:
        """Plan the next attempt after one that gave no acknowledgement."""
        self._retry_at = now + min(RETRY_MAX_S, self._ttl_s * RETRY_SHARE)

    def ended(self) -> None:
        """Take the store's word that the lease is over, or that it was revoked."""
        self._lost = True
