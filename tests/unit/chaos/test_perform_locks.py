"""Leases, locks, watches and recipes as scripts ask for them, against a real state machine."""

import asyncio
from random import Random

import pytest
import pytest_asyncio
from service_node import ScriptedNode

from kvraft.core.commands import Entry, Resolve
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied
from kvraft.service.server import build_server
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Recorder
from kvraft_chaos.run.client import Process
from kvraft_chaos.workloads import perform_locks
from kvraft_chaos.workloads.lease import Lease
from kvraft_chaos.workloads.perform import Performer
from kvraft_chaos.workloads.recipe import Recipe
from kvraft_chaos.workloads.script import Call
from kvraft_chaos.workloads.watch import Watch
from kvraft_client import AsyncClient

pytestmark = pytest.mark.asyncio

NAME = "lock/a"
MS = 1_000_000
EVENTS = 1_000


@pytest.fixture
def node():
    scripted = ScriptedNode()
    scripted.form()
    return scripted


@pytest_asyncio.fixture
async def server(node):
    running = build_server(node, "127.0.0.1:0")
    await running.start()
    yield running
    await running.stop(0)


@pytest_asyncio.fixture
async def performer(server):
    async with AsyncClient(server.address, timeout=0.5) as kv:
        made = Performer(kv)
        yield made
        await made.drop()


@pytest.fixture
def passing(node, monkeypatch):
    """Pauses pass in the store's time, and take none; its leader ticks."""

    async def pause(call):
        node.time_ms += call.argument["ms"]
        node.machine.apply(node.machine.index + 1, Entry(node.time_ms, ()))
        node.watches.feed(node.machine.changes)

    monkeypatch.setattr(perform_locks, "_pause", pause)


async def told(performer, f, key=None, **argument):
    """The result of a call that must be answered."""
    answer = await performer.perform(Call(f, key, argument))
    assert answer.ok, answer
    return answer.result


async def refused(performer, f, key=None, **argument):
    answer = await performer.perform(Call(f, key, argument))
    assert answer.type == "fail", answer
    return answer.error


# -- leases


async def test_a_lease_lives_as_long_as_it_is_renewed(performer, node):
    lease_id = (await told(performer, "grant", ttl_ms=1_000))["lease_id"]
    node.time_ms = 900
    assert await told(performer, "keep_alive", lease_id=lease_id) == {"alive": True}
    node.time_ms = 1_800
    put = await told(performer, "put_leased", "k", value="v", lease_id=lease_id)
    assert await told(performer, "get", "k") == {"value": "v", **put}
    node.time_ms = 1_900
    assert await told(performer, "keep_alive", lease_id=lease_id) == {"alive": False}
    assert await told(performer, "get", "k") == {"value": None}
    error = await refused(performer, "put_leased", "k", value="v", lease_id=lease_id)
    assert "LEASE_NOT_FOUND" in error


async def test_a_revoked_lease_takes_its_keys(performer):
    lease_id = (await told(performer, "grant", ttl_ms=1_000))["lease_id"]
    for key in ("a", "b"):
        await told(performer, "put_leased", key, value="v", lease_id=lease_id)
    assert await told(performer, "revoke", lease_id=lease_id) == {"deleted": 2}
    assert "LEASE_NOT_FOUND" in await refused(performer, "revoke", lease_id=lease_id)


# -- locks


async def test_a_lock_counts_while_it_is_held(performer, server):
    token = (await told(performer, "acquire", NAME, wait_ms=0, ttl_ms=1_000))["token"]
    assert await told(performer, "check_fence", NAME, token=token) == {"held": True}
    assert await told(performer, "hold", NAME, token=token, ms=1) == {"held": True}
    await told(performer, "fenced_put", "k", value="v", lock=NAME, token=token)
    async with AsyncClient(server.address) as other:
        asking = refused(Performer(other), "acquire", NAME, wait_ms=0, ttl_ms=1_000)
        assert "LockTimeout" in await asyncio.create_task(asking)  # who asks is another owner
    let_go = await told(performer, "release", NAME, token=token)
    assert let_go == {"held": True, "released": True}


