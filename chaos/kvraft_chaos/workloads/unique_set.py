"""A set to which elements are added, each once: what was acknowledged is there, and nothing else.

The name of the module is not `set`, which Python has already.
"""

from collections.abc import Sequence
from itertools import count
from random import Random

from kvraft_chaos.checkers.effects import check_set
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.replay import check_replay
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Call, Script, Workload

PREFIX = "set/"
CALLS_A_BUCKET = 60
"""After so many calls the clients add to the next part of the set: a list of one stays cheap."""
LISTS = 0.15
"""Of all calls."""


class UniqueSet(Workload):
    """An element is a key, added by a compare-and-set that expects nothing there."""

    name = "set"
    sentence = "unique elements added; every read has each one acknowledged before, and no ghosts"

    def __init__(self) -> None:
        self._calls = count()

    def script(self, number: int, chance: Random) -> Script:
        del number  # all clients are alike
        for call_number in self._calls:
            bucket = f"{PREFIX}{call_number // CALLS_A_BUCKET}/"
            if chance.random() < LISTS:
                yield Call("list", bucket)
            else:
                argument = {"value": str(call_number), "expect": {"absent": True}}
                yield Call("cas", f"{bucket}{call_number}", argument)

    def finals(self) -> Script:
        """The whole set, and how it came about."""
        yield Call("list", PREFIX)
        yield Call("log", PREFIX)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [check_replay(events, PREFIX), check_set(events)]
