"""Locks on three real nodes, through both clients and the command line."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
import waiting
from integration.processes import kill, start

from kvraft.cli.local_cluster import LocalCluster
from kvraft_client import (
    AlreadyHeld,
    AsyncClient,
    Client,
    Deadlock,
    FenceRequired,
    LockLost,
    LockModeConflict,
    LockTimeout,
    StaleFence,
    actions,
    conditions,
)
from kvraft_client.policy.lock import Phase

until = partial(waiting.until, limit_s=20.0)


def kvraft(cluster: LocalCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kvraft.cli.main", *arguments],
        env={**os.environ, "KVRAFT_ENDPOINTS": cluster.endpoints},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def eventually(condition):
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)


def test_a_lock_and_its_fence(module_cluster: LocalCluster) -> None:
    with Client(module_cluster.endpoints) as kv:
        with kv.lock("one/a", ttl=2.0) as lock:
            assert kv.put("one/k", "v", fence=lock).value == b"v"
            assert kv.put("one/k", "w", when=conditions.fence("one/a", lock.token))
            fence = lock.fence
            until(lambda: lock.phase is Phase.CONFIRMED)
            lock.check()
            assert kv.check_fence(*fence)
            assert kv.try_lock("one/a", owner="other") is None
            with pytest.raises(AlreadyHeld):
                kv.try_lock("one/a")
            with pytest.raises(LockModeConflict):
                kv.try_lock("one/a", capacity=2, owner="other")
            (holder,) = kv.describe_lock("one/a").holders
            assert holder.token == fence.token
        assert not kv.check_fence(*fence)
        with pytest.raises(StaleFence, match=str(fence.token)):
            kv.put("one/k", "x", fence=fence)
        assert kv.get("one/k").value == b"w"
        assert kv.describe_lock("one/a") is None
        with kv.lock("one/a") as lock:
            assert lock.token > fence.token
            assert kv.release_lock("one/a", lock.token)
            with pytest.raises(LockLost):
                lock.check()


def test_modes_and_several_at_once(module_cluster: LocalCluster) -> None:
    with Client(module_cluster.endpoints) as kv:
        with (
            kv.lock("two/r", shared=True, owner="a") as one,
            kv.lock("two/r", shared=True, owner="b") as two,
        ):
            assert one.token != two.token
            assert kv.try_lock("two/r", owner="c") is None
        with (
            kv.lock("two/c", capacity=2, owner="a"),
            kv.lock("two/c", capacity=2, owner="b"),
            pytest.raises(LockTimeout),
        ):
            kv.lock("two/c", capacity=2, owner="c", wait=0.2).acquire()
        with kv.lock(["two/y", "two/x"]) as both:
            assert [each.lock for each in both.fences] == [b"two/x", b"two/y"]
            assert [each.name for each in kv.list_locks("two/")] == [b"two/x", b"two/y"]
        assert list(kv.list_locks("two/")) == []


def test_guards(module_cluster: LocalCluster) -> None:
    with Client(module_cluster.endpoints) as kv:
        kv.guard("three/", lock="three")
        try:
            with pytest.raises(FenceRequired):
                kv.put("three/k", "v")
            with kv.lock("other") as other, pytest.raises(FenceRequired):
                kv.put("three/k", "v", fence=other)
            with kv.lock("three") as lock:
                kv.put("three/k", "v", fence=lock)
                kv.delete_prefix("three/", fence=lock)
            assert [each.lock for each in kv.guards() if each.prefix == b"three/"] == [b"three"]
        finally:
            kv.unguard("three/")
        kv.put("three/k", "v")


def test_waiters_are_served_in_their_order(module_cluster: LocalCluster) -> None:
    async def main() -> None:
        async with AsyncClient(module_cluster.endpoints) as kv:
            order = []

            async def wait(number):
                async with kv.lock("four", wait=60) as lock:
                    order.append((number, lock.token))

            async with kv.lock("four"):
                tasks = []
                for number in range(16):
                    tasks.append(asyncio.create_task(wait(number)))

                    async def has_come(wanted=number + 1):
                        return (await kv.describe_lock("four")).waiter_count == wanted

                    await eventually(has_come)
                with pytest.raises(LockTimeout):
                    await kv.lock("four", wait=0.2, owner="x").acquire()
                gone = asyncio.create_task(wait(99))
                await asyncio.sleep(0.1)
                gone.cancel()
                await asyncio.wait({gone})
            await asyncio.gather(*tasks)
            assert [number for number, _ in order] == list(range(16))
            assert [token for _, token in order] == sorted(token for _, token in order)
            assert await kv.describe_lock("four") is None

    asyncio.run(main())


def test_a_deadlock_has_one_victim(module_cluster: LocalCluster) -> None:
    async def main() -> None:
        async with AsyncClient(module_cluster.endpoints) as kv:
            both = asyncio.Barrier(2)

            async def cross(mine, other):
                async with kv.lock(mine, owner=f"owner of {mine}"):
                    await both.wait()
                    async with kv.lock(other, owner=f"owner of {mine}", wait=30):
                        return "had both"

            ends = await asyncio.gather(
                cross("five/a", "five/b"), cross("five/b", "five/a"), return_exceptions=True
            )
            victims = [each for each in ends if isinstance(each, Deadlock)]
            assert len(victims) == 1
            assert "had both" in ends
            assert "waits for" in str(victims[0])

    asyncio.run(main())


def test_who_died_is_followed_after_its_ttl(module_cluster: LocalCluster) -> None:
    code = (
        "import os, sys; from kvraft_client import Client;"
        f"kv = Client({module_cluster.endpoints!r});"
        "print(kv.lock('six', ttl=2.0).acquire().token, flush=True); os._exit(9)"
    )
    dead = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, timeout=30
    )
    begun = time.monotonic()
    with Client(module_cluster.endpoints) as kv, kv.lock("six", wait=30) as lock:
        assert 1.0 < time.monotonic() - begun < 10.0
        assert lock.token > int(dead.stdout)
        with pytest.raises(StaleFence):
            kv.put("six", "late", fence=("six", int(dead.stdout)))


def test_elections_and_jobs(module_cluster: LocalCluster) -> None:
    with Client(module_cluster.endpoints) as kv, Client(module_cluster.endpoints) as other:
        one, two = kv.election("seven", candidate="one"), other.election("seven", candidate="two")
        one.campaign()
        thread = threading.Thread(target=two.campaign)
        thread.start()
        assert kv.election("seven").leader().candidate == "one"
        one.resign()
        thread.join(20)
        assert two.is_leader
        assert kv.election("seven").leader().candidate == "two"
        two.resign()
        assert kv.election("seven").leader() is None

        runs = []
        for client in (kv, other, kv):
            with client.once("eight", key="monday") as job:
                if job:
                    runs.append(job.lock.token)
        assert len(runs) == 1


def test_the_command_line(module_cluster: LocalCluster) -> None:
    inner = f'"{sys.executable}" -m kvraft.cli.main'
    script = (
        f'{inner} put nine v --fence "$KVRAFT_LOCK=$KVRAFT_FENCE" &&'
        f"{inner} locks -o json && {inner} lock nine --wait 0 -- true; exit $?"
    )
    done = kvraft(module_cluster, "lock", "nine", "--ttl", "5", "--", "sh", "-c", script)
    assert done.returncode == 75, done.stderr  # of the inner one
    (lock,) = json.loads(done.stdout.splitlines()[-1])["locks"]
    assert (lock["name"], lock["holder_count"]) == ("nine", 1)
    stale = kvraft(
        module_cluster, "put", "nine", "w", "--fence", f"nine={lock['holders'][0]['token']}"
    )
    assert stale.returncode == 1
    assert "STALE_FENCE" in stale.stderr
    seen = kvraft(module_cluster, "contention", "--json")
    assert "nine" in {each["name"] for each in json.loads(seen.stdout)["locks"]}, seen.stdout


def test_the_leaders_end_costs_no_place_and_no_increment(cluster: LocalCluster) -> None:
    """Workers take turns with a fenced counter; each node is killed once meanwhile."""
    workers, turns = 6, 5

    async def main() -> None:
        async with AsyncClient(cluster.endpoints, timeout=10.0) as kv:
            inside, tokens, lost = [], [], []

            async def work(number):
                done = 0
                while done < turns:
                    try:
                        async with kv.lock("jobs", ttl=5.0) as lock:
                            inside.append(number)
                            assert inside == [number], "two at a time"
                            try:
                                await asyncio.sleep(0.05)
                                await kv.update("count", actions.add(1), fence=lock)
                            finally:
                                inside.remove(number)
                            tokens.append(lock.token)
                            done += 1
                    except LockLost as error:
                        lost.append(error)

            tasks = [asyncio.create_task(work(number)) for number in range(workers)]
            for node in cluster.nodes:
                wanted = len(tokens) + 4

                async def went_on(wanted=wanted):
                    return len(tokens) >= wanted or all(each.done() for each in tasks)

                await eventually(went_on)
                await asyncio.to_thread(kill, [node])
                await asyncio.to_thread(start, cluster)
            await asyncio.gather(*tasks)

            assert int((await kv.get("count")).value) == workers * turns
            assert tokens == sorted(tokens)
            assert len(set(tokens)) == workers * turns

    asyncio.run(main())
