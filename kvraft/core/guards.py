"""Prefixes that are written only by whoever holds a lock; the longest one decides for each key.

Imports: core bounds, commands, errors, invariants, limits, results. A look-up for each length of a
prefix that occurs. The invariant: a range costs its guards and the keys that have locks of their
own, never all its keys.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable

from kvraft.core.bounds import shown
from kvraft.core.commands import GuardPrefix
from kvraft.core.errors import Reason
from kvraft.core.invariants import prefix_end
from kvraft.core.limits import ApplyLimits, RequestLimits
from kvraft.core.results import Refused

LOCK_NAME_BYTES = RequestLimits().lock_name_bytes
"""For messages only, which must be the same on every node, whatever its own limit is."""

NextKey = Callable[[bytes, bytes | None], bytes | None]
"""Returns the first key start <= key < end; None: there is none."""


class Guards:
    """All guards, found by prefix and by the lengths of prefixes."""

    __slots__ = ("_by_prefix", "_lengths", "_prefixes", "count")

    def __init__(self, rows: Iterable[GuardPrefix] = ()) -> None:
        self._by_prefix: dict[bytes, GuardPrefix] = {}
        self._prefixes: list[bytes] = []  # in order
        self._lengths: dict[int, int] = {}  # of prefixes, longest first -> how many have it
        self.count = 0
        for row in rows:
            self._add(row)

    def rows(self) -> tuple[GuardPrefix, ...]:
        """Return all of them, by prefix."""
        return tuple(self._by_prefix[prefix] for prefix in self._prefixes)

    def replace(self, command: GuardPrefix, limits: ApplyLimits) -> bool | Refused:
        """Set, change or (where no lock is named) remove one; tells whether that changed it."""
        old = self._by_prefix.get(command.prefix)
        wanted = command if command.per_key or command.lock is not None else None
        if old == wanted:
            return False
        refused = self._refuse_more(command.prefix, limits) if old is None else None
        if refused is not None:
            return refused
        if old is not None:
            self._remove(old.prefix)
        if wanted is not None:
            self._add(wanted)
        return True

    def _refuse_more(self, prefix: bytes, limits: ApplyLimits) -> Refused | None:
        if self.count >= limits.guards:
            message = f"{self.count} prefixes are guarded, the limit guards is {limits.guards}"
            return Refused(Reason.TOO_MANY_GUARDS, message)
        known, most = len(self._lengths), limits.prefix_lengths
        if len(prefix) in self._lengths or known < most:
            return None
        message = f"prefixes of {known} lengths are guarded, the limit prefix_lengths is {most}"
        return Refused(Reason.TOO_MANY_GUARDS, message)

    def _add(self, row: GuardPrefix) -> None:
        self.count += 1
        self._by_prefix[row.prefix] = row
        insort(self._prefixes, row.prefix)
        length = len(row.prefix)
        self._lengths[length] = self._lengths.get(length, 0) + 1
        self._lengths = dict(sorted(self._lengths.items(), reverse=True))

    def _remove(self, prefix: bytes) -> None:
        self.count -= 1
        del self._by_prefix[prefix]
        del self._prefixes[bisect_left(self._prefixes, prefix)]
        length = len(prefix)
        self._lengths[length] -= 1
        if not self._lengths[length]:
            del self._lengths[length]

    # -- checking

    def refuse(self, key: bytes, held: frozenset[bytes]) -> Refused | None:
        """Say which guard keeps whoever holds these locks alone from changing a key, or None."""
        row = self._deciding(key)
        return None if row is None or _lock(row, key) in held else _refused(row, key)

    def refuse_range(
        self, start: bytes, end: bytes | None, held: frozenset[bytes], next_key: NextKey
    ) -> Refused | None:
        """Say which guard keeps them from changing some key of a range, or None.

        Looks at one key for each stretch that one guard, or none, decides on; where each key has a
        lock of its own, at one key more than there are locks.
        """
        at: bytes | None = start
        while at is not None and (end is None or at < end):
            key = next_key(at, end)
            if key is None:
                return None
            row = self._deciding(key)
            if row is not None and _lock(row, key) not in held:
                return _refused(row, key)
            at = key + b"\0" if row is not None and row.per_key else self._behind(key, row)
        return None

    def _behind(self, key: bytes, row: GuardPrefix | None) -> bytes | None:
        """Return where another guard may decide than the one that does for `key`; None: nowhere."""
        number = bisect_right(self._prefixes, key)
        begins = self._prefixes[number] if number < len(self._prefixes) else None
        ends = None if row is None else prefix_end(row.prefix)
        if begins is None or ends is None:
            return begins or ends
        return min(begins, ends)

    def _deciding(self, key: bytes) -> GuardPrefix | None:
        size = len(key)
        for length in self._lengths:
            row = self._by_prefix.get(key[:length]) if length <= size else None
            if row is not None:
                return row
        return None


def _lock(row: GuardPrefix, key: bytes) -> bytes:
    return key if row.lock is None else row.lock


def _refused(row: GuardPrefix, key: bytes) -> Refused:
    prefix, lock = shown(row.prefix), _lock(row, key)
    if len(lock) > LOCK_NAME_BYTES:
        message = (
            f"prefix {prefix} is guarded by a lock for each key: key {shown(key)} of {len(key)}"
            f" bytes can never be written, the limit lock_name_bytes is {LOCK_NAME_BYTES}"
        )
    else:
        message = (
            f"prefix {prefix} is guarded: key {shown(key)} needs the fence of the exclusive"
            f" holder of lock {shown(lock)}"
        )
    return Refused(Reason.FENCE_REQUIRED, message)
