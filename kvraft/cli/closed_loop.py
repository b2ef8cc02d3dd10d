"""Callers that each have one operation under way, always: how many were done, how long each took.

Shared by `kvraft bench` and the comparisons with other stores (`benchmarks/`).
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kvraft_client import KvraftError, Outcome

Operation = Callable[[int], Awaitable[None]]
"""What a caller, known by its number, does again and again."""


@dataclass(slots=True)
class Measured:
    """What was done in a time; errors are never among `took_ms`."""

    seconds: float = 0.0
    took_ms: list[float] = field(default_factory=list)
    """In order of size, once the time is over."""
    unknown: int = 0
    """Operations that may or may not have been done."""
    failed: int = 0
    """Operations that were certainly not done."""
    first_error: str = ""

    @property
    def rate(self) -> float:
        """Operations done in a second."""
        return len(self.took_ms) / self.seconds if self.seconds > 0 else 0.0

    def quantile_ms(self, share: float) -> float | None:
        """Return the time that this share of the operations did not exceed; None: none was done."""
        if not self.took_ms:
            return None
        return self.took_ms[max(0, math.ceil(len(self.took_ms) * share) - 1)]

    def count(self, error: KvraftError) -> None:
        """Take note of an operation that was not done, or nobody knows."""
        if error.outcome is Outcome.UNKNOWN:
            self.unknown += 1
        else:
            self.failed += 1
        self.first_error = self.first_error or str(error)


async def closed_loop(
    operation: Operation,
    callers: int,
    seconds: float,
    *,
    warm_s: float = 0.0,
    stop: asyncio.Event | None = None,
    at_edge: Callable[[], object] = lambda: None,
) -> Measured:
    """Let all callers work for `warm_s`, then measure for `seconds`, or until `stop`.

    An operation counts where it was done within the time; an error also where it came later: a
    call that nobody answers outlasts a short time. `at_edge` is called as the time begins and ends.
    """
    measured, stop = Measured(), stop or asyncio.Event()
    begun = ended = math.inf

    async def caller(number: int) -> None:
        while ended == math.inf:
            sent = time.monotonic()
            try:
                await operation(number)
            except KvraftError as error:
                if begun < math.inf:
                    measured.count(error)
            else:
                if begun < math.inf and ended == math.inf:
                    measured.took_ms.append((time.monotonic() - sent) * 1_000)

    async with asyncio.TaskGroup() as group:  # an error of another sort ends them all
        tasks = [group.create_task(caller(number)) for number in range(callers)]
        await _pass(stop, warm_s)
        begun = time.monotonic()
        at_edge()
        await _pass(stop, seconds)
        ended = time.monotonic()
        at_edge()
        if stop.is_set():  # whoever said so does not wait for calls that nobody answers
            for task in tasks:
                task.cancel()
    measured.seconds = ended - begun
    measured.took_ms.sort()
    return measured


async def _pass(stop: asyncio.Event, seconds: float) -> None:
    """Let this time pass, unless it is over before."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
