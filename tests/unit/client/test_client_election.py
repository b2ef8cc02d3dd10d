"""Leaders, and jobs that are done once."""

import asyncio
import json
import threading

import grpc
import pytest
from fake_node import deny

from kvraft_client import (
    AlreadyHeld,
    AsyncClient,
    Client,
    InvalidRequest,
    Leader,
    LockLost,
    OutcomeUnknown,
    StaleFence,
)

STALE = deny(grpc.StatusCode.FAILED_PRECONDITION, "STALE_FENCE")
SCHEDULER = b"kvraft/leader/scheduler"


def test_a_leader_leads_and_says_so(start):
    node = start()
    with Client(node.endpoint) as kv:
        other = kv.election("scheduler")
        with kv.election("scheduler", candidate="me") as election:
            assert election.is_leader
            assert not other.is_leader
            lease_id = election.lock.lease.id
            leader = other.leader()
            assert leader == Leader("me", 41, node.store.entries[SCHEDULER].mod_revision)
            assert kv.put("k", "v", fence=election)
            with pytest.raises(InvalidRequest, match="leads already"):
                election.campaign()
        assert not election.is_leader
        assert election.lost.is_set()
        with pytest.raises(LockLost):
            kv.put("k", "v", fence=election)
    said, written = node.named("Put")
    (asked,) = node.named("Acquire")
    assert said.lease_id == lease_id  # so that the word goes with the lock
    assert asked.ttl_ms == 10_000
    assert [each.token for each in said.fences] == [41]
    assert [each.token for each in written.fences] == [41]


def test_a_candidate_waits_for_its_term(start):
    node = start()
    with Client(node.endpoint) as kv:
        one, two = (kv.election("scheduler", candidate=each) for each in ("one", "two"))
        with pytest.raises(LockLost, match="one does not lead"):
            _ = one.lost
        one.campaign()
        with pytest.raises(AlreadyHeld):  # one candidate a task or thread
            kv.election("scheduler", candidate="three").campaign(wait=0.1)
        thread = threading.Thread(target=two.campaign)
        thread.start()
        assert not two.is_leader
        one.resign()
        one.resign()
        thread.join(10)
        assert two.is_leader
        assert two.lock.token == 42
        one_again = threading.Thread(target=one.campaign)
        one_again.start()
        two.resign()
        one_again.join(10)
        assert one.is_leader
        one.resign()


def test_a_leader_that_cannot_say_so_does_not_lead(start):
    node = start()
    node.script["Put"] = [STALE]
    with Client(node.endpoint) as kv:
        election = kv.election("scheduler")
        with pytest.raises(StaleFence):
            election.campaign()
        assert not election.is_leader
    assert node.store.locks.places == []


def test_a_leader_hears_that_it_was_replaced(start):
    node = start()
    with Client(node.endpoint) as kv, kv.election("scheduler") as election:
        node.script["Put"] = [STALE]
        with pytest.raises(StaleFence):
            kv.put("k", "v", fence=election)
        assert election.lost.is_set()
        assert not election.is_leader


