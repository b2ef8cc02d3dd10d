"""Locks: many clients, few names; held, released, lost and fought for."""

from collections.abc import Generator, Sequence
from itertools import count
from random import Random

from kvraft_chaos.checkers.fences import check_fences
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.locks import check_exclusion, check_tokens
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Answer, Call, Script, Workload

NAMES = ("lock/a", "lock/b", "lock/c")
PREFIX = "guarded/"
"""What stands here was written under the lock of the same name."""
TTL_MS = 1_000
"""The least there is: faults outlast it."""
WAIT_MS = (0, 500, 2_000)
"""Some only try."""
HOLD_MS = 20
USES = 4
"""Most that a holder does."""
LAPSED_SHARE = 0.04
LAPSE_MS = (1_050, 1_400)
"""Longer than the TTL."""


class Lock(Workload):
    """Some holders let their lease run out, and go on writing: the store must refuse them."""

    name = "lock"
    sentence = "many clients on few locks: one holder at a time, tokens grow, late writes refused"
    clients = 8

    def script(self, number: int, chance: Random) -> Script:
        values = (f"{number}-{each}" for each in count())
        while True:
            name, wait_ms = chance.choice(NAMES), chance.choice(WAIT_MS)
            lapses = chance.random() < LAPSED_SHARE
            token = yield from acquired(name, wait_ms, TTL_MS, renewed=not lapses)
            if token is None:
                continue
            for _ in range(chance.randint(0, USES)):
                answer = yield _use(chance, name, token, next(values))
                if answer.type == "info":
                    break
            if lapses:
                yield Call("hold", name, {"token": token, "ms": chance.randint(*LAPSE_MS)})
                yield _written(name, token, next(values))
            yield Call("release", name, {"token": token})
            if chance.random() < LAPSED_SHARE:  # as one that does not know that it was released
                yield _written(name, token, next(values))

    def finals(self) -> Script:
        yield Call("log", PREFIX)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [check_exclusion(events), check_tokens(events), check_fences(events)]


def acquired(
    name: str, wait_ms: int, ttl_ms: int, *, renewed: bool
) -> Generator[Call, Answer, int | None]:
    """Acquire; the token, or None. One that is not renewed is on a lease of the script's own."""
    argument = {"wait_ms": wait_ms, "ttl_ms": ttl_ms}
    if not renewed:
        granted = yield Call("grant", None, {"ttl_ms": ttl_ms})
        if not granted.ok:
            return None
        argument = {"wait_ms": wait_ms, "lease_id": granted.result["lease_id"]}
    answer = yield Call("acquire", name, argument)
    return answer.result["token"] if answer.ok else None


def _use(chance: Random, name: str, token: int, value: str) -> Call:
    match chance.choice(("write", "write", "check", "hold")):
        case "check":
            return Call("check_fence", name, {"token": token})
        case "hold":
            return Call("hold", name, {"token": token, "ms": chance.randint(1, HOLD_MS)})
    return _written(name, token, value)


def _written(name: str, token: int, value: str) -> Call:
    return Call("fenced_put", f"{PREFIX}{name}", {"value": value, "lock": name, "token": token})
