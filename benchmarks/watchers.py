"""Many watchers of one prefix under steady writes: nobody misses, repeats or reorders an event."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc.aio

from benchmarks import one_loop
from benchmarks.private_cluster import leader, memory_mib, private_cluster, start
from benchmarks.report import Progress, Row, spread
from benchmarks.sizes import Sizes
from kvraft.cli.local_cluster import LocalCluster
from kvraft.v1 import watch_pb2, watch_pb2_grpc
from kvraft_client import AsyncClient

PREFIX = "watched/"
KEYS = 100
LAG_MS = 1_000.0
"""Most at the 95th percentile: news are gathered for at most 200 ms, the rest is this machine."""
DRAIN_S = 30.0
VALUE = b"." * 200


@dataclass(slots=True)
class Sight:
    """What the watchers of one round have seen of the writes, which are numbered."""

    watchers: int
    sent: list[float] = field(default_factory=list)
    lag_ms: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    behind: int = 0
    """Watchers that have not seen the last write yet."""

    async def follow(self, client: AsyncClient, ready: asyncio.Semaphore, total: int) -> None:
        """Watch until the last write is seen; each write must come once, in order."""
        expected = 0
        async with client.watch(prefix=PREFIX) as watch:
            ready.release()
            async for event in watch:
                number = int(event.entry.value.split(b"/", 1)[0])
                if number != expected:
                    self.faults.append(f"expected write {expected}, got {number}")
                self.lag_ms.append((time.monotonic() - self.sent[number]) * 1000)
                expected = number + 1
                if expected == total:
                    return


async def _write(client: AsyncClient, sight: Sight, rate: int, total: int) -> None:
    """Write at a steady rate; a write that is late does not delay the ones after it."""
    begun = time.monotonic()
    for number in range(total):
        await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
        sight.sent.append(time.monotonic())
        await client.put(f"{PREFIX}{number % KEYS}", b"%d/%s" % (number, VALUE))


async def _round(cluster: LocalCluster, watchers: int, rate: int, seconds: float) -> Sight:
    total = int(rate * seconds)
    sight, ready = Sight(watchers), asyncio.Semaphore(0)
    endpoints = [node.endpoint for node in cluster.nodes]
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(AsyncClient(each, timeout=30.0)) for each in endpoints
        ]
        writer = await stack.enter_async_context(AsyncClient(cluster.endpoints, timeout=30.0))
        await stack.enter_async_context(_stalled_watch(endpoints[0]))
        following = [
            asyncio.create_task(sight.follow(clients[number % len(clients)], ready, total))
            for number in range(watchers)
        ]
        for _ in following:
            await ready.acquire()
        await _write(writer, sight, rate, total)
        _, late = await asyncio.wait(following, timeout=DRAIN_S)
        sight.behind = len(late)
        for task in late:
            task.cancel()
        for task in following:
            if task not in late:
                task.result()
    return sight


@contextlib.asynccontextmanager
async def _stalled_watch(endpoint: str) -> AsyncIterator[None]:
    """Hold a watch open that never reads what it is sent."""
    async with grpc.aio.insecure_channel(endpoint) as channel:
        call = watch_pb2_grpc.WatchServiceStub(channel).Watch(
            watch_pb2.WatchRequest(prefix=PREFIX.encode(), previous=True)
        )
        await call.initial_metadata()
        yield
        call.cancel()


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure how late events come; an event missed, repeated or out of order fails the run."""
    rows: list[Row] = []
    step = progress("watchers", len(sizes.watchers))
    for watchers, rate in sizes.watchers:
        with private_cluster() as cluster:
            start(cluster)
            node, _ = leader(cluster)
            before, _ = memory_mib(node)
            sight = one_loop.run(_round(cluster, watchers, rate, sizes.watch_s))
            after, _ = memory_mib(node)
        if sight.faults or sight.behind:
            raise AssertionError(f"{sight.behind} watchers are behind; {sight.faults[:5]}")
        name = f"lag of an event, {watchers} watchers, {rate} writes/s"
        note = (
            f"{len(sight.lag_ms)} events, none missed, repeated or out of order, beside one watch "
            f"that never reads; the leader's memory grew by {after - before:.0f} MiB"
        )
        rows.append(Row(name, "ms", spread(sight.lag_ms), {"p95": LAG_MS}, note))
        step()
    return rows
