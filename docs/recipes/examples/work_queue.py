"""Two workers and two keys: the items of each key are done in order, one at a time."""

import os
from threading import Thread

from kvraft_client import Client, Operation, actions, operations
from kvraft_client.recipes import WorkQueue

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")


def handle(key: str, body: bytes) -> list[Operation]:
    """Write the item down behind those before it, in the same step that removes it."""
    return [operations.update(f"example/done/{key}", actions.append(body))]


with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/work/")
    kv.delete_prefix("example/done/")
    queue = WorkQueue(kv, "example/work")
    for number in range(5):
        queue.add("ann", b"%d " % number)
        queue.add("bob", b"%d " % number)
    workers = [Thread(target=queue.work, args=(handle,)) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    for entry in kv.list("example/done/"):
        print(entry.key.decode(), entry.value.decode().strip())
    print("left:", len(queue.waiting()))
