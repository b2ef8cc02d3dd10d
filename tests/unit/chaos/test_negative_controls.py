"""Negative controls without a cluster: their plans can be played, their clients err as they say."""

import asyncio
import importlib.util
import json
import sys
from dataclasses import asdict

import pytest

from kvraft_chaos.cluster import KVRAFT
from kvraft_chaos.negatives.catalogue import NEGATIVES
from kvraft_chaos.negatives.performers import BlindRetries, CheckThenSet, Impatient
from kvraft_chaos.nemesis.planning import parse_plan
from kvraft_chaos.run.request import Request
from kvraft_chaos.workloads.catalogue import WORKLOADS
from kvraft_chaos.workloads.perform import Performer
from kvraft_chaos.workloads.script import Answer, Call
from kvraft_client import AsyncClient

UNKNOWN = Answer("info", error="no answer")


@pytest.mark.parametrize("name", NEGATIVES)
def test_its_plan_can_be_played_and_read_back(name):
    plan = Request(negative=name, seed=3).plan_asked()
    assert plan.negative == name
    assert plan.workload in WORKLOADS
    as_read = json.loads(json.dumps(asdict(plan)))
    assert parse_plan(as_read, "plan.json") == plan


@pytest.mark.parametrize("name", NEGATIVES)
def test_its_nodes_are_honest_or_a_double_that_is_there(name):
    command = NEGATIVES[name].command
    if command == KVRAFT:
        return
    python, option, module = command
    assert (python, option) == (sys.executable, "-m")
    assert importlib.util.find_spec(module) is not None


def test_its_clients_are_those_of_its_workload():
    for negative in NEGATIVES.values():
        for step in negative.steps:
            client = step.arguments.get("client", 0)
            assert client < WORKLOADS[negative.workload].clients, negative.name


class Store:
    """Answers in the place of `Performer.perform`, from a list; keeps what it was asked."""

    def __init__(self, monkeypatch, *answers):
        self.asked = []
        self._answers = iter(answers)
        store = self

        async def perform(self, call):
            store.asked.append(call)
            return next(store._answers)

        monkeypatch.setattr(Performer, "perform", perform)

    def perform(self, performer, call, *settings):
        async def alone():
            async with AsyncClient("127.0.0.1:1") as client:
                return await performer(client, *settings).perform(call)

        return asyncio.run(alone())


def cas(expect):
    return Call("cas", "k", {"value": "new", "expect": expect})


def test_blind_retries_ask_until_somebody_answers(monkeypatch):
    call = Call("update", "k", {"append": "1;"})
    store = Store(monkeypatch, UNKNOWN, UNKNOWN, Answer("ok", {}))
    assert store.perform(BlindRetries, call).ok
    assert store.asked == [call] * 3


def test_a_definite_refusal_is_not_sent_again(monkeypatch):
    store = Store(monkeypatch, Answer("fail", error="no"))
    assert store.perform(BlindRetries, Call("put", "k", {"value": "v"})).type == "fail"


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        ({"absent": True}, {"value": None}),
        ({"mod_revision": 7}, {"value": "old", "mod_revision": 7}),
    ],
)
def test_check_then_set_looks_and_then_writes(monkeypatch, expect, found):
    store = Store(monkeypatch, Answer("ok", found), Answer("ok", {"mod_revision": 9}))
    answer = store.perform(CheckThenSet, cas(expect))
    assert answer == Answer("ok", {"succeeded": True, "mod_revision": 9})
    assert [call.f for call in store.asked] == ["get", "put"]


@pytest.mark.parametrize(
    ("expect", "found", "current"),
    [
        ({"absent": True}, {"value": "x", "mod_revision": 8}, {"value": "x", "mod_revision": 8}),
        ({"mod_revision": 7}, {"value": "x", "mod_revision": 8}, {"value": "x", "mod_revision": 8}),
        ({"mod_revision": 7}, {"value": None}, None),
    ],
)
def test_check_then_set_sees_what_stands_there(monkeypatch, expect, found, current):
    store = Store(monkeypatch, Answer("ok", found))
    answer = store.perform(CheckThenSet, cas(expect))
    assert answer == Answer("ok", {"succeeded": False, "current": current})


def test_check_then_set_leaves_an_unknown_write_unknown(monkeypatch):
    store = Store(monkeypatch, Answer("ok", {"value": None}), UNKNOWN)
    assert store.perform(CheckThenSet, cas({"absent": True})) == UNKNOWN


@pytest.mark.parametrize(("call", "kind"), [(Call("get", "k"), "fail"), (cas({}), "info")])
def test_impatient_clients_know_nothing_of_a_write_and_lose_nothing_by_a_read(
    monkeypatch, call, kind
):
    async def never(_self, _call):
        await asyncio.Event().wait()

    store = Store(monkeypatch)
    monkeypatch.setattr(Performer, "perform", never)
    assert store.perform(Impatient, call, 0.01).type == kind
