"""Closed-loop writers of one process, for loading and for latencies."""

import asyncio
import time
from collections.abc import Callable

from kvraft_client import AsyncClient

VALUE = b"v" * 256
CALLERS = 128
STEP = 1000
"""Writes between two steps of a progress bar."""


def key(number: int) -> str:
    """Return the key with this number."""
    return f"bench/{number:08d}"


async def write_keys(
    endpoints: str, numbers: range, keys: int, progress: Callable[[], None]
) -> None:
    """Write `numbers` (modulo `keys`) with many callers; one progress step each `STEP`."""
    pending = iter(numbers)
    done = 0

    async with AsyncClient(endpoints, timeout=30.0) as client:

        async def caller() -> None:
            nonlocal done
            for number in pending:
                await client.put(key(number % keys), VALUE)
                done += 1
                if done % STEP == 0:
                    progress()

        await asyncio.gather(*(caller() for _ in range(CALLERS)))


class Latencies:
    """A few writers in a closed loop until told to stop; what each write took, and when."""

    def __init__(self, client: AsyncClient, callers: int) -> None:
        self._client = client
        self._stopping = False
        self.samples: list[tuple[float, float]] = []
        """When a write was acknowledged (monotonic seconds), and how long it took (seconds)."""
        self._tasks = [asyncio.create_task(self._write(number)) for number in range(callers)]

    async def _write(self, caller: int) -> None:
        number = caller
        while not self._stopping:
            sent = time.monotonic()
            await self._client.put(key(number), VALUE)
            now = time.monotonic()
            self.samples.append((now, now - sent))
            number += 101

    async def stop(self) -> None:
        """Finish the writes under way."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    def worst_ms(self, begin: float, end: float) -> float:
        """Return the longest write that was acknowledged from `begin` to `end`."""
        return max(took for when, took in self.samples if begin <= when <= end) * 1000
