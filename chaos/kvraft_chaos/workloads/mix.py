"""Put, get, delete, compare-and-set and lists, on keys that all clients share."""

from collections.abc import Sequence
from itertools import count
from random import Random

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.per_key import linearizable
from kvraft_chaos.checkers.replay import check_replay
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Answer, Call, Script, Workload

PREFIX = "mix/"
KEYS = 6
"""In use at one time: few enough that calls meet, and that a list is cheap."""
CALLS_AN_EPOCH = 2_000
"""After so many calls the clients go on to new keys: a key's history stays checkable."""
CHOICES = {"get": 5, "put": 4, "delete": 2, "cas": 2, "list": 3, "past": 1}
"""How often each is asked; `past` is a list at a revision seen before."""


class Mix(Workload):
    """Every value is written once, so that a read says which write it saw."""

    name = "mix"
    sentence = "put, get, delete, cas and list; one order of revisions explains all of it"

    def __init__(self) -> None:
        self._calls = count()
        self._revision = 0

    def script(self, number: int, chance: Random) -> Script:
        del number  # all clients are alike
        for call_number in self._calls:
            prefix = f"{PREFIX}{call_number // CALLS_AN_EPOCH}/"
            self._learn((yield self._choose(chance, prefix, f"v{call_number}")))

    def finals(self) -> Script:
        """All that is left, and how it came about."""
        yield Call("list", PREFIX)
        yield Call("log", PREFIX)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [check_replay(events, PREFIX), *linearizable(events)]

    def _choose(self, chance: Random, prefix: str, value: str) -> Call:
        (f,) = chance.choices(tuple(CHOICES), tuple(CHOICES.values()))
        key = f"{prefix}{chance.randrange(KEYS)}"
        if f == "past" and not self._revision:
            f = "list"
        calls = {
            "get": Call("get", key),
            "put": Call("put", key, {"value": value}),
            "delete": Call("delete", key),
            "cas": Call("cas", key, {"value": value, "expect": {"absent": True}}),
            "list": Call("list", prefix),
            "past": Call("list", prefix, {"revision": self._revision}),
        }
        return calls[f]

    def _learn(self, answer: Answer) -> None:
        """Remember a revision that was reached, for a look back."""
        if answer.ok:
            seen = answer.result.get("mod_revision") or answer.result.get("revision") or 0
            self._revision = max(self._revision, seen)
