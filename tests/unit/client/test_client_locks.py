"""Locks over real gRPC: had, waited for, not had."""

import threading
import time

import grpc
import pytest
from fake_node import NO_QUORUM, bare, deny, lost
from waiting import until

from kvraft.v1 import lock_pb2
from kvraft_client import (
    AlreadyHeld,
    Client,
    Deadlock,
    Exhausted,
    InvalidRequest,
    LeaseNotFound,
    LockLost,
    LockModeConflict,
    LockTimeout,
    NoQuorum,
    Unavailable,
    Unreachable,
)
from kvraft_client.clock import boot_time
from kvraft_client.policy.lock import Phase


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def places(node):
    with node.store.lock:
        return [(each.request.names[0], bool(each.tokens)) for each in node.store.locks.places]


def test_a_lock_is_had_confirmed_and_released_with_its_lease(start):
    node = start()
    with Client(node.endpoint) as kv:
        with kv.lock("jobs/1", ttl=1.0, max_hold=60.0) as lock:
            assert (lock.token, lock.tokens, lock.held) == (41, (41,), True)
            assert lock.fence == (b"jobs/1", 41)
            until(lambda: lock.phase is Phase.CONFIRMED)
            lock.check()
            assert not lock.lost.is_set()
        assert lock.lost.is_set()
        assert (lock.phase, lock.held) == (Phase.RELEASED, False)

    (asked,) = node.named("Acquire")
    assert (asked.ttl_ms, asked.max_hold_ms, asked.HasField("wait_ms")) == (1_000, 60_000, False)
    assert asked.mode == lock_pb2.LOCK_MODE_EXCLUSIVE
    assert len(asked.key) == 16
    assert node.named("AcquireStream") == []
    (released,) = node.named("Release")
    assert (released.key, released.end_lease) == (asked.key, True)
    assert node.named("Revoke") == []
    assert places(node) == []
    assert node.store.leases == {}


def test_who_came_first_is_first(start):
    node = start()
    order = []
    with Client(node.endpoint) as kv:

        def wait(number):
            with kv.lock("jobs/1") as lock:
                order.append((number, lock.token))

        with kv.lock("jobs/1"):
            threads = []
            for number in range(4):
                threads.append(in_thread(lambda number=number: wait(number)))
                until(lambda number=number: len(places(node)) == number + 2)
            assert order == []
        for thread in threads:
            thread.join(10)
    assert order == [(0, 42), (1, 43), (2, 44), (3, 45)]
    assert kv.metrics().locks == 5


def test_several_are_had_at_once(start):
    with Client(start().endpoint) as kv, kv.lock(["b", b"a"]) as lock:
        assert lock.fences == ((b"a", 41), (b"b", 42))
        with pytest.raises(InvalidRequest, match="2 fences"):
            _ = lock.token


