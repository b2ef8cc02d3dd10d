"""The heaviest of many things, counted in bounded memory (Metwally and others, "space-saving").

Imports: nothing. Where all rows are taken, a newcomer takes the place of the lightest, and begins
with its weight: no weight is ever too low, and `error` says how much too high it may be.
"""

import heapq
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar


class Row(Protocol):
    """What is kept of one thing."""

    weight: int
    error: int


R = TypeVar("R", bound=Row)


class SpaceSaving(Generic[R]):
    """At most `size` rows, by key."""

    def __init__(self, size: int, new: Callable[[], R]) -> None:
        self._size = size
        self._new = new
        self._rows: dict[bytes, R] = {}
        self._heap: list[tuple[int, bytes]] = []
        """Each row once, with a weight that it had: never more than it has."""

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[bytes, R]]:
        return iter(self._rows.items())

    def get(self, key: bytes) -> R | None:
        """Return the row of a thing that is kept."""
        return self._rows.get(key)

    def add(self, key: bytes, weight: int) -> R | None:
        """Count `weight` for a thing; None where it weighs nothing and there is no room for it."""
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= self._size:
                if not weight:
                    return None
                row = self._replaced(key)
            else:
                row = self._new()
                heapq.heappush(self._heap, (0, key))
            self._rows[key] = row
        row.weight += weight
        return row

    def _replaced(self, key: bytes) -> R:
        """Return a row in the place of the lightest; a row is moved at most as it grew."""
        while True:
            known, lightest = self._heap[0]
            weight = self._rows[lightest].weight
            if weight == known:
                break
            heapq.heapreplace(self._heap, (weight, lightest))
        del self._rows[lightest]
        row = self._new()
        row.weight = row.error = weight
        heapq.heapreplace(self._heap, (weight, key))
        return row
