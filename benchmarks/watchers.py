"""Many watchers of one prefix under steady writes: nobody misses, repeats or reorders an event."""

import asyncio
import contextlib
import itertools
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

    total: int
    sent: list[float] = field(default_factory=list)
    written: list[tuple[int, int]] = field(default_factory=list)
    """Revision and number of each write that was answered."""
    seen: list[list[int]] = field(default_factory=list)
    """The numbers that each watcher got, as it got them."""
    lag_ms: list[float] = field(default_factory=list)
    rate: float = 0.0
    """Writes a second that were answered."""

    async def write(self, client: AsyncClient, number: int) -> None:
        """Put one write."""
        self.sent.append(time.monotonic())
        entry = await client.put(f"{PREFIX}{number % KEYS}", b"%d/%s" % (number, VALUE))
        self.written.append((entry.mod_revision, number))

    async def follow(self, client: AsyncClient, ready: asyncio.Semaphore) -> None:
        """Watch until as many events have come as there are writes."""
        numbers: list[int] = []
        self.seen.append(numbers)
        async with client.watch(prefix=PREFIX) as watch:
            ready.release()
            async for event in watch:
                number = int(event.entry.value.split(b"/", 1)[0])
                self.lag_ms.append((time.monotonic() - self.sent[number]) * 1000)
                numbers.append(number)
                if len(numbers) == self.total:
                    return

    def judge(self) -> None:
        """Each watcher must have got each write once, in the order of revisions; AssertionError."""
        expected = [number for _, number in sorted(self.written)]
        wrong = [numbers for numbers in self.seen if numbers != expected]
        if wrong:
            pairs = itertools.zip_longest(expected, wrong[0])
            first = next((want, got) for want, got in pairs if want != got)
            raise AssertionError(
                f"{len(wrong)} of {len(self.seen)} watchers missed, repeated or reordered; the "
                f"first of them should have got write {first[0]} and got {first[1]}"
            )


async def _write_all(client: AsyncClient, sight: Sight, rate: int) -> None:
    """Write at a steady rate; a write that is late does not delay the ones after it."""
    begun = time.monotonic()
    async with asyncio.TaskGroup() as writes:
        for number in range(sight.total):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            writes.create_task(sight.write(client, number))
    sight.rate = sight.total / (time.monotonic() - begun)


async def _round(cluster: LocalCluster, watchers: int, rate: int, seconds: float) -> Sight:
    sight, ready = Sight(int(rate * seconds)), asyncio.Semaphore(0)
    endpoints = [node.endpoint for node in cluster.nodes]
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(AsyncClient(each, timeout=30.0)) for each in endpoints
        ]
        writer = await stack.enter_async_context(AsyncClient(cluster.endpoints, timeout=30.0))
        await stack.enter_async_context(_stalled_watch(endpoints[0]))
        following = [
            asyncio.create_task(sight.follow(clients[number % len(clients)], ready))
            for number in range(watchers)
        ]
        for _ in following:
            await ready.acquire()
        await _write_all(writer, sight, rate)
        _, late = await asyncio.wait(following, timeout=DRAIN_S)
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
        sight.judge()
        name = f"lag of an event, {watchers} watchers, {rate} writes/s"
        note = (
            f"{sight.rate:.0f} writes a second; {len(sight.lag_ms)} events, none missed, repeated "
            f"or out of order, beside one watch that never reads; the leader's memory grew by "
            f"{after - before:.0f} MiB"
        )
        rows.append(Row(name, "ms", spread(sight.lag_ms), {"p95": LAG_MS}, note))
        step()
    return rows
