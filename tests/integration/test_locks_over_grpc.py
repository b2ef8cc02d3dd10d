"""Locks on three real nodes: who waits where, who dies, and who holds in the end."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import grpc.aio
import pytest
from integration.processes import kill
from service_wire import Failed, failing, failure_of

from kvraft.cli.local_cluster import LocalCluster
from kvraft.v1 import (
    cluster_pb2,
    cluster_pb2_grpc,
    kv_pb2,
    kv_pb2_grpc,
    lease_pb2,
    lease_pb2_grpc,
    lock_pb2,
    lock_pb2_grpc,
)

TIMEOUT_S = 40


class Desk:
    """Stubs of every node, and names that no other test has."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.cluster = cluster
        self.channels = [grpc.aio.insecure_channel(node.endpoint) for node in cluster.nodes]
        self.locks = [lock_pb2_grpc.LockServiceStub(channel) for channel in self.channels]
        self.keys = [kv_pb2_grpc.KVServiceStub(channel) for channel in self.channels]
        self.name = uuid4().hex.encode()

    async def describe(self, node: int = 0) -> lock_pb2.LockDescription:
        request = lock_pb2.LockServiceDescribeRequest(name=self.name)
        return (await self.locks[node].Describe(request)).lock

    async def release(self, key: bytes, node: int = 0) -> bool:
        request = lock_pb2.ReleaseRequest(key=key, end_lease=True)
        return (await self.locks[node].Release(request)).released

    async def confirm(self, key: bytes, node: int = 0) -> bool:
        return (await self.locks[node].Confirm(lock_pb2.ConfirmRequest(key=key))).held


class Stream:
    """One Acquire at one node."""

    def __init__(self, desk: Desk, node: int, *names: bytes, key: bytes = b"", **fields) -> None:
        self.key = key or uuid4().bytes
        fields.setdefault("ttl_ms", 60_000)
        request = lock_pb2.AcquireRequest(key=self.key, names=names or (desk.name,), **fields)
        self.call = desk.locks[node].Acquire(request)

    async def queued(self) -> lock_pb2.Queued:
        response = await self.call.read()
        assert response.HasField("queued"), response
        return response.queued

    async def granted(self) -> lock_pb2.Granted:
        """Read until it is."""
        while True:
            response = await self.call.read()
            assert response is not grpc.aio.EOF
            assert response.WhichOneof("standing") in ("queued", "granted"), response
            if response.HasField("granted"):
                return response.granted

    async def failed(self) -> Failed:
        try:
            while await self.call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError as error:
            return failure_of(error)
        raise AssertionError("it ended without an error")


def play(cluster: LocalCluster, part: Callable[[Desk], Awaitable[None]]) -> None:
    """Run one scene."""

    async def run() -> None:
        desk = Desk(cluster)
        async with asyncio.timeout(TIMEOUT_S):
            await part(desk)
        for channel in desk.channels:
            await channel.close()

    asyncio.run(run())


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():
        await asyncio.sleep(0.05)


def test_a_queue_over_all_nodes_is_served_in_order(module_cluster: LocalCluster) -> None:
    async def part(desk: Desk) -> None:
        holder = Stream(desk, 0)
        tokens = [fence.token for fence in (await holder.granted()).fences]
        waiting = []
        for number in range(9):
            stream = Stream(desk, number % 3)
            assert (await stream.queued()).position == number
            waiting.append(stream)
        before = holder
        for stream in waiting:
            assert await desk.release(before.key, node=1)
            tokens += [fence.token for fence in (await stream.granted()).fences]
            before = stream
        assert tokens == sorted(set(tokens))
        assert await desk.release(before.key)
        assert not (await desk.describe(2)).name

    play(module_cluster, part)


