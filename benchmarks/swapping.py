"""Callers that swap the value of a key of their own, of which each knows what stands there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from kvraft.cli.workloads import value_of

Known = TypeVar("Known")
"""What a store compares: a revision, a version, a value."""


def key(caller: int) -> str:
    """Return a caller's own key."""
    return f"bench-{caller:08d}"


class Swaps(Generic[Known]):
    """The same for every store: only how a key is written and swapped differs."""

    def __init__(
        self,
        write: Callable[[str, bytes], Awaitable[Known]],
        swap: Callable[[int, bytes, Known], Awaitable[Known | None]],
    ) -> None:
        """`write` a key that is not there; `swap` a caller's, None if it was not as expected."""
        self._write = write
        self._swap = swap
        self._known: dict[int, Known] = {}
        self._written = 0

    async def prepare(self, callers: int) -> None:
        """Write the keys that these callers need."""
        new = [caller for caller in range(callers) if caller not in self._known]
        written = await asyncio.gather(*(self._write(key(each), self._value()) for each in new))
        self._known.update(zip(new, written, strict=True))

    async def swap(self, caller: int) -> None:
        """Swap once."""
        found = await self._swap(caller, self._value(), self._known[caller])
        if found is None:
            raise RuntimeError(f"{key(caller)} is not as expected, and nobody else writes it")
        self._known[caller] = found

    def _value(self) -> bytes:
        self._written += 1
        return value_of(self._written)
