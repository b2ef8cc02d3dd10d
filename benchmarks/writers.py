"""Closed-loop writers of one process, for loading and for latencies."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.report import Step
from kvraft_client import AsyncClient

VALUE = b"v" * 256
CALLERS = 128
STEP = 1000
"""Writes between two steps of a progress bar."""


def key(number: int) -> str:
    """Return the key with this number."""
    return f"bench/{number:08d}"


async def write_keys(endpoints: str, numbers: range, keys: int, step: Step) -> None:
    """Write `numbers` (modulo `keys`)."""
    async with AsyncClient(endpoints, timeout=30.0) as client:
        await write_all(lambda number: client.put(key(number % keys), VALUE), numbers, step)


async def write_all(put: Callable[[int], Awaitable[object]], numbers: range, step: Step) -> None:
    """Write `numbers` with many callers; one progress step each `STEP`."""
    pending = iter(numbers)
    done = 0

    async def caller() -> None:
        nonlocal done
        for number in pending:
            await put(number)
            done += 1
            if done % STEP == 0:
                step()

    async with asyncio.TaskGroup() as group:  # the first error ends them all
        for _ in range(CALLERS):
            group.create_task(caller())


class Latencies:
    """A few writers in a closed loop until told to stop; what each write took, and when."""

    def __init__(self, client: AsyncClient, callers: int, keys: int = 100_000) -> None:
        self._client = client
        self._keys = keys
        self._stopping = False
        self._samples: list[tuple[float, float]] = []
        """When a write was sent and when it was acknowledged, in monotonic seconds."""
        self._tasks = [asyncio.create_task(self._write(number)) for number in range(callers)]

    async def _write(self, caller: int) -> None:
        number = caller
        while not self._stopping:
            sent = time.monotonic()
            await self._client.put(key(number % self._keys), VALUE)
            self._samples.append((sent, time.monotonic()))
            number += 7919  # a prime: all over the keys

    @staticmethod
    def now() -> float:
        """Return the clock of the samples."""
        return time.monotonic()

    async def stop(self) -> None:
        """Finish the writes under way; a write that failed raises here."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    def took_ms(self, begin: float, end: float) -> list[float]:
        """Return how long each write took that was under way between `begin` and `end`.

        Only after `stop`: a write that is still under way then is not among the samples.
        """
        assert self._stopping, "the longest write may still be under way"
        return [(done - sent) * 1000 for sent, done in self._samples if sent < end and done > begin]
