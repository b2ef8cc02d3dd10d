"""One process of `kvraft_chaos.fenced_counter`: increments counters, each under its lock.

An increment reads the counter and writes what it read and one more, as programs do that trust
their lock. Some are struck between the two: this process stops itself, with all its tasks and the
renewals of their leases (SIGSTOP; whoever started it lets it go on), or asks to be cut off.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import count
from random import Random

from kvraft_client import (
    AlreadyHeld,
    Applied,
    AsyncClient,
    KvraftError,
    LockLost,
    LockTimeout,
    NotApplied,
    OutcomeUnknown,
    StaleFence,
    Unavailable,
)
from kvraft_client.fences import Fence

COUNTER = "counter/"
LOCK = "lock/"
TTL_S = 1.0
"""The least there is: every strike lasts longer."""
CALL_S = 1.6
"""Longer than some of the cuts and shorter than others: writes wait, or end unknown."""
INCREMENTS_A_HOLD = 20
STRUCK_SHARE = 0.75
"""Towards the end others may have finished, and nobody is left to collide with."""
NAMES_A_WORKER = 1_000_000_000
PAUSE, CUT = "pause", "cut"
NOT_HAD = (Unavailable, LockTimeout, LockLost, AlreadyHeld)
"""Cut off, or struck on arrival; already held: what this task was cut off from is not released
yet. All are asked for again."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one worker is to do."""

    worker: int
    endpoints: str
    increments: list[int]
    """Of each counter: so whoever is struck holds up work that others must do."""
    strike_every: int
    """Increments of this worker, of which one is struck."""
    fences: bool
    seed: int


@dataclass(slots=True)
class Report:
    """What became of its writes, by their names, as the store told it."""

    applied: list[int] = field(default_factory=list)
    not_applied: list[int] = field(default_factory=list)
    settled: int = 0
    """Unknown at first, and asked about."""
    stale: int = 0
    """Refused by the store for their fence."""


class Worker:
    """A task for each counter, on one client."""

    def __init__(self, order: Order, client: AsyncClient) -> None:
        self.report = Report()
        self._order, self._client = order, client
        self._names = count(order.worker * NAMES_A_WORKER)
        self._begun = count()
        self._strikes = dict(strikes(order))
        self._asking = asyncio.Lock()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, increments in enumerate(self._order.increments):
                group.create_task(self._increment_all(number, increments))

    async def _increment_all(self, number: int, left: int) -> None:
        while left:
            with contextlib.suppress(*NOT_HAD):
                async with self._client.lock(f"{LOCK}{number}", ttl=TTL_S) as lock:
                    # The pair, not the lock: the store is to refuse, not this side's clock.
                    left -= await self._hold(number, lock.fence, min(left, INCREMENTS_A_HOLD))

    async def _hold(self, number: int, fence: Fence, most: int) -> int:
        """Increment until something is wrong; return how many were done."""
        key, done = f"{COUNTER}{number}", 0
        for _ in range(most):
            try:
                found = await self._client.get(key)
            except KvraftError:
                break
            value = 0 if found is None else int(found.value.split()[0])
            await self._maybe_struck()
            was_written, goes_on = await self._write(key, value + 1, fence)
            done += was_written
            if not goes_on:
                break
        return done

    async def _write(self, key: str, value: int, fence: Fence) -> tuple[bool, bool]:
        """Return whether it was written, and whether that was plain at once."""
        name, report = next(self._names), self.report
        is_plain = True
        try:
            await self._client.put(
                key, f"{value} {name}", fence=fence if self._order.fences else None
            )
            was_written = True
        except OutcomeUnknown as unknown:
            report.settled += 1
            was_written, is_plain = await self._settled(unknown), False
        except NotApplied as error:
            report.stale += isinstance(error, StaleFence)
            was_written = is_plain = False
        (report.applied if was_written else report.not_applied).append(name)
        return was_written, is_plain

    async def _settled(self, unknown: OutcomeUnknown) -> bool:
        assert unknown.identity is not None
        while True:
            with contextlib.suppress(OutcomeUnknown, Unavailable):
                return isinstance(await self._client.outcome(unknown.identity), Applied)

    async def _maybe_struck(self) -> None:
        strike = self._strikes.get(next(self._begun))
        if strike == PAUSE:
            tell(PAUSE)
            os.kill(os.getpid(), signal.SIGSTOP)
        elif strike == CUT:
            async with self._asking:
                tell(CUT)
                await asyncio.to_thread(sys.stdin.readline)  # it is done


def strikes(order: Order) -> Iterator[tuple[int, str]]:
    """Draw which increments are struck, and how."""
    random = Random(f"{order.seed} {order.worker}")
    last = int(sum(order.increments) * STRUCK_SHARE)
    for turn, first in enumerate(range(0, last, order.strike_every)):
        kind = (PAUSE, CUT)[(turn + order.worker) % 2]
        yield first + random.randrange(min(order.strike_every, last) // 2), kind


def tell(line: str) -> None:
    """Say it to whoever started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def work(order: Order) -> Report:
    """Do all of it."""
    async with AsyncClient(order.endpoints, timeout=CALL_S) as client:
        worker = Worker(order, client)
        await worker.run()
    return worker.report


if __name__ == "__main__":
    logging.getLogger("kvraft_client").setLevel(logging.ERROR)  # locks are lost all the time
    tell(json.dumps(asdict(asyncio.run(work(Order(**json.loads(sys.argv[1])))))))
