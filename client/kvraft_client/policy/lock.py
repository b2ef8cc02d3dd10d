"""One acquisition, from the first request to its end: what an answer means, how long to go on.

Sans-I/O. An acquisition is known by a key: asked again with it, from any node, the store tells of
the same place. A place may go without this side having given it up (nobody attended it during an
outage, its lease ran out, the node that followed it saw the stream break and withdrew it); it is
then asked for anew, with another key, at the end of the queue.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

ATTACH_S = 10.0
"""The store's `attach_ms`: a grant that is not confirmed within it is taken back."""
ATTACH_MARGIN_S = 0.5
"""Given up of it, for clocks of different rates."""
CONFIRM_AFTER_S = 4.0
"""How long a grant goes unconfirmed: a short hold then costs two entries of the log, not three.
It leaves 5.5 s to try in, which is more than an election, or a busy loop, takes."""
RELEASE_GIVE_UP_S = 60.0
"""How long a release is tried again in the background before its lease is given up instead."""


class Phase(StrEnum):
    """Where an acquisition stands. LOST and RELEASED are final."""

    ASKING = "ASKING"
    QUEUED = "QUEUED"
    GRANTED = "GRANTED"
    """Held; the store has not heard yet that this side knows."""
    CONFIRMED = "CONFIRMED"
    LOST = "LOST"
    RELEASED = "RELEASED"


class Ending(StrEnum):
    """Why the store says that a place is gone."""

    RELEASED = "RELEASED"
    TIMED_OUT = "TIMED_OUT"
    UNATTENDED = "UNATTENDED"
    LEASE_EXPIRED = "LEASE_EXPIRED"
    LEASE_REVOKED = "LEASE_REVOKED"


@dataclass(frozen=True, slots=True)
class Queued:
    """The place waits; `position` others are ahead."""

    place: int
    position: int
    holders: tuple[int, ...]
    """Tokens that are in the way, the first few."""
    lease_id: int


@dataclass(frozen=True, slots=True)
class Granted:
    """The place holds: a token for each lock."""

    place: int
    fences: tuple[tuple[bytes, int], ...]
    lease_id: int


Standing = Queued | Granted | Ending
"""What the store says of a place."""


class Step(Enum):
    """What to do next."""

    FOLLOW = "follow"
    """Wait for news of the place."""
    HOLD = "hold"
    """It is had."""
    ASK_AGAIN = "ask again"
    """The place is gone, through nobody's decision: ask with another key."""
    TIMED_OUT = "timed out"
    """The wait is over."""
    LEASE_OVER = "lease over"
    """The lease that was to carry it is no more."""


