"""The keys as they would be: the live ones, seen through what a transaction has staged.

Imports: sortedcontainers, core keyspace. The live keys do not change meanwhile.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge

from sortedcontainers import SortedList

from kvraft.core.keyspace import Keyspace, Record


class Overlay:
    """What is staged, by key."""

    __slots__ = ("_added", "_live", "_removed", "_staged", "_written")

    def __init__(self, live: Keyspace) -> None:
        self._live = live
        self._staged: dict[bytes, Record | None] = {}
        self._written: list[bytes] = []  # staged one by one, in order of keys
        self._added: list[bytes] = []  # of these, those that are not live, in order
        self._removed = SortedList()  # live keys that are staged as deleted

    def get(self, key: bytes) -> Record | None:
        """Return a key's record; None if absent."""
        if key in self._staged:
            return self._staged[key]
        return self._live.get(key)

    def count(self, start: bytes, end: bytes | None) -> int:
        """Count start <= key < end, in O(log n)."""
        low: int = self._removed.bisect_left(start)
        high: int = len(self._removed) if end is None else self._removed.bisect_left(end)
        added = _count(self._added, start, end)
        return self._live.count(start, end) + added - max(0, high - low)

    def keys(self, start: bytes, end: bytes | None) -> Iterator[bytes]:
        """Iterate over start <= key < end, those that are staged as deleted included."""
        low = bisect_left(self._added, start)
        high = len(self._added) if end is None else bisect_left(self._added, end)
        return merge(self._live.between(start, end), self._added[low:high])

    def is_written(self, key: bytes) -> bool:
        """Tell whether a key is staged already, to be written or deleted."""
        return key in self._staged

    def holds_written(self, start: bytes, end: bytes | None) -> bool:
        """Tell whether a key that was staged by itself (not by a range) lies in a range."""
        return _count(self._written, start, end) > 0

    def stage(self, key: bytes, record: Record | None, before: Record | None) -> None:
        """Note one key that is not staged yet; `before` is the live record."""
        self._staged[key] = record
        insort(self._written, key)
        if before is None:
            insort(self._added, key)
        elif record is None:
            self._removed.add(key)

    def stage_removed(self, keys: list[bytes]) -> None:
        """Note live keys that a range deletes."""
        self._staged.update(dict.fromkeys(keys))
        self._removed.update(keys)


def _count(keys: list[bytes], start: bytes, end: bytes | None) -> int:
    high = len(keys) if end is None else bisect_left(keys, end)
    return max(0, high - bisect_left(keys, start))
