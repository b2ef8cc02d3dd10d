"""Leases over real gRPC, with a clock that a test can move."""

import asyncio
import time

import grpc
import pytest
from fake_node import bare, deny
from waiting import until

from kvraft_client import (
    AsyncClient,
    Client,
    InvalidRequest,
    LeaseDescription,
    LeaseGrant,
    LeaseLost,
    LeaseNotFound,
    LeaseState,
    OutcomeUnknown,
)
from kvraft_client.clock import boot_time

GONE = deny(grpc.StatusCode.NOT_FOUND, "LEASE_NOT_FOUND")


class Clock:
    """The boot clock, moved by hand."""

    def __init__(self, client):
        self.ahead_s = 0.0
        client._caller.now = lambda: boot_time() + self.ahead_s


def test_leases_by_id(start, connect):
    node = start()
    kv = connect(node)
    for each in (9, 11, 13):
        node.store.leases[each] = 5_000

    run = kv.kv.leases

    def do(call):
        if isinstance(kv.kv, Client):
            result = call(run)
            return list(result) if hasattr(result, "__next__") else result

        async def go():
            result = call(run)
            if hasattr(result, "__anext__"):
                return [each async for each in result]
            return await result

        return kv.runner.run(go())

    assert do(lambda leases: leases.grant(2.5, lease_id=7)) == LeaseGrant(7, 2_500)
    assert do(lambda leases: leases.keep_alive(7)) == LeaseGrant(7, 2_500)
    assert do(lambda leases: leases.describe(7)) == LeaseDescription(7, 2_500, 900, (b"a", b"\xff"))
    assert [each.lease_id for each in do(lambda leases: leases.list())] == [7, 9, 11, 13]
    assert do(lambda leases: leases.revoke(7)) == 2
    with pytest.raises(LeaseNotFound):
        do(lambda leases: leases.keep_alive(7))
    with pytest.raises(LeaseNotFound):
        do(lambda leases: leases.revoke(7))


def test_a_lease_is_granted_kept_and_revoked(start):
    node = start()
    with Client(node.endpoint) as kv:
        with kv.lease(ttl=1.0) as lease:
            entry = kv.put("workers/7", b"up", lease=lease)
            until(lambda: len(node.named("KeepAlive")) >= 4)  # longer than the TTL

            assert entry.lease_id == lease.id
            assert lease.state is LeaseState.SAFE
            assert 0 < lease.remaining_s <= 0.95
            assert not lease.lost.is_set()
        assert lease.state is LeaseState.LOST
        assert lease.lost.is_set()
    assert [request.lease_id for request in node.named("Revoke")] == [lease.id]


