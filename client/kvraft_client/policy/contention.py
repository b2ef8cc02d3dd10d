"""Whether the callers of one client better queue for a key than race for it, and their queue.

Sans-I/O, and not thread-safe by itself. Racing costs nothing while nobody else writes; on a hot
key nearly every attempt is in vain (etcd's read-compare-put loop with 64 callers: 98 % conflicts).

In the queue, one at a time computes its change and sends it; the next goes on from the value that
this one will have left (`tail`), without waiting for the answer: each compares with the value it
was computed from, so a wrong guess is a conflict like any other. How many may be under way
(`window`) grows with each success and is halved by a conflict, as TCP does.
"""

from collections import deque
from collections.abc import Callable

WEIGHT = 0.25
"""Of the newest attempt in the conflict rate: four attempts or so decide."""
QUEUE_RATE = 0.4
"""Conflict rate above which callers queue. They race again once all of them have gone: one that
has the key to itself has no conflicts, which says nothing about those behind it."""


class Place:
    """A caller's place in a queue; `wake` is called when its turn has come."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Prepare it; `KeyLine.enter` queues it."""
        self.wake = wake


class KeyLine:
    """The callers of one key: conflict rate, queue (first in, first out), and what is under way."""

    def __init__(self, window_max: int) -> None:
        """Begin by racing; at most `window_max` changes are under way in the queue."""
        self._window_max = window_max
        self.users = 0
        self.rate = 0.0
        self.queueing = False
        self.tail: bytes | None = None
        """The value once all that is under way has succeeded (None: absent), if `tail_known`."""
        self.tail_known = False
        self.window = 1
        self._under_way = 0
        self._epoch = 0
        self._queue: deque[Place] = deque()
        self._holder: Place | None = None

    def attempted(self, *, conflict: bool) -> None:
        """Learn from one attempt."""
        self.rate += WEIGHT * (conflict - self.rate)
        self.queueing = self.queueing or self.rate > QUEUE_RATE

    def enter(self, place: Place) -> None:
        """Queue; it is woken at once if nobody is before it."""
        self._queue.append(place)
        self._advance()

    def leave(self, place: Place) -> None:
        """End a turn, or leave the queue before it came."""
        if self._holder is place:
            self._holder = None
        elif place in self._queue:
            self._queue.remove(place)
        self._advance()

    def sends(self, value: bytes) -> int:
        """Note, in a turn, what is being sent; return the epoch of the guess it is based on."""
        self.tail, self.tail_known = value, True
        self._under_way += 1
        return self._epoch

    def succeeded(self) -> None:
        """Note that what was sent was done."""
        self.window = min(self._window_max, self.window + 1)
        self._ended()

    def failed(self, epoch: int, *, known: bool, value: bytes | None = None) -> None:
        """Note that it was not; `known`: because `value` stood there.

        What was sent on the same guess later fails as well, and says nothing new.
        """
        if epoch == self._epoch:
            self._epoch += 1
            self.tail, self.tail_known = value, known
            self.window = max(1, self.window // 2)
        self._ended()

    def _ended(self) -> None:
        self._under_way -= 1
        self._advance()

    def _advance(self) -> None:
        if self._holder is None and self._queue and self._under_way < self.window:
            self._holder = self._queue.popleft()
            self._holder.wake()


class KeyLines:
    """The lines of all keys in use; a key that nobody uses is forgotten."""

    def __init__(self, window_max: int) -> None:
        """Start with none."""
        self._window_max = window_max
        self._lines: dict[bytes, KeyLine] = {}

    def enter(self, key: bytes) -> KeyLine:
        """Return the line of a key, for one more caller."""
        line = self._lines.setdefault(key, KeyLine(self._window_max))
        line.users += 1
        return line

    def leave(self, key: bytes) -> None:
        """Take note that a caller has gone."""
        line = self._lines[key]
        line.users -= 1
        if not line.users:
            del self._lines[key]
