"""Locks where things cross: a loss, a broken stream, a restore."""

import asyncio
import threading
import time

import grpc
import pytest
from fake_node import bare
from waiting import until

from kvraft.v1 import lock_pb2
from kvraft_client import AlreadyHeld, AsyncClient, Client, LockLost
from kvraft_client.clock import boot_time
from kvraft_client.policy.lock import Phase

BROKEN = bare(grpc.StatusCode.UNAVAILABLE)


def test_a_release_before_it_is_had_is_not_the_last(start):
    node = start()
    with Client(node.endpoint) as kv:
        lock = kv.lock("a")
        lock.release()
        with lock:
            assert lock.held
        assert node.store.locks.places == []


def test_a_loss_that_entering_finds_out_is_no_cancellation(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            lock = await kv.try_lock("a", ttl=3_600.0, cancel_on_loss=True)
            kv._caller.now = lambda: boot_time() + 3_500.0
            with pytest.raises(LockLost, match="its lease is over"):
                async with lock:
                    raise AssertionError("it must not be entered")
            assert asyncio.current_task().cancelling() == 0

    asyncio.run(main())


def test_a_cancellation_by_others_in_the_moment_of_a_loss_is_not_swallowed(start):
    node = start()

    async def body(kv):
        async with kv.lock("a", cancel_on_loss=True) as lock:
            lock.stale()
            asyncio.current_task().cancel()  # and no await before the end
        raise AssertionError("it was swallowed")

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(body(kv))

    asyncio.run(main())
    assert node.store.locks.places == []


def test_a_place_under_another_lease_than_the_one_it_keeps_is_not_used(start):
    """The store was restored: it knows the lease, and nothing of the place."""
    node = start(follows=False)

    def restored(request, context):
        with node.store.lock:
            node.store.locks.places.clear()
            node.store.locks.ended.clear()
        BROKEN(request, context)

    with Client(node.endpoint) as kv, kv.lock("a"):
        node.script["AcquireStream"] = [restored]
        node.script["Release"] = [lambda request, context: time.sleep(1.0)]
        with kv.lock("a", owner="another") as lock:
            (place,) = node.store.locks.places
            assert lock.lease.id == place.lease_id


def test_the_clocks_begin_with_the_request_that_may_have_been_the_one(start):
    node = start(pipeline=False)
    again = []

    def unheard(request, context):
        with node.store.lock:
            node.store.locks.enter(request, context)
        time.sleep(0.3)
        BROKEN(request, context)

    def heard(_request, _context):
        again.append(boot_time())

    with Client(node.endpoint) as kv:
        node.script["AcquireStream"] = [unheard, heard]
        with kv.lock("a", ttl=60.0) as lock:
            assert lock.lease.renewed_at < again[0] - 0.2


def test_a_grant_is_confirmed_first_where_a_stream_broke_before(start):
    """The node of that stream may be giving it up at this moment."""
    node = start(follows=False)
    locks = node.store.locks

    def taken_back(_request, _context):
        with node.store.lock:
            locks.end(locks.places[0], lock_pb2.ACQUISITION_END_RELEASED)

    with Client(node.endpoint) as kv:
        first, other = kv.lock("a"), kv.lock("a", owner="another")
        first.acquire()
        until(lambda: first.phase is Phase.CONFIRMED)
        node.script["AcquireStream"], node.script["Confirm"] = [BROKEN], [taken_back]
        waiting = threading.Thread(target=other.acquire)
        waiting.start()
        until(lambda: len(node.named("AcquireStream")) == 2)
        first.release()
        waiting.join(10)
        assert len({call.key for call in node.named("Acquire")}) == 3
        assert (other.held, kv.metrics().locks_lost) == (True, 0)
        other.release()


def test_a_release_survives_ctrl_c(start, monkeypatch):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=60.0) as lease:
        lock = kv.lock("a", lease=lease)
        lock.acquire()

        def interrupted(*_arguments, **_options):
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(kv._releases, "_send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lock.release()
        until(lambda: node.store.locks.places == [])


def test_a_place_of_its_own_that_is_still_being_given_up_is_waited_for(start):
    """As after an acquisition whose answer was lost: nobody but this client is in the way."""
    node = start()
    with Client(node.endpoint) as kv:
        kv.lock("a").acquire()
        key = node.store.locks.places[0].request.key
        node.script["Release"] = [lambda request, context: time.sleep(0.3)]
        kv._releases.later(key, owns_lease=True, lease=None)
        with kv.lock("a") as lock:
            assert lock.held
            with pytest.raises(AlreadyHeld):
                kv.lock("a").acquire()
