"""A node's monotonic clock: its own zero, its own rate, and a step for every look at it."""

from kvraft_chaos.simulation.scheduler import Scheduler

READ_STEP = 1e-6
"""Seconds that pass at each read: code takes time, and the library loops until its clock moves."""


class NodeClock:
    """`read()` is what the node's code sees as monotonic seconds."""

    __slots__ = ("_scheduler", "_zero", "offset", "rate", "steps")

    def __init__(self, scheduler: Scheduler, offset: float = 0.0, rate: float = 1.0) -> None:
        self._scheduler = scheduler
        self._zero = scheduler.now
        self.offset = offset
        self.rate = rate
        self.steps = 0.0

    def read(self) -> float:
        """Return monotonic seconds of this node."""
        self.steps += READ_STEP
        return (self._scheduler.now - self._zero) * self.rate + self.offset + self.steps

    def set_rate(self, rate: float) -> None:
        """Run at another rate from now on, without a jump."""
        now = self._scheduler.now
        self.offset += (now - self._zero) * self.rate
        self._zero = now
        self.rate = rate

    def jump(self, seconds: float) -> None:
        """Move ahead at once (a script's way to let one node's timers expire)."""
        assert seconds >= 0.0, "a monotonic clock does not run backwards"
        self.offset += seconds
