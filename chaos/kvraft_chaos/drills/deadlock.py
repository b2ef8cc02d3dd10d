"""Three transfers in a ring, each holding what the next one wants."""

import time
from collections.abc import Callable
from functools import partial
from threading import Barrier

from kvraft_chaos.drills.actors import meeting, together
from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.stage import Stage
from kvraft_client import Client, Deadlock

QUESTION = (
    "Transfers a->b, b->c and c->a each hold their first account and wait for the second. "
    "Who goes on?"
)
RING = (("a", "b"), ("b", "c"), ("c", "a"))
PATIENCE_S = 1.5
"""How long a naive transfer tries: any number, as nobody ever goes on."""
TRY_AGAIN_S = 0.05
WAIT_S = 5.0
"""Bound of the waits that must not be needed."""

Transfer = Callable[[Stage, Client, tuple[str, str], Barrier], int | None]
"""How often it was refused before it was done; None: it was not."""


def play(stage: Stage, ground: Ground) -> None:
    """Run the ring with homemade locks, with the store's, and with both locks at once."""
    with ground.client() as kv:
        stage.act("the naive way: a key is a lock, taken one after the other, tried until it works")
        naive, naive_s = _ring(stage, kv, naive_transfer)
        stage.act("the store's locks: who would close the circle is told so")
        store, store_s = _ring(stage, kv, store_transfer)
        stage.act("both locks at once")
        at_once, at_once_s = _ring(stage, kv, transfer_at_once)

    done = [sum(each is not None for each in those) for those in (naive, store, at_once)]
    refused = sum(each or 0 for each in store)
    stage.figure("transfers done, of 3", naive=done[0], store=done[1])
    stage.figure("until all had an answer", naive=naive_s, store=store_s)
    stage.figure("refused as a deadlock", store=refused)
    stage.figure("done with both locks at once", store=done[2])
    stage.figure("... until all were done", store=at_once_s)
    stage.foretold(done[0] == 0, f"nobody goes on within {PATIENCE_S:g} s, and nobody knows why")
    stage.promised(refused == 1, "exactly one is refused, with the circle named")
    stage.promised(done[1] == len(RING), "all three are done, the refused one by beginning anew")
    stage.promised(store_s < PATIENCE_S, "at once, not by a time-out")
    stage.promised(done[2] == len(RING), "taken at once, locks cannot be held in a circle")
    stage.close(
        "Take all locks in one call; where that cannot be, on Deadlock release and begin anew.",
        "with kv.lock(['account/a', 'account/b']): ...",
    )


def _ring(stage: Stage, kv: Client, transfer: Transfer) -> tuple[list[int | None], float]:
    begun = time.monotonic()
    all_hold_one = meeting(len(RING))
    results = together([partial(transfer, stage, kv, pair, all_hold_one) for pair in RING])
    return results, time.monotonic() - begun


def naive_transfer(
    stage: Stage, kv: Client, pair: tuple[str, str], all_hold_one: Barrier
) -> int | None:
    """Create a key for each lock; where it is there, try again."""
    who = "->".join(pair)
    first, second = (f"naive/lock/{account}" for account in pair)
    kv.cas(first, who, expect_absent=True)
    stage.say(who, f"has {pair[0]}, wants {pair[1]}")
    all_hold_one.wait()
    tries, end = 0, time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < end:
            tries += 1
            if kv.try_cas(second, who, expect_absent=True):
                kv.delete(second)
                stage.say(who, "done")
                return 0
            time.sleep(TRY_AGAIN_S)
    finally:
        all_hold_one.wait()  # the first to give up must not make room for the others
        kv.delete(first)
    stage.say(who, f"gives up after {tries} tries: {pair[1]} was never free")
    return None


def store_transfer(
    stage: Stage, kv: Client, pair: tuple[str, str], all_hold_one: Barrier
) -> int | None:
    """Lock one after the other; told that this is a deadlock, release and begin anew."""
    who = "->".join(pair)
    first, second = (f"account/{account}" for account in pair)
    refused = 0
    while True:
        try:
            with kv.lock(first, wait=WAIT_S, owner=who):
                if not refused:
                    stage.say(who, f"has {pair[0]}, wants {pair[1]}")
                    all_hold_one.wait()
                with kv.lock(second, wait=WAIT_S, owner=who):
                    stage.say(who, "done")
                    return refused
        except Deadlock as circle:
            refused += 1
            stage.say(who, f"refused: {str(circle).partition(' [')[0]}")


def transfer_at_once(
    stage: Stage, kv: Client, pair: tuple[str, str], all_hold_one: Barrier
) -> int | None:
    """Have both locks or none."""
    who = "->".join(pair)
    all_hold_one.wait()
    with kv.lock([f"account/{account}" for account in pair], wait=WAIT_S, owner=who):
        stage.say(who, "has both, done")
    return 0


DRILL = Drill("deadlock", QUESTION, play)