def test_who_observes_sees_each_leader(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            seen = []
            watching = asyncio.Event()

            async def look():
                async for leader in kv.election("scheduler").observe():
                    seen.append(leader and leader.candidate)
                    watching.set()
                    if seen[-1] == "two":
                        return

            task = asyncio.create_task(look())
            await watching.wait()
            one = await kv.election("scheduler", candidate="one").campaign()
            await kv.delete(SCHEDULER)  # as the end of its lease would
            await one.resign()
            async with kv.election("scheduler", candidate="two", cancel_on_loss=True):
                await asyncio.wait_for(task, 10)
            assert seen == [None, "one", None, "two"]

    asyncio.run(main())


def test_a_key_of_somebody_else_is_no_leader(start):
    with Client(start().endpoint) as kv:
        kv.put(SCHEDULER, "7")
        with pytest.raises(InvalidRequest, match="not written by an election"):
            kv.election("scheduler").leader()


# -- once


def marker(node, key=b"kvraft/once/report/monday"):
    return json.loads(node.store.entries[key].value)


def test_a_job_runs_once_for_each_key(start):
    node = start()
    with Client(node.endpoint) as kv:
        runs = []
        for key in ("monday", "monday", "tuesday", "monday"):
            with kv.once("report", key=key) as job:
                if job:
                    assert marker(node, b"kvraft/once/report/" + key.encode()) == {
                        "state": "running",
                        "token": job.lock.token,
                    }
                    kv.put("out", key, fence=job)
                    runs.append(key)
            assert job.ran == bool(job)
        assert runs == ["monday", "tuesday"]
        assert marker(node) == {"state": "done", "token": 41}
    assert len(node.named("Acquire")) == 2  # what is known to be done needs no lock
    assert all(len(each.fences) == 1 for each in node.named("CompareAndSet"))
    assert all(len(each.fences) == 1 for each in node.named("Put"))
    assert node.store.locks.places == []


def test_of_two_at_a_time_one_runs(start):
    node = start()
    runs = []
    inside = threading.Event()
    go_on = threading.Event()
    with Client(node.endpoint) as kv:

        def work():
            with kv.once("report", key="monday") as job:
                if job:
                    runs.append(job.lock.token)
                    inside.set()
                    go_on.wait(10)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert inside.wait(10)
        go_on.set()
        for thread in threads:
            thread.join(10)
    assert len(runs) == 1
    assert node.store.locks.places == []


def fail(kv, **options):
    with kv.once("report", key="monday", **options) as job:
        if job:
            raise ValueError("the work")


def test_one_that_failed_is_not_run_again_unless_asked(start):
    node = start()
    with Client(node.endpoint) as kv:
        with pytest.raises(ValueError, match="the work"):
            fail(kv)
        assert marker(node)["state"] == "failed"
        fail(kv)  # nothing is run
        with pytest.raises(ValueError, match="the work"):
            fail(kv, retry=True)
        with kv.once("report", key="monday", retry=True) as job:
            assert job
        fail(kv, retry=True)  # it is done
    assert node.store.locks.places == []


def test_one_that_died_is_run_again_only_if_asked(start):
    node = start()
    with Client(node.endpoint) as kv:
        kv.put("kvraft/once/report/monday", '{"state": "running", "token": 3}')
        with kv.once("report", key="monday") as job:
            assert not job
        with kv.once("report", key="monday", retry=True, keep=60.0) as job:
            assert job
    assert node.named("Put")[-1].ttl_ms == 60_000


def test_a_lock_that_is_lost_leaves_the_job_unmarked(start):
    node = start()

    def work(kv):
        with kv.once("report", key="monday") as job:
            assert job
            job.stale()

    with Client(node.endpoint) as kv, pytest.raises(LockLost):
        work(kv)
    assert marker(node)["state"] == "running"


def test_an_error_of_the_body_is_not_hidden_by_one_of_the_marker(start):
    node = start()
    with Client(node.endpoint) as kv:
        node.script["Put"] = [STALE]
        with pytest.raises(ValueError, match="the work"):
            fail(kv)


def test_without_its_marker_it_does_not_run(start):
    node = start()
    node.script["CompareAndSet"] = [deny(grpc.StatusCode.INTERNAL, "STRANGE", "UNKNOWN")]
    with Client(node.endpoint) as kv, pytest.raises(OutcomeUnknown):
        fail(kv)
    assert node.store.locks.places == []


def test_a_strange_marker_is_an_error(start):
    with Client(start().endpoint) as kv:
        kv.put("kvraft/once/report/monday", "7")
        with pytest.raises(InvalidRequest, match="no marker of a job"):
            fail(kv)


def test_a_job_in_a_task(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            ran = []
            for _ in range(2):
                async with kv.once("report", key="monday", cancel_on_loss=True) as job:
                    ran.append(bool(job))
            assert ran == [True, False]
            with pytest.raises(LockLost):  # noqa: PT012 - the body is it
                async with kv.once("report", key="tuesday", cancel_on_loss=True) as job:
                    job.stale()
                    await asyncio.sleep(20)
            await asyncio.sleep(0)

    asyncio.run(main())
