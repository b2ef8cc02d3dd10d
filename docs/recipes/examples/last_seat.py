"""Three guests and two seats: the third is told no, and asking twice does not take two."""

import os

from kvraft_client import Client
from kvraft_client.recipes import Seats

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")

with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/show-7/")
    seats = Seats(kv, "example/show-7")
    seats.open(2)
    for guest in ("ann", "bob", "bob", "cyd"):
        print(guest, "has a seat" if seats.take(guest) else "is too late")
    seats.give_back("ann")
    print("cyd", "has a seat" if seats.take("cyd") else "is too late")
    print("left:", seats.free())
