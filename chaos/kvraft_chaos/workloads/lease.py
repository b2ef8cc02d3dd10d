"""Leases with keys: renewed for a while, then revoked, or left to run out under somebody's eyes."""

from collections.abc import Generator, Sequence
from itertools import count
from random import Random

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.leases import check_lease_keys, check_lease_times
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Answer, Call, Script, Workload

PREFIX = "lease/"
HEALED = f"{PREFIX}healed/"
"""Written when all faults are over: what is here must not end late."""
TTLS_MS = (1_000, 1_300, 1_800)
KEYS = 2
"""Of one lease: they go together."""
RENEWALS = 3
RENEW_MS = (50, 500)
REVOKED_SHARE = 0.2
LOOK_MS = 50
"""Between two looks at a key that is to go: how exactly its end is known."""
LOOKS = 120
"""Then it is left alone: the final log tells whether it went."""
HEALED_LEASES = 3


class Lease(Workload):
    """Clients look at the keys of a lease until they are gone; nobody renews it meanwhile."""

    name = "lease"
    sentence = "keys on leases: never ended early, late by little, all keys in one revision"
    clients = 10

    def script(self, number: int, chance: Random) -> Script:
        for each in count():
            yield from _life(f"{PREFIX}{number}-{each}/", chance)

    def finals(self) -> Script:
        for each in range(HEALED_LEASES):
            yield from _left(f"{HEALED}{each}/", TTLS_MS[0])
        yield Call("log", PREFIX)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [check_lease_times(events, HEALED), check_lease_keys(events, PREFIX, HEALED)]


def _life(prefix: str, chance: Random) -> Script:
    lease_id = yield from _granted(prefix, chance.choice(TTLS_MS))
    if lease_id is None:
        return
    for _ in range(chance.randint(0, RENEWALS)):
        yield Call("pause", None, {"ms": chance.randint(*RENEW_MS)})
        answer = yield Call("keep_alive", None, {"lease_id": lease_id})
        if answer.ok and not answer.result["alive"]:
            break
    if chance.random() < REVOKED_SHARE:
        yield Call("revoke", None, {"lease_id": lease_id})
    yield from _looked_at(prefix)


def _left(prefix: str, ttl_ms: int) -> Script:
    """A lease that is not renewed at all."""
    lease_id = yield from _granted(prefix, ttl_ms)
    if lease_id is not None:
        yield from _looked_at(prefix)


def _granted(prefix: str, ttl_ms: int) -> Generator[Call, Answer, int | None]:
    answer = yield Call("grant", None, {"ttl_ms": ttl_ms})
    if not answer.ok:
        return None
    lease_id: int = answer.result["lease_id"]
    for each in range(KEYS):
        key = f"{prefix}{each}"
        yield Call("put_leased", key, {"value": f"{key} of {lease_id}", "lease_id": lease_id})
    return lease_id


def _looked_at(prefix: str) -> Script:
    for look in range(LOOKS):
        answer = yield Call("get", f"{prefix}{look % KEYS}")
        if answer.ok and answer.result["value"] is None:
            return
        yield Call("pause", None, {"ms": LOOK_MS})
