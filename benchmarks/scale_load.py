"""A closed loop of callers in one client process, and what a put of theirs costs each process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

from benchmarks.private_cluster import leader, pid_of
from benchmarks.processor_time import Used
from benchmarks.scale_points import Round
from kvraft.cli.local_cluster import ClusterError, LocalCluster
from kvraft_client import AsyncClient, NodeStatus

WARM_S = 0.5
"""Connections stand, and a session is open."""
TRIES = 3
"""A round in which another node began to lead is measured again, so often."""

Put = Callable[[int], Awaitable[object]]
"""Do the operation with this number."""


class _Callers:
    """They call until told to stop; the first error ends them all."""

    def __init__(self, put: Put, count: int) -> None:
        self.took: list[tuple[float, float]] = []
        """When an operation ended, and the seconds it took."""
        self._put = put
        self._stopping = False
        self._numbers = iter(range(1 << 62))
        self._tasks = [asyncio.create_task(self._call()) for _ in range(count)]

    async def _call(self) -> None:
        clock, put, took = time.monotonic, self._put, self.took
        for number in self._numbers:
            if self._stopping:
                return
            begun = clock()
            await put(number)
            took.append(((ended := clock()), ended - begun))

    async def wait(self, seconds: float) -> None:
        """Let them call for so long."""
        done, _ = await asyncio.wait(
            self._tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Finish what is under way."""
        self._stopping = True
        await asyncio.gather(*self._tasks)


async def measured(
    cluster: LocalCluster, put: Put, *, callers: int, rounds: int, seconds: float, weight: int = 1
) -> list[Round]:
    """Measure some rounds of one load; an operation counts as `weight` puts."""
    load = _Callers(put, callers)
    try:
        await load.wait(WARM_S)
        found = []
        for _ in range(rounds):
            for _ in range(TRIES):
                if (each := await _round(cluster, load, seconds, weight)) is not None:
                    found.append(each)
                    break
            else:
                raise ClusterError(f"another node began to lead in each of {TRIES} rounds")
    finally:
        await load.stop()
    return found


async def _round(
    cluster: LocalCluster, load: _Callers, seconds: float, weight: int
) -> Round | None:
    """Measure one round; None: the leader changed, and whose processor time is it then."""
    node, _ = await asyncio.to_thread(leader, cluster)
    pids = [pid_of(each) for each in cluster.nodes if each is not node]
    async with AsyncClient(node.endpoint, timeout=30.0) as observer:
        status = await _status(observer)
        first, begun = len(load.took), time.monotonic()
        before = Used.until_now(pid_of(node), pids)
        await load.wait(seconds)
        while len(load.took) == first:  # large values: none has ended yet
            await load.wait(seconds)
        used = Used.until_now(pid_of(node), pids) - before
        took, elapsed = load.took[first:], time.monotonic() - begun
        after = await _status(observer)
    if after.role != "leader" or after.term != status.term:
        return None
    p50_ms = median(each for _, each in took) * 1000
    entries = after.commit_index - status.commit_index
    return Round(len(took) * weight, elapsed, p50_ms, entries, used)


async def _status(observer: AsyncClient) -> NodeStatus:
    [status] = await observer.status(timeout=30.0)
    if status.error is not None:
        raise ClusterError(f"{status.endpoint} does not answer: {status.error}")
    return status
