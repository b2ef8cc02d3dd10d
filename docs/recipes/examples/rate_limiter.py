"""Three calls a second are let through, then none until the window has slid on."""

import os
import time

from kvraft_client import Client
from kvraft_client.recipes import RateLimiter

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")

with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/calls/")
    kv.delete_prefix("example/leased-calls/")
    exact = RateLimiter(kv, "example/calls", limit=3, window=1.0)
    print("exact:", [exact.take() for _ in range(4)])
    while not exact.take():
        time.sleep(0.1)
    print("let through again, in the next second")
    leased = RateLimiter(kv, "example/leased-calls", limit=100, window=1.0, batch=50)
    before = kv.metrics().calls
    allowed = sum(leased.take() for _ in range(50))
    print("leased:", allowed, "calls let through, for", kv.metrics().calls - before, "to the store")
