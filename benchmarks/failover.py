"""Failover under load: from the leader's end to the first acknowledged write that began after it.

Sixteen callers write in a closed loop; a killed node is restarted and awaited before the next.
"""

import asyncio
import os
import signal
import time
from collections import Counter

from benchmarks import one_loop
from benchmarks.private_cluster import (
    bury,
    kill,
    leader,
    pid_of,
    private_cluster,
    start,
    wait_caught_up,
)
from benchmarks.report import Progress, Row, Step, spread
from benchmarks.sizes import Sizes
from kvraft.cli.local_cluster import ClusterError, LocalCluster, LocalNode
from kvraft_client import AsyncClient, KvraftError

CALLERS = 16
GIVE_UP_S = 15.0
CALL_S = 1.0
"""A caller's patience: a write into a leader that fell silent is UNKNOWN after it."""
POLL_S = 0.002


class Load:
    """Writers, and the moments (sent, acknowledged) of what they wrote since `begin`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._acknowledged: list[tuple[float, float]] = []
        self.outcomes: Counter[str] = Counter()

    async def write(self, caller: int) -> None:
        """Write for ever."""
        number = 0
        while True:
            number += 1
            sent = time.monotonic()
            try:
                await self._client.put(f"load/{caller}", str(number).encode(), timeout=CALL_S)
            except KvraftError as error:
                self.outcomes[error.outcome.value] += 1
            else:
                self.outcomes["acknowledged"] += 1
                self._acknowledged.append((sent, time.monotonic()))

    def begin(self) -> float:
        """Forget what was acknowledged; return the moment."""
        self._acknowledged.clear()
        return time.monotonic()

    async def first_after(self, moment: float) -> float:
        """Return how long after `moment` the first write that began after it was acknowledged."""
        while time.monotonic() < moment + GIVE_UP_S:
            done = [done for sent, done in self._acknowledged if sent >= moment]
            if done:
                return min(done) - moment
            await asyncio.sleep(POLL_S)
        raise ClusterError(f"no write was acknowledged {GIVE_UP_S:.0f} s after the failure")


async def _measure(
    cluster: LocalCluster, count: int, *, silent: bool, settle_s: float, step: Step
) -> tuple[list[float], Counter[str]]:
    took: list[float] = []
    async with AsyncClient(cluster.endpoints) as client:
        load = Load(client)
        tasks = [asyncio.create_task(load.write(caller)) for caller in range(CALLERS)]
        try:
            while len(took) < count:
                await asyncio.to_thread(wait_caught_up, cluster)
                await asyncio.sleep(settle_s)
                node, before = await asyncio.to_thread(leader, cluster)
                moment = load.begin()
                _fail(node, silent=silent)
                seconds = await load.first_after(moment)
                term = await asyncio.to_thread(_term_without, node, cluster)
                if term > before.term:  # else leadership had moved in between: no failover
                    took.append(seconds)
                    step()
                await asyncio.to_thread(_recover, cluster, node, silent=silent)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return took, load.outcomes


def _term_without(failed: LocalNode, cluster: LocalCluster) -> int:
    """Return the term in which another node leads."""
    others = tuple(node for node in cluster.nodes if node != failed)
    return leader(LocalCluster(cluster.directory, others))[1].term


def _fail(node: LocalNode, *, silent: bool) -> None:
    if silent:
        os.kill(pid_of(node), signal.SIGSTOP)
    else:
        kill(node)


def _recover(cluster: LocalCluster, node: LocalNode, *, silent: bool) -> None:
    if silent:
        os.kill(pid_of(node), signal.SIGCONT)
        return
    bury(node)
    start(cluster)


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure kill -9 and SIGSTOP of the leader."""
    rows = []
    for name, count, silent, goals in (
        ("kill -9 of the leader", sizes.kills, False, {"median": 0.3, "high": 1.0}),
        ("leader silent (SIGSTOP)", sizes.silences, True, {"high": 2.0}),
    ):
        with private_cluster() as cluster:
            start(cluster)
            step = progress(name, count)
            took, outcomes = one_loop.run(
                _measure(cluster, count, silent=silent, settle_s=sizes.settle_s, step=step)
            )
        counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        note = f"{CALLERS} callers, patience {CALL_S:.0f} s a write; writes: {counts}"
        rows.append(Row(f"failover, {name}", "s", spread(took), goals, note))
    return rows
