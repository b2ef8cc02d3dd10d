"""Locks through real clients on three nodes: the order of grants, deadlocks, and bad input."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest

from kvraft.cli.local_cluster import LocalCluster
from kvraft_client import (
    AlreadyHeld,
    AsyncClient,
    Deadlock,
    FenceRequired,
    InvalidRequest,
    KvraftError,
    LeaseNotFound,
    LockModeConflict,
    Outcome,
    StaleFence,
    TooLarge,
)

WAITERS = 64
TIMEOUT_S = 40


@asynccontextmanager
async def clients(cluster: LocalCluster) -> AsyncIterator[list[AsyncClient]]:
    """Yield one that talks to each node, and to no other."""
    async with AsyncExitStack() as stack, asyncio.timeout(TIMEOUT_S):
        yield [
            await stack.enter_async_context(AsyncClient(node.endpoint, timeout=10.0))
            for node in cluster.nodes
        ]


async def until_waiting(client: AsyncClient, name: str, waiters: int) -> None:
    while True:
        lock = await client.describe_lock(name)
        if lock is not None and lock.waiter_count == waiters:
            return
        await asyncio.sleep(0.002)


def test_64_waiters_are_granted_in_the_order_in_which_they_came(
    module_cluster: LocalCluster,
) -> None:
    async def part() -> None:
        name, granted, inside = uuid4().hex, [], 0

        async def wait(client: AsyncClient, number: int) -> None:
            nonlocal inside
            async with client.lock(name) as lock:
                inside += 1
                assert inside == 1
                granted.append((number, lock.token))
                await asyncio.sleep(0.001)
                inside -= 1

        async with (
            clients(module_cluster) as nodes,
            asyncio.TaskGroup() as group,
            nodes[0].lock(name) as first,
        ):
            for number in range(WAITERS):
                group.create_task(wait(nodes[number % 3], number))
                await until_waiting(nodes[0], name, number + 1)
            granted.append((-1, first.token))
        numbers, tokens = zip(*granted, strict=True)
        assert numbers == tuple(range(-1, WAITERS))
        assert tokens == tuple(range(tokens[0], tokens[0] + WAITERS + 1))

    asyncio.run(part())


@pytest.mark.parametrize("parties", [2, 3, 10])
def test_of_a_circle_exactly_one_is_refused_and_the_others_proceed(
    module_cluster: LocalCluster, parties: int
) -> None:
    """Each holds a lock and wants the next one's, all at the same time."""

    async def part() -> None:
        circle = uuid4().hex
        names = [f"{circle}/{number}" for number in range(parties)]
        all_hold = asyncio.Barrier(parties)
        refused: list[Deadlock] = []
        proceeded: list[int] = []

        async def take_part(client: AsyncClient, number: int) -> None:
            async with client.lock(names[number], owner=f"party {number}"):
                await all_hold.wait()
                wanted = names[(number + 1) % parties]
                try:
                    async with client.lock(wanted, owner=f"party {number}"):
                        proceeded.append(number)
                except Deadlock as error:
                    refused.append(error)

        async with clients(module_cluster) as nodes, asyncio.TaskGroup() as group:
            for number in range(parties):
                group.create_task(take_part(nodes[number % 3], number))
        (error,) = refused
        assert error.outcome is Outcome.NOT_APPLIED
        assert all(f"{name}" in str(error) for name in names)
        assert len(proceeded) == parties - 1

    asyncio.run(part())


Case = Callable[[AsyncClient, str], Awaitable[object]]


async def take_it_twice(kv: AsyncClient, name: str) -> None:
    async with kv.lock(name), kv.lock(name):
        pass


async def wait_for_it_twice(kv: AsyncClient, name: str) -> None:
    async with kv.lock(name, owner="holder"):
        waiting = asyncio.create_task(kv.lock(name, owner="waiter").acquire())
        await until_waiting(kv, name, 1)
        try:
            await kv.lock(name, owner="waiter").acquire()
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])


async def write_by_the_fence_of_another_lock(kv: AsyncClient, name: str) -> None:
    async with kv.lock(name) as mine, kv.lock(f"{name}/other"):
        await kv.put(name, b"", fence=(f"{name}/other", mine.token))


