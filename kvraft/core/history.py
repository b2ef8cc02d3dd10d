"""What the store held before: the events of each revision, and the way back from what is live.

Imports: core only. A read at revision R takes a key's record from *before* its first event above R,
or the live one where there is none; so nothing is stored for keys that do not change, and
forgetting the oldest revision is forgetting its events. Writing keeps no index: reads make one for
each chunk that they need. The invariant: events, `compacted_revision`, `count` and `size_bytes` are
the same on every node.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from typing import NamedTuple

from kvraft.core.history_chunks import Cause, Chunk, Event, HistoryView
from kvraft.core.keyspace import Record
from kvraft.core.limits import HISTORY_CHUNK_BYTES, HISTORY_EXTEND_EVENTS, ApplyLimits

__all__ = ["Cause", "Event", "History", "HistoryView", "Revision"]

_FIRST = attrgetter("first")


class Revision(NamedTuple):
    """All that one revision changed, in the order of the actions; keys occur once."""

    revision: int
    time_ms: int
    """Cluster time."""
    events: tuple[Event, ...]


class History:
    """The events of all revisions above `compacted_revision` that changed keys."""

    __slots__ = (
        "_appended",
        "_chunks",
        "_end",
        "_first",
        "compacted_revision",
        "count",
        "discarded",
        "size_bytes",
    )

    def __init__(self, compacted_revision: int = 1) -> None:
        self.compacted_revision = compacted_revision
        """The oldest revision that can be read at, and behind which events are known."""
        self.count = 0
        """How many revisions are stored."""
        self.size_bytes = 0
        self._chunks: list[Chunk] = []
        self._first = 0
        self._end = 0
        self._appended = 0
        self.discarded: list[Chunk] = []

    def __len__(self) -> int:
        return self._end - self._first

    # -- writing

    def append(self, revision: Revision) -> None:
        """Add the newest revision; without events it leaves no trace."""
        number, time_ms, events = revision
        count = len(events)
        if not count:
            return
        self.count += 1
        if count == 1:
            # (What is loaded may be absent before and after, until the key's next event is.)
            assert events[0].record is not events[0].before, "no event: absent before and after"
            chunks = self._chunks
            has_room = chunks and chunks[-1].size_bytes < HISTORY_CHUNK_BYTES
            chunk = chunks[-1] if has_room else self._open_chunk()
            self.size_bytes += chunk.append(number, time_ms, events[0])
            self._end += 1
        else:
            for start in range(0, count, HISTORY_EXTEND_EVENTS):
                piece = events[start : start + HISTORY_EXTEND_EVENTS]
                self.size_bytes += self._open_chunk().extend(number, time_ms, piece)
                self._end += len(piece)
        self._appended += count

    def load(
        self, revision: int, time_ms: int, event: Event, latest: tuple[Chunk, int] | None
    ) -> tuple[Chunk, int]:
        """Add an event whose `record` is the live one, and say so to the key's `latest` before.

        Returns where it is: the chunk, and the offset in it.
        """
        if latest is not None:
            chunk, offset = latest
            event = event._replace(key=chunk.keys[offset])  # one object for all events of a key
            size = _value_bytes(event.before) - _value_bytes(chunk.records[offset])
            chunk.records[offset] = event.before
            chunk.size_bytes += size
            self.size_bytes += size
        if not self._chunks or self._chunks[-1].revisions[-1] != revision:
            self.count += 1
        chunk = self._open_chunk()
        self.size_bytes += chunk.append(revision, time_ms, event)
        self._end += 1
        return chunk, len(chunk) - 1

    def _open_chunk(self) -> Chunk:
        if not self._chunks or self._chunks[-1].size_bytes >= HISTORY_CHUNK_BYTES:
            self._chunks.append(Chunk(self._end))
        return self._chunks[-1]

    # -- forgetting

    def trim(self, now_ms: int, limits: ApplyLimits) -> None:
        """Forget the oldest revisions beyond the limits, a bounded number; once at an entry's end.

        The bound grows with what the entry added, so that the history never outgrows its limits
        for long, however large entries are.
        """
        appended, removals = self._appended, limits.history_removals
        budget = removals + appended + min(appended, removals)
        self._appended = 0
        while budget > 0 and self._first < self._end and self._is_beyond(now_ms, limits):
            budget -= self._forget_oldest()

    def _is_beyond(self, now_ms: int, limits: ApplyLimits) -> bool:
        if self.size_bytes > limits.history_bytes:
            return True
        if self.count <= limits.history_revisions:
            return False
        return now_ms - self._oldest(self._chunks[0].times) > limits.history_ms

    def _oldest(self, column: "array[int]") -> int:
        return column[self._first - self._chunks[0].first]

    def _forget_oldest(self) -> int:
        begun_at = self._first
        revision = self._oldest(self._chunks[0].revisions)
        while self._first < self._end:
            chunk = self._chunks[0]
            revisions, start = chunk.revisions, self._first - chunk.first
            end = start + 1
            if end < len(revisions) and revisions[end] == revision:
                end = bisect_right(revisions, revision, start)
            elif revisions[start] != revision:
                break
            self.size_bytes -= chunk.size_of(start, end)
            self._first += end - start
            if end < len(chunk):
                break
            del self._chunks[0]
        self.count -= 1
        self.compacted_revision = revision
        return self._first - begun_at

    # -- reading

    def behind(self, revision: int) -> tuple[list[Chunk], int]:
        """Return the chunks of the events above a revision, and where in the first they begin."""
        position = self._position_behind(revision)
        if position == self._end:
            return [], 0
        index = self._index_of(position)
        return self._chunks[index:], position - self._chunks[index].first

    def after(self, revision: int, limit: int, events: int | None = None) -> list[Revision]:
        """Return the first revisions above one that is not compacted, at most `limit` of them.

        They are whole, and no further one is added to `events` events (None: no bound).
        """
        found: list[Revision] = []
        seen = 0
        all_events = self._events_from(self._position_behind(revision))
        for number, group in groupby(all_events, key=itemgetter(0)):
            if len(found) == limit or (events is not None and seen >= events):
                break
            (_, time_ms, first), *others = group
            found.append(Revision(number, time_ms, (first, *(event for _, _, event in others))))
            seen += 1 + len(others)
        return found

    def _events_from(self, position: int) -> Iterator[tuple[int, int, Event]]:
        for chunk in islice(self._chunks, max(0, self._index_of(position)), None):
            for offset in range(max(0, position - chunk.first), len(chunk)):
                yield chunk.revisions[offset], chunk.times[offset], chunk.event(offset)

    def _position_behind(self, revision: int) -> int:
        """Return the position of the first event above a revision."""
        index = bisect_right(self._chunks, revision, key=_first_revision) - 1
        if index < 0:
            return self._first
        chunk = self._chunks[index]
        return chunk.first + bisect_right(chunk.revisions, revision)

    def _index_of(self, position: int) -> int:
        return bisect_right(self._chunks, position, key=_FIRST) - 1

    # -- freezing

    def freeze(self) -> HistoryView:
        """Return the events as they are now, at a pointer for each chunk; release it when done."""
        return HistoryView(self._chunks.copy(), self._first, self._end)

    def release(self, view: HistoryView) -> None:
        """Stop keeping a view; what only it kept is freed by `discard`, in slices."""
        self.discarded += view.chunks
        view.chunks = []

    def discard(self, budget: int) -> None:
        """Free about `budget` events that only released views kept."""
        while self.discarded and budget > 0:
            budget -= len(self.discarded.pop())


def _first_revision(chunk: Chunk) -> int:
    return chunk.revisions[0]


def _value_bytes(record: Record | None) -> int:
    return 0 if record is None else len(record[0])
