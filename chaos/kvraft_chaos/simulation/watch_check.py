"""What watches were told, held against the events of the log, in the words of etcd's guarantees.

Ordered, unique, reliable (no gap), atomic, resumable, bookmarkable: each response must be exactly
the next events that are wanted, and its revision must promise no more than was handed out.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from kvraft.core.history import Event
from kvraft.replica.watch_topics import Change, WatchSpec
from kvraft_chaos.simulation.past import Past


@dataclass(slots=True)
class Subscription:
    """One watch of one user, over all its streams, and where it stands."""

    past: Past
    name: str
    spec: WatchSpec
    after: int
    """Everything above it is owed."""
    message_bytes: int
    """A revision that is larger may come in parts."""
    events: int = 0
    _cursor: int = field(init=False)
    _part: int = 0
    """Events of the revision at the cursor that were handed out."""

    def __post_init__(self) -> None:
        self._cursor = bisect_right(self.past.revisions, self.after)

    def received(self, changes: Sequence[Change], through: int) -> None:
        """The user gets these, and may believe that there is nothing else up to `through`."""
        for change in changes:
            self._hand_out(change)
        self.events += len(changes)
        owed = self._next()
        if owed is not None and owed[0] <= through:
            self._report("watch-gap", f"says {through}, but event {owed} was not handed out")
        elif owed is not None and self._part and not self._is_large():
            self._report("watch-torn", f"revision {owed[0]} came in part")
        known = self.past.revisions[-1] if self.past.revisions else 0
        if changes and through > max(known, self.past.chronicle.revision):
            self._report("watch-ahead", f"says {through}, {known} is the newest")

    def rewind(self) -> None:
        """The user died, and goes on behind its last whole revision."""
        self._part = 0

    def check_end(self, through: int) -> None:
        """Nothing happens any more: everything must have come."""
        owed = self._next()
        if owed is not None or (self.past.revisions and through < self.past.revisions[-1]):
            self._report("watch-behind", f"stands at {through}, {owed} never came")

    def _hand_out(self, change: Change) -> None:
        owed = self._next()
        came = change.revision, change.event
        if came == owed:
            self._part += 1
            return
        if owed is None or change.revision < owed[0]:
            self._report("watch-repeat", f"{came} came, {owed} was next")
        else:
            self._report("watch-gap", f"{came} came, {owed} was next")

    def _next(self) -> tuple[int, Event] | None:
        """Return the next event that is wanted."""
        changes = self.past.changes
        while self._cursor < len(changes):
            revision = changes[self._cursor]
            wanted = self._wanted(revision.events) if revision.revision > self.after else []
            if self._part < len(wanted):
                return revision.revision, wanted[self._part]
            self._cursor, self._part = self._cursor + 1, 0
        return None

    def _wanted(self, events: Sequence[Event]) -> list[Event]:
        spec = self.spec
        return [event for event in events if spec.has(event.key) and spec.wants(event)]

    def _is_large(self) -> bool:
        revision = self.past.changes[self._cursor]
        changes = [Change(revision.revision, each) for each in self._wanted(revision.events)]
        size = sum(each.size(previous=self.spec.previous) for each in changes)
        return size > self.message_bytes

    def _report(self, kind: str, detail: str) -> None:
        self.past.chronicle.report(kind, f"{self.name} ({self.spec}) {detail}")
