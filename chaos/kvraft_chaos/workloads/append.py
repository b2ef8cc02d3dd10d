"""Words appended to a few lists: a word that is there twice was done twice."""

from collections.abc import Sequence
from itertools import count
from random import Random

from kvraft_chaos.checkers.effects import check_appends
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.replay import check_replay
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Call, Script, Workload

PREFIX = "append/"
LISTS = 3
"""In use at one time."""
CALLS_AN_EPOCH = 400
"""After so many calls the clients go on to new lists: each stays below a kilobyte, so that the
store's history, which keeps every version, holds a long run, and answers given again are whole."""
READS = 0.3
"""Of all calls."""


class Append(Workload):
    """The client repeats an append whose answer was lost, under the same identity."""

    name = "append"
    sentence = "appends that are repeated until they are answered; each has one effect, in order"

    def __init__(self) -> None:
        self._calls = count()

    def script(self, number: int, chance: Random) -> Script:
        del number  # all clients are alike
        for call_number in self._calls:
            key = f"{PREFIX}{call_number // CALLS_AN_EPOCH}/{chance.randrange(LISTS)}"
            if chance.random() < READS:
                yield Call("get", key)
            else:
                yield Call("update", key, {"append": f"{call_number};"})

    def finals(self) -> Script:
        """All lists, and how they came about."""
        yield Call("list", PREFIX)
        yield Call("log", PREFIX)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [check_replay(events, PREFIX), check_appends(events)]
