"""Failover under load: from the leader's end to the first acknowledged write that began after it.

Sixteen callers write in a closed loop; a killed node is restarted and awaited before the next.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable

from benchmarks.private_cluster import leader, private_cluster, start
from benchmarks.report import Row, spread
from kvraft.cli.local_cluster import LocalCluster, LocalNode
from kvraft_client import AsyncClient, KvraftError

CALLERS = 16
KILLS = 20
SILENCES = 5
SETTLE_S = 1.0
"""Writes go on this long between two failures, so that everybody is caught up."""
GIVE_UP_S = 15.0
CALL_S = 1.0
"""A caller's patience: a write into a leader that fell silent is UNKNOWN after it."""


class Load:
    """Writers, and the moments (sent, acknowledged) of what they wrote since the last failure."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.acknowledged: list[tuple[float, float]] = []
        self.errors = 0

    async def write(self, caller: int) -> None:
        """Write for ever."""
        number = 0
        while True:
            number += 1
            sent = time.monotonic()
            try:
                await self._client.put(f"load/{caller}", str(number).encode(), timeout=CALL_S)
            except KvraftError:
                self.errors += 1
            else:
                self.acknowledged.append((sent, time.monotonic()))

    async def first_after(self, moment: float) -> float:
        """Return how long after `moment` the first write that began after it was acknowledged."""
        while time.monotonic() < moment + GIVE_UP_S:
            for sent, done in self.acknowledged:
                if sent >= moment:
                    return done - moment
            await asyncio.sleep(0.002)
        raise RuntimeError(f"no write was acknowledged {GIVE_UP_S} s after the failure")


async def _measure(
    cluster: LocalCluster, count: int, number: signal.Signals, progress: Callable[[], None]
) -> list[float]:
    took = []
    async with AsyncClient(cluster.endpoints, timeout=5.0) as client:
        load = Load(client)
        tasks = [asyncio.create_task(load.write(caller)) for caller in range(CALLERS)]
        try:
            for _ in range(count):
                await asyncio.sleep(SETTLE_S)
                node = await asyncio.to_thread(leader, cluster)
                load.acknowledged.clear()
                moment = time.monotonic()
                _signal(node, number)
                took.append(await load.first_after(moment))
                await asyncio.to_thread(_recover, cluster, node, number)
                progress()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return took


def _signal(node: LocalNode, number: signal.Signals) -> None:
    pid = node.pid()
    assert pid is not None, f"{node.name} runs"
    os.kill(pid, number)


def _recover(cluster: LocalCluster, node: LocalNode, number: signal.Signals) -> None:
    if number is signal.SIGSTOP:
        _signal(node, signal.SIGCONT)
        return
    while node.pid() is not None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.005)
    start(cluster)


def run(progress: Callable[[str, int], Callable[[], None]]) -> list[Row]:
    """Measure kill -9 and SIGSTOP of the leader."""
    with private_cluster() as cluster:
        start(cluster)
        killed = asyncio.run(
            _measure(cluster, KILLS, signal.SIGKILL, progress("kill -9 of the leader", KILLS))
        )
        silent = asyncio.run(
            _measure(cluster, SILENCES, signal.SIGSTOP, progress("SIGSTOP", SILENCES))
        )
    return [
        Row("failover, kill -9 of the leader", "s", spread(killed), goal="median 0.3, worst 1.0"),
        Row("failover, leader silent (SIGSTOP)", "s", spread(silent), goal="worst 2.0"),
    ]
