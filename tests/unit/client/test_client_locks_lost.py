"""Locks that are lost, or given up."""

import threading
import time

import grpc
import pytest
from fake_node import NO_QUORUM, bare, deny
from waiting import until

from kvraft.v1 import lock_pb2
from kvraft_client import (
    Client,
    InvalidRequest,
    LeaseLost,
    LeaseNotFound,
    LeaseState,
    LockLost,
)
from kvraft_client.clock import boot_time
from kvraft_client.policy.lock import Phase

BROKEN = bare(grpc.StatusCode.UNAVAILABLE)


@pytest.fixture
def at_once(monkeypatch):
    """What is to be confirmed is confirmed at once."""
    monkeypatch.setattr("kvraft_client.policy.lock.CONFIRM_AFTER_S", 0.0)


def take_back(node):
    with node.store.lock:
        place = node.store.locks.places[0]
        node.store.locks.end(place, lock_pb2.ACQUISITION_END_UNATTENDED)


# -- lost


def test_it_is_lost_when_its_lease_is(start):
    node = start()
    with Client(node.endpoint) as kv:
        with kv.lock("jobs/1", ttl=1.0) as lock:
            until(lambda: lock.phase is Phase.CONFIRMED)
            assert node.named("Confirm") == []  # its renewals do it
            node.store.leases.clear()

            assert lock.lost.wait(10)
            assert (lock.held, lock.phase) == (False, Phase.LOST)
            with pytest.raises(LockLost, match="'jobs/1' is not held: its lease is over"):
                lock.check()
            assert kv.metrics().locks_lost == 1
        assert lock.phase is Phase.LOST
    assert node.named("CheckFence") == []


def test_it_is_lost_by_its_own_clock_without_an_answer(start):
    node = start()
    with Client(node.endpoint) as kv:
        with kv.lock("jobs/1", ttl=1.0) as lock:
            node.script["KeepAlive"] = [BROKEN] * 1_000
            begun = time.monotonic()

            assert lock.lost.wait(10)
            assert time.monotonic() - begun < 1.1
        until(lambda: node.named("Release"))  # so that the next need not wait for the TTL


