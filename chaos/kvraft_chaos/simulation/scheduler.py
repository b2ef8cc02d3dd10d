"""Virtual time: a heap of events; nothing else ever lets time pass."""

from collections.abc import Callable
from heapq import heappop, heappush

Action = Callable[[], object]


class Scheduler:
    """Runs actions in order of their time, and of their scheduling where times are equal."""

    __slots__ = ("_heap", "_serial", "now")

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        """Seconds of true time; nodes see it through their own clocks."""
        self._serial = 0
        self._heap: list[tuple[float, int, Action]] = []

    def after(self, delay: float, action: Action) -> None:
        """Run `action` once `delay` seconds have passed."""
        self._serial += 1
        heappush(self._heap, (self.now + delay, self._serial, action))

    def run_until(self, end: float) -> None:
        """Run everything due up to `end`, then let the rest of the time pass."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            due, _, action = heappop(heap)
            if due > self.now:  # noqa: PLR1730 - `max` is slower, in every run's innermost loop
                self.now = due
            action()
        self.now = max(self.now, end)