async def test_a_token_that_holds_no_more_is_refused(performer):
    token = (await told(performer, "acquire", NAME, wait_ms=0, ttl_ms=1_000))["token"]
    await told(performer, "release", NAME, token=token)
    assert await told(performer, "check_fence", NAME, token=token) == {"held": False}
    error = await refused(performer, "fenced_put", "k", value="v", lock=NAME, token=token)
    assert "STALE_FENCE" in error
    again = await told(performer, "release", NAME, token=token)
    assert again == {"held": False, "released": False}


async def test_a_lock_on_a_lease_of_the_script_has_no_clock_and_ends_with_it(
    passing, performer, node
):
    lease_id = (await told(performer, "grant", ttl_ms=1_000))["lease_id"]
    granted = await told(performer, "acquire", NAME, wait_ms=0, lease_id=lease_id)
    token = granted["token"]
    assert await told(performer, "hold", NAME, token=token, ms=900) == {"held": None}
    await told(performer, "fenced_put", "k", value="v", lock=NAME, token=token)
    await told(performer, "pause", ms=100)
    assert node.time_ms == 1_000
    assert await refused(performer, "fenced_put", "k", value="w", lock=NAME, token=token)


async def test_a_release_that_nobody_answers_is_no_answer_and_goes_on(performer, node, monkeypatch):
    monkeypatch.setattr(perform_locks, "RELEASE_SECONDS", 0.1)
    token = (await told(performer, "acquire", NAME, wait_ms=0, ttl_ms=10_000))["token"]
    node.hold = True
    let_go = await told(performer, "release", NAME, token=token)
    assert let_go == {"held": True, "released": None}
    node.hold = False
    node.release()
    assert await told(performer, "check_fence", NAME, token=token) == {"held": False}


async def test_what_is_held_is_let_go_with_the_process(server, node):
    async with AsyncClient(server.address) as kv:
        dying = Performer(kv)
        token = (await told(dying, "acquire", NAME, wait_ms=0, ttl_ms=10_000))["token"]
        await told(dying, "watch", "w/", **{"from": 1}, events=0, ms=100)
        lease_id = (await told(dying, "grant", ttl_ms=1_000))["lease_id"]
        granted = await told(dying, "acquire", "lock/b", wait_ms=0, lease_id=lease_id)
        await dying.drop()
        assert await told(dying, "check_fence", NAME, token=token) == {"held": False}
        # Nobody writes down that it was given up, so it must end as its lease does.
        assert await told(dying, "check_fence", "lock/b", **granted) == {"held": True}
    assert not node.watches


# -- watches


async def watched(performer, begins, **argument):
    argument = {"from": begins, "events": 1, "ms": 2_000, **argument}
    return await told(performer, "watch", "w/", **argument)


async def test_a_watch_goes_on_where_the_call_before_stood(performer):
    await told(performer, "put", "w/a", value="1")
    await told(performer, "put", "x", value="another")
    first = await watched(performer, 1)
    assert first == {"from": 1, "events": [[2, "w/a", "1"]], "through": first["through"]}
    before = performer._hands.watches["w/"]
    await told(performer, "delete", "w/a")
    await told(performer, "txn", then=[["put", "w/a", "2"], ["put", "w/b", "3"]])
    second = await watched(performer, first["through"] + 1, events=3)
    assert second["events"] == [[4, "w/a", None], [5, "w/a", "2"], [5, "w/b", "3"]]
    assert performer._hands.watches["w/"] is before


@pytest.mark.parametrize("how", ["another place", "anew"])
async def test_a_watch_begins_anew(performer, how):
    await told(performer, "put", "w/a", value="1")
    first = await watched(performer, 1)
    before = performer._hands.watches["w/"]
    begins = 1 if how == "another place" else first["through"] + 1
    again = await watched(performer, begins, events=0, ms=500, anew=how == "anew")
    assert again["from"] == begins
    assert performer._hands.watches["w/"] is not before


async def test_from_now_on_says_when_that_is(performer):
    await told(performer, "put", "w/a", value="1")
    empty = await watched(performer, None, events=0)
    assert (empty["from"], empty["events"], empty["through"]) == (3, [], 2)
    await told(performer, "put", "w/a", value="2")
    assert (await watched(performer, 3))["events"] == [[3, "w/a", "2"]]


