"""Callers by their deadline: each hears exactly once, and only those that are due are looked at.

Imports: nothing. Buckets of one poll's length, so that a poll with 20,000 waiting costs nothing.
"""

import math
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

BUCKETS_PER_S = 50
"""A bucket spans 20 ms, the pause between two polls: nobody hears sooner than asked, and at most
that much later."""


class Dated(Protocol):
    """Something with a deadline, in seconds of the node's monotonic clock."""

    @property
    def deadline(self) -> float:
        """Must not change while it waits."""
        ...


T = TypeVar("T")
D = TypeVar("D", bound=Dated)


class Caller(Generic[T]):
    """Somebody who waits for one word."""

    __slots__ = ("_done", "deadline")

    def __init__(self, deadline: float, done: Callable[[T], None]) -> None:
        self.deadline = deadline
        self._done: Callable[[T], None] | None = done

    @property
    def waits(self) -> bool:
        """Whether nothing was told yet."""
        return self._done is not None

    def finish(self, outcome: T) -> None:
        """Tell `outcome`, unless something was told before."""
        done, self._done = self._done, None
        if done is not None:
            done(outcome)


class Deadlines(Generic[D]):
    """Who waits, by deadline; in the order of arrival inside one bucket."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[D, None]] = {}
        self._first = math.inf
        """No bucket is below it; it may be too low after a discard."""

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def add(self, waiting: D) -> None:
        """Watch this deadline; an infinite one never comes."""
        if waiting.deadline == math.inf:
            return
        key = math.ceil(waiting.deadline * BUCKETS_PER_S)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = {}
            self._first = min(self._first, key)
        bucket[waiting] = None

    def discard(self, waiting: D) -> None:
        """Watch it no more; harmless where it is not watched."""
        if waiting.deadline == math.inf:
            return
        key = math.ceil(waiting.deadline * BUCKETS_PER_S)
        bucket = self._buckets.get(key)
        if bucket is None:
            return
        bucket.pop(waiting, None)
        if not bucket:
            del self._buckets[key]

    def take_due(self, now: float) -> list[D]:
        """Return, and forget, everybody whose deadline has passed."""
        passed = now * BUCKETS_PER_S
        if passed < self._first:
            return []
        keys = sorted(key for key in self._buckets if key <= passed)
        due = [waiting for key in keys for waiting in self._buckets.pop(key)]
        self._first = min(self._buckets, default=math.inf)
        return due