@pytest.mark.usefixtures("at_once")
def test_who_was_suspended_wakes_up_without_it(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lock("jobs/1", ttl=3_600.0) as lock:
        until(lambda: lock.phase is Phase.CONFIRMED)
        kv._caller.now = lambda: boot_time() + 3_500.0

        with pytest.raises(LockLost):
            kv.put("k", "v", fence=lock)
        assert lock.lost.is_set()
    assert node.named("Put") == []


@pytest.mark.usefixtures("at_once")
def test_a_grant_that_the_store_took_back_is_lost(start):
    node = start()
    with Client(node.endpoint) as kv:
        node.script["Confirm"] = [lambda request, context: take_back(node)]
        with kv.lock("jobs/1", ttl=60.0) as lock:
            assert lock.lost.wait(10)
            with pytest.raises(LockLost, match="took the grant back"):
                _ = lock.token


@pytest.mark.usefixtures("at_once")
def test_a_grant_is_confirmed_until_the_store_has_heard(start):
    node = start()
    node.script["Confirm"] = [deny(grpc.StatusCode.INTERNAL, "STRANGE", "UNKNOWN")] * 3
    with Client(node.endpoint) as kv, kv.lock("jobs/1", ttl=60.0) as lock:
        until(lambda: lock.phase is Phase.CONFIRMED)
        assert len(node.named("Confirm")) == 4


def test_a_grant_under_a_lease_that_is_renewed_late_is_confirmed_in_time(start, monkeypatch):
    monkeypatch.setattr("kvraft_client.policy.lock.CONFIRM_AFTER_S", 0.5)
    node = start()
    with Client(node.endpoint) as kv, kv.lock("jobs/1", ttl=60.0) as lock:
        begun = time.monotonic()
        assert node.named("Confirm") == []
        until(lambda: lock.phase is Phase.CONFIRMED)
        assert 0.3 < time.monotonic() - begun < 5.0
        assert (len(node.named("Confirm")), node.named("KeepAlive")) == (1, [])


@pytest.mark.parametrize("ttl", [10.0, 60.0])
def test_a_short_hold_is_not_confirmed(start, ttl):
    node = start()
    with Client(node.endpoint) as kv:
        for _ in range(3):
            with kv.lock("jobs/1", ttl=ttl):
                pass
    assert [len(node.named(each)) for each in ("Acquire", "Confirm", "Release")] == [3, 0, 3]


@pytest.mark.usefixtures("at_once")
def test_one_that_could_not_be_confirmed_is_lost_before_the_store_takes_it_back(start):
    node = start()
    node.script["Confirm"] = [NO_QUORUM] * 1_000
    with Client(node.endpoint) as kv, kv.lock("jobs/1", ttl=600.0) as lock:
        kv._caller.now = lambda: boot_time() + 9.0
        assert lock.held
        kv._caller.now = lambda: boot_time() + 9.6
        assert not lock.held
        assert lock.lost.is_set()


def test_check_asks_the_store(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lock("jobs/1", ttl=60.0) as lock:
        lock.check()
        kv.release_lock("jobs/1", lock.token)  # by somebody else
        with pytest.raises(LockLost, match="the store says so"):
            lock.check()
        assert lock.lost.is_set()


# -- carried by a lease that others use too


def test_a_shared_lease_carries_several_and_survives_them(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=60.0) as lease:
        with kv.lock("a", lease=lease) as one, kv.lock("b", lease=lease.id):
            assert one.lease is lease
            assert len(node.store.leases) == 1
        assert lease.state is LeaseState.SAFE
        assert [each.end_lease for each in node.named("Release")] == [False, False]
        with kv.lock("a", lease=lease) as one:
            lease.ended()
            assert one.lost.is_set()
            assert not one.held
        with pytest.raises(LeaseLost), kv.lock("a", lease=lease):
            raise AssertionError("the body must not run")


def test_a_lease_that_the_store_does_not_know_is_told_so(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=60.0) as lease:
        node.store.leases.clear()
        with pytest.raises(LeaseNotFound):
            kv.lock("a", lease=lease).acquire()
        assert lease.lost.is_set()


def test_a_shared_lease_that_ends_while_it_waits(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=60.0) as lease, kv.lock("a", owner="x"):
        errors = []

        def wait():
            try:
                kv.lock("a", lease=lease).acquire()
            except LeaseNotFound as error:
                errors.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: len(node.store.locks.places) == 2)
        with node.store.lock:
            del node.store.leases[lease.id]
        thread.join(10)
        assert "is over" in str(errors[0])
        assert lease.lost.is_set()


# -- given up


def test_releasing_again_does_nothing(start):
    node = start()
    with Client(node.endpoint) as kv:
        with kv.lock("a") as lock:
            lock.release()
            assert not lock.held
            lock.release()
        lock.release()
    assert len(node.named("Release")) == 1


def test_a_release_without_an_answer_goes_on_in_the_background(start):
    node = start()
    node.script["Release"] = [deny(grpc.StatusCode.INTERNAL, "STRANGE", "UNKNOWN")] * 3
    with Client(node.endpoint) as kv:
        with kv.lock("a"):
            pass
        until(lambda: len(node.named("Release")) == 4)
        assert node.store.locks.places == []
        until(lambda: not kv._releases._open)


def test_a_release_that_cannot_be_done_ends_its_shared_lease(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=3_600.0) as lease:
        ahead_s = [0.0]
        kv._caller.now = lambda: boot_time() + ahead_s[0]
        node.script["Release"] = [deny(grpc.StatusCode.INTERNAL, "STRANGE")] * 1_000
        with kv.lock("a", lease=lease):
            pass
        until(lambda: len(node.named("Release")) > 2)
        assert lease.state is LeaseState.SAFE
        ahead_s[0] = 61.0
        until(lambda: lease.state is LeaseState.LOST)
        assert lease._stopping.is_set()  # nobody renews it: the store ends it, and the place


def test_closing_gives_a_release_a_moment(start):
    node = start()
    node.script["Release"] = [deny(grpc.StatusCode.INTERNAL, "STRANGE", "UNKNOWN")] * 2
    with Client(node.endpoint) as kv, kv.lock("a"):
        pass
    assert node.store.locks.places == []


def test_threads_cannot_be_cancelled(start):
    node = start()
    with (
        Client(node.endpoint) as kv,
        pytest.raises(InvalidRequest, match="a thread cannot be cancelled"),
        kv.lock("a", cancel_on_loss=True),
    ):
        raise AssertionError("the body must not run")
    assert node.named("Acquire") == []
