"""Pre-minted tokens: vouchers, licences, numbers that are made beforehand, each sold once."""

import json
from collections import deque
from zlib import crc32

from kvraft_client import operations
from kvraft_client._async.client import AsyncClient
from kvraft_client._backends import aio as backend
from kvraft_client.conditions import All, exists
from kvraft_client.errors import InvalidRequest

SHARDS = 256
"""Where an order begins to look: two orders seldom want the same token."""
PAGE = 100
"""Tokens looked up at a time, and minted in one command (each takes two of its operations)."""
ORDER_MAX = 64
"""Tokens of one order: each takes three operations and a clause, of 256."""


class AsyncTokenPool:
    """Tokens below `prefix`: `PREFIX/free/SHARD/TOKEN`, then `PREFIX/sold/TOKEN` with the order,
    and `PREFIX/orders/ORDER` with its tokens.

    An order is known by its id, for good: asked for again, it gets the same tokens.
    """

    def __init__(self, kv: AsyncClient, prefix: str) -> None:
        """Use the tokens below `prefix`; nothing is written yet."""
        self._kv = kv
        self._free, self._sold = f"{prefix}/free/", f"{prefix}/sold/"
        self._orders = f"{prefix}/orders/"
        self._lock = backend.Lock()
        self._seen: deque[str] = deque()
        """Tokens that were free when this process looked: a guess, which the store checks."""

    async def mint(self, tokens: list[str]) -> None:
        """Add tokens; those that are there, or sold, stay as they are: safe to call again."""
        for begin in range(0, len(tokens), PAGE):
            page = tokens[begin : begin + PAGE]
            mints = [operations.put(self._free_key(token), b"") for token in page]
            unsold = [~exists(self._sold + token) for token in page]
            done = await self._kv.txn(when=All(tuple(unsold)), then=mints)
            if not done.succeeded:
                pairs = zip(unsold, mints, strict=True)
                await self._kv.txn(then=[operations.txn(when=a, then=[b]) for a, b in pairs])

    async def take(self, order: str, count: int = 1) -> tuple[str, ...]:
        """Sell so many tokens to the order, all or none; empty: fewer are left.

        An order that has tokens gets those. KvraftError: ask again with the same order.
        """
        if not 1 <= count <= ORDER_MAX:
            raise InvalidRequest(f"an order is of 1 to {ORDER_MAX} tokens, not {count}")
        mine = self._orders + order
        while True:
            tokens = await self._candidates(order, count)
            if not tokens:
                entry = await self._kv.get(mine)
                return () if entry is None else tuple(json.loads(entry.value))
            free = [self._free_key(token) for token in tokens]
            done = await self._kv.txn(
                when=All((~exists(mine), *map(exists, free))),
                then=[
                    operations.put(mine, json.dumps(tokens)),
                    *map(operations.delete, free),
                    *(operations.put(self._sold + token, order) for token in tokens),
                ],
            )
            if done.succeeded:
                return tuple(tokens)
            before = None if done.unmet is None else done.unmet.entry(mine.encode())
            if before is not None:
                return tuple(json.loads(before.value))

    async def _candidates(self, order: str, count: int) -> list[str]:
        """Return so many tokens that were free a moment ago, or none if there are not so many."""
        with self._lock:
            if len(self._seen) >= count:
                return [self._seen.popleft() for _ in range(count)]
        start = f"{self._free}{crc32(order.encode()) % SHARDS:02x}"
        behind = f"{self._free[:-1]}0"  # "0" follows "/"
        fresh = await self._listed(start, behind)
        if len(fresh) < PAGE:
            fresh += await self._listed(self._free, start)
        if len(fresh) < count:
            return []
        with self._lock:
            self._seen = deque(fresh)
            return [self._seen.popleft() for _ in range(count)]

    async def _listed(self, start: str, end: str) -> list[str]:
        """Return the first free tokens of a range of keys, a page at most."""
        found: list[str] = []
        keys = self._kv.list(start=start, end=end, keys_only=True, page_size=PAGE)
        async for entry in keys:
            found.append(entry.key.decode().removeprefix(self._free)[3:])  # behind "SHARD/"
            if len(found) == PAGE:
                break
        return found

    def _free_key(self, token: str) -> str:
        return f"{self._free}{crc32(token.encode()) % SHARDS:02x}/{token}"
