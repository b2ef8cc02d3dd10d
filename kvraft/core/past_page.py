"""One page of the store as of a revision, read a bounded number of steps at a time.

Imports: core only. What stood at a revision never changes, so a reader may pause between any two
keys and go on in whatever the state has become, for as long as the revision is not compacted.
"""

from collections.abc import Iterator
from heapq import merge

from kvraft.core.history import History
from kvraft.core.history_chunks import Chunk
from kvraft.core.keyspace import Keyspace, Record
from kvraft.core.limits import PAST_KEY_STEPS
from kvraft.core.results import KeyValue, Page

_Indexes = list[tuple[dict[bytes, int], list[Record | None]]]


class PastPage:
    """A page like that of `Keyspace.page`, as far as it was read."""

    def __init__(
        self,
        start: bytes,
        end: bytes | None,
        revision: int,
        *,
        limit: int,
        max_bytes: int,
        keys_only: bool = False,
    ) -> None:
        assert limit >= 1, limit
        self.revision = revision
        self.entries: list[KeyValue] = []
        """What was found so far, in order of the keys."""
        self.more = False
        self._start = start
        self._end = end
        self._limit = limit
        self._max_bytes = max_bytes
        self._keys_only = keys_only
        self._size = 0

    def read(self, history: History, live: Keyspace, steps: int | None) -> bool:
        """Go on, about `steps` look-ups further (None: to the end); True: the page is complete.

        The revision must not be compacted. Each call looks at one key at least, once what it needs
        is indexed.
        """
        chunks, offset = history.behind(self.revision)
        for chunk in chunks:
            if steps is not None and chunk.unindexed:
                if steps <= 0:
                    return False
                steps -= chunk.unindexed
            chunk.index()
        indexes = _indexes(chunks, offset)
        for key in _keys(live, chunks, self._start, self._end):
            if self._take(key, _record(key, indexes, live)):
                return True
            if steps is not None:
                steps -= PAST_KEY_STEPS + len(chunks)
                if steps <= 0:
                    self._start = key + b"\0"
                    return False
        return True

    def _take(self, key: bytes, record: Record | None) -> bool:
        """Add a key's entry, if there was one; True: there is no room for it."""
        if record is None:
            return False
        value = b"" if self._keys_only else record[0]
        self._size += len(key) + len(value)
        is_full = len(self.entries) == self._limit or self._size > self._max_bytes
        if is_full and self.entries:
            self.more = True
            return True
        self.entries.append(KeyValue(key, value, *record[1:]))
        return False

    def page(self) -> Page:
        """Return what was read."""
        return Page(tuple(self.entries), self.more)


def _indexes(chunks: list[Chunk], offset: int) -> _Indexes:
    if not chunks:
        return []
    first, *others = chunks
    return [
        (first.firsts(offset), first.befores),
        *((each.firsts(0), each.befores) for each in others),
    ]


def _keys(live: Keyspace, chunks: list[Chunk], start: bytes, end: bytes | None) -> Iterator[bytes]:
    """Iterate over all keys that can have been there: the live ones, and what was removed since."""
    last: bytes | None = None
    for key in merge(live.between(start, end), *(each.removed(start, end) for each in chunks)):
        if key != last:
            last = key
            yield key


def _record(key: bytes, indexes: _Indexes, live: Keyspace) -> Record | None:
    """Return what a key's first event replaced; the live record where there is no event."""
    for firsts, befores in indexes:
        offset = firsts.get(key)
        if offset is not None:
            return befores[offset]
    return live.get(key)
