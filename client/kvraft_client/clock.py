"""The client's clocks."""

import time


def boot_time() -> float:
    """Seconds of a clock that goes on while the machine is suspended, where there is one.

    `time.monotonic` stops in suspend on Linux: a holder would wake up believing in a lease that
    ended hours ago (RULES I21).
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
