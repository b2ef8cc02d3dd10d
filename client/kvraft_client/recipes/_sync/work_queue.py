# Generated from _async/work_queue.py by scripts/generate_sync_client.py: do not edit.
"""A work queue by key: items of one key in order and one at a time, different keys in parallel."""

from collections.abc import Callable, Sequence
from uuid import uuid4

from kvraft_client import operations
from kvraft_client._sync.client import Client
from kvraft_client._sync.lock import Lock
from kvraft_client.conditions import exists
from kvraft_client.errors import InvalidRequest, LockLost
from kvraft_client.operations import Operation
from kvraft_client.values import Entry

Effects = Sequence[Operation]
Handle = Callable[[str, bytes], Effects]
"""Does the work of an item, given its key and body; returns what it does in the store."""


class WorkQueue:
    """Items below `prefix`, `PREFIX/KEY/ID`, until they are done; whoever works at a key holds the
    lock `PREFIX/KEY`.
    """

    def __init__(self, kv: Client, prefix: str, *, ttl: float = 10.0) -> None:
        """Use the items below `prefix`. `ttl`: seconds after which the key of a worker that died
        is free.
        """
        self._kv, self._items, self._ttl = kv, f"{prefix}/", ttl

    def item(self, key: str, body: bytes, item_id: str | None = None) -> Operation:
        """Make the operation that adds an item: in the transaction that is the reason for it."""
        if not key or "/" in key:
            raise InvalidRequest(f"the key of an item is a word without '/', not {key!r}")
        return operations.put(f"{self._items}{key}/{item_id or uuid4().hex}", body)

    def add(self, key: str, body: bytes, item_id: str | None = None) -> None:
        """Add an item behind those of its key; with an id once, however often in ten minutes."""
        once = None if item_id is None else f"{self._items}{key}/{item_id}"
        self._kv.txn(then=[self.item(key, body, item_id)], idempotency_key=once)

    def waiting(self, key: str | None = None) -> list[Entry]:
        """Return what is to be done, of one key or of all, oldest first."""
        prefix = self._items if key is None else f"{self._items}{key}/"
        found = [entry for entry in self._kv.list(prefix)]
        return sorted(found, key=lambda entry: (entry.create_revision, entry.key))

    def work(self, handle: Handle) -> int:
        """Do what waits of every key that nobody else is at; return how many items were done.

        An error of `handle` ends the call: that item and those behind it stay.
        """
        keys = dict.fromkeys(self._key_of(entry) for entry in self.waiting())
        done = 0
        for key in keys:
            lock = self._kv.try_lock(self._items + key, ttl=self._ttl)
            if lock is not None:
                with lock:
                    done += self._do(key, handle, lock)
        return done

    def _do(self, key: str, handle: Handle, lock: Lock) -> int:
        done = 0
        for entry in self.waiting(key):
            effects = handle(key, entry.value)
            removal = [operations.delete(entry.key), *effects]
            try:
                result = self._kv.txn(when=exists(entry.key), then=removal, fence=lock)
            except LockLost:
                break  # somebody else is at it, from this item on
            done += result.succeeded
        return done

    def _key_of(self, entry: Entry) -> str:
        return entry.key.decode().removeprefix(self._items).split("/")[0]
