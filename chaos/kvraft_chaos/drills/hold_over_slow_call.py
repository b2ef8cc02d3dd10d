"""A seat is held while a card company is asked, which takes longer than the hold lasts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from kvraft_chaos.drills.actors import together
from kvraft_chaos.drills.card_company import FAST, SLOW, CardCompany, card_company
from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.stage import Stage
from kvraft_client import Client
from kvraft_client.recipes import Reservations

QUESTION = (
    "Alice holds the last seat for 1 s and pays; the card company takes longer. "
    "Bob wants the seat too. Who is charged, and who sits there?"
)
HOLD_S = 1.0
"""The shortest there is."""
SLOW_MS = 1_750
TRY_AGAIN_S = 0.05
ALICE, BOB = "alice", "bob"
BUYERS = 3
QUEUE_CALL_MS = 300
"""Of the calls of several buyers who do not want the same seat."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One seat that both want."""

    stage: Stage
    kv: Client
    company: CardCompany
    seat: str
    alice_pays: Event = field(default_factory=Event)


Buy = Callable[[Sale, str], bool]
"""Whether the buyer was told that the seat is theirs."""


def play(stage: Stage, ground: Ground) -> None:
    """Sell a seat over a slow call, by an expiring key and by a reservation; then a queue."""
    with ground.client() as kv, card_company(ground) as company:
        stage.act("the naive way: a key that expires keeps others out while the card is charged")
        naive = _sell(Sale(stage, kv, company, "naive/seat"), naive_buy)
        stage.act("the store's way: a hold, the call, and a confirmation that can fail")
        store = _sell(Sale(stage, kv, company, "store/seat"), store_buy)
        stage.act(f"{BUYERS} buyers of {BUYERS} seats, {QUEUE_CALL_MS} ms a call")
        company.slow_down(QUEUE_CALL_MS)
        naive_s = _together(stage, "a lock around the call", partial(locked_buy, kv, company))
        store_s = _together(stage, "a hold before the call", partial(held_buy, kv, company))

    stage.figure("told that the seat is theirs", naive=naive[0], store=store[0])
    stage.figure("charged for 1 seat, after refunds", naive=naive[1], store=store[1])
    stage.figure(f"until {BUYERS} buyers had their seats", naive=naive_s, store=store_s)
    stage.foretold(naive[0] == 2, "both are told that the seat is theirs")
    stage.foretold(naive[1] == 2, "both are charged")
    stage.foretold(naive_s > store_s, "a lock around a slow call makes everybody wait for it")
    stage.promised(store[0] == 1, "one is told so: the other's confirmation is refused")
    stage.promised(store[1] == 1, "one is charged, the other has the money back")
    stage.close(
        "Hold no lock over a slow call: reserve, call, then confirm; refund if that is refused.",
        "recipes.Reservations(kv, prefix, capacity): hold(order, ttl), confirm(order)",
    )


def _sell(sale: Sale, buy: Buy) -> tuple[int, int]:
    """Return how many were told that the seat is theirs, and how many are charged in the end."""
    sale.company.charged.clear()
    sale.company.slow_down(SLOW_MS)
    told = together([partial(buy, sale, each) for each in (ALICE, BOB)])
    charged = sum(sale.company.charged.values())
    sale.stage.say("the hall", f"1 seat, {sum(told)} buyer(s) with it, {charged} charged")
    return sum(told), charged


def _come(sale: Sale, buyer: str) -> None:
    if buyer == BOB:  # a moment later
        sale.alice_pays.wait()


def _pay(sale: Sale, buyer: str) -> None:
    sale.stage.say(buyer, "pays ...")
    begun = time.monotonic()
    sale.alice_pays.set()  # Bob pays only after that
    sale.company.charge(buyer, SLOW if buyer == ALICE else FAST)
    sale.stage.say(buyer, f"is charged, after {time.monotonic() - begun:.2f} s")


def naive_buy(sale: Sale, buyer: str) -> bool:
    """Keep others out by a key that expires, and write the result whatever happened meanwhile."""
    _come(sale, buyer)
    while not sale.kv.try_cas(f"{sale.seat}/lock", buyer, expect_absent=True, ttl=HOLD_S):
        time.sleep(TRY_AGAIN_S)
    sale.stage.say(buyer, f"has the key, for {HOLD_S:g} s")
    if sale.kv.get(f"{sale.seat}/sold") is not None:
        sale.stage.say(buyer, "the seat is taken")
        return False
    _pay(sale, buyer)
    sale.kv.put(f"{sale.seat}/sold", buyer)
    sale.stage.say(buyer, "writes the seat: mine")
    return True


def store_buy(sale: Sale, buyer: str) -> bool:
    """Hold the seat, pay, and confirm what is still held."""
    _come(sale, buyer)
    seats = Reservations(sale.kv, sale.seat, 1)
    while not seats.hold(buyer, HOLD_S):
        time.sleep(TRY_AGAIN_S)
    sale.stage.say(buyer, f"holds the seat, for {HOLD_S:g} s")
    _pay(sale, buyer)
    if seats.confirm(buyer):
        sale.stage.say(buyer, "confirms: mine")
        return True
    sale.company.refund(buyer)
    sale.stage.say(buyer, "the hold has ended: refused, and refunded")
    return False


def locked_buy(kv: Client, company: CardCompany, number: int) -> None:
    """Pay with the lock of the whole flight held: safe, as it is renewed, and slow."""
    with kv.lock("flight", wait=10.0):
        company.charge(f"locked-{number}", SLOW)
        kv.put(f"naive/flight/{number}", b"sold")


def held_buy(kv: Client, company: CardCompany, number: int) -> None:
    """Pay with nothing held but the seat."""
    seats = Reservations(kv, "store/flight", BUYERS)
    order = f"held-{number}"
    is_held = seats.hold(order, 5.0)
    company.charge(order, SLOW)
    if not (is_held and seats.confirm(order)):
        raise AssertionError("there are enough seats, and the hold is long")


def _together(stage: Stage, what: str, buy: Callable[[int], None]) -> float:
    begun = time.monotonic()
    together([partial(buy, number) for number in range(BUYERS)])
    took = time.monotonic() - begun
    stage.say(what, f"all {BUYERS} have their seats after {took:.2f} s")
    return took


DRILL = Drill("hold-over-slow-call", QUESTION, play)
