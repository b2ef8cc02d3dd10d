"""The client's clocks."""

import time

_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def boot_time() -> float:
    """Seconds of a clock that goes on while the machine is suspended, where there is one.

    `time.monotonic` stops in suspend on Linux: a holder would wake up believing in a lease that
    ended hours ago (RULES I21).
    """
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
