"""Two clerks change one balance: read, change, write, against compare-and-set."""

from collections.abc import Callable
from functools import partial
from threading import Barrier

from kvraft_chaos.drills.actors import meeting, together
from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.stage import Stage
from kvraft_client import Client, Conflict

QUESTION = (
    "A balance is 100. One clerk adds 30 while another takes 50. What is the balance afterwards?"
)
OPENING, DEPOSIT, WITHDRAWAL = 100, 30, -50
EXPECTED = OPENING + DEPOSIT + WITHDRAWAL
DISTANCE_MS = 20
"""How far away the crowd is: what happens between a read and a write is what the network adds."""
CROWD, EACH = 4, 5

Change = Callable[[Stage, Client, str, int, Barrier], None]
Increment = Callable[[Client, str], None]


def play(stage: Stage, ground: Ground) -> None:
    """Two clerks in an unlucky moment, then a crowd; naive, and with compare-and-set."""
    with ground.client() as kv:
        stage.act("the naive way: read, change, write")
        naive = _two_clerks(stage, kv, "naive/balance", naive_change)
        stage.act("the store's way: the write names what was read")
        store = _two_clerks(stage, kv, "store/balance", store_change)
        stage.act(f"a crowd: {CROWD} workers add 1, {EACH} times each, from {DISTANCE_MS} ms away")
        with ground.distant(DISTANCE_MS):
            naive_lost = _crowd(stage, kv, "naive/counter", naive_increment)
            store_lost = _crowd(stage, kv, "store/counter", store_increment)

    stage.figure(f"balance ({EXPECTED} is right)", naive=naive, store=store)
    stage.figure(f"increments lost, of {CROWD * EACH}", naive=naive_lost, store=store_lost)
    stage.foretold(naive != EXPECTED, "one of two changes is lost, and nobody is told")
    stage.foretold(naive_lost > 0, "a crowd loses increments")
    stage.promised(store == EXPECTED, "both changes stand")
    stage.promised(store_lost == 0, "no increment of a crowd is lost")
    stage.close(
        "What was read may be old by the time of the write: let the write say what it builds on.",
        "kv.cas(key, value, expect=entry), kv.modify(key, change), kv.update(key, 'value += 30')",
    )


def _two_clerks(stage: Stage, kv: Client, key: str, change: Change) -> int:
    kv.put(key, str(OPENING))
    both_have_read = meeting(2)
    clerks = (("alice", DEPOSIT), ("bob", WITHDRAWAL))
    together([partial(change, stage, kv, key, amount, both_have_read) for _, amount in clerks])
    balance = _number(kv, key)
    stage.say("the store", f"the balance is {balance}; {EXPECTED} would be right")
    return balance


def naive_change(stage: Stage, kv: Client, key: str, amount: int, both_have_read: Barrier) -> None:
    """Write what was read, changed."""
    clerk = _clerk(amount)
    found = _number(kv, key)
    stage.say(clerk, f"reads {found}")
    both_have_read.wait()
    kv.put(key, str(found + amount))
    stage.say(clerk, f"writes {found + amount}: done")


def store_change(stage: Stage, kv: Client, key: str, amount: int, both_have_read: Barrier) -> None:
    """Write where nobody wrote since; else begin anew with what stands."""
    clerk = _clerk(amount)
    seen = kv.get(key)
    stage.say(clerk, f"reads {int(seen.value) if seen else 0}")
    both_have_read.wait()
    while True:
        found = int(seen.value) if seen else 0
        try:
            kv.cas(key, str(found + amount), expect=seen)
        except Conflict as refused:
            seen = refused.current
            stands = int(seen.value) if seen else 0
            stage.say(clerk, f"wants to write {found + amount}: refused, it is {stands} by now")
        else:
            stage.say(clerk, f"writes {found + amount}: done")
            return


def naive_increment(kv: Client, key: str) -> None:
    """Read, add 1, write."""
    kv.put(key, str(_number(kv, key) + 1))


def store_increment(kv: Client, key: str) -> None:
    """Change it by a function of what stands."""
    kv.modify(key, lambda value: str(int(value or b"0") + 1))


def _crowd(stage: Stage, kv: Client, key: str, increment: Increment) -> int:
    kv.put(key, "0")

    def work() -> None:
        for _ in range(EACH):
            increment(kv, key)

    together([work] * CROWD)
    counted = _number(kv, key)
    stage.say("the crowd", f"{key} is {counted} after {CROWD * EACH} increments")
    return CROWD * EACH - counted


def _clerk(amount: int) -> str:
    return "alice" if amount == DEPOSIT else "bob"


def _number(kv: Client, key: str) -> int:
    entry = kv.get(key)
    return 0 if entry is None else int(entry.value)


DRILL = Drill("lost-update", QUESTION, play)
