"""One seat, several buyers: looking and taking as two steps, and as one."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Barrier

from kvraft_chaos.drills.actors import meeting, together
from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.stage import Stage
from kvraft_client import Client, actions, operations
from kvraft_client.conditions import number

QUESTION = "Two buyers read 'one seat left'. How many tickets are sold?"
PAIR = ("alice", "bob")
CROWD = tuple(f"buyer-{number:02}" for number in range(20))
DISTANCE_MS = 30
"""How far away the crowd is."""

Buy = Callable[[Stage | None, Client, str, str, Barrier], bool]
"""Whether the buyer was told that the seat is theirs; without a stage nobody is told how."""


def play(stage: Stage, ground: Ground) -> None:
    """Sell the last seat to two, then to a crowd; naive, and in one transaction."""
    with ground.client() as kv:
        stage.act("the naive way: look whether there is one, then take it")
        naive = _sell(stage, kv, "naive/pair", PAIR, naive_buy)
        stage.act("the store's way: look and take in one step")
        store = _sell(stage, kv, "store/pair", PAIR, store_buy)
        stage.act(f"{len(CROWD)} buyers at once, {DISTANCE_MS} ms away")
        with ground.distant(DISTANCE_MS):
            naive_crowd = _sell(None, kv, "naive/crowd", CROWD, naive_buy)
            stage.say("naive", f"{naive_crowd} of {len(CROWD)} hold a ticket for the same seat")
            store_crowd = _sell(None, kv, "store/crowd", CROWD, store_buy)
            stage.say("the store", f"{store_crowd} of {len(CROWD)} holds a ticket")

    stage.figure("tickets for 1 seat, 2 buyers", naive=naive, store=store)
    stage.figure(f"tickets for 1 seat, {len(CROWD)} buyers", naive=naive_crowd, store=store_crowd)
    stage.foretold(naive == len(PAIR), "both buyers are sold the one seat")
    stage.foretold(naive_crowd > 1, "a crowd is sold it many times")
    stage.promised(store == 1, "one of two buyers gets it")
    stage.promised(store_crowd == 1, "one of a crowd gets it")
    stage.close(
        "Whoever looks first and takes then takes what may be gone: decide and take in one step.",
        "kv.txn(when='number(\"seats\") >= 1', then=[...]), or recipes.Seats(kv, prefix).take(me)",
    )


def _sell(stage: Stage | None, kv: Client, event: str, buyers: Sequence[str], buy: Buy) -> int:
    """Return how many tickets there are in the store afterwards."""
    kv.delete_prefix(f"{event}/tickets/")
    kv.put(f"{event}/seats", "1")
    all_have_looked = meeting(len(buyers))
    told = together([partial(buy, stage, kv, event, each, all_have_looked) for each in buyers])
    tickets = [entry.key for entry in kv.list(f"{event}/tickets/")]
    if sum(told) != len(tickets):
        raise AssertionError(f"{sum(told)} were told that they have one of {len(tickets)} tickets")
    if stage is not None:
        stage.say("the hall", f"1 seat, {len(tickets)} ticket(s)")
    return len(tickets)


def naive_buy(
    stage: Stage | None, kv: Client, event: str, buyer: str, all_have_looked: Barrier
) -> bool:
    """Take it if it was there a moment ago."""
    left = _left(stage, kv, event, buyer)
    all_have_looked.wait()
    if left < 1:
        return False
    kv.put(f"{event}/seats", str(left - 1))
    kv.put(f"{event}/tickets/{buyer}", b"")
    _say(stage, buyer, f"writes {left - 1} seats left, and the ticket: sold")
    return True


def store_buy(
    stage: Stage | None, kv: Client, event: str, buyer: str, all_have_looked: Barrier
) -> bool:
    """Take it if it is there."""
    _left(stage, kv, event, buyer)
    all_have_looked.wait()
    sold = kv.txn(
        when=number(f"{event}/seats") >= 1,
        then=[
            operations.update(f"{event}/seats", actions.add(-1)),
            operations.put(f"{event}/tickets/{buyer}", b""),
        ],
    )
    _say(stage, buyer, "seats >= 1: sold" if sold else "seats >= 1 is false by now: not sold")
    return sold.succeeded


def _left(stage: Stage | None, kv: Client, event: str, buyer: str) -> int:
    entry = kv.get(f"{event}/seats")
    left = 0 if entry is None else int(entry.value)
    _say(stage, buyer, f"reads: {left} seat left")
    return left


def _say(stage: Stage | None, who: str, what: str) -> None:
    if stage is not None:
        stage.say(who, what)


DRILL = Drill("last-seat", QUESTION, play)
