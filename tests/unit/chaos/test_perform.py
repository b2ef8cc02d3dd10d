"""The official client against a real service and state machine, as scripts see it."""

import asyncio
from random import Random

import pytest
import pytest_asyncio
from service_node import ScriptedNode
from unit.chaos.sequential_store import SequentialStore

from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied
from kvraft.service.server import build_server
from kvraft_chaos.workloads import perform, perform_keys, perform_log, perform_txn
from kvraft_chaos.workloads.append import Append
from kvraft_chaos.workloads.bank import Bank
from kvraft_chaos.workloads.mix import Mix
from kvraft_chaos.workloads.perform import Performer
from kvraft_chaos.workloads.register import Register
from kvraft_chaos.workloads.script import Call
from kvraft_chaos.workloads.unique_set import UniqueSet
from kvraft_client import AsyncClient

pytestmark = pytest.mark.asyncio

SHORT_SECONDS = 0.3
"""For calls that are not answered: their bounds are patched to this."""


@pytest.fixture
def node():
    scripted = ScriptedNode()
    scripted.form()
    return scripted


@pytest_asyncio.fixture
async def client(node):
    server = build_server(node, "127.0.0.1:0")
    await server.start()
    async with AsyncClient(server.address) as kv:
        yield kv
    await server.stop(0)


@pytest.fixture
def impatient(monkeypatch):
    for module in (perform_keys, perform_log, perform_txn):
        monkeypatch.setattr(module, "CALL_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(perform, "SETTLE_SECONDS", SHORT_SECONDS)


async def asked(performer, f, key="k", argument=None):
    return await performer.perform(Call(f, key, argument))


def calls_of(scripts, store, count):
    """Calls of several clients in turn, as a store in memory answers them."""
    last = dict.fromkeys(scripts)
    for number in range(count):
        script = scripts[number % len(scripts)]
        call = next(script) if last[script] is None else script.send(last[script])
        last[script] = store.perform(call)
        yield call, last[script]


@pytest.mark.parametrize("workload", [Register, Mix, Bank, Append, UniqueSet])
async def test_the_store_answers_as_its_specification_says(client, workload):
    performer, store, run = Performer(client), SequentialStore(), workload()
    scripts = [run.setup(), *(run.script(number, Random(number)) for number in range(3))]
    opening = [script for script in scripts[:1] if workload is Bank]
    for call, answer in calls_of(opening, store, len(opening)):
        assert await performer.perform(call) == answer
    for call, answer in calls_of(scripts[1:], store, 300):
        assert await performer.perform(call) == answer, call
    for call in run.finals():
        assert await performer.perform(call) == store.perform(call), call


async def test_clauses_and_steps_mean_what_the_specification_says(client):
    performer, store = Performer(client), SequentialStore()
    for key, value in (("a", "5"), ("b", "text")):
        await asked(performer, "put", key, {"value": value})
        store.perform(Call("put", key, {"value": value}))
    clauses = [["absent", "a"], ["absent", "z"], ["exists", "a"], ["exists", "z"]]
    clauses += [["number", "a", each, 5] for each in ("==", "!=", "<", "<=", ">", ">=")]
    clauses += [["value", "b", each, "text"] for each in ("==", "!=")]
    clauses += [["mod_revision", key, "==", 2] for key in "abz"]
    clauses += [["value", "z", "!=", "x"], ["number", "z", "<", 5]]
    then = [["get", "a"], ["append", "b", "x"], ["add", "n", 2], ["put", "new", "v"], ["list", ""]]
    orelse = [["delete", "new"], ["delete", "none"], ["get", "new"]]
    for clause in clauses:
        call = Call("txn", "", {"when": [clause], "then": then, "orelse": orelse})
        assert await performer.perform(call) == store.perform(call), clause
    both = {"when": [["exists", "a"], ["absent", "a"]], "then": [["put", "a", "1"]]}
    assert await performer.perform(Call("txn", "", both)) == store.perform(Call("txn", "", both))


async def test_a_log_has_every_change_of_its_prefix_in_order(client):
    performer = Performer(client)
    for key, value in (("a/1", "x"), ("b/1", "y"), ("a/1", "z")):
        await asked(performer, "put", key, {"value": value})
    await asked(performer, "delete", "a/1")
    answer = await asked(performer, "log", "a/")
    assert answer.result == [[2, "a/1", "x"], [4, "a/1", "z"], [5, "a/1", None]]
    again = await asked(performer, "log", "")
    assert [row[0] for row in again.result] == [2, 3, 4, 5]


async def test_a_repeated_request_has_one_effect(node, client):
    performer = Performer(client)
    await asked(performer, "put", "k", {"value": "a"})
    lost = Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, "leadership was lost")
    node.script = [lost, lost]
    answer = await asked(performer, "update", "k", {"append": "b"})
    assert answer.result == {"mod_revision": 3, "value": "ab"}


