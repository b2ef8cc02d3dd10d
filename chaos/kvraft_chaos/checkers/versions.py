"""Every version of every key, by the store's final log: the store at any revision."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

from kvraft_chaos.checkers.sequential import Version, Writes
from kvraft_chaos.checkers.store_log import Change


class Versions:
    """Looks up in the logarithm of the changes of a key."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.groups: dict[int, Writes] = defaultdict(dict)
        """What each revision wrote, in order of revisions."""
        self._revisions: dict[str, list[int]] = defaultdict(list)
        self._values: dict[str, list[str | None]] = defaultdict(list)
        for change in changes:
            self.groups[change.revision][change.key] = change.value
            self._revisions[change.key].append(change.revision)
            self._values[change.key].append(change.value)
        self._keys = sorted(self._revisions)

    def at(self, revision: int) -> "At":
        """The store at that revision."""
        return At(self, revision)

    def version(self, key: str, revision: int) -> Version | None:
        """What stood at a key."""
        revisions = self._revisions.get(key)
        if revisions is None:
            return None
        place = bisect_right(revisions, revision) - 1
        if place < 0:
            return None
        value = self._values[key][place]
        return None if value is None else (value, revisions[place])

    def keys(self, prefix: str) -> Sequence[str]:
        """All keys that ever were below a prefix, in order."""
        start = bisect_left(self._keys, prefix)
        end = bisect_left(self._keys, prefix + "\U0010ffff", start)
        return self._keys[start:end]

    def next_change(self, keys: Iterable[str], revision: int) -> int | None:
        """The first revision after this one at which one of the keys changed."""
        found: int | None = None
        for key in keys:
            revisions = self._revisions.get(key, ())
            place = bisect_right(revisions, revision)
            if place < len(revisions) and (found is None or revisions[place] < found):
                found = revisions[place]
        return found


class At:
    """A `sequential.View`."""

    def __init__(self, versions: Versions, revision: int) -> None:
        self._versions, self._revision = versions, revision

    def get(self, key: str) -> Version | None:
        return self._versions.version(key, self._revision)

    def keys(self, prefix: str) -> Sequence[str]:
        return [key for key in self._versions.keys(prefix) if self.get(key) is not None]
