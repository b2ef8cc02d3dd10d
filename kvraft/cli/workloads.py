"""What callers do to a store under test: each workload one operation, on keys under one prefix.

Shared by `kvraft bench` and the comparisons with other stores (`benchmarks/`).
"""

import asyncio
from collections.abc import Mapping

from kvraft.cli.closed_loop import Operation
from kvraft_client import AsyncClient, Entry, NotApplied, actions

VALUE_BYTES = 256


def value_of(number: int) -> bytes:
    """Return a value like no other one, of `VALUE_BYTES`."""
    return b"%016d" % number + b"v" * (VALUE_BYTES - 16)


class Workloads:
    """The operations of one client, each caller on a key, or lock, of its own; `update` on one."""

    def __init__(self, client: AsyncClient, prefix: str) -> None:
        """Nothing is written before `prepare`."""
        self.operations: Mapping[str, Operation] = {
            "cas": self._cas,
            "put": self._put,
            "read": self._read,
            "update": self._update,
            "lock": self._lock,
        }
        self._client = client
        self._prefix = prefix
        self._written = 0
        self._entries: dict[int, Entry] = {}

    async def prepare(self, callers: int) -> None:
        """Write the key of each caller, so that all measure the same: a key that is there."""
        writes = (self._put(caller) for caller in range(callers))
        for error in await asyncio.gather(*writes, return_exceptions=True):
            if error is not None:
                raise error

    def _key(self, caller: int) -> str:
        return f"{self._prefix}{caller:08d}"

    def _value(self) -> bytes:
        self._written += 1
        return value_of(self._written)

    async def _put(self, caller: int) -> None:
        self._entries[caller] = await self._client.put(self._key(caller), self._value())

    async def _cas(self, caller: int) -> None:
        """Swap, expecting what the caller wrote last: one round trip, as long as all goes well."""
        key = self._key(caller)
        expected = self._entries.pop(caller, None) or await self._client.get(key)
        self._entries[caller] = await self._client.cas(key, self._value(), expect=expected)

    async def _read(self, caller: int) -> None:
        if await self._client.get(self._key(caller)) is None:
            raise NotApplied(f"{self._key(caller)} is gone: somebody else deletes it")

    async def _update(self, _: int) -> None:
        """Add to one number, all callers the same."""
        await self._client.update(f"{self._prefix}sum", actions.add(1))

    async def _lock(self, caller: int) -> None:
        """A lease, a lock of the caller's own, and its release."""
        async with self._client.lock(self._key(caller)):
            pass
