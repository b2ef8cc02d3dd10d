# Generated from _async/reservations.py by scripts/generate_sync_client.py: do not edit.
"""Reservations: a place is held for a while, then confirmed, or free again by itself."""

from kvraft_client import operations
from kvraft_client._sync.client import Client
from kvraft_client.conditions import count, exists, value
from kvraft_client.errors import ConditionFailed

HELD, CONFIRMED = b"held", b"confirmed"


class Reservations:
    """At most `capacity` orders at a time, each a key `PREFIX/ORDER`: held or confirmed.

    What is taken is the number of those keys, so a hold that ends frees its place in the same
    step: there is no counter that could be wrong. All processes must give the same capacity.
    """

    def __init__(self, kv: Client, prefix: str, capacity: int) -> None:
        """Use the reservations below `prefix`; nothing is written yet."""
        self._kv = kv
        self._orders = f"{prefix}/"
        self._capacity = capacity

    def hold(self, order: str, ttl: float) -> bool:
        """Hold a place for at least `ttl` seconds; True also if the order has one: the time of its
        hold does not begin anew. False: all are taken.
        """
        mine = self._orders + order
        done = self._kv.txn(
            when=(count(self._orders) < self._capacity) & ~exists(mine),
            then=[operations.put(mine, HELD, ttl=ttl)],
            orelse=[operations.get(mine)],
        )
        return done.succeeded or done.results[0] is not None

    def confirm(self, order: str) -> bool:
        """Make the place the order's for good; False: it had none, or the hold has ended."""
        mine = self._orders + order
        try:
            self._kv.put(mine, CONFIRMED, when=exists(mine))  # and no lease from now on
        except ConditionFailed:
            return False
        return True

    def cancel(self, order: str) -> bool:
        """Give up a hold; False: there is none. What is confirmed stays."""
        mine = self._orders + order
        try:
            return self._kv.delete(mine, when=value(mine) == HELD)
        except ConditionFailed:
            return False

    def taken(self) -> dict[str, bool]:
        """Return all orders that have a place; True: confirmed."""
        entries = self._kv.list(self._orders)
        return {
            entry.key.decode().removeprefix(self._orders): entry.value == CONFIRMED
            for entry in entries
        }
