"""What is watched: watches of the same keys share one topic, and one buffer of its news.

Imports: core. An event finds its topics by dictionaries: watches of other keys cost nothing.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Protocol

from kvraft.core.history import Event

EVENT_OVERHEAD_BYTES = 200
"""What an event costs in a buffer besides its key and values."""


class Kind(Enum):
    """How keys are chosen."""

    KEY = "key"
    PREFIX = "prefix"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class WatchSpec:
    """Which events a watch wants; `start` is the key, the prefix or the first key of the range."""

    kind: Kind
    start: bytes
    end: bytes | None = None
    """Of a range: the first key behind it; None: no bound."""
    previous: bool = False
    """With the entries as they were before."""
    no_puts: bool = False
    no_deletes: bool = False

    def has(self, key: bytes) -> bool:
        """Return whether the key is watched."""
        match self.kind:
            case Kind.KEY:
                return key == self.start
            case Kind.PREFIX:
                return key.startswith(self.start)
            case Kind.RANGE:
                return self.start <= key and (self.end is None or key < self.end)

    def wants(self, event: Event) -> bool:
        """Return whether an event of a watched key is of a kind that is wanted."""
        return not (self.no_deletes if event.record is None else self.no_puts)


class Change:
    """One event, with room for what the service makes of it, once for all watches."""

    __slots__ = ("encoded", "event", "revision")

    def __init__(self, revision: int, event: Event) -> None:
        self.revision = revision
        self.event = event
        self.encoded: list[bytes | None] = [None, None]
        """Without and with the previous entry; None: not made yet."""

    def size(self, *, previous: bool) -> int:
        """Bytes it counts for in a buffer and in a message."""
        event = self.event
        size = len(event.key) + EVENT_OVERHEAD_BYTES
        if event.record is not None:
            size += len(event.record[0])
        if previous and event.before is not None:
            size += len(event.before[0])
        return size


class Chunk:
    """All that a topic wants of one revision; it is delivered together."""

    __slots__ = ("changes", "revision", "size")

    def __init__(self, revision: int, changes: list[Change], *, previous: bool) -> None:
        self.revision = revision
        self.changes = changes
        self.size = sum(change.size(previous=previous) for change in changes)


class Reader(Protocol):
    """A watch that reads a topic's buffer."""

    @property
    def place(self) -> int:
        """Number of the first chunk it has not taken whole."""
        ...

    def fall_behind(self, revision: int) -> None:
        """The buffer holds nothing for it any more: what is above `revision` is in the history."""
        ...


class Topic:
    """One choice of events, who watches it, and what the slowest of them have not taken yet."""

    __slots__ = ("_chunks", "_first", "members", "readers", "size_bytes", "spec")

    def __init__(self, spec: WatchSpec) -> None:
        self.spec = spec
        self.members = 0
        """Its watches, those included that read the history still."""
        self.readers: dict[Reader, None] = {}
        self.size_bytes = 0
        self._chunks: deque[Chunk] = deque()
        self._first = 0

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def end(self) -> int:
        """The number of the next chunk."""
        return self._first + len(self._chunks)

    def add(self, chunk: Chunk) -> None:
        """Buffer one revision."""
        self._chunks.append(chunk)
        self.size_bytes += chunk.size

    def chunks_from(self, place: int) -> Iterator[Chunk]:
        """Return the buffered chunks from a number on."""
        return islice(self._chunks, place - self._first, None)

    def trim(self) -> None:
        """Forget what every reader has taken."""
        self._drop(min((reader.place for reader in self.readers), default=self.end))

    def cut(self, keep: int) -> None:
        """Keep the newest `keep` chunks only; readers that are further back fall behind."""
        begin = max(self._first, self.end - keep)
        for reader in [each for each in self.readers if each.place < begin]:
            del self.readers[reader]
            reader.fall_behind(self._chunks[reader.place - self._first].revision - 1)
        self._drop(begin)

    def clear(self, revision: int) -> None:
        """Keep nothing, and nobody: those who had taken all know everything up to `revision`."""
        self.cut(0)
        readers, self.readers = self.readers, {}
        for reader in readers:
            reader.fall_behind(revision)

    def _drop(self, begin: int) -> None:
        while self._first < begin:
            self.size_bytes -= self._chunks.popleft().size
            self._first += 1


class Topics:
    """All topics of a node, found by key."""

    def __init__(self) -> None:
        self._by_spec: dict[WatchSpec, Topic] = {}
        self._keys: dict[bytes, list[Topic]] = {}
        self._prefixes: dict[int, dict[bytes, list[Topic]]] = {}
        """By length: an event is looked up once for each length that occurs."""
        self._starts: list[bytes] = []
        """Of the ranges, in order; `_ranges` holds the end and the topic of each."""
        self._ranges: list[tuple[bytes | None, Topic]] = []

    def __len__(self) -> int:
        return len(self._by_spec)

    def __iter__(self) -> Iterator[Topic]:
        return iter(self._by_spec.values())

    def join(self, spec: WatchSpec) -> Topic:
        """Return the topic for one more watch."""
        topic = self._by_spec.get(spec)
        if topic is None:
            topic = self._by_spec[spec] = Topic(spec)
            self._add(topic)
        topic.members += 1
        return topic

    def leave(self, topic: Topic) -> None:
        """One watch of the topic less; nobody's topic is forgotten."""
        topic.members -= 1
        if topic.members:
            return
        del self._by_spec[topic.spec]
        self._remove(topic)

    def matching(self, event: Event) -> list[Topic]:
        """Return the topics with readers that want an event."""
        key = event.key
        found = list(self._keys.get(key, ()))
        for length, prefixes in self._prefixes.items():
            if length <= len(key):
                found += prefixes.get(key[:length], ())
        begun = self._ranges[: bisect_right(self._starts, key)]
        found += [topic for end, topic in begun if end is None or key < end]
        return [topic for topic in found if topic.readers and topic.spec.wants(event)]

    def _add(self, topic: Topic) -> None:
        start = topic.spec.start
        match topic.spec.kind:
            case Kind.KEY:
                self._keys.setdefault(start, []).append(topic)
            case Kind.PREFIX:
                prefixes = self._prefixes.setdefault(len(start), {})
                prefixes.setdefault(start, []).append(topic)
            case Kind.RANGE:
                index = bisect_right(self._starts, start)
                self._starts.insert(index, start)
                self._ranges.insert(index, (topic.spec.end, topic))

    def _remove(self, topic: Topic) -> None:
        start = topic.spec.start
        match topic.spec.kind:
            case Kind.KEY:
                _drop(self._keys, start, topic)
            case Kind.PREFIX:
                prefixes = self._prefixes[len(start)]
                _drop(prefixes, start, topic)
                if not prefixes:
                    del self._prefixes[len(start)]
            case Kind.RANGE:
                place = (topic.spec.end, topic)
                index = self._ranges.index(place, bisect_left(self._starts, start))
                del self._starts[index], self._ranges[index]


def _drop(topics: dict[bytes, list[Topic]], start: bytes, topic: Topic) -> None:
    topics[start].remove(topic)
    if not topics[start]:
        del topics[start]
