"""What a client process has in hand between its calls: locks it holds, watches it follows."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from kvraft_client import AsyncClient, AsyncLease, AsyncLock, AsyncWatch

Seen = list[int | str | None]
"""Of one event of a watch: revision, key, and value (None: deleted)."""


class OpenWatch:
    """A watch that is read in the background, so that no call of it has to be cancelled."""

    def __init__(self, watch: AsyncWatch) -> None:
        self.begins: int | None = None
        """The first revision of it; None: not begun yet."""
        self.next_revision: int | None = None
        """The first that was not handed out."""
        self._watch = watch
        self._events: list[Seen] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    def check(self) -> None:
        """Raise what ended it."""
        if self._reading.done():
            self._reading.result()

    async def wait(self, events: int, until: int | None, limit_s: float) -> None:
        """Until so many events came, and all up to `until`; or until time is over."""

        def enough() -> bool:
            through = self._watch.revision
            has_all = until is None or (through is not None and through >= until)
            has_enough = self.begins is not None and len(self._events) >= events and has_all
            return has_enough or self._reading.done()

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not enough():
                    self._news.clear()
                    await self._news.wait()

    def take(self) -> tuple[list[Seen], int]:
        """Hand out what came, with the revision that the watch promises to be complete up to."""
        taken, self._events = self._events, []
        through = self._watch.revision
        assert through is not None, "it has begun"
        self.next_revision = through + 1
        return taken, through

    async def close(self) -> None:
        self._watch.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async with self._watch:
                assert self._watch.revision is not None, "it was entered"
                self.begins = self.next_revision = self._watch.revision + 1
                self._news.set()
                async for event in self._watch:
                    value = None if event.type == "delete" else event.entry.value.decode()
                    self._events.append([event.revision, event.key.decode(), value])
                    self._news.set()
        finally:
            self._news.set()


@dataclass(slots=True)
class Hands:
    """Of one process. Whoever ends the process drops them, before it closes the client."""

    client: AsyncClient
    locks: dict[tuple[str, int], AsyncLock] = field(default_factory=dict)
    """By name and token."""
    watches: dict[str, OpenWatch] = field(default_factory=dict)
    """By prefix."""

    async def drop(self) -> None:
        """Let everything go, but for locks on a lease of the script's: nobody writes down that
        they were given up, so they stay until that lease ends.
        """
        locks, self.locks = self.locks, {}
        watches, self.watches = self.watches, {}
        for watch in watches.values():
            await watch.close()
        for lock in locks.values():
            if isinstance(lock.lease, AsyncLease):
                await lock.release()