async def test_what_nobody_answers_is_unknown_and_a_read_has_failed(node, client, impatient):
    performer = Performer(client)
    await asked(performer, "put", "k", {"value": "a"})
    node.hold = True
    write = await asked(performer, "put", "k", {"value": "b"})
    assert write.type == "info"
    assert "asked what became of it" in write.error
    assert (await asked(performer, "get")).type == "fail"
    assert (await asked(performer, "list", "")).type == "fail"
    assert (await asked(performer, "log", "")).type == "fail"


class Settling(AsyncClient):
    """Does something just before it asks what became of a call."""

    before = staticmethod(lambda: None)

    async def outcome(self, identity, *, timeout=None):  # noqa: ASYNC109 - as the client's
        self.before()
        return await super().outcome(identity, timeout=timeout)


@pytest.mark.parametrize(
    ("f", "argument", "arrives", "kind", "result"),
    [
        ("put", {"value": "b"}, True, "ok", {"mod_revision": 3}),
        ("put", {"value": "b"}, False, "fail", None),
        ("update", {"append": "b"}, True, "ok", {"mod_revision": 3, "value": "ab"}),
        ("update", {"add": 1}, True, "fail", None),
        ("delete", None, True, "ok", {"deleted": True, "revision": 3}),
        ("delete", None, False, "fail", None),
        (
            "cas",
            {"value": "b", "expect": {"mod_revision": 2}},
            True,
            "ok",
            {"succeeded": True, "mod_revision": 3},
        ),
        (
            "cas",
            {"value": "b", "expect": {"absent": True}},
            True,
            "ok",
            {"succeeded": False, "current": {"value": "a", "mod_revision": 2}},
        ),
        (
            "txn",
            {"when": [["exists", "k"]], "then": [["put", "k", "b"]]},
            True,
            "ok",
            {"succeeded": True, "revision": 3, "results": [{}]},
        ),
    ],
)
async def test_the_store_settles_what_is_unknown(
    node, impatient, f, argument, arrives, kind, result
):
    server = build_server(node, "127.0.0.1:0")
    await server.start()
    async with Settling(server.address) as client:
        performer = Performer(client)
        await asked(performer, "put", "k", {"value": "a"})
        node.hold = True

        def come_or_not():
            node.hold = False
            if not arrives:
                node.held.clear()
            node.release()

        client.before = come_or_not
        answer = await asked(performer, f, "k", argument)
    await server.stop(0)
    assert (answer.type, answer.result) == (kind, result)


async def test_a_refusal_has_no_effect(node, client, impatient):
    performer = Performer(client)
    await asked(performer, "put", "k", {"value": "text"})
    answer = await asked(performer, "update", "k", {"add": 1})
    assert (answer.type, answer.error.split(":")[0]) == ("fail", "WrongType")
    node.script = [Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "no quorum")] * 1_000
    answer = await asked(performer, "put", "k", {"value": "v"})
    assert (answer.type, answer.error.split(":")[0]) == ("fail", "NoQuorum")


async def test_what_nobody_performs_is_a_mistake(client):
    with pytest.raises(ValueError, match="nobody performs 'fly'"):
        await asked(Performer(client), "fly")
    with pytest.raises(ValueError, match="a get needs a key"):
        await Performer(client).perform(Call("get"))


async def test_a_log_that_takes_too_long_has_failed(client, monkeypatch):
    monkeypatch.setattr("kvraft_chaos.workloads.perform_log.LOG_SECONDS", SHORT_SECONDS)
    performer = Performer(client)
    await asked(performer, "put", "k", {"value": "v"})
    monkeypatch.setattr("kvraft_chaos.workloads.perform_log.FIRST_REVISION", 1_000)
    async with asyncio.timeout(10):
        assert (await asked(performer, "log", "")).type == "fail"
