"""Two regions spend one quota of 100; what one of them has drawn is safe from the other."""

import os
from uuid import uuid4

from kvraft_client import Client
from kvraft_client.recipes import Quota

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")

with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/quota/")
    eu = Quota(kv, "example/quota", "eu", chunk=40)
    us = Quota(kv, "example/quota", "us", chunk=40)
    eu.open(100)
    print("eu spends 10, and has drawn 40:", eu.spend(10))
    print("us spends 60, the rest of the pool:", us.spend(60))
    print("us spends 1:", us.spend(1))
    request = f"job-{uuid4()}"
    print("eu spends 30, of its own share:", eu.spend(30, request=request))
    print("asked again, it is done once:", eu.spend(30, request=request))
    for entry in kv.list("example/quota/"):
        print(entry.key.decode(), entry.value.decode())
