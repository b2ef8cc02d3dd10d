"""Signals that ask to stop are noted, and raise nothing.

One that was raised between two lines of a start, or of a clean-up, would leave processes behind.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def signals_noted() -> Iterator[threading.Event]:
    """Turn signals into an event, where this is the thread that gets them."""
    told_to_stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told_to_stop
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        told_to_stop.set()

    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield told_to_stop
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