def test_an_async_lease_is_granted_kept_and_revoked(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            async with kv.lease(ttl=1.0) as lease:
                await kv.put("workers/7", b"up", lease=lease)
                async with asyncio.timeout(10):
                    while len(node.named("KeepAlive")) < 4:
                        await asyncio.sleep(0.005)
                lease.check()

                assert lease.state is LeaseState.SAFE
            with pytest.raises(LeaseLost):
                lease.check()
            with pytest.raises(LeaseLost):
                await kv.put("workers/7", b"up", lease=lease)

    asyncio.run(main())
    assert len(node.named("Revoke")) == 1
    assert len(node.named("Put")) == 1


def test_an_async_lease_tells_its_loss(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv, kv.lease(ttl=1.0) as lease:
            node.store.leases.clear()
            async with asyncio.timeout(10):
                await lease.lost.wait()

            assert lease.state is LeaseState.LOST

    asyncio.run(main())
    assert node.named("Revoke") == []


def test_the_stores_word_ends_a_lease_at_once(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=1.0) as lease:
        node.store.leases.clear()

        assert lease.lost.wait(10)
        with pytest.raises(LeaseLost, match=f"lease {lease.id} is lost"):
            lease.check()
    assert node.named("Revoke") == []


def test_a_lease_of_a_cluster_that_was_restored_is_lost_though_its_number_is_there(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=1.0) as lease:
        node.store.cluster_id += 1

        assert lease.lost.wait(10)
    assert node.named("Revoke") == []


def test_without_an_answer_it_is_in_jeopardy_and_then_lost(start):
    node = start()
    with Client(node.endpoint) as kv:
        with kv.lease(ttl=1.0) as lease:
            begun = time.monotonic()
            node.script["KeepAlive"] = [bare(grpc.StatusCode.UNAVAILABLE)] * 1_000
            until(lambda: lease.state is LeaseState.JEOPARDY)
            jeopardy = time.monotonic() - begun

            assert lease.lost.wait(10)
            lost = time.monotonic() - begun

        assert 0.4 < jeopardy < lost < 1.1
    assert 3 < len(node.named("KeepAlive")) < 100


def test_renewals_go_to_another_node_when_one_hangs(start):
    first, second = start(2)
    with Client([first.endpoint, second.endpoint]) as kv, kv.lease(ttl=1.5) as lease:
        first.script["KeepAlive"] = [first.hang] * 100
        until(lambda: len(second.named("KeepAlive")) >= 2)

        assert lease.state is not LeaseState.LOST


def test_renewals_go_to_another_node_when_one_dies(start):
    first, second = start(2)
    with Client([first.endpoint, second.endpoint]) as kv, kv.lease(ttl=1.5) as lease:
        first.stop()
        first.store.leader = "n2"
        until(lambda: len(second.named("KeepAlive")) >= 3)

        assert lease.state is LeaseState.SAFE


def test_a_process_that_was_suspended_wakes_up_without_its_lease(start):
    node = start()
    with Client(node.endpoint) as kv:
        clock = Clock(kv)
        with kv.lease(ttl=3_600.0) as lease:
            assert lease.state is LeaseState.SAFE

            clock.ahead_s = 3_500.0

            assert lease.state is LeaseState.LOST
            with pytest.raises(LeaseLost):
                kv.put("k", "v", lease=lease)
            assert lease.lost.is_set()
    assert node.named("Put") == []


def test_a_shorter_suspend_is_noticed_and_made_good(start):
    node = start()
    with Client(node.endpoint) as kv:
        clock = Clock(kv)
        with kv.lease(ttl=3_600.0) as lease:
            clock.ahead_s = 2_000.0

            assert lease.state is LeaseState.JEOPARDY

            until(lambda: lease.state is LeaseState.SAFE)
    assert len(node.named("KeepAlive")) == 1


def test_a_put_that_hears_of_the_loss_tells_the_lease(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=60.0) as lease:
        node.script["Put"] = [GONE]
        node.script["CompareAndSet"] = [GONE]
        with pytest.raises(LeaseNotFound):
            kv.put("k", "v", lease=lease)

        assert lease.state is LeaseState.LOST
        assert lease.lost.is_set()


def test_a_lease_is_used_once_and_not_before_it_is_granted(start):
    with Client(start().endpoint) as kv:
        lease = kv.lease(ttl=1.0)
        assert lease.state is LeaseState.LOST
        with pytest.raises(LeaseLost, match="not granted yet"):
            _ = lease.id
        with pytest.raises(LeaseLost, match="is not held"):
            kv.put("k", "v", lease=lease)
        with lease:
            pass
        with pytest.raises(LeaseLost, match="used before"), lease:
            pass


def test_a_bad_ttl_is_refused_before_anything_is_sent(start):
    with Client(start().endpoint) as kv, pytest.raises(InvalidRequest, match="ttl must be"):
        kv.lease(ttl=-1)


def test_a_grant_that_is_unknown_enters_nothing(start):
    node = start()
    node.script["Grant"] = [bare(grpc.StatusCode.UNAVAILABLE)]
    with (
        Client(node.endpoint, exactly_once=False) as kv,
        pytest.raises(OutcomeUnknown),
        kv.lease(ttl=1.0),
    ):
        raise AssertionError("the body must not run")


def test_a_revoke_that_fails_is_logged_and_does_not_hide_the_bodys_result(start, caplog):
    node = start()
    node.script["Revoke"] = [bare(grpc.StatusCode.INTERNAL)]
    with Client(node.endpoint, exactly_once=False) as kv, kv.lease(ttl=5.0):
        pass

    assert "was not revoked, it ends by its TTL" in caplog.text


def test_a_client_closed_under_a_lease_ends_its_renewals(start):
    node = start()
    kv = Client(node.endpoint)
    with kv.lease(ttl=3.0) as lease:
        kv.close()
        lease._renewals._thread.join(10)

        assert not lease._renewals._thread.is_alive()
        assert lease.state is not LeaseState.LOST  # it did not spin until then