def test_shared_and_counted(start):
    node = start()
    with (
        Client(node.endpoint) as kv,
        kv.lock("r", shared=True, owner="one"),
        kv.lock("r", shared=True, owner="two"),
        kv.lock("pool", capacity=2, owner="one"),
        kv.lock("pool", capacity=2, owner="two"),
    ):
        assert kv.try_lock("r", owner="three") is None
        assert kv.try_lock("pool", capacity=2, owner="three") is None
    assert [each.capacity for each in node.named("Acquire")] == [0, 0, 2, 2, 0, 2]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"name": ""}, "is empty"),
        ({"name": []}, "give the name"),
        ({"name": ["a", "a"]}, "twice"),
        ({"name": "a", "ttl": 0}, "ttl must be"),
        ({"name": "a", "wait": -1}, "wait must be"),
        ({"name": "a", "capacity": 0}, "capacity must be"),
        ({"name": "a", "capacity": 2, "shared": True}, "not both"),
        ({"name": ["a", "b"], "shared": True}, "exclusive"),
        ({"name": ["a", "b"], "capacity": 2}, "exclusive"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(start, options, problem):
    node = start()
    with Client(node.endpoint) as kv, pytest.raises(InvalidRequest, match=problem):
        kv.lock(**options)
    assert node.calls == []


REFUSED = grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (deny(grpc.StatusCode.ABORTED, "DEADLOCK"), Deadlock),
        (deny(REFUSED, "ALREADY_HELD"), AlreadyHeld),
        (deny(REFUSED, "LOCK_MODE"), LockModeConflict),
        (deny(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WAITERS"), Exhausted),
        (deny(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_LOCKS"), Exhausted),
        (deny(grpc.StatusCode.NOT_FOUND, "LEASE_NOT_FOUND"), LeaseNotFound),
    ],
)  # fmt: skip
def test_the_body_never_runs_unlocked(start, answer, error):
    node = start()
    node.script["Acquire"] = [answer]
    with Client(node.endpoint) as kv, pytest.raises(error), kv.lock("jobs/1"):
        raise AssertionError("the body must not run")
    assert len(node.named("Acquire")) == 1
    assert node.named("Release") == []  # there was nothing to give up


@pytest.mark.parametrize(
    "answer", [NO_QUORUM, deny(grpc.StatusCode.UNAVAILABLE, "UNKNOWN_RESULT", "UNKNOWN")]
)
def test_without_a_quorum_it_is_not_had(start, answer):
    node = start()
    node.script["Acquire"] = [answer] * 1_000
    with (
        Client(node.endpoint, timeout=0.5) as kv,
        pytest.raises(NoQuorum),
        kv.lock("jobs/1", wait=0),
    ):
        raise AssertionError("the body must not run")
    until(lambda: node.named("Release"))  # a copy may still be on its way
    assert node.named("Release")[0].key == node.named("Acquire")[0].key


def test_without_a_node_it_is_not_had(closed_port):
    with Client(closed_port, timeout=0.3) as kv, pytest.raises(Unreachable), kv.lock("jobs/1"):
        raise AssertionError("the body must not run")


def test_an_answer_that_was_lost_is_asked_for_with_the_same_key(start):
    node = start()
    node.script["Acquire"] = [lost(bare(grpc.StatusCode.UNAVAILABLE))]
    with Client(node.endpoint) as kv, kv.lock("jobs/1") as lock:
        assert lock.token == 41
        assert places(node) == [(b"jobs/1", True)]
    one, two = node.named("Acquire")
    assert one.key == two.key


def test_a_wait_that_runs_out(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lock("jobs/1", owner="other"):
        begun = time.monotonic()
        with pytest.raises(LockTimeout, match=r"'jobs/1' was not had within 0\.3 s"):
            kv.lock("jobs/1", wait=0.3).acquire()

        assert 0.25 < time.monotonic() - begun < 3
        assert len(places(node)) == 1
        assert kv.metrics().lock_wait_s > 0.25
        assert len(node.store.leases) == 1


@pytest.mark.parametrize("follows", [True, False])
def test_a_wait_runs_out_on_this_side_too_if_the_store_does_not_say_so(start, follows):
    node = start(follows=follows)
    with Client(node.endpoint, timeout=0.3) as kv, kv.lock("jobs/1", owner="other"):
        node.script["AcquireStream"] = [node.hang] * 100
        node.store.locks.silent = True
        begun = time.monotonic()
        with pytest.raises(LockTimeout):
            kv.lock("jobs/1", wait=0.3).acquire()

        assert 0.5 < time.monotonic() - begun < 5
        until(lambda: len(places(node)) == 1)  # ... and leaves the queue
        assert bool(node.named("AcquireStream")) is not follows


def test_try_lock(start):
    with Client(start().endpoint) as kv:
        lock = kv.try_lock("jobs/1")
        assert lock is not None
        assert kv.try_lock("jobs/1", owner="other") is None
        with pytest.raises(AlreadyHeld):
            kv.try_lock("jobs/1")
        with lock:
            assert lock.held
        with kv.try_lock("jobs/1", owner="other") as again:
            assert again.token == 42


def test_a_lock_is_used_once(start):
    with Client(start().endpoint) as kv:
        lock = kv.lock("jobs/1")
        with pytest.raises(LockLost, match="was not had yet"):
            _ = lock.fences
        lock.release()  # of nothing: nothing happens
        with pytest.raises(LockTimeout), kv.lock("jobs/1", owner="x"):
            kv.lock("jobs/1", wait=0).acquire()
        with kv.lock("jobs/1") as lock:
            pass
        with pytest.raises(InvalidRequest, match="used before"):
            lock.acquire()
        with pytest.raises(LockLost, match="it was released"), lock:
            raise AssertionError("the body must not run")


def test_a_node_that_dies_costs_no_place(start):
    first, second = start(2)
    first.store.locks.attached = False  # it died: it takes note of nothing
    had = []
    with Client([first.endpoint, second.endpoint]) as kv, kv.lock("jobs/1") as held:

        def wait():
            with kv.lock("jobs/1", wait=30) as lock:
                had.append(lock.token)

        thread = in_thread(wait)
        until(lambda: len(places(first)) == 2)
        behind = in_thread(wait)
        until(lambda: len(places(first)) == 3)
        first.store.leader = "n2"
        first.stop()
        until(lambda: len(second.named("AcquireStream")) == 2)
        keys = {each.key for each in second.named("AcquireStream")}

        assert keys == {each.key for each in first.named("Acquire")[1:]}
        assert all(20_000 < each.wait_ms < 30_000 for each in second.named("AcquireStream"))
        assert had == []
        held.release()
        thread.join(10)
        behind.join(10)
    assert had == [42, 43]
    assert second.named("Acquire") == []


def test_a_place_that_was_withdrawn_is_asked_for_anew_at_the_end_of_the_queue(start):
    node = start()
    had = []
    with Client(node.endpoint) as kv, kv.lock("jobs/1") as held:

        def wait():
            with kv.lock("jobs/1", wait=20) as lock:
                had.append(lock.token)

        thread = in_thread(wait)
        until(lambda: len(places(node)) == 2)
        with node.store.lock:
            key = node.store.locks.places[-1].request.key
            node.store.locks.end(node.store.locks.places[-1], lock_pb2.ACQUISITION_END_UNATTENDED)
        until(lambda: len(node.named("Acquire")) == 3)
        last = node.named("Acquire")[-1]

        assert last.key != key
        assert 15_000 < last.wait_ms < 20_000
        held.release()
        thread.join(10)
    assert had == [42]


def test_its_lease_is_renewed_while_it_waits(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lock("jobs/1", ttl=60) as held:
        thread = in_thread(lambda: kv.lock("jobs/1", ttl=1.0).acquire().release())
        until(lambda: len(node.named("KeepAlive")) >= 3)
        held.release()
        thread.join(10)
    assert node.store.leases == {}


def test_a_grant_that_came_late_is_confirmed_before_the_body_runs(start):
    """It waited on one stream for longer than a grant stays unconfirmed: nobody knows since when
    it holds."""
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=600.0) as lease, kv.lock("jobs/1") as held:
        ahead_s = [0.0]
        kv._caller.now = lambda: boot_time() + ahead_s[0]
        seen = []

        def wait():
            with kv.lock("jobs/1", lease=lease) as lock:
                seen.append(lock.phase)

        thread = in_thread(wait)
        until(lambda: len(places(node)) == 2)
        ahead_s[0] = 30.0
        held.release()
        thread.join(10)
    assert seen == [Phase.CONFIRMED]


def test_a_late_grant_that_was_taken_back_is_asked_for_anew(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lease(ttl=600.0) as lease, kv.lock("jobs/1") as held:
        ahead_s = [0.0]
        kv._caller.now = lambda: boot_time() + ahead_s[0]
        tokens = []

        def wait():
            with kv.lock("jobs/1", lease=lease) as lock:
                tokens.append(lock.token)

        thread = in_thread(wait)
        until(lambda: len(places(node)) == 2)
        ahead_s[0] = 30.0

        def taken_back(request, context):
            with node.store.lock:
                place = node.store.locks.find(request.key)
                node.store.locks.end(place, lock_pb2.ACQUISITION_END_UNATTENDED)

        node.script["Confirm"] = [taken_back]
        held.release()
        thread.join(10)
    assert tokens == [43]


def test_a_server_without_pipelines(start):
    node = start(pipeline=False)
    with Client(node.endpoint) as kv:
        with kv.lock("jobs/1") as lock:
            assert lock.token == 41
            assert kv.try_lock("jobs/1", owner="other") is None
        with pytest.raises(LockTimeout), kv.lock("jobs/1", owner="x"), kv.lock("jobs/1", wait=0.2):
            raise AssertionError("the body must not run")
    assert node.named("Acquire") == []
    assert places(node) == []


def test_an_unknown_outcome_is_no_outcome_of_a_lock(start):
    """Either it is had or it is not: nobody has to find out."""
    node = start()
    node.script["Acquire"] = [deny(grpc.StatusCode.INTERNAL, "STRANGE", "UNKNOWN")]
    with Client(node.endpoint) as kv, pytest.raises(Unavailable, match="STRANGE"):
        kv.lock("jobs/1").acquire()
