"""An order and its message are written together; the message is delivered, and settled once."""

import os

from kvraft_client import Client, actions, operations
from kvraft_client.recipes import Outbox

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")


def deliver(message_id: str, body: bytes) -> None:
    """Send it to whom it concerns."""
    print("delivered", message_id, body.decode())


with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/shop/")
    outbox = Outbox(kv, "example/shop/outbox")
    for number in (1, 2, 3):
        order = operations.put(f"example/shop/orders/{number}", "1 chair")
        kv.txn(then=[order, outbox.message(b"1 chair ordered", f"order-{number}")])
    first = outbox.pending()[0]
    mailed = operations.update("example/shop/mailed", actions.add(1))
    print("settled with its effect:", outbox.settle(first, mailed))
    print("a second time:", outbox.settle(first, mailed))
    print("drained:", outbox.drain(deliver), "left:", len(outbox.pending()))