async def write_by_a_lock_that_was_released(kv: AsyncClient, name: str) -> None:
    async with kv.lock(name) as lock:
        fence = lock.fence
    await kv.put(name, b"", fence=fence)


async def write_by_a_lock_that_ran_out(kv: AsyncClient, name: str) -> None:
    lease_id = (await kv.leases.grant(1.0)).lease_id  # which nobody renews
    fence = (await kv.lock(name, lease=lease_id).acquire()).fence
    while await kv.describe_lock(name) is not None:
        await asyncio.sleep(0.1)
    await kv.put(name, b"", fence=fence)


async def take_it_with_a_lease_that_ran_out(kv: AsyncClient, name: str) -> None:
    lease_id = (await kv.leases.grant(1.0)).lease_id
    while True:
        await (await kv.lock(name, lease=lease_id).acquire()).release()
        await asyncio.sleep(0.1)


async def write_without_a_fence_under_a_guard(kv: AsyncClient, name: str) -> None:
    await kv.guard(f"{name}/", lock=name)
    await kv.put(f"{name}/key", b"")


async def take_it_in_two_modes(kv: AsyncClient, name: str) -> None:
    async with kv.lock(name, capacity=2), kv.lock(name, capacity=3, owner="another"):
        pass


async def take_one_without_a_name(kv: AsyncClient, _: str) -> None:
    await kv.lock("").acquire()


async def take_one_with_too_long_a_name(kv: AsyncClient, _: str) -> None:
    await kv.lock("x" * 513).acquire()


async def take_too_many_at_once(kv: AsyncClient, name: str) -> None:
    await kv.lock([f"{name}/{number}" for number in range(65)]).acquire()


CASES: list[tuple[Case, type[KvraftError], str]] = [
    (take_it_twice, AlreadyHeld, "ALREADY_HELD"),
    (wait_for_it_twice, AlreadyHeld, "ALREADY_HELD"),
    (write_by_the_fence_of_another_lock, StaleFence, "STALE_FENCE"),
    (write_by_a_lock_that_was_released, StaleFence, "STALE_FENCE"),
    (write_by_a_lock_that_ran_out, StaleFence, "STALE_FENCE"),
    (take_it_with_a_lease_that_ran_out, LeaseNotFound, "LEASE_NOT_FOUND"),
    (write_without_a_fence_under_a_guard, FenceRequired, "FENCE_REQUIRED"),
    (take_it_in_two_modes, LockModeConflict, "LOCK_MODE"),
    (take_one_without_a_name, InvalidRequest, "INVALID"),
    (take_one_with_too_long_a_name, TooLarge, "TOO_LARGE"),
    (take_too_many_at_once, InvalidRequest, "INVALID"),
]


@pytest.mark.parametrize(("case", "kind", "reason"), CASES, ids=[c[0].__name__ for c in CASES])
def test_bad_input_is_refused_by_name_and_leaves_nothing(
    module_cluster: LocalCluster, case: Case, kind: type[KvraftError], reason: str
) -> None:
    async def part() -> None:
        name = uuid4().hex
        async with clients(module_cluster) as (kv, *_):
            with pytest.raises(kind) as caught:
                await case(kv, name)
            assert type(caught.value) is kind
            assert (caught.value.reason, caught.value.outcome) == (reason, Outcome.NOT_APPLIED)
            await until_unused(kv, name)

    asyncio.run(part())


async def until_unused(kv: AsyncClient, name: str) -> None:
    """A place that was withdrawn may be gone a moment later."""
    while [lock async for lock in kv.list_locks(name)]:
        await asyncio.sleep(0.01)


def test_a_stranger_releases_nothing_and_is_told(module_cluster: LocalCluster) -> None:
    async def part() -> None:
        name = uuid4().hex
        async with clients(module_cluster) as (kv, stranger, _), kv.lock(name) as lock:
            async with stranger.lock(f"{name}/other") as other:
                assert not await stranger.release_lock(name, other.token)
            assert not await stranger.release_lock(name, lock.token + 1_000)
            assert not await stranger.release_lock(f"{name}/unknown", lock.token)
            await lock.check()
            await kv.put(name, b"", fence=lock.fence)

    asyncio.run(part())
