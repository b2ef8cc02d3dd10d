"""Five vouchers are minted and sold: all or none to an order, and the same again if it asks."""

import os

from kvraft_client import Client
from kvraft_client.recipes import TokenPool

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")

with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/vouchers/")
    vouchers = TokenPool(kv, "example/vouchers")
    vouchers.mint([f"V-{number}" for number in range(5)])
    bought = vouchers.take("order-1", 3)
    print("order 1 has", len(bought), "vouchers")
    print("asked again, the same:", vouchers.take("order-1", 3) == bought)
    print("order 2 wants 3, has", len(vouchers.take("order-2", 3)))
    print("order 2 wants 2, has", len(vouchers.take("order-2", 2)))
