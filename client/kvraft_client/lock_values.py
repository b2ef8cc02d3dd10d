"""What the client says about locks, guards and contention: frozen values.

Imports: the standard library only.
"""

from dataclasses import dataclass
from typing import Literal

Mode = Literal["exclusive", "shared", "counted"]


@dataclass(frozen=True, slots=True)
class LockPlace:
    """One that holds a lock, or waits for it."""

    place: int
    """Lower numbers were there first."""
    owner: bytes
    """The task that asked, as its client named it; may be empty."""
    lease_id: int
    mode: Mode
    token: int
    """0: it waits."""
    age_s: float
    """Since the grant or, of one that waits, since it came; in cluster time."""


@dataclass(frozen=True, slots=True)
class LockDescription:
    """A lock in use; where there are many, the first few of `holders` and `waiters`."""

    name: bytes
    capacity: int
    holders: tuple[LockPlace, ...]
    waiters: tuple[LockPlace, ...]
    holder_count: int
    waiter_count: int


@dataclass(frozen=True, slots=True)
class Guard:
    """A prefix under which nothing is written without a fence; of several the longest decides."""

    prefix: bytes
    lock: bytes | None
    """Whose exclusive holder's fence it takes; None: that of the lock named like the key."""

    @property
    def per_key(self) -> bool:
        """Whether each key has the lock of its own name."""
        return self.lock is None


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values fell into each bucket: in bucket i, values <= bounds[i]; then the rest."""

    bounds: tuple[int, ...]
    counts: tuple[int, ...]
    total: int
    """Sum of the values."""

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> int | None:
        """Return the bound of the bucket of that share (0.5: the median); None: no values.

        Of values above the last bound, that bound.
        """
        left = share * self.count
        for index, count in enumerate(self.counts):
            left -= count
            if count and left <= 0:
                return self.bounds[min(index, len(self.bounds) - 1)]
        return None


@dataclass(frozen=True, slots=True)
class KeyContention:
    """Conditional writes of a key, and how many of them were in vain."""

    key: bytes
    attempts: int
    conflicts: int
    error: int
    """How much too high the figures may be: memory is bounded (space-saving)."""


@dataclass(frozen=True, slots=True)
class LockContention:
    """What became of the acquisitions of a lock."""

    name: bytes
    grants: int
    waits: int
    """Grants that had to wait."""
    abandoned: int
    """Waits that ended without a grant."""
    wait_ms: Histogram
    hold_ms: Histogram
    queue_length: int
    overheld: int
    """Holders that held, or hold, for longer than their `max_hold`."""
    holders: tuple[LockPlace, ...]
    blockers: tuple[str, ...]
    """Who blocks whom, from the first waiter on."""
    error: int


@dataclass(frozen=True, slots=True)
class Contention:
    """Where callers collide, as one node saw it since it started."""

    node: str
    keys: tuple[KeyContention, ...]
    """By conflicts."""
    locks: tuple[LockContention, ...]
    """By time waited."""


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads, as it said itself."""

    candidate: str
    token: int
    """Of its lock: larger than that of any leader before."""
    revision: int
    """Of its word."""
