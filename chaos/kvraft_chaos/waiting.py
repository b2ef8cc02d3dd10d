"""Waiting for a condition instead of for a while."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.02
"""Often enough to measure tenths of a second, seldom enough to leave the cores to the cluster."""


def wait_until(
    condition: Callable[[], bool],
    within_s: float,
    what: str,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Poll until the condition holds; seconds it took. TimeoutError names what did not happen."""
    start = now()
    while not condition():
        if now() - start > within_s:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        sleep(POLL_SECONDS)
    return now() - start