def test_the_end_of_a_lease_hands_over(module_cluster: LocalCluster) -> None:
    async def part(desk: Desk) -> None:
        holder = Stream(desk, 0, ttl_ms=1_000)
        granted = await holder.granted()
        assert await desk.confirm(holder.key)
        waiting = Stream(desk, 1)
        await waiting.queued()
        begun = time.monotonic()
        later = await waiting.granted()
        assert 0.5 < time.monotonic() - begun < 5
        assert later.fences[0].token > granted.fences[0].token
        stale = kv_pb2.PutRequest(key=b"k" + desk.name, fences=granted.fences)
        failed = await failing(desk.keys[2].Put(stale))
        assert (failed.code, failed.info.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "STALE_FENCE",
        )
        await desk.keys[2].Put(kv_pb2.PutRequest(key=b"k" + desk.name, fences=later.fences))
        for token, held in ((granted, False), (later, True)):
            request = lock_pb2.CheckFenceRequest(fence=token.fences[0])
            assert [(await each.CheckFence(request)).held for each in desk.locks] == [held] * 3

    play(module_cluster, part)


def test_who_waits_for_longer_than_a_sign_of_life_lasts_stays(
    module_cluster: LocalCluster,
) -> None:
    """Two of the three nodes forward it to the leader."""

    async def part(desk: Desk) -> None:
        holder = Stream(desk, 0)
        await holder.granted()
        assert await desk.confirm(holder.key)
        waiting = [Stream(desk, node) for node in range(3)]
        places = {(await stream.queued()).place for stream in waiting}
        await asyncio.sleep(11)  # attach_ms and a little
        assert {each.place for each in (await desk.describe()).waiters} == places

    play(module_cluster, part)


def test_a_grant_that_nobody_confirms_is_taken_back(module_cluster: LocalCluster) -> None:
    async def part(desk: Desk) -> None:
        holder = Stream(desk, 0)
        await holder.granted()
        waiting = Stream(desk, 1)
        begun = time.monotonic()
        await waiting.granted()
        assert 8 < time.monotonic() - begun < 13
        response = await Stream(desk, 2, key=holder.key).call.read()
        assert response.ended == lock_pb2.ACQUISITION_END_UNATTENDED

    play(module_cluster, part)


def test_a_cancelled_stream_leaves_no_ghost(module_cluster: LocalCluster) -> None:
    async def part(desk: Desk) -> None:
        leases = lease_pb2_grpc.LeaseServiceStub(desk.channels[0])
        holder = Stream(desk, 0)
        await holder.granted()
        for node in range(3):
            stream = Stream(desk, node)
            lease_id = (await stream.queued()).lease_id
            begun = time.monotonic()
            stream.call.cancel()

            async def is_gone() -> bool:
                return (await desk.describe()).waiter_count == 0

            await until(is_gone)
            assert time.monotonic() - begun < 4
            failed = await failing(leases.Describe(lease_pb2.DescribeRequest(lease_id=lease_id)))
            assert failed.info.reason == "LEASE_NOT_FOUND"

    play(module_cluster, part)


def test_a_connection_that_breaks_costs_no_place(module_cluster: LocalCluster) -> None:
    async def part(desk: Desk) -> None:
        holder = Stream(desk, 0)
        await holder.granted()
        first = Stream(desk, 1)
        place = (await first.queued()).place
        behind = Stream(desk, 0)
        await behind.queued()
        await desk.channels[1].close()
        again = Stream(desk, 2, key=first.key)
        assert (await again.queued()).place == place
        await asyncio.sleep(2)  # longer than the node waits before it gives the place up
        assert await desk.release(holder.key)
        assert (await again.granted()).place == place
        assert (await desk.describe()).waiter_count == 1

    play(module_cluster, part)


