"""Five partitions: the first member owns all, shares them with a second one, and gets them back."""

import os

from kvraft_client import Client, StaleFence
from kvraft_client.recipes import Partitions

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")

with Client(ENDPOINTS) as kv, Partitions(kv, "example/shards", 5, member="a") as a:
    print("a owns", sorted(a.rebalance()))
    old = [lock.fence for lock in a.owned.values()]
    with Partitions(kv, "example/shards", 5, member="b") as b:
        print("a owns", sorted(a.rebalance()), "and b", sorted(b.rebalance()))
        for number, lock in b.owned.items():
            kv.put(f"example/shards/data/{number}", b"by b", fence=lock)
        try:
            kv.put("example/shards/data/4", b"late", fence=old[4])
        except StaleFence:
            print("what a still had under way for 4 is refused")
    print("a owns", sorted(a.rebalance()))