class Acquisition:
    """One acquisition by one caller. `now` is in seconds of one clock that counts suspends."""

    def __init__(
        self, now: float, *, wait_s: float | None, patience_s: float, own_ttl_s: float | None
    ) -> None:
        """Begin at `now`; `patience_s`: how long to wait for any answer besides `wait_s`.

        `own_ttl_s`: of the lease of its own, if it has one.
        """
        self.phase = Phase.ASKING
        self._wait_until = None if wait_s is None else now + wait_s
        self._is_try = wait_s == 0
        self._patience_s = patience_s
        self._own_ttl_s = own_ttl_s
        self._not_before = now
        self._known_at = now
        self._begun = now

    # -- waiting

    def wait_ms(self, now: float) -> int | None:
        """Return what is left of the wait, as it is sent; None: no limit."""
        if self._wait_until is None:
            return None
        return max(0, round((self._wait_until - now) * 1_000))

    def limit_s(self, now: float) -> float | None:
        """Return the seconds until this side gives up; None: never, while there is a place.

        The store ends a wait that it knows of, so there is some patience for its word.
        """
        asked_until = self._begun + self._patience_s
        if self._wait_until is None:
            return asked_until - now if self.phase is Phase.ASKING else None
        if self.phase is Phase.ASKING:
            return max(self._wait_until, asked_until) - now
        return self._wait_until + self._patience_s - now

    def may_ask_again(self, now: float) -> bool:
        """Whether there is time for another place."""
        if self._wait_until is None:
            return True
        return now < self._wait_until + (self._patience_s if self._is_try else 0.0)

    def asks_again(self, now: float) -> None:
        """Another place is asked for, with another key."""
        self.phase = Phase.ASKING
        self._begun = self._not_before = now

    # -- the store's word

    def answered(self, standing: Standing, sent_at: float, now: float) -> Step:
        """Take the first answer to a request sent at `sent_at`, or a later one on its stream.

        `sent_at` is the earliest time at which its effect may have been.
        """
        if isinstance(standing, Queued):
            self.phase = Phase.QUEUED
            self._not_before = max(self._not_before, sent_at)
            return Step.FOLLOW
        if isinstance(standing, Granted):
            if self.phase is Phase.ASKING:
                self._not_before = max(self._not_before, sent_at)
            self.phase, self._known_at = Phase.GRANTED, now
            return Step.HOLD
        if standing is Ending.TIMED_OUT:
            return Step.TIMED_OUT
        if standing is Ending.LEASE_REVOKED:
            return Step.LEASE_OVER
        if standing is Ending.LEASE_EXPIRED and self._own_ttl_s is None:
            return Step.LEASE_OVER
        return Step.ASK_AGAIN

    # -- holding

    def confirm_by(self, renewed_at: float | None) -> float:
        """Return until when the grant stands for sure, unless it is confirmed.

        It was made after `_not_before`, when the place was still queued or unknown. A renewal of
        its own lease, acknowledged and sent at `renewed_at`, came before it or has confirmed it.
        """
        return self._surely_since(renewed_at) + ATTACH_S - ATTACH_MARGIN_S

    @property
    def needs_confirm(self) -> bool:
        """Whether it must be confirmed if it is held for long.

        Not where a lease of its own does it: renewed it confirms, else it is lost no later.
        """
        return self._own_ttl_s is None or self._own_ttl_s > ATTACH_S

    def confirm_in_s(self, now: float, renewed_at: float | None) -> float:
        """Return the seconds until it is to be confirmed."""
        return max(0.0, self._surely_since(renewed_at) + CONFIRM_AFTER_S - now)

    def renewed(self, renewed_at: float | None) -> None:
        """Take note of a renewal of its own lease, sent at `renewed_at` and acknowledged."""
        if renewed_at is not None and renewed_at > self._known_at:  # sent when it was granted
            self.confirmed()

    def _surely_since(self, renewed_at: float | None) -> float:
        return self._not_before if renewed_at is None else max(self._not_before, renewed_at)

    def confirmed(self) -> None:
        """Note that the store knows that this side knows."""
        if self.phase is Phase.GRANTED:
            self.phase = Phase.CONFIRMED

    def lost(self) -> bool:
        """Take note that it is held no more; return whether it was held until now."""
        was_held = self.is_held
        if was_held:
            self.phase = Phase.LOST
        return was_held

    def released(self) -> bool:
        """Give it up; return whether it was held until now."""
        was_held = self.is_held
        if self.phase is not Phase.LOST:
            self.phase = Phase.RELEASED
        return was_held

    @property
    def is_held(self) -> bool:
        """Whether it is had, as far as was heard."""
        return self.phase in (Phase.GRANTED, Phase.CONFIRMED)


class Releasing:
    """A release that got no answer: when to try it again, and when to give up the lease instead."""

    FIRST_S, MAX_S = 0.1, 2.0

    def __init__(self, now: float) -> None:
        """Begin at the first failure."""
        self._until = now + RELEASE_GIVE_UP_S
        self._tries = 0

    def pause_s(self, now: float, uniform: float) -> float | None:
        """Return the seconds until the next try, with full jitter; None: give up."""
        if now >= self._until:
            return None
        bound = min(self.MAX_S, self.FIRST_S * 2.0 ** min(self._tries, 10))
        self._tries += 1
        return bound * (0.5 + uniform / 2)
