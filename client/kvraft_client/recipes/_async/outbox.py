"""An outbox: what changes and the message about it are written together, then delivered."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from kvraft_client import operations
from kvraft_client._async.client import AsyncClient
from kvraft_client.conditions import exists
from kvraft_client.operations import Operation
from kvraft_client.values import Entry

Deliver = Callable[[str, bytes], Awaitable[None]]
"""Hands out a message, by its id; the receiver knows the id of what it has seen already."""


class AsyncOutbox:
    """Messages below `prefix`, each a key `PREFIX/ID` until it is delivered.

    A message is there if, and only if, the transaction that it was part of was done.
    """

    def __init__(self, kv: AsyncClient, prefix: str) -> None:
        """Use the messages below `prefix`; nothing is written yet."""
        self._kv = kv
        self._messages = f"{prefix}/"

    def message(self, body: bytes, message_id: str | None = None) -> Operation:
        """Make the operation that adds a message: one more of the caller's own transaction."""
        return operations.put(self._messages + (message_id or uuid4().hex), body)

    async def pending(self) -> list[Entry]:
        """Return what waits, in the order in which it was written."""
        found = [entry async for entry in self._kv.list(self._messages)]
        return sorted(found, key=lambda entry: (entry.create_revision, entry.key))

    async def drain(self, deliver: Deliver) -> int:
        """Deliver what waits, in order, and remove each; return how many this call removed.

        At least once: whoever delivers and dies before the removal leaves the message to the next.
        An error of `deliver` ends the call; that message and those behind it stay.
        """
        removed = 0
        for entry in await self.pending():
            await deliver(entry.key.decode().removeprefix(self._messages), entry.value)
            removed += await self.settle(entry)
        return removed

    async def settle(self, message: Entry, *effects: Operation) -> bool:
        """Remove a message and do its effects in the store, together, so exactly once; False:
        somebody did before.
        """
        done = await self._kv.txn(
            when=exists(message.key), then=[operations.delete(message.key), *effects]
        )
        return done.succeeded
