"""What an optimistic transaction read and means to write; sans-I/O.

Everything read is compared at the commit: a key by its mod_revision or its absence, a prefix by
each of its entries and their number. Reads see the block's own writes.
"""

from collections.abc import Sequence

from kvraft_client.actions import Action
from kvraft_client.conditions import All, Condition, count, exists, mod_revision
from kvraft_client.errors import InvalidRequest
from kvraft_client.operations import Operation
from kvraft_client.values import Entry, Unmet

COMPARED_MAX = 256
"""Clauses of one condition, as the store bounds them."""


class ReadSet:
    """The reads and writes of one block."""

    def __init__(self) -> None:
        """Start with neither."""
        self.keys: dict[bytes, Entry | None] = {}
        self.prefixes: dict[bytes, tuple[Entry, ...]] = {}
        self.values: dict[bytes, bytes | None] = {}
        """What the block's own puts and deletes (None) leave at their keys."""
        self.operations: dict[bytes, Operation] = {}
        self.actions: dict[bytes, list[Action | str]] = {}

    def write(self, key: bytes, operation: Operation, value: bytes | None) -> None:
        """Put or delete (None) at the end; it takes the place of what was to be done before."""
        self.actions.pop(key, None)
        self.operations[key] = operation
        self.values[key] = value

    def update(self, key: bytes, actions: Sequence[Action | str]) -> list[Action | str]:
        """Add actions; return all of the key's."""
        if key in self.values:
            raise InvalidRequest(
                f"{key!r} was put or deleted in this transaction: put its final value instead"
            )
        return self.actions.setdefault(key, []) + list(actions)

    def seen(self, key: bytes) -> Entry | None:
        """Return what the block sees at a key that it read, or wrote itself."""
        if key in self.actions:
            raise InvalidRequest(
                f"{key!r} was updated in this transaction: its value is known after the commit"
            )
        entry = self.keys.get(key)
        if key not in self.values:
            return entry
        value = self.values[key]
        if value is None:
            return None
        if entry is None:
            return Entry(key, value, 0, 0, 0)
        return Entry(
            key, value, entry.version, entry.mod_revision, entry.create_revision, entry.lease_id
        )

    def knows(self, key: bytes) -> bool:
        """Whether a key was read, or is written, so that no read is needed."""
        return key in self.keys or key in self.operations

    def listed(self, prefix: bytes) -> list[Entry]:
        """Return what the block sees under a prefix that it read."""
        read = self.prefixes[prefix]
        self.keys.update({entry.key: entry for entry in read})
        mine = {key for key in self.operations if key.startswith(prefix)}
        seen = (self.seen(key) for key in sorted(mine | {entry.key for entry in read}))
        return [entry for entry in seen if entry is not None]

    def condition(self) -> Condition | None:
        """Return what must still hold at the commit; None: nothing was read."""
        clauses: list[Condition] = []
        for key, entry in self.keys.items():
            clauses.append(
                ~exists(key) if entry is None else mod_revision(key) == entry.mod_revision
            )
        clauses.extend(count(prefix) == len(read) for prefix, read in self.prefixes.items())
        if len(clauses) > COMPARED_MAX:
            raise InvalidRequest(
                f"the transaction read {len(clauses)} keys and prefixes, "
                f"at most {COMPARED_MAX} can be compared"
            )
        return All(tuple(clauses)) if clauses else None

    def changed(self, unmet: Unmet) -> list[bytes]:
        """Return the keys that were changed since they were read, or the prefixes that grew.

        All that was read, where the answer does not say any more which.
        """
        if unmet.entries_omitted:
            return [*self.keys, *self.prefixes]
        keys = []
        for key, entry in self.keys.items():
            now = unmet.entry(key)
            if (now and now.mod_revision) != (entry and entry.mod_revision):
                keys.append(key)
        return keys or list(self.prefixes)
