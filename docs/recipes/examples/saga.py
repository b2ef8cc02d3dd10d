"""A trip of three steps: one goes through; of the other the last step fails, and all is undone."""

import os

from kvraft_client import Client, actions, operations
from kvraft_client.conditions import number
from kvraft_client.recipes import Abort, Effect, Saga, Step

ENDPOINTS = os.environ.get("KVRAFT_ENDPOINTS", "127.0.0.1:4379,127.0.0.1:4389,127.0.0.1:4399")
SEATS, MONEY = "example/trip/seats", "example/trip/money"


def reserve(_key: str) -> Effect:
    """Take a seat, if there is one."""
    return Effect([operations.update(SEATS, actions.add(-1))], when=number(SEATS) >= 1)


def unreserve(_key: str) -> Effect:
    """Give it back."""
    return Effect([operations.update(SEATS, actions.add(1))])


def charge(_key: str) -> Effect:
    """Take the money, if it is there."""
    return Effect([operations.update(MONEY, actions.add(-80))], when=number(MONEY) >= 80)


def refund(_key: str) -> Effect:
    """Give it back."""
    return Effect([operations.update(MONEY, actions.add(80))])


def ship(_key: str) -> Effect:
    """Ask somebody outside of the store, by the key of this step."""
    return Effect()


def cannot_ship(key: str) -> Effect:
    """Be told no."""
    print(key, "was refused")
    raise Abort


with Client(ENDPOINTS) as kv:
    kv.delete_prefix("example/trip/")
    kv.txn(then=[operations.put(SEATS, "2"), operations.put(MONEY, "200")])
    for name, last in (("one", ship), ("two", cannot_ship)):
        steps = [Step(reserve, unreserve), Step(charge, refund), Step(last, ship)]
        saga = Saga(kv, f"example/trip/sagas/{name}", steps)
        print(name, "is done" if saga.run() else "is undone")
    for key in (SEATS, MONEY):
        entry = kv.get(key)
        print(key, entry.value.decode() if entry else "")