def test_a_guarded_prefix_is_written_by_the_holder_alone(module_cluster: LocalCluster) -> None:
    async def part(desk: Desk) -> None:
        admin = cluster_pb2_grpc.ClusterServiceStub(desk.channels[1])
        prefix = b"p/" + desk.name
        guard = cluster_pb2.Guard(prefix=prefix, lock=desk.name)
        await admin.GuardPrefix(cluster_pb2.GuardPrefixRequest(guard=guard))
        assert guard in (await admin.ListGuards(cluster_pb2.ListGuardsRequest())).guards
        request = kv_pb2.PutRequest(key=prefix + b"/k", value=b"v")
        failed = await failing(desk.keys[2].Put(request))
        assert failed.info.reason == "FENCE_REQUIRED"
        stream = Stream(desk, 0)
        request.fences.extend((await stream.granted()).fences)
        await desk.keys[2].Put(request)
        await desk.release(stream.key)
        failed = await failing(desk.keys[2].Put(request))
        assert failed.info.reason == "STALE_FENCE"
        guard.ClearField("lock")
        await admin.GuardPrefix(cluster_pb2.GuardPrefixRequest(guard=guard))
        await desk.keys[2].Put(kv_pb2.PutRequest(key=prefix + b"/k", value=b"w"))

    play(module_cluster, part)


def test_a_deadlock_over_three_nodes_is_refused_once(module_cluster: LocalCluster) -> None:
    async def part(desk: Desk) -> None:
        names = [b"%d/" % number + desk.name for number in range(3)]
        owners = [uuid4().bytes for _ in names]
        held = []
        for node, (name, owner) in enumerate(zip(names, owners, strict=True)):
            held.append(Stream(desk, node, name, owner=owner))
            await held[-1].granted()
        waiting = [Stream(desk, node, names[node + 1], owner=owners[node]) for node in (0, 1)]
        for stream in waiting:
            await stream.queued()
        failed = await Stream(desk, 2, names[0], owner=owners[2]).failed()
        assert (failed.code, failed.info.reason) == (grpc.StatusCode.ABORTED, "DEADLOCK")
        assert failed.metadata["outcome"] == "NOT_APPLIED"
        await desk.release(held[2].key)
        await waiting[1].granted()

    play(module_cluster, part)


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_after_a_kill_of_its_node_a_waiter_keeps_its_place(
    cluster: LocalCluster, victim: int
) -> None:
    """One of the three is the leader."""

    async def part(desk: Desk) -> None:
        others = [node for node in range(3) if node != victim]
        holder = Stream(desk, others[0])
        await holder.granted()
        assert await desk.confirm(holder.key, others[0])
        first = Stream(desk, victim)
        place = (await first.queued()).place
        behind = Stream(desk, others[1])
        await behind.queued()
        await asyncio.to_thread(kill, [cluster.nodes[victim]])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await first.call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        again = await reattached(desk, others[1], first.key)
        assert again.place == place
        await until_released(desk, others[0], holder.key)
        stream = Stream(desk, others[1], key=first.key)
        assert (await stream.granted()).place == place
        assert (await desk.describe(others[0])).waiter_count == 1

    play(cluster, part)


async def reattached(desk: Desk, node: int, key: bytes) -> lock_pb2.Queued:
    """Ask again with the same key until a node answers; nobody may wait for an election."""
    while True:
        try:
            return await Stream(desk, node, key=key).queued()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.1)


async def until_released(desk: Desk, node: int, key: bytes) -> None:
    while True:
        try:
            await desk.release(key, node)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)
        else:
            return


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_node_without_a_leader_ends_its_streams_unknown(cluster: LocalCluster) -> None:
    pids = [pid for node in cluster.nodes[1:] if (pid := node.pid()) is not None]

    async def part(desk: Desk) -> None:
        await Stream(desk, 0).granted()
        waiting = Stream(desk, 0)
        place = (await waiting.queued()).place
        with stopped(pids):
            failed = await waiting.failed()
            assert failed.code is grpc.StatusCode.UNAVAILABLE
            assert failed.metadata["outcome"] == "UNKNOWN"
            refused = await Stream(desk, 0).failed()
            assert (refused.info.reason, refused.metadata["outcome"]) == (
                "NO_QUORUM",
                "NOT_APPLIED",
            )
        assert (await reattached(desk, 0, waiting.key)).place == place

    play(cluster, part)
