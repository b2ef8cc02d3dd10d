"""Waiting for what another thread or process does."""

import threading
import time


def until(condition, limit_s=10.0):
    """Return once it holds; fail if it does not within `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        threading.Event().wait(0.005)
