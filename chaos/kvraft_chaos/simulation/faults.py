"""Faults as data: a plan is a list of (time, kind, nodes, duration), drawn from its own stream.

A plan can be printed, stored, fed back unchanged, and shrunk. Every fault ends by itself, and the
campaign heals the world at the end, so that convergence can be demanded.
"""

from collections.abc import Sequence
from typing import NamedTuple

from kvraft_chaos.simulation.chance import Chance


class Fault(NamedTuple):
    """One fault; `seconds` is how long it lasts (0 where it is a moment)."""

    time: float
    kind: str
    nodes: tuple[str, ...]
    seconds: float
    amount: float = 0.0
    """What the kind needs besides: seconds of delay, bytes a second or left, messages that survive,
    a share of answers."""


CLIENTS = ("c1", "c2", "c3", "c4")
"""The clients of a campaign; faults named `client_*` hit one of them, and one node."""

WEIGHTS: dict[str, int] = {
    "kill": 18,
    "power_loss": 10,
    "kill_all": 3,
    "power_loss_all": 3,
    "isolate": 12,
    "halves": 4,
    "cut_pair": 10,
    "cut_one_way": 10,
    "flap": 4,
    "reset_pair": 6,
    "reset_one_way": 10,
    "slow_link": 8,
    "narrow_link": 4,
    "pause": 8,
    "slow_fsync": 6,
    "failed_fsync": 2,
    "clock_rate": 3,
    "transfer": 3,
    "wipe_and_rejoin": 3,
    "wipe_without_flag": 1,
    "suspend": 4,
    "disk_full": 3,
    "bit_flip": 2,
    "snapshot_in_lag": 4,
    "client_crash": 5,
    "client_cut": 4,
    "client_reset": 4,
    "client_loss": 4,
    "client_slow": 3,
}

_SECONDS: dict[str, tuple[float, float]] = {
    "kill": (0.05, 4.0),
    "power_loss": (0.2, 4.0),
    "pause": (0.1, 3.0),
    "slow_fsync": (0.1, 3.0),
    "suspend": (3.0, 9.0),
    "transfer": (0.0, 0.0),
    "client_reset": (0.0, 0.0),
    "reset_pair": (0.0, 0.0),
    "reset_one_way": (0.0, 0.0),
}
_OTHER_SECONDS = (0.2, 6.0)

_AMOUNT: dict[str, tuple[float, float]] = {
    "slow_link": (0.02, 0.8),
    "narrow_link": (20_000.0, 2_000_000.0),
    "clock_rate": (0.99, 1.01),
    "slow_fsync": (0.05, 2.5),
    "reset_pair": (0.0, 4.0),
    "reset_one_way": (0.0, 4.0),
    "kill": (0.0, 4.0),
    "disk_full": (0.0, 6_000.0),
    "client_loss": (0.05, 0.8),
    "client_slow": (0.02, 1.0),
}

MEAN_PAUSE = 0.9
"""Seconds between faults, on average: they overlap."""


def draw_plan(seed: int, names: Sequence[str], horizon: float) -> list[Fault]:
    """Return the fault plan of a seed: everything in it begins before `horizon`."""
    chance = Chance(seed, "faults")
    kinds = [kind for kind, weight in WEIGHTS.items() for _ in range(weight)]
    plan = []
    time = chance.waiting_time(MEAN_PAUSE)
    while time < horizon:
        kind = chance.pick(kinds)
        nodes = tuple(chance.sample(names, len(names) // 2 if kind == "halves" else 2))
        if kind.startswith("client_"):
            nodes = (chance.pick(CLIENTS), nodes[0])
        seconds = chance.between(*_SECONDS.get(kind, _OTHER_SECONDS))
        amount = chance.between(*_AMOUNT.get(kind, (0.0, 0.0)))
        plan.append(Fault(round(time, 3), kind, nodes, round(seconds, 3), round(amount, 4)))
        time += chance.waiting_time(MEAN_PAUSE)
    return plan
