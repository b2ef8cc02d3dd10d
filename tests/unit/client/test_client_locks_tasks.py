"""Locks and tasks: cancellation by a loss, by others, while waiting, on release; owners."""

import asyncio
import threading

import pytest
from fake_node import NO_QUORUM

from kvraft_client import AsyncClient, Client, LockLost, LockTimeout
from kvraft_client.policy.lock import Phase


async def eventually(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def test_losing_it_cancels_the_body_if_asked(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            task = asyncio.current_task()
            with pytest.raises(LockLost, match="its lease is over"):  # noqa: PT012 - the body is it
                async with kv.lock("a", ttl=1.0, cancel_on_loss=True) as lock:
                    await eventually(lambda: lock.phase is Phase.CONFIRMED)
                    node.store.leases.clear()
                    await asyncio.sleep(20)
                    raise AssertionError("it must be cancelled before")
            assert task.cancelling() == 0
            await asyncio.sleep(0)  # nothing is pending

            async with kv.lock("a", ttl=1.0) as lock:  # not asked to
                node.store.leases.clear()
                await lock.lost.wait()
                await asyncio.sleep(0)

    asyncio.run(main())


def test_a_body_that_ends_as_it_is_cancelled_for_a_loss(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            with pytest.raises(LockLost):
                async with kv.lock("a", cancel_on_loss=True) as lock:
                    lock.stale()  # and no await before the end
            await asyncio.sleep(0)
            with pytest.raises(ValueError, match="its own"):  # noqa: PT012
                async with kv.lock("a", cancel_on_loss=True) as lock:
                    lock.stale()
                    raise ValueError("its own")
            await asyncio.sleep(0)
            assert asyncio.current_task().cancelling() == 0

    asyncio.run(main())


def test_the_cancellation_of_others_is_no_loss_and_the_lock_is_released(start):
    node = start()

    async def body(kv, entered, **options):
        async with kv.lock("a", **options):
            entered.set()
            await asyncio.sleep(20)

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            for options in ({}, {"cancel_on_loss": True}):
                entered = asyncio.Event()
                task = asyncio.create_task(body(kv, entered, **options))
                await entered.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert node.store.locks.places == []

    asyncio.run(main())


def test_a_release_survives_cancellation(start):
    node = start()
    begun = threading.Event()
    go_on = threading.Event()

    def slow(request, context):
        begun.set()
        go_on.wait(10)
        NO_QUORUM(request, context)  # it has to be asked for again

    async def body(kv):
        async with kv.lock("a"):
            pass

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            node.script["Release"] = [slow]
            task = asyncio.create_task(body(kv))
            await asyncio.to_thread(begun.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(node.store.locks.places) == 1
            go_on.set()
            await eventually(lambda: not node.store.locks.places)

    asyncio.run(main())


def test_who_is_cancelled_while_waiting_leaves_the_queue(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            async with kv.lock("a"):
                node.store.locks.attached = False  # the node does not notice by itself
                task = asyncio.create_task(kv.lock("a").acquire())
                await eventually(lambda: len(node.store.locks.places) == 2)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await eventually(lambda: len(node.store.locks.places) == 1)
            assert node.store.leases == {}

    asyncio.run(main())


def test_async_locks_wait_and_time_out(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            order = []

            async def wait(number):
                async with kv.lock("a") as lock:
                    order.append((number, lock.token))

            async with kv.lock("a") as held:
                with pytest.raises(LockTimeout):
                    await kv.lock("a", wait=0.2, owner="x").acquire()
                assert await kv.try_lock("a", owner="x") is None
                tasks = []
                for number in range(3):
                    tasks.append(asyncio.create_task(wait(number)))
                    await eventually(lambda n=number: len(node.store.locks.places) == n + 2)
                await held.check()
            await asyncio.gather(*tasks)
            assert order == [(0, 42), (1, 43), (2, 44)]
            assert [each.name async for each in kv.list_locks()] == []

    asyncio.run(main())


# -- owners


def test_each_task_is_an_owner_of_its_own(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:

            async def take(name):
                async with kv.lock(name):
                    pass

            async def take_two():
                await take("c")
                await take("d")

            async with kv.lock("a"), kv.lock("b"):
                await asyncio.gather(take_two(), take("e"))
            async with kv.lock("f", owner="mine"), kv.lock("g", owner=b""):
                pass

    asyncio.run(main())
    owners = {each.names[0]: each.owner for each in node.named("Acquire")}
    assert owners[b"a"] == owners[b"b"]
    assert owners[b"c"] == owners[b"d"]
    assert len({owners[b"a"], owners[b"c"], owners[b"e"]}) == 3
    assert (owners[b"f"], owners[b"g"]) == (b"mine", b"")
    assert all(len(each) <= 64 for each in owners.values())


def test_each_thread_is_an_owner_of_its_own(start):
    node = start()
    with Client(node.endpoint) as kv:

        def take(name):
            with kv.lock(name):
                pass

        thread = threading.Thread(target=take, args=("a",), name="x" * 80 + "\n\u00e9")
        thread.start()
        thread.join()
        take("b")
        take("c")
    owners = {each.names[0]: each.owner for each in node.named("Acquire")}
    assert owners[b"b"] == owners[b"c"] != owners[b"a"]
    assert len(owners[b"a"]) <= 64
