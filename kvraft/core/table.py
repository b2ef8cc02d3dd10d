"""A sorted table that is frozen in O(1) and goes on changing: copy on write by before-images.

A view remembers, for each key that changes after the freeze, the record that stood there; whatever
it does not remember is still as it was. So live reads and writes stay at full speed, nothing has to
be merged back when a view ends, and a view costs what changed during it. (The same idea as the undo
records of an MVCC database; a stack of overlays would tax every read and leave tombstones.)

Imports: sortedcontainers, core limits. The invariant: a view's content never changes.
"""

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice
from typing import Generic, TypeVar

from sortedcontainers import SortedList, SortedSet

from kvraft.core.limits import TABLE_CHUNK_RECORDS

K = TypeVar("K", bytes, int)
V = TypeVar("V")


class _Records(dict[K, V]):
    """A dict that the collector never stops tracking.

    A full pass untracks a plain dict whose values are all untracked, and the next write makes it
    young again: three passes would then walk the whole table (60 to 100 ms each at 2,000,000 keys).
    A subclass grows old once, and what `gc.freeze` spared stays spared.
    """

    __slots__ = ()


class Table(Generic[K, V]):
    """Records by key, in key order. Records are immutable; None is not a record."""

    __slots__ = ("_keys", "_records", "_views", "discarded", "get")

    def __init__(self) -> None:
        # Records are plain tuples: the collector stops tracking them at its first look.
        self._records: dict[K, V] = _Records()
        self.get: Callable[[K], V | None] = self._records.get
        """Returns the record of a key; None if absent. The dict's own: the hottest call."""
        self._keys = SortedList()
        self._views: list[TableView[K, V]] = []
        self.discarded: list[dict[K, V | None]] = []

    def __len__(self) -> int:
        return len(self._records)

    def put(self, key: K, record: V) -> None:
        """Write a record."""
        records = self._records
        if self._views:
            old = records.get(key)
            for view in self._views:
                view.remember(key, old)
        if key not in records:
            self._keys.add(key)
        records[key] = record

    def remove(self, key: K) -> V:
        """Remove a record that is there, and return it."""
        record = self._records.pop(key)
        self._keys.remove(key)
        for view in self._views:
            view.remember_removed(key, record)
        return record

    def between(self, start: K, end: K | None) -> Iterator[K]:
        """Iterate over start <= key < end (None: no end); the table must not change meanwhile."""
        keys: Iterator[K] = self._keys.irange(start, end, inclusive=(True, False))
        return keys

    def count(self, start: K, end: K | None) -> int:
        """Count start <= key < end by position, in O(log n) whatever the range holds."""
        low: int = self._keys.bisect_left(start)
        high: int = len(self._keys) if end is None else self._keys.bisect_left(end)
        return max(0, high - low)

    def freeze(self) -> "TableView[K, V]":
        """Return a view of the table as it is now; release it when done."""
        view = TableView(self._records, self._keys)
        self._views.append(view)
        return view

    def release(self, view: "TableView[K, V]") -> None:
        """Stop keeping a view; what it remembered is freed by `discard`, in slices."""
        self._views.remove(view)
        self.discarded.append(view.forget())

    def discard(self, budget: int) -> None:
        """Free up to `budget` remembered records of released views."""
        while self.discarded and budget > 0:
            remembered = self.discarded[-1]
            for _ in range(min(budget, len(remembered))):
                remembered.popitem()
                budget -= 1
            if not remembered:
                self.discarded.pop()


class TableView(Generic[K, V]):
    """A table as it was when it was frozen."""

    __slots__ = ("_before", "_count", "_gone", "_keys", "_records")

    def __init__(self, records: dict[K, V], keys: SortedList) -> None:
        self._records: dict[K, V] = records
        self._keys = keys
        self._before: dict[K, V | None] = {}
        self._gone = SortedSet()  # keys of this view that left the live index since
        self._count = len(records)

    def __len__(self) -> int:
        return self._count

    def remember(self, key: K, old: V | None) -> None:
        """Keep what stood at `key`, unless it has changed before."""
        if key not in self._before:
            self._before[key] = old

    def remember_removed(self, key: K, old: V) -> None:
        """Keep a record that leaves, and its place in the order."""
        if self._before.setdefault(key, old) is not None:
            self._gone.add(key)

    def forget(self) -> dict[K, V | None]:
        """Give up what is remembered: the view must not be read any more."""
        before, self._before = self._before, {}
        self._gone = SortedSet()
        return before

    def chunks(self) -> Iterator[list[tuple[K, V]]]:
        """Yield the records in key order; the table may change between two chunks.

        A chunk is bounded by the keys looked at, so it may be empty while keys written since the
        freeze are skipped.
        """
        last: K | None = None
        while True:
            chunk: list[tuple[K, V]] = []
            before = last
            for key in self._following(before):
                if key == last:
                    continue  # gone, then written again: in both indexes
                last = key
                record = self._before[key] if key in self._before else self._records[key]
                if record is not None:
                    chunk.append((key, record))
            if last == before:
                return
            yield chunk

    def _following(self, key: K | None) -> Iterator[K]:
        behind: Iterator[K] = self._keys.irange(key, None, inclusive=(False, True))
        if self._gone:
            behind = merge(behind, self._gone.irange(key, None, inclusive=(False, True)))
        return islice(behind, TABLE_CHUNK_RECORDS)
