"""The history's events as they are stored: in columns, cut into chunks that are freed as a whole.

Imports: core keyspace, limits. A column costs 8 bytes an event where a tuple of its own would cost
100, and a chunk is only ever appended to: whoever holds one and knows where to stop has a frozen
view of it for nothing.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import IntEnum
from operator import is_not
from typing import NamedTuple

from kvraft.core.keyspace import Record

EVENT_BYTES = 200
"""Accounted for one event besides its key and values, and about what it takes."""


class Cause(IntEnum):
    """Why a key changed."""

    REQUEST = 1
    EXPIRED = 2
    REVOKED = 3
    FENCED = 4
    """On a request that carried fences: its caller held a lock."""


class Event(NamedTuple):
    """One change of one key: its record from then on and until then (None: absent)."""

    key: bytes
    record: Record | None
    before: Record | None
    cause: Cause


def event_bytes(key: bytes, record: Record | None, before: Record | None) -> int:
    """Return what an event is accounted with, the same on every node."""
    values = (0 if record is None else len(record[0])) + (0 if before is None else len(before[0]))
    return EVENT_BYTES + len(key) + values


class Chunk:
    """Events at positions `first` and following, and where each key's first one is, once asked."""

    __slots__ = (
        "_firsts",
        "_indexed",
        "_removed",
        "befores",
        "causes",
        "first",
        "keys",
        "records",
        "revisions",
        "size_bytes",
        "times",
    )

    def __init__(self, first: int) -> None:
        self.first = first
        self.size_bytes = 0
        self.revisions = array("q")
        self.times = array("q")
        self.causes = bytearray()
        self.keys: list[bytes] = []
        self.befores: list[Record | None] = []
        self.records: list[Record | None] = []
        self._firsts: dict[bytes, int] = {}
        self._removed: list[bytes] = []
        self._indexed = 0

    def __len__(self) -> int:
        return len(self.keys)

    def append(self, revision: int, time_ms: int, event: Event) -> int:
        """Add an event behind the others; returns what it is accounted with."""
        key, record, before, cause = event
        self.revisions.append(revision)
        self.times.append(time_ms)
        self.causes.append(cause)
        self.keys.append(key)
        self.befores.append(before)
        self.records.append(record)
        size = EVENT_BYTES + len(key)
        if record is not None:
            size += len(record[0])
        if before is not None:
            size += len(before[0])
        self.size_bytes += size
        return size

    def extend(self, revision: int, time_ms: int, events: Sequence[Event]) -> int:
        """Add events of one revision, column by column; returns what they are accounted with."""
        keys, records, befores, causes = zip(*events, strict=True)
        assert all(map(is_not, records, befores)), "no event: absent before and after"
        self.revisions.extend(array("q", (revision,)) * len(keys))
        self.times.extend(array("q", (time_ms,)) * len(keys))
        self.causes += bytes(causes)
        self.keys += keys
        self.befores += befores
        self.records += records
        size = _bytes_of(keys, records, befores)
        self.size_bytes += size
        return size

    def event(self, offset: int) -> Event:
        """Return the event at an offset."""
        return Event(
            self.keys[offset],
            self.records[offset],
            self.befores[offset],
            Cause(self.causes[offset]),
        )

    def size_of(self, start: int, end: int) -> int:
        """Return what the events at the offsets from `start` to `end` are accounted with."""
        if end - start == 1:
            return event_bytes(self.keys[start], self.records[start], self.befores[start])
        return _bytes_of(self.keys[start:end], self.records[start:end], self.befores[start:end])

    # -- looking up; the index is made by the first read that needs it, and goes with the chunk

    @property
    def unindexed(self) -> int:
        """How many events `index` has to look at."""
        return len(self.keys) - self._indexed

    def index(self) -> None:
        """Take in what was added since."""
        start = self._indexed
        if start == len(self.keys):
            return
        self._firsts = _firsts_of(self.keys, start) | self._firsts
        gone = {key for key, record in zip(self.keys, self.records, strict=True) if record is None}
        self._removed = sorted(gone)
        self._indexed = len(self.keys)

    def firsts(self, start: int) -> dict[bytes, int]:
        """Return the offset of each key's first event at `start` or behind; not to be changed."""
        return _firsts_of(self.keys, start) if start else self._firsts

    def removed(self, start: bytes, end: bytes | None) -> Iterator[bytes]:
        """Iterate over the keys from `start` to `end` that one of the events removed, in order."""
        keys = self._removed
        last = len(keys) if end is None else bisect_left(keys, end)
        return map(keys.__getitem__, range(bisect_left(keys, start), last))


def _firsts_of(keys: list[bytes], start: int) -> dict[bytes, int]:
    """Return the first offset of each key from `start` on."""
    offsets = range(len(keys) - 1, start - 1, -1)
    return dict(zip(keys[: start - 1 if start else None : -1], offsets, strict=True))


def _bytes_of(
    keys: Sequence[bytes], records: Sequence[Record | None], befores: Sequence[Record | None]
) -> int:
    values = sum([len(record[0]) for record in records if record is not None])
    values += sum([len(record[0]) for record in befores if record is not None])
    return EVENT_BYTES * len(keys) + sum(map(len, keys)) + values


class HistoryView:
    """The events from position `first` up to `end`, whatever is added and forgotten meanwhile."""

    __slots__ = ("_end", "_first", "chunks")

    def __init__(self, chunks: list[Chunk], first: int, end: int) -> None:
        self.chunks = chunks
        self._first = first
        self._end = end

    def __len__(self) -> int:
        return self._end - self._first

    def pieces(self) -> Iterator[tuple[Chunk, range]]:
        """Yield each chunk with the offsets of its events that belong to the view, in order."""
        for chunk in self.chunks:
            start = max(0, self._first - chunk.first)
            yield chunk, range(start, min(len(chunk), self._end - chunk.first))
