"""The client's clocks."""

import time
from collections.abc import Callable
from functools import partial

_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)

boot_time: Callable[[], float] = (
    time.monotonic if _CLOCK is None else partial(time.clock_gettime, _CLOCK)
)
"""Seconds of a clock that goes on while the machine is suspended, where there is one.

`time.monotonic` stops in suspend on Linux: a holder would wake up believing in a lease that
ended hours ago (RULES I21).
"""
