"""What a caller that gave up while its place was followed leaves behind: nothing."""

import threading
import time

import pytest

from kvraft_client import Client, LockTimeout


def until(condition, limit_s=10.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        threading.Event().wait(0.005)


def waiting(node):
    with node.store.lock:
        return sum(not each.tokens for each in node.store.locks.places)


def test_who_gives_up_a_place_that_was_asked_for_once_withdraws_it(start):
    """The store says nothing until this side's time is up: a wait may be over there much later."""
    node = start()
    with Client(node.endpoint, timeout=0.3) as kv, kv.lock("l"):
        node.store.locks.silent = True
        with pytest.raises(LockTimeout):
            kv.lock("l", wait=0.2, owner=b"other").acquire()
        _, asked = node.named("Acquire")
        assert node.named("AcquireStream") == []
        until(lambda: [each.key for each in node.named("Release")] == [asked.key])
        until(lambda: not waiting(node))
