"""Versioned registers: get, put and compare-and-set on a few keys that all clients share."""

from collections.abc import Mapping, Sequence
from itertools import count
from random import Random
from typing import Any

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.per_key import linearizable, ordered
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Answer, Call, Script, Workload

KEYS = 4
"""Registers in use at one time: enough clients meet on each."""
CALLS_AN_EPOCH = 2_000
"""After so many calls the clients go on to new keys: a register's history stays checkable."""


class Register(Workload):
    """Clients swap what they saw last, so that some swaps succeed and some meet another's write."""

    name = "register"
    sentence = "get, put and compare-and-set by revision; every key is linearizable"

    def __init__(self) -> None:
        self._calls = count()
        self._epoch = 0

    def keys(self) -> list[str]:
        """Every register used so far."""
        return [key for epoch in range(self._epoch + 1) for key in _keys(epoch)]

    def script(self, number: int, chance: Random) -> Script:
        del number  # all clients are alike
        seen: dict[str, Mapping[str, Any]] = {}
        for call_number in self._calls:
            self._epoch = call_number // CALLS_AN_EPOCH
            key = chance.choice(_keys(self._epoch))
            call = _choose(chance, key, f"v{call_number}", seen.get(key))
            _learn(call, (yield call), seen)

    def finals(self) -> Script:
        """Every register once more: nothing acknowledged may be gone."""
        for key in self.keys():
            yield Call("get", key)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [*linearizable(events), ordered(events)]


def _keys(epoch: int) -> list[str]:
    return [f"register-{epoch}-{place}" for place in range(KEYS)]


def _choose(chance: Random, key: str, value: str, seen: Mapping[str, Any] | None) -> Call:
    f = chance.choices(("get", "put", "cas"), (4, 1, 5))[0]
    if f == "get":
        return Call(f, key)
    if f == "put":
        return Call(f, key, {"value": value})
    if seen is None or seen.get("value") is None:
        return Call(f, key, {"value": value, "expect": {"absent": True}})
    return Call(f, key, {"value": value, "expect": {"mod_revision": seen["mod_revision"]}})


def _learn(call: Call, answer: Answer, seen: dict[str, Mapping[str, Any]]) -> None:
    """Keep the newest that this client knows of the key."""
    assert call.key is not None
    if not answer.ok:
        return
    if call.f == "get":
        seen[call.key] = answer.result
    elif call.f == "cas" and not answer.result["succeeded"]:
        seen[call.key] = answer.result.get("current") or {"value": None}
    else:
        revision = answer.result["mod_revision"]
        seen[call.key] = {"value": call.argument["value"], "mod_revision": revision}
