"""Where a watch stands: from which revision to resume, and what was delivered before.

Sans-I/O. The store sends whole revisions in order, and says how far it is; so a position is one
number, and after any break the watch goes on at the next one, without gap or repeat.
"""

from collections.abc import Sequence

from kvraft_client.policy.retry import RetrySettings

WATCH_RETRY = RetrySettings(max_s=2.0)
"""A watch never gives up by itself, so it asks more seldom than a call that somebody waits for."""
OUTAGE_S = 1e9
"""How long a watch outlives an outage where no limit is given: as good as for ever."""


class WatchPosition:
    """Everything up to `through` was received; None: not begun, and no start was given.

    A revision that is larger than a message comes in parts. Each stream sends it from its first
    event on, so what was had of it is counted: it is not yet everything, and not to be had twice.
    """

    def __init__(self, start_revision: int | None) -> None:
        """Begin before `start_revision`; None: wherever the store says that now is."""
        self.through = None if start_revision is None else start_revision - 1
        self._part = 0  # the revision that came in part
        self._had = 0  # its events that were had, ...
        self._sent = 0  # ... and those that the present stream has sent

    @property
    def next_revision(self) -> int | None:
        """The first revision wanted from here on."""
        return None if self.through is None else self.through + 1

    def resume(self) -> None:
        """Another stream begins: it sends whole revisions from `next_revision` on."""
        self._sent = 0

    def take(self, through: int, revisions: Sequence[int]) -> int:
        """Take a response with events of these revisions; return how many were had before.

        They come first: a repeat is the beginning of what is sent, never its middle. Revisions
        above `through` are one, and come in part.
        """
        if list(revisions) != sorted(revisions):
            raise ValueError("the events of a watch came out of order")
        known = self.through or 0
        repeated = sum(revision <= known for revision in revisions)
        sent = sum(revision == self._part for revision in revisions)
        if self._part > known:
            repeated += min(sent, max(0, self._had - self._sent))
            self._sent += sent
            self._had = max(self._had, self._sent)
        self.through = max(known, through)
        last = revisions[-1] if revisions else 0
        if last > self.through and last != self._part:
            self._part = last
            self._had = self._sent = sum(revision == last for revision in revisions)
        return repeated
