"""Watches on three real nodes: whoever is killed, nobody misses, repeats or reorders an event."""

import asyncio
import os
import signal
from itertools import count

import grpc.aio
from integration.processes import kill, start
from service_wire import failure_of

from kvraft.cli.local_cluster import LocalCluster
from kvraft.v1 import kv_pb2, kv_pb2_grpc, watch_pb2, watch_pb2_grpc

WATCHES, CALLERS = 12, 8


class Traffic:
    """Callers that write for ever, and watches that resume at the next node when theirs is gone."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.channels = [grpc.aio.insecure_channel(node.endpoint) for node in cluster.nodes]
        self.acknowledged: dict[int, bytes] = {}
        self.seen: list[list[tuple[int, bytes]]] = [[] for _ in range(WATCHES)]
        self.resumed = 0
        self.stopping = False

    async def write(self, caller: int) -> None:
        for number in count():
            if self.stopping:
                return
            key = b"w/%d/%d" % (caller, number)
            request = kv_pb2.PutRequest(key=key, identity=kv_pb2.Identity(idempotency_key=key))
            for attempt in count():
                channel = self.channels[(caller + attempt) % len(self.channels)]
                try:
                    answer = await kv_pb2_grpc.KVServiceStub(channel).Put(request, timeout=2.0)
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.05)
                else:
                    self.acknowledged[answer.entry.mod_revision] = key
                    break

    async def watch(self, watcher: int) -> None:
        position, seen = 1, self.seen[watcher]
        for attempt in count():
            channel = self.channels[(watcher + attempt) % len(self.channels)]
            request = watch_pb2.WatchRequest(prefix=b"w/", start_revision=position + 1)
            try:
                async for response in watch_pb2_grpc.WatchServiceStub(channel).Watch(request):
                    seen += [(each.entry.mod_revision, each.entry.key) for each in response.events]
                    position = response.revision
            except grpc.aio.AioRpcError:
                self.resumed += 1
                await asyncio.sleep(0.05)

    async def until(self, condition) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.01)

    async def through(self, cluster: LocalCluster) -> None:
        """Kill each node once, under load."""
        writers = [asyncio.create_task(self.write(caller)) for caller in range(CALLERS)]
        watches = [asyncio.create_task(self.watch(watcher)) for watcher in range(WATCHES)]
        for node in cluster.nodes:
            wanted = len(self.acknowledged) + 200
            await self.until(lambda wanted=wanted: len(self.acknowledged) >= wanted)
            await asyncio.to_thread(kill, [node])
            await asyncio.to_thread(start, cluster)
        self.stopping = True
        await asyncio.gather(*writers)
        last = max(self.acknowledged)
        await self.until(lambda: all(seen and seen[-1][0] >= last for seen in self.seen))
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        for channel in self.channels:
            await channel.close()


def test_kills_cost_no_watch_an_event(cluster: LocalCluster) -> None:
    async def run() -> Traffic:
        traffic = Traffic(cluster)
        await traffic.through(cluster)
        return traffic

    traffic = asyncio.run(run())

    assert traffic.resumed >= WATCHES
    for seen in traffic.seen:
        assert seen == sorted(traffic.acknowledged.items())


def test_a_node_without_a_leader_ends_its_watches_with_where_to_resume(
    cluster: LocalCluster,
) -> None:
    alone, *others = cluster.nodes
    pids = [pid for node in others if (pid := node.pid()) is not None]

    async def run() -> dict[str, str]:
        async with grpc.aio.insecure_channel(alone.endpoint) as channel:
            call = watch_pb2_grpc.WatchServiceStub(channel).Watch(
                watch_pb2.WatchRequest(prefix=b"")
            )
            assert (await call.read()).revision == 1
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                async with asyncio.timeout(15):
                    while True:
                        await call.read()
            except grpc.aio.AioRpcError as error:
                return failure_of(error).metadata

    try:
        metadata = asyncio.run(run())
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    assert metadata == {"outcome": "NOT_APPLIED", "resume_revision": "2"}
