"""Watches over faults: some clients write, the others follow what is written."""

from collections.abc import Sequence
from itertools import count
from random import Random

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.watches import check_watches
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Call, Script, Workload

PREFIX = "watch/"
KEYS = 6
PUTS = 3
"""Most of one transaction: events of one revision come together."""
WATCHERS = 2
"""The first clients."""
TAKE = 20
"""Most events that a watcher waits for."""
TAKE_MS = 500
"""A watcher that nothing reaches says so, and goes on."""
ANEW_SHARE = 0.1
"""How often a watch is begun again where the one before stood, on whichever node."""
CAUGHT_UP_MS = 10_000
"""For a watch to get to the end when all faults are over: history is read from its beginning."""


class Watch(Workload):
    """A watcher goes on where it stood, in the same watch or a new one; nothing may be missing."""

    name = "watch"
    sentence = "watches resume across faults: in order, no gap, no repeat, the values of the log"

    def script(self, number: int, chance: Random) -> Script:
        return _follow(chance) if number < WATCHERS else _write(number, chance)

    def finals(self) -> Script:
        log = yield Call("log", PREFIX)
        if log.ok and log.result:
            last = log.result[-1][0]
            argument = {"from": 1, "events": 0, "ms": CAUGHT_UP_MS, "until": last}
            yield Call("watch", PREFIX, argument)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [check_watches(events, PREFIX)]


def _follow(chance: Random) -> Script:
    """From now on; in the middle of it once more from the beginning, or from a new now."""
    begins: int | None = None
    while True:
        anew = chance.random() < ANEW_SHARE
        argument = {"from": begins, "events": chance.randint(1, TAKE), "ms": TAKE_MS, "anew": anew}
        answer = yield Call("watch", PREFIX, argument)
        if answer.ok:
            begins = answer.result["through"] + 1
        if chance.random() < ANEW_SHARE / TAKE:
            begins = chance.choice((None, 1))


def _write(number: int, chance: Random) -> Script:
    values = (f"{number}-{each}" for each in count())
    while True:
        keys = [f"{PREFIX}{each}" for each in chance.sample(range(KEYS), PUTS)]
        match chance.choices(("put", "delete", "txn"), (6, 1, 2))[0]:
            case "put":
                yield Call("put", keys[0], {"value": next(values)})
            case "delete":
                yield Call("delete", keys[0])
            case "txn":
                puts = [["put", key, next(values)] for key in keys]
                yield Call("txn", None, {"then": puts[: chance.randint(1, PUTS)]})
