"""A work queue by key: items of one key in order and one at a time, different keys in parallel."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

from kvraft_client import operations
from kvraft_client._async.client import AsyncClient
from kvraft_client._async.lock import AsyncLock
from kvraft_client.conditions import exists
from kvraft_client.errors import InvalidRequest, LockLost
from kvraft_client.operations import Operation
from kvraft_client.values import Entry

Effects = Sequence[Operation]
Handle = Callable[[str, bytes], Awaitable[Effects]]
"""Does the work of an item, given its key and body; returns what it does in the store."""


class AsyncWorkQueue:
    """Items below `prefix`, `PREFIX/KEY/ID`, until they are done; whoever works at a key holds the
    lock `PREFIX/KEY`.
    """

    def __init__(self, kv: AsyncClient, prefix: str, *, ttl: float = 10.0) -> None:
        """Use the items below `prefix`. `ttl`: seconds after which the key of a worker that died
        is free.
        """
        self._kv, self._items, self._ttl = kv, f"{prefix}/", ttl

    def item(self, key: str, body: bytes, item_id: str | None = None) -> Operation:
        """Make the operation that adds an item: in the transaction that is the reason for it."""
        if not key or "/" in key:
            raise InvalidRequest(f"the key of an item is a word without '/', not {key!r}")
        return operations.put(f"{self._items}{key}/{item_id or uuid4().hex}", body)

    async def add(self, key: str, body: bytes, item_id: str | None = None) -> None:
        """Add an item behind those of its key; with an id once, however often in ten minutes."""
        once = None if item_id is None else f"{self._items}{key}/{item_id}"
        await self._kv.txn(then=[self.item(key, body, item_id)], idempotency_key=once)

    async def waiting(self, key: str | None = None) -> list[Entry]:
        """Return what is to be done, of one key or of all, oldest first."""
        prefix = self._items if key is None else f"{self._items}{key}/"
        found = [entry async for entry in self._kv.list(prefix)]
        return sorted(found, key=lambda entry: (entry.create_revision, entry.key))

    async def work(self, handle: Handle) -> int:
        """Do what waits of every key that nobody else is at; return how many items were done.

        An error of `handle` ends the call: that item and those behind it stay.
        """
        keys = dict.fromkeys(self._key_of(entry) for entry in await self.waiting())
        done = 0
        for key in keys:
            lock = await self._kv.try_lock(self._items + key, ttl=self._ttl)
            if lock is not None:
                async with lock:
                    done += await self._do(key, handle, lock)
        return done

    async def _do(self, key: str, handle: Handle, lock: AsyncLock) -> int:
        done = 0
        for entry in await self.waiting(key):
            effects = await handle(key, entry.value)
            removal = [operations.delete(entry.key), *effects]
            try:
                result = await self._kv.txn(when=exists(entry.key), then=removal, fence=lock)
            except LockLost:
                break  # somebody else is at it, from this item on
            done += result.succeeded
        return done

    def _key_of(self, entry: Entry) -> str:
        return entry.key.decode().removeprefix(self._items).split("/")[0]
