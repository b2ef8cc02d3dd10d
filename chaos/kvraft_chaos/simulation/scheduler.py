"""Virtual time: a heap of events; nothing else ever lets time pass."""

import heapq
from collections.abc import Callable

Action = Callable[[], object]


class Scheduler:
    """Runs actions in order of their time, and of their scheduling where times are equal."""

    __slots__ = ("_heap", "_serial", "events", "now")

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        """Seconds of true time; nodes see it through their own clocks."""
        self.events = 0
        self._serial = 0
        self._heap: list[tuple[float, int, Action]] = []

    def after(self, delay: float, action: Action) -> None:
        """Run `action` once `delay` seconds have passed."""
        self._serial += 1
        heapq.heappush(self._heap, (self.now + delay, self._serial, action))

    def run_until(self, end: float) -> None:
        """Run everything due up to `end`, then let the rest of the time pass."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= end:
            due, _, action = pop(heap)
            self.now = max(self.now, due)
            self.events += 1
            action()
        self.now = max(self.now, end)
