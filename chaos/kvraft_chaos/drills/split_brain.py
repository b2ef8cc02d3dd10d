"""The leader is cut off from the other nodes, and not from its clients: two sides, one truth."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.stage import Stage
from kvraft_client import Client, KvraftError, Outcome

QUESTION = (
    "The east is cut off from the west, with the leader in it. Both sides have clients. "
    "How many sides sell order 1?"
)
KEY = "primary"
ORDERS = 5
EAST_TIMEOUT_S = 0.7
"""After the election, a node without a majority knows that it has none within 0.5 s."""

MaySell = Callable[[Client, str], bool]


@dataclass(frozen=True, slots=True)
class _Sides:
    """A client of the old leader alone, and one of the other two nodes."""

    old_leader: str
    east: Client
    west: Client


def play(stage: Stage, ground: Ground) -> None:
    """Cut the leader off, sell on both sides, heal, and compare what everybody holds."""
    with _sides(ground) as sides:
        sides.east.put(KEY, "east")
        stage.act("the leader is cut off, the others elect another")
        with ground.isolated(sides.old_leader):
            stage.say("the network", f"cuts {sides.old_leader}, the leader, off from the others")
            leader, elected_s = ground.elected_without(sides.old_leader)
            stage.say("west", f"{leader} leads, after {elected_s:.2f} s")
            sides.west.put(KEY, "west")
            stage.say("west", "the primary is west from now on: written, on a majority")
            stage.act("the naive way: ask the node at hand what it holds")
            naive = _sell(stage, sides, naive_may_sell)
            stage.act("the store's way: ask what a majority holds")
            store = _sell(stage, sides, store_may_sell)
            refusal, refused_s = _write_in_the_east(stage, sides)
            written = _write_in_the_west(stage, sides)
        stage.act("the link is well again")
        lost, hashes = _compare(stage, ground, sides, written)

    stage.figure(f"orders sold twice, of {ORDERS}", naive=naive, store=store)
    stage.figure("until the west had a leader", store=elected_s)
    stage.figure("until the east was refused", store=refused_s)
    stage.figure(f"acknowledged writes lost, of {len(written)}", store=lost)
    stage.figure("different states afterwards", store=hashes)
    stage.foretold(naive == ORDERS, "both sides believe to be the primary, and both sell")
    stage.promised(store == 0, "one side sells: the other one is refused an answer")
    stage.promised(refusal is not None, "a write without a majority is never told as done")
    stage.promised(lost == 0, "what the west was told as done is there afterwards")
    stage.promised(hashes == 1, "all three nodes hold the same afterwards")
    stage.close(
        "A node alone cannot know what the others decided: only a majority's answer counts.",
        "kv.get(key) is linearizable; consistency='serializable' is for what may be old",
    )


@contextlib.contextmanager
def _sides(ground: Ground) -> Iterator[_Sides]:
    leader = ground.leader()
    others = [name for name in ground.cluster.names if name != leader]
    west_endpoints = ",".join(ground.cluster.endpoint(name) for name in others)
    with (
        Client(ground.cluster.endpoint(leader), timeout=EAST_TIMEOUT_S, sessions=False) as east,
        Client(west_endpoints, sessions=False) as west,
    ):
        yield _Sides(leader, east, west)


def naive_may_sell(side: Client, name: str) -> bool:
    """Believe the node that answers."""
    entry = side.get(KEY, consistency="serializable")
    return entry is not None and entry.value.decode() == name


def store_may_sell(side: Client, name: str) -> bool:
    """Believe a majority; without its answer, do not sell."""
    try:
        entry = side.get(KEY)
    except KvraftError:
        return False
    return entry is not None and entry.value.decode() == name


def _sell(stage: Stage, sides: _Sides, may_sell: MaySell) -> int:
    """Return how many order numbers were sold on both sides."""
    sold: dict[str, set[int]] = {}
    for name, side in (("east", sides.east), ("west", sides.west)):
        is_primary = may_sell(side, name)
        sold[name] = set(range(1, ORDERS + 1)) if is_primary else set()
        does = f"is the primary: sells orders 1 to {ORDERS}" if is_primary else "may not sell"
        stage.say(name, does)
    return len(sold["east"] & sold["west"])


def _write_in_the_east(stage: Stage, sides: _Sides) -> tuple[Outcome | None, float]:
    begun = time.monotonic()
    outcome = None
    try:
        sides.east.put("east/order", b"1")
    except KvraftError as refused:
        outcome = refused.outcome
        kind = type(refused).__name__
        took = time.monotonic() - begun
        stage.say("east", f"tries to write: {kind} ({outcome}) after {took:.2f} s")
    else:
        stage.say("east", "writes: done")
    return outcome, time.monotonic() - begun


def _write_in_the_west(stage: Stage, sides: _Sides) -> dict[bytes, int]:
    """Return the revision of each write that was told as done."""
    keys = [f"west/order/{number}" for number in range(1, ORDERS + 1)]
    written = {key.encode(): sides.west.put(key, b"sold").mod_revision for key in keys}
    stage.say("west", f"writes {ORDERS} orders: done")
    return written


def _compare(
    stage: Stage, ground: Ground, sides: _Sides, written: dict[bytes, int]
) -> tuple[int, int]:
    """Return how many of the writes are missing, and how many different states there are."""
    took = ground.cluster.wait_ready()
    stage.say("the cluster", f"follows one leader again after {took:.2f} s")
    found = {each.key: each.mod_revision for each in sides.east.list("west/order/", timeout=5.0)}
    lost = len(written.items() - found.items())
    stage.say("east", f"reads {len(found)} orders of the west")
    digests = {each.digest for each in sides.west.state_hash().hashes}
    stage.say("the cluster", f"hash of the state on every node: {len(digests)} different")
    return lost, len(digests)


DRILL = Drill("split-brain", QUESTION, play)
