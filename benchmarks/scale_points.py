"""A point of a scale curve, as a row for people and read back from it for the plots. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

from benchmarks.processor_time import Used
from benchmarks.report import Row, Spread, spread

AXES = ("keys", "bytes a value", "callers", "puts a transaction", "nodes", "watchers")

NAME = re.compile(r"puts, (\d+) (.+)")
FIGURES = "p50_ms", "leader_us", "loop_us", "follower_us", "client_us", "per_entry", "events"
"""Of a point beside its rate: the details of its row."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one stretch of time gave."""

    puts: int
    seconds: float
    p50_ms: float
    entries: int
    used: Used


@dataclass(frozen=True, slots=True)
class Point:
    """Puts a second with one number changed, and the processor time of a put (microseconds)."""

    axis: str
    x: int
    rate: Spread
    p50_ms: float
    leader_us: float
    loop_us: float
    """Of the leader's main thread; the rest of it is gRPC's and the disk's threads."""
    follower_us: float
    client_us: float
    per_entry: float
    """Puts in one log entry: each entry is one fsync on every node."""
    events: int = 0
    """Told to watchers in a second."""

    @classmethod
    def of(cls, axis: str, x: int, rounds: Sequence[Round], events: float = 0) -> Self:
        """Summarise rounds; each figure is the median of its own."""

        def us(part: Callable[[Used], float]) -> float:
            return median(part(each.used) / each.puts * 1e6 for each in rounds)

        return cls(
            axis,
            x,
            spread([each.puts / each.seconds for each in rounds]),
            median(each.p50_ms for each in rounds),
            us(lambda used: used.leader),
            us(lambda used: used.loop),
            us(lambda used: used.follower),
            us(lambda used: used.client),
            median(each.puts / max(1, each.entries) for each in rounds),
            round(events),
        )

    def row(self) -> Row:
        """Write it as a row of the report."""
        note = f"the leader's loop {self.loop_us:.1f} us a put, {self.per_entry:.1f} puts an entry"
        if self.events:
            note += f", {self.events} events/s"
        details = {name: getattr(self, name) for name in FIGURES}
        return Row(f"puts, {self.x} {self.axis}", "puts/s", self.rate, note=note, details=details)


def points(content: Mapping[str, Any]) -> dict[str, list[Point]]:
    """Read the points of a report's JSON, by axis; other rows are none."""
    found: dict[str, list[Point]] = {axis: [] for axis in AXES}
    for row in content["rows"]:
        name = NAME.fullmatch(row["name"])
        if name is not None and name[2] in found:
            point = Point(name[2], int(name[1]), Spread(**row["spread"]), **row["details"])
            found[name[2]].append(point)
    return found


def worded(point: Point) -> str:
    """Write the number of its axis for people."""
    if point.axis != "bytes a value":
        return f"{point.x:,}"
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if point.x >= size and point.x % size == 0:
            return f"{point.x // size} {unit}"
    return f"{point.x} B"
