"""A payment whose answer is lost: sent again blindly, and asked about."""

import time
from collections.abc import Callable
from functools import partial
from threading import Event

from kvraft_chaos.drills.actors import together
from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.plain_calls import plain_calls
from kvraft_chaos.drills.stage import Stage
from kvraft_client import Applied, Client, Identity, NeverApplied, OutcomeUnknown, actions
from kvraft_client.answers import Fate

QUESTION = "A payment of 30 timed out. Was the account charged? Should it be sent again?"
OPENING, PRICE = 100, 30
NAIVE_TIMEOUT_S = 0.4
TIMEOUT_S = 0.7
"""Of a call that is to end without an answer: before another node leads, nothing is sent again."""
ARRIVAL_S = 0.05
"""Until a request has arrived, not until it is done."""
OUTAGE_S = 0.8
"""For which no answer arrives, though every request does."""


def play(stage: Stage, ground: Ground) -> None:
    """Lose the answer, then the request; send again, let the client do so, and ask."""
    with ground.client() as kv:
        stage.act("the naive way: no answer, so send it again")
        naive = naive_payment(stage, ground, kv)
        stage.act("the client's way: sent again under the identity of the first")
        store = store_payment(stage, ground, kv)
        stage.act("the same time-out twice: the answer is lost, or the leader with the request")
        fates = _ask(stage, ground, kv)

    stage.figure("charges for one payment", naive=naive, store=store)
    stage.figure("balance after one payment", naive=_after(naive), store=_after(store))
    stage.figure("answer lost: outcome()", store=type(fates[0]).__name__)
    stage.figure("leader cut off: outcome()", store=type(fates[1]).__name__)
    stage.foretold(naive > 1, "the account is charged more than once")
    stage.promised(store == 1, "charged once, though it was sent more than once")
    stage.promised(isinstance(fates[0], Applied), "the one whose answer was lost is known as done")
    stage.promised(
        isinstance(fates[1], NeverApplied), "the one that was not done is settled: it never will be"
    )
    stage.close(
        "A time-out says nothing about what was done: send under one identity, or ask.",
        "except OutcomeUnknown as unknown: kv.outcome(unknown.identity)",
    )


def naive_payment(stage: Stage, ground: Ground, kv: Client) -> int:
    """Pay by plain calls until one is answered; return how often the account was charged."""
    kv.put("naive/account", str(OPENING))
    with plain_calls(ground.cluster.endpoint(ground.leader())) as calls:

        def pay(go: Event) -> None:
            go.wait()
            stage.say("the shop", f"charges {PRICE} ...")
            while not calls.add("naive/account", -PRICE, NAIVE_TIMEOUT_S):
                stage.say("the shop", "no answer: send it again")
            stage.say("the shop", "OK: paid")

        _lose_the_answer(stage, ground, pay)
    return _charges(stage, kv, "naive/account")


def store_payment(stage: Stage, ground: Ground, kv: Client) -> int:
    """Pay by the client, whose answer is lost; return how often the account was charged."""
    kv.put("store/account", str(OPENING))
    before = kv.metrics()

    def pay(go: Event) -> None:
        go.wait()
        stage.say("the shop", f"charges {PRICE} ...")
        kv.update("store/account", actions.add(-PRICE))
        now = kv.metrics()
        sent, replayed = now.attempts - before.attempts, now.replayed - before.replayed
        stage.say("the shop", f"OK: sent {sent} times; answers from the store's record: {replayed}")

    _lose_the_answer(stage, ground, pay)
    return _charges(stage, kv, "store/account")


def _lose_the_answer(stage: Stage, ground: Ground, pay: Callable[[Event], None]) -> None:
    """Lose what is answered to a payment that has arrived."""
    go = Event()

    def lose() -> None:
        with ground.slow_commits() as leader:
            go.set()
            time.sleep(ARRIVAL_S)
            with ground.replies_lost(leader):
                stage.say("the network", "loses every answer from now on")
                time.sleep(OUTAGE_S)
        stage.say("the network", "is well again")

    actors: list[Callable[[], None]] = [partial(pay, go), lose]
    together(actors)


def _ask(stage: Stage, ground: Ground, kv: Client) -> list[Fate]:
    """Time out on a payment in both ways, and ask afterwards what became of it."""
    identities: list[Identity] = []

    def pay(go: Event) -> None:
        go.wait()
        stage.say("the shop", f"charges {PRICE} ...")
        try:
            kv.update("asked/account", actions.add(-PRICE), timeout=TIMEOUT_S)
        except OutcomeUnknown as unknown:
            stage.say("the shop", "time-out: OutcomeUnknown, with an identity to ask by")
            if unknown.identity is None:
                raise AssertionError("a session's request has an identity") from unknown
            identities.append(unknown.identity)
        else:
            raise RuntimeError("the answer came before it was lost: too slow a machine")

    kv.put("asked/account", str(OPENING))
    _lose_the_answer(stage, ground, pay)
    fates = [_settle(stage, kv, identities.pop())]

    kv.put("asked/account", str(OPENING))
    leader, at_once = ground.leader(), Event()
    at_once.set()
    with ground.isolated(leader):
        stage.say("the network", f"cuts {leader}, the leader, off from the other nodes")
        pay(at_once)
        stage.say("the cluster", f"{ground.elected_without(leader)[0]} leads by now")
    return [*fates, _settle(stage, kv, identities.pop())]


def _settle(stage: Stage, kv: Client, identity: Identity) -> Fate:
    fate = kv.outcome(identity)
    stage.say("outcome()", f"{type(fate).__name__}: {fate.__doc__}")
    _charges(stage, kv, "asked/account")
    return fate


def _charges(stage: Stage, kv: Client, key: str) -> int:
    entry = kv.get(key)
    balance = OPENING if entry is None else int(entry.value)
    stage.say("the account", f"{balance} of {OPENING} is left")
    return (OPENING - balance) // PRICE


def _after(charges: int) -> int:
    return OPENING - charges * PRICE


DRILL = Drill("ambiguous-timeout", QUESTION, play)
