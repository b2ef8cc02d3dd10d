"""The model behind the curves: what a put costs, what is used up first, what more would give.

A log entry costs what it costs, however many puts share it; while one is in flight the next one
gathers. So half of the callers are in an entry, and us a put = `own` + `entry` / puts an entry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.scale_points import Point
from kvraft.replica.limits import ReplicaLimits

UNSEEN = 256
"""Callers from here on are predicted: the fit sees the points below only."""
CALLERS_AN_ENTRY = 2
"""Callers for each put in an entry: the others are in the one before it, or hear of theirs."""
NODES = 3
USED_UP = 0.85
"""Of what there is: above it more callers bring no more puts."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time of a put: microseconds of its own, and those of the entry it shares."""

    own: float
    entry: float

    def us(self, per_entry: float) -> float:
        """Return it for so many puts an entry."""
        return self.own + self.entry / per_entry


@dataclass(frozen=True, slots=True)
class Model:
    """All that is said about the curve by callers."""

    all: Cost
    """Of three nodes and the client."""
    loop: Cost
    """Of the leader's main thread."""
    worst: float
    """Largest deviation of the fit from what it was made of, as a share."""
    predicted: float
    """Puts a second at `UNSEEN` callers, if every core of this machine were the cluster's: what
    its cores, the leader's loop and the client's process allow, the least of them."""
    measured: float
    leader_bound: float
    """... and if each process had a core: what one Python thread, the leader's loop, can do."""
    leader_most: float
    """The same with full entries."""
    used: dict[str, float]
    """Shares at `UNSEEN` callers: of all cores, or of one where a thread can have no more."""

    @property
    def first(self) -> str:
        """What is used up first."""
        name, share = max(self.used.items(), key=lambda each: each[1])
        return name if share >= USED_UP else ""


def puts_an_entry(callers: int) -> float:
    """Return what the model expects."""
    return min(ReplicaLimits().batch_commands, max(1.0, callers / CALLERS_AN_ENTRY))


def whole_us(point: Point) -> float:
    """Return the processor time of a put in all processes."""
    return _nodes_us(point) + point.client_us


def model(points: Sequence[Point], cores: int) -> Model | None:
    """Fit the points below `UNSEEN` callers; None where there are too few, or none to predict."""
    seen = [point for point in points if point.x < UNSEEN]
    unseen = [point for point in points if point.x == UNSEEN]
    if len({puts_an_entry(point.x) for point in seen}) < 2 or not unseen:
        return None
    every, loop = fit(seen, whole_us), fit(seen, lambda point: point.loop_us)
    client = fit(seen, lambda point: point.client_us)
    at, there = unseen[0], puts_an_entry(UNSEEN)
    deviations = (every.us(puts_an_entry(each.x)) / whole_us(each) - 1 for each in seen)
    rate = at.rate.median
    return Model(
        every,
        loop,
        max(map(abs, deviations)),
        1e6 / max(every.us(there) / cores, loop.us(there), client.us(there)),
        rate,
        1e6 / loop.us(there),
        1e6 / loop.us(ReplicaLimits().batch_commands),
        {
            f"the {cores} cores": rate * whole_us(at) / 1e6 / cores,
            "the leader's loop": rate * at.loop_us / 1e6,
            "the client's process": rate * at.client_us / 1e6,
        },
    )


def fit(points: Sequence[Point], us: Callable[[Point], float]) -> Cost:
    """Return the cost with the least squares of *relative* errors: the points span decades."""
    xx = xy = x1 = y1 = n = 0.0
    for point in points:
        weight = 1 / us(point) ** 2
        x, y = 1 / puts_an_entry(point.x), us(point)
        n += weight
        x1 += weight * x
        y1 += weight * y
        xx += weight * x * x
        xy += weight * x * y
    entry = (n * xy - x1 * y1) / (n * xx - x1 * x1)
    return Cost((y1 - entry * x1) / n, entry)


def growth(curve: Sequence[Point]) -> float:
    """Return the cost of a put at the end of a curve, in those at its beginning."""
    return whole_us(curve[-1]) / whole_us(curve[0])


def us_a_kib(curve: Sequence[Point]) -> float:
    """Return what a KiB of a value costs all processes, from the smallest and the largest one."""
    first, last = curve[0], curve[-1]
    return (whole_us(last) - whole_us(first)) / (last.x - first.x) * 1024


def us_an_event(curve: Sequence[Point]) -> float:
    """Return what an event to a watcher costs the three nodes, from the fewest and the most."""
    first, last = curve[0], curve[-1]
    more = _nodes_us(last) - _nodes_us(first)
    return more / (last.events / last.rate.median - first.events / first.rate.median)


def _nodes_us(point: Point) -> float:
    return point.leader_us + (NODES - 1) * point.follower_us