async def test_nothing_new_is_an_answer(performer):
    assert await watched(performer, 1, ms=50) == {"from": 1, "events": [], "through": 1}


async def test_a_watch_that_cannot_begin_has_failed(performer, node):
    node.hold = True
    argument = {"from": None, "events": 0, "ms": 100}
    assert "did not begin in time" in await refused(performer, "watch", "w/", **argument)
    node.hold = False
    node.release()
    assert (await watched(performer, None, events=0))["from"] == 2


# -- recipes


STEPS = {
    "seats_take": ("seats/0", {"guest": "bob"}),
    "seats_give_back": ("seats/0", {"guest": "ann"}),
    "quota_spend": ("quota", {"region": "eu", "amount": 1, "request": "r"}),
    "queue_add": ("queue", {"of": "red", "item": "x"}),
}
TAKEN = [("seats/0/free", "0"), ("seats/0/guests/ann", ""), ("seats/0/guests/bob", "")]
OPEN = [("seats/0/free", "1"), ("seats/0/guests/ann", "")]


async def unanswered(performer, node, step, *, applied, then=()):
    """Until it is asked what became of it; what was sent is applied then, or never. `then`: what
    the node says to what comes next.
    """
    key, argument = STEPS[step]
    node.hold = True
    asking = asyncio.create_task(performer.perform(Call(step, key, argument)))
    while not any(isinstance(command, Resolve) for command, _ in node.held):
        await node.until_held(len(node.held) + 1)
    node.held = [each for each in node.held if applied or isinstance(each[0], Resolve)]
    node.hold, node.script = False, list(then)
    node.release()
    return await asking


@pytest.mark.parametrize(
    ("step", "applied", "result", "stands"),
    [
        ("seats_take", True, {"seated": True}, TAKEN),
        ("seats_take", False, {"seated": True}, TAKEN),
        ("seats_give_back", True, {"freed": True}, [("seats/0/free", "2")]),
        ("seats_give_back", False, None, OPEN),
        ("quota_spend", True, {"spent": True}, [("quota/spent/eu", "1")]),
        ("quota_spend", False, None, []),
        ("queue_add", True, {}, [("queue/red/x", "x")]),
        ("queue_add", False, None, []),
    ],
)
async def test_a_step_that_nobody_answered_is_settled(
    performer, node, step, applied, result, stands
):
    await told(performer, "seats_open", "seats/0", seats=2)
    await told(performer, "seats_take", "seats/0", guest="ann")
    await told(performer, "quota_open", "quota", region="eu", total=10)
    answer = await unanswered(performer, node, step, applied=applied)
    assert (answer.type, answer.result) == ("fail" if result is None else "ok", result), answer
    prefix = {"quota": "quota/spent"}.get(STEPS[step][0], STEPS[step][0])
    listed = (await performer.perform(Call("list", f"{prefix}/"))).result
    assert [(key, value) for key, value, _ in listed["entries"]] == stands


async def test_a_step_that_was_done_and_cannot_be_told_is_unknown(performer, node):
    await told(performer, "seats_open", "seats/0", seats=2)
    no = Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "no leader")
    answer = await unanswered(performer, node, "seats_take", applied=True, then=[no] * 1_000)
    assert answer.type == "info", answer


# -- whole workloads


@pytest.mark.parametrize("workload", [Recipe, Watch, Lease])
async def test_a_workload_on_an_honest_store_is_valid(passing, server, node, workload):
    run, recorder = workload(), Recorder(now_ns=lambda: node.time_ms * MS)

    async def follow(script, ended):
        async with AsyncClient(server.address) as kv:
            performer = Performer(kv)
            await Process(performer, recorder).follow(script, ended)
            await performer.drop()

    await follow(run.setup(), lambda: False)
    scripts = (run.script(number, Random(number)) for number in range(run.clients))
    await asyncio.gather(
        *(follow(each, lambda: len(recorder.events) >= EVENTS) for each in scripts)
    )
    await follow(run.finals(), lambda: False)
    findings = workload().check(recorder.events)
    assert [finding.verdict for finding in findings] == [Verdict.VALID] * len(findings), findings
