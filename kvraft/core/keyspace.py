"""The keys with their records, their order and their size.

Imports: core table, results. A record holds no key: the table has it, and on an overwrite the
table's key object stays, so that a key is kept in memory once.
"""

from kvraft.core.results import KeyValue, Page
from kvraft.core.table import Table

Record = tuple[bytes, int, int, int, int]
"""value, create_revision, mod_revision, version, lease_id: the order of KeyValue behind its key."""


class Keyspace(Table[bytes, Record]):
    """The store's entries."""

    __slots__ = ("size_bytes",)

    def __init__(self) -> None:
        super().__init__()
        self.size_bytes = 0
        """Bytes of all keys and values."""

    def put(self, key: bytes, record: Record) -> None:
        """Write a record."""
        old = self._records.get(key)
        for view in self._views:
            view.remember(key, old)
        if old is None:
            self._keys.add(key)
            self.size_bytes += len(key) + len(record[0])
        else:
            self.size_bytes += len(record[0]) - len(old[0])
        self._records[key] = record

    def remove(self, key: bytes) -> Record:
        """Remove a record that is there, and return it."""
        record = super().remove(key)
        self.size_bytes -= len(key) + len(record[0])
        return record

    def entry(self, key: bytes) -> KeyValue | None:
        """Return a key's entry; None if absent."""
        record = self._records.get(key)
        return None if record is None else KeyValue(key, *record)

    def page(
        self, start: bytes, end: bytes | None, *, limit: int, max_bytes: int, keys_only: bool
    ) -> Page:
        """Read at most `limit` entries and `max_bytes`, but at least one, from start <= key < end.

        With `keys_only` the values are left out and not counted.
        """
        assert limit >= 1, limit
        entries: list[KeyValue] = []
        size = 0
        for key in self.between(start, end):
            record = self._records[key]
            value = b"" if keys_only else record[0]
            size += len(key) + len(value)
            if entries and (len(entries) == limit or size > max_bytes):
                return Page(tuple(entries), more=True)
            entries.append(KeyValue(key, value, *record[1:]))
        return Page(tuple(entries), more=False)
