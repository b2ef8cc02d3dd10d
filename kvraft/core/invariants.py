"""What is demanded of the values of a key, or of all keys under a prefix.

Imports: core commands, errors, int64, limits, results. Every invariant that matches is checked: the
key's own, and one for each of its prefixes; a look-up for each length of a prefix that occurs.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence

from kvraft.core.bounds import shown
from kvraft.core.commands import SetInvariant
from kvraft.core.errors import Reason
from kvraft.core.int64 import number
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import Refused


class Invariants:
    """All invariants, found by key and by the lengths of prefixes."""

    __slots__ = ("_exact", "_immutable", "_lengths", "_prefixes", "_rows", "count")

    def __init__(self, rows: Sequence[SetInvariant] = ()) -> None:
        self._exact: dict[bytes, SetInvariant] = {}
        self._prefixes: dict[bytes, SetInvariant] = {}
        self._lengths: dict[int, int] = {}  # of prefixes -> how many have it
        self._immutable: list[tuple[bytes, bool]] = []  # (key, is_prefix), in order
        self.count = 0
        self._rows: tuple[SetInvariant, ...] | None = None
        for row in rows:
            self._add(row)

    def rows(self) -> tuple[SetInvariant, ...]:
        """Return all of them, by (key, is_prefix)."""
        if self._rows is None:
            rows = (*self._exact.values(), *self._prefixes.values())
            self._rows = tuple(sorted(rows, key=lambda row: (row.key, row.is_prefix)))
        return self._rows

    def replace(self, command: SetInvariant, limits: ApplyLimits) -> bool | Refused:
        """Set, change or (where nothing is demanded) remove one; tells whether that changed it."""
        old = self._table(command).get(command.key)
        demands = command.immutable or (command.minimum, command.maximum) != (None, None)
        wanted = command if demands else None
        if old == wanted:
            return False
        if old is None and self.count >= limits.invariants:
            message = (
                f"{self.count} invariants are set, the limit invariants is {limits.invariants}"
            )
            return Refused(Reason.TOO_MANY_INVARIANTS, message)
        if old is None and command.is_prefix and len(command.key) not in self._lengths:
            known, most = len(self._lengths), limits.prefix_lengths
            if known >= most:
                message = (
                    f"prefixes of {known} lengths have invariants,"
                    f" the limit prefix_lengths is {most}"
                )
                return Refused(Reason.TOO_MANY_INVARIANTS, message)
        if old is not None:
            self._remove(old)
        if wanted is not None:
            self._add(wanted)
        return True

    def _table(self, row: SetInvariant) -> dict[bytes, SetInvariant]:
        return self._prefixes if row.is_prefix else self._exact

    def _add(self, row: SetInvariant) -> None:
        self._table(row)[row.key] = row
        self.count += 1
        self._rows = None
        if row.is_prefix:
            length = len(row.key)
            self._lengths[length] = self._lengths.get(length, 0) + 1
            # In order, so that every node names the same one where several are broken.
            self._lengths = dict(sorted(self._lengths.items()))
        if row.immutable:
            insort(self._immutable, (row.key, row.is_prefix))

    def _remove(self, row: SetInvariant) -> None:
        del self._table(row)[row.key]
        self.count -= 1
        self._rows = None
        if row.is_prefix:
            length = len(row.key)
            self._lengths[length] -= 1
            if not self._lengths[length]:
                del self._lengths[length]
        if row.immutable:
            del self._immutable[bisect_left(self._immutable, (row.key, row.is_prefix))]

    # -- checking

    def refuse_write(self, key: bytes, value: bytes, *, exists: bool) -> Refused | None:
        """Say which invariant a write would break, or None."""
        for row in self._matching(key):
            refused = _refuse_value(row, key, value, exists=exists)
            if refused is not None:
                return refused
        return None

    def refuse_delete(self, key: bytes) -> Refused | None:
        """Say which invariant the deletion of a key that is there would break, or None."""
        if not self._immutable:
            return None
        broken = next((row for row in self._matching(key) if row.immutable), None)
        return None if broken is None else _refuse_change(broken, f"key {shown(key)} stays")

    def refuse_delete_range(
        self, start: bytes, end: bytes | None, holds_keys: Callable[[bytes, bytes | None], bool]
    ) -> Refused | None:
        """Say which invariant the deletion of a range that is not empty would break, or None.

        Costs the invariants in the range, not its keys.
        """
        if not self._immutable:
            return None
        reaching = [row for row in self._prefixes_of(start) if row.immutable]
        first = bisect_left(self._immutable, (start, False))
        last = len(self._immutable) if end is None else bisect_left(self._immutable, (end, False))
        inside = self._immutable[first:last]
        tables = (self._exact, self._prefixes)
        for row in (*reaching, *(tables[is_prefix][key] for key, is_prefix in inside)):
            behind = prefix_end(row.key) if row.is_prefix else row.key + b"\0"
            if end is not None and (behind is None or end < behind):
                behind = end
            if holds_keys(max(start, row.key), behind):
                return _refuse_change(row, "the range holds keys of it, which stay")
        return None

    def _matching(self, key: bytes) -> Iterator[SetInvariant]:
        row = self._exact.get(key)
        if row is not None:
            yield row
        yield from self._prefixes_of(key)

    def _prefixes_of(self, key: bytes) -> Iterator[SetInvariant]:
        size = len(key)
        for length in self._lengths:
            row = self._prefixes.get(key[:length]) if length <= size else None
            if row is not None:
                yield row


def prefix_end(prefix: bytes) -> bytes | None:
    """Return the first key behind all that begin with a prefix; None: there is no such key."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None


def _refuse_value(row: SetInvariant, key: bytes, value: bytes, *, exists: bool) -> Refused | None:
    if row.immutable and exists:
        return _refuse_change(row, f"key {shown(key)} stays as it is")
    low, high = row.minimum, row.maximum
    if low is None and high is None:
        return None
    current = number(value)
    if current is None:
        return _refuse_change(row, f"the value {shown(value)} is not an int64 in decimal")
    if low is not None and current < low:
        return _refuse_change(row, f"the value {current} is below the minimum {low}")
    if high is not None and current > high:
        return _refuse_change(row, f"the value {current} is above the maximum {high}")
    return None


def _refuse_change(row: SetInvariant, why: str) -> Refused:
    of = "prefix" if row.is_prefix else "key"
    kind = "immutable " if row.immutable else ""
    return Refused(Reason.INVARIANT, f"the {kind}invariant of {of} {shown(row.key)}: {why}")
