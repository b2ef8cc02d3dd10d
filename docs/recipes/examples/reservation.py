"""Two rooms: one is confirmed, one is held and forgotten, and free again by itself."""

import os
import time

from kvraft_client import Client
from kvraft_client.recipes import Reservations

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")

with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/rooms/")
    rooms = Reservations(kv, "example/rooms", capacity=2)
    print("order 1 is held:", rooms.hold("order-1", ttl=60.0))
    print("order 1 is paid:", rooms.confirm("order-1"))
    print("order 2 is held:", rooms.hold("order-2", ttl=1.0))
    print("order 3 is held:", rooms.hold("order-3", ttl=60.0))
    while not rooms.hold("order-3", ttl=60.0):
        time.sleep(0.2)
    print("order 3 is held: True, after order 2 was not heard of again")
    print("order 2 is paid:", rooms.confirm("order-2"))
