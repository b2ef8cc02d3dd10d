"""Answers are slow to come for a second: what retries make of it."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from threading import Event

from kvraft_chaos.drills.actors import together
from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.plain_calls import plain_calls
from kvraft_chaos.drills.stage import Stage
from kvraft_chaos.waiting import wait_until
from kvraft_client import Client, actions

QUESTION = (
    "No answer arrives for a second, and every caller tries again. How many orders does the store "
    "get for 20?"
)
CALLERS = 20
OUTAGE_S = 1.0
"""Shorter than the client waits for one attempt: many outages are."""
NAIVE_TIMEOUT_S = 0.1
"""Of one attempt of a naive caller, who is in a hurry."""

SENT_SECONDS = 3.0
"""Longest wait until all have sent their first request."""

Caller = Callable[[int, Event], None]
"""Orders once, from the moment at which answers are lost."""


def play(stage: Stage, ground: Ground) -> None:
    """Let 20 callers order once each through an outage; naive, and by the client."""
    with ground.client() as kv:
        stage.act(f"the naive way: {CALLERS} callers, {NAIVE_TIMEOUT_S:g} s, and at once again")
        naive_sent, naive_orders = naive_storm(stage, ground, kv)
        stage.act(f"the client's way: {CALLERS} callers, one deadline, one identity each")
        store_sent, store_orders = store_storm(stage, ground, kv)

    stage.figure("orders wanted", naive=CALLERS, store=CALLERS)
    stage.figure("requests sent", naive=naive_sent, store=store_sent)
    stage.figure("orders in the store", naive=naive_orders, store=store_orders)
    stage.foretold(naive_sent >= 3 * CALLERS, "the load is multiplied when it can be borne least")
    stage.foretold(naive_orders > CALLERS, "orders are placed that nobody wanted")
    stage.promised(store_orders == CALLERS, "every order is placed once")
    stage.promised(store_sent <= 3 * CALLERS, "retries are few: deadlines, back-off and a budget")
    stage.close(
        "One deadline for the whole call, and retries that the store knows as such.",
        "Client(endpoints, timeout=5.0), and for a process that may die: idempotency_key=",
    )


def naive_storm(stage: Stage, ground: Ground, kv: Client) -> tuple[int, int]:
    """Order by plain calls; how many were sent, and how many orders there are."""
    kv.put("naive/orders", "0")
    sent = [0] * CALLERS
    with plain_calls(ground.cluster.endpoint(ground.leader())) as calls:

        def caller(number: int, outage: Event) -> None:
            outage.wait()
            answered = False
            while not answered:
                sent[number] += 1
                answered = calls.add("naive/orders", 1, NAIVE_TIMEOUT_S)

        _through_an_outage(stage, ground, caller)
    return _told(stage, kv, "naive/orders", sum(sent))


def store_storm(stage: Stage, ground: Ground, kv: Client) -> tuple[int, int]:
    """Order by the client; how many were sent, and how many orders there are."""
    kv.put("store/orders", "0")
    before = kv.metrics().attempts

    def caller(_number: int, outage: Event) -> None:
        outage.wait()
        kv.update("store/orders", actions.add(1))

    _through_an_outage(stage, ground, caller, lambda: _sent(kv, before) >= CALLERS)
    replayed = kv.metrics().replayed
    stage.say("the client", f"{replayed} of the answers are from the store's record of the first")
    return _told(stage, kv, "store/orders", _sent(kv, before))


def _sent(kv: Client, before: int) -> int:
    return kv.metrics().attempts - before


def _through_an_outage(
    stage: Stage, ground: Ground, caller: Caller, all_sent: Callable[[], bool] | None = None
) -> None:
    """Lose all answers for a while; with `all_sent`, only once all requests are under way.

    The client asks whether a node is there before it sends, so it would not send into an outage.
    """
    outage = Event()

    def lose() -> None:
        with ground.slow_commits() if all_sent else nullcontext(ground.leader()) as leader:
            if all_sent:
                outage.set()
                wait_until(all_sent, SENT_SECONDS, "all callers have sent their requests")
            with ground.replies_lost(leader):
                stage.say("the network", "loses every answer from now on")
                outage.set()
                time.sleep(OUTAGE_S)
        stage.say("the network", "is well again")

    actors: list[Callable[[], None]] = [partial(caller, each, outage) for each in range(CALLERS)]
    together([lose, *actors])


def _told(stage: Stage, kv: Client, key: str, sent: int) -> tuple[int, int]:
    entry = kv.get(key)
    orders = 0 if entry is None else int(entry.value)
    stage.say("the callers", f"all have an answer, after {sent} requests")
    stage.say("the store", f"{orders} orders; {CALLERS} were wanted")
    return sent, orders


DRILL = Drill("retry-storm", QUESTION, play)
