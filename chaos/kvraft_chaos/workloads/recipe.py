"""Recipes: seats, a quota in regions and a work queue, whose sums the store's log proves."""

from collections.abc import Iterator, Sequence
from itertools import count
from random import Random

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.queues import check_queue
from kvraft_chaos.checkers.quotas import check_quota
from kvraft_chaos.checkers.seats import check_seats
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Call, Script, Workload

SEATS_PREFIX, QUOTA, QUEUE = "seats", "quota", "queue"
SEATS = 2
"""Fewer than clients: some guests are turned away."""
GUESTS = 10
"""Of each client at one show; then there is another one, for some seats stay taken."""
REGIONS = ("eu", "us", "ap")
TOTAL = 2_000
MOST = 7
"""Of one spend."""
SPENDS = 2
"""To each visit."""
ERRANDS_SHARE = 0.3
"""A round of work takes ten times what another call does."""
QUEUE_KEYS = ("red", "green")
ENDINGS = 40
"""Most rounds of work at the end, when nobody adds any more: the last worker's lock may have to run
out first."""
ENDING_MS = 100


class Recipe(Workload):
    """What people build on the store, by the recipes of the client as they are.

    So it is for real clusters only: the simulator has the client's policy, not its recipes.
    """

    name = "recipe"
    sentence = "seats, quota and work queue: sums never change, every effect happens once"

    def setup(self) -> Script:
        yield Call("quota_open", QUOTA, {"region": REGIONS[0], "total": TOTAL})

    def script(self, number: int, chance: Random) -> Script:
        names = (f"{number}-{each}" for each in count())
        for visits in count():
            show = f"{SEATS_PREFIX}/{visits // GUESTS}"
            if visits % GUESTS == 0:
                yield Call("seats_open", show, {"seats": SEATS})
            yield from _visit(show, next(names), chance)
            for _ in range(SPENDS):
                yield _spend(next(names), chance)
            if chance.random() < ERRANDS_SHARE:
                yield from _errands(number, names, chance)

    def finals(self) -> Script:
        for _ in range(ENDINGS):
            yield Call("queue_work", QUEUE, {"worker": "last"})
            left = yield Call("list", f"{QUEUE}/")
            if left.ok and not left.result["entries"]:
                break
            yield Call("pause", None, {"ms": ENDING_MS})
        for prefix in (SEATS_PREFIX, QUOTA, QUEUE, f"{QUEUE}-done"):
            yield Call("log", f"{prefix}/")

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [
            check_seats(events, SEATS_PREFIX, SEATS),
            check_quota(events, QUOTA, TOTAL),
            check_queue(events, QUEUE),
        ]


def _visit(show: str, guest: str, chance: Random) -> Script:
    """Every guest comes once; one of whom nobody knows what became of it is left alone."""
    for _ in range(chance.randint(1, 2)):  # asked again it gets the same answer
        answer = yield Call("seats_take", show, {"guest": guest})
        if not answer.ok:
            return
    if answer.result["seated"]:
        yield Call("seats_give_back", show, {"guest": guest})


def _spend(request: str, chance: Random) -> Call:
    region = chance.choice(REGIONS)
    if chance.random() < 0.1:  # seldom: or nobody would have a share
        return Call("quota_give_back", QUOTA, {"region": region, "amount": 1})
    amount = chance.randint(1, MOST)
    return Call("quota_spend", QUOTA, {"region": region, "amount": amount, "request": request})


def _errands(number: int, names: Iterator[str], chance: Random) -> Script:
    for _ in range(chance.randint(1, 3)):
        yield Call("queue_add", QUEUE, {"of": chance.choice(QUEUE_KEYS), "item": next(names)})
    yield Call("queue_work", QUEUE, {"worker": f"{number}"})
