"""Counters under locks: read, add one, write back with the lock's token."""

from collections.abc import Generator, Sequence
from itertools import count
from random import Random

from kvraft_chaos.checkers.counters import check_counters
from kvraft_chaos.checkers.fences import check_fences
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.locks import check_exclusion, check_tokens
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.lock import acquired
from kvraft_chaos.workloads.script import Answer, Call, Script, Workload

COUNTERS = 3
"""Half as many as clients: whoever waits is there when a holder is struck."""
PREFIX = "counter/"
TTL_MS = 1_000
"""The least there is: faults outlast it."""
WAIT_MS = 1_500
MOST_OF_A_HOLD = 12
STALLED_SHARE = 0.05
STALL_MS = (1_100, 1_600)
"""Longer than the TTL: somebody else has the lock when this one writes."""


class FencedCounter(Workload):
    """Increments as programs do them that trust their lock; the store refuses the late ones."""

    name = "fenced-counter"
    sentence = "read-add-write under locks, some held too long: no increment is lost or doubled"

    def script(self, number: int, chance: Random) -> Script:
        names = (f"{number}-{each}" for each in count())
        while True:
            counter = f"{PREFIX}{chance.randrange(COUNTERS)}"
            # A stalled holder renews nothing: its lock is on a lease of the script's own.
            stalls = chance.random() < STALLED_SHARE
            token = yield from acquired(counter, WAIT_MS, TTL_MS, renewed=not stalls)
            if token is None:
                continue
            for each in range(chance.randint(1, MOST_OF_A_HOLD)):
                stall_ms = chance.randint(*STALL_MS) if stalls and each == 1 else 0
                answer = yield from _increment(counter, token, next(names), stall_ms)
                if not answer.ok:
                    break
            yield Call("release", counter, {"token": token})

    def finals(self) -> Script:
        yield Call("log", PREFIX)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [
            check_counters(events, PREFIX),
            check_exclusion(events),
            check_tokens(events),
            check_fences(events),
        ]


def _increment(
    counter: str, token: int, name: str, stall_ms: int
) -> Generator[Call, Answer, Answer]:
    found = yield Call("get", counter)
    if not found.ok:
        return found
    value = found.result["value"]
    if stall_ms:
        yield Call("hold", counter, {"token": token, "ms": stall_ms})
    argument = {"value": f"{(0 if value is None else int(value.split()[0])) + 1} {name}"}
    return (yield Call("fenced_put", counter, argument | {"lock": counter, "token": token}))
