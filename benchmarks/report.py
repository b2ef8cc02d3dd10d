"""Figures of a run: rows for people, JSON for programs."""

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe

WIDTH = 120
"""Columns of the table at least, also where the output is a file."""

DETAILS = {
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "leader_us": "leader",
    "follower_us": "follower",
    "servers_us": "all servers",
    "client_us": "client",
    "unknown": "unknown",
    "failed": "failed",
}
"""What `Row.details` has -> its heading."""

Step = Callable[[], None]
Progress = Callable[[str, int], Step]
"""Opens a bar with a text and a number of steps; what it returns does one step."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, median, 95th percentile and greatest of some measurements."""

    low: float
    median: float
    p95: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, its unit, and the most it should be (`median` or `high` of its spread)."""

    name: str
    unit: str
    spread: Spread
    goals: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    least: Mapping[str, float] = field(default_factory=dict)
    """The least it should be, where more is better."""
    workload: str = ""
    """What was done, where several stores did it."""
    store: str = ""
    """Which of them did it; empty: what is promised of ours."""
    details: Mapping[str, float] = field(default_factory=dict)
    """Medians over the rounds: `rate`, `p50_ms`, ..., `leader_us` of processor an operation."""

    @property
    def met(self) -> bool | None:
        """Whether every goal is met; None: there is none."""
        if not self.goals and not self.least:
            return None
        within = all(getattr(self.spread, which) <= most for which, most in self.goals.items())
        return within and all(getattr(self.spread, which) >= x for which, x in self.least.items())


def spread(values: Sequence[float]) -> Spread:
    """Summarise measurements (at least one)."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return Spread(ordered[0], statistics.median(ordered), p95, ordered[-1], len(ordered))


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure over the rounds."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def machine() -> str:
    """Describe where this was measured, in a line."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def load() -> float:
    """Return the machine's load of the last minute: above its cores, figures are of the crowd."""
    return round(os.getloadavg()[0], 2)


def shown(value: float) -> str:
    """Return a figure with three digits at least."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def show(rows: Sequence[Row]) -> None:
    """Print a table; a goal that is missed says so."""
    table = Table("figure", "unit", "median", "low", "p95", "high", "n", "goal", title=machine())
    for row in rows:
        values = (row.spread.median, row.spread.low, row.spread.p95, row.spread.high)
        cells = [shown(value) for value in values]
        table.add_row(row.name, row.unit, *cells, str(row.spread.count), _goal(row))
    console = Console(width=max(Console().width, WIDTH))
    console.print(table)
    if any(row.details for row in rows):
        console.print(_details(rows))
    for row in rows:
        if row.note:
            console.print(f"{row.name}: {row.note}", markup=False, highlight=False)


def _details(rows: Sequence[Row]) -> Table:
    """Latencies, and the processor time of an operation: what a slower machine multiplies."""
    title = "medians: milliseconds, and microseconds of processor an operation"
    table = Table("figure", *DETAILS.values(), title=title)
    for row in rows:
        if row.details:
            found = (row.details.get(name) for name in DETAILS)
            table.add_row(row.name, *("" if each is None else shown(each) for each in found))
    return table


def _goal(row: Row) -> str:
    if row.met is None:
        return ""
    most = [f"{which} {value:.3g}" for which, value in row.goals.items()]
    least = [f"{which} at least {value:.3g}" for which, value in row.least.items()]
    text = ", ".join(most + least)
    return f"{text}: met" if row.met else f"[bold red]{text}: MISSED[/bold red]"


def save(
    rows: Sequence[Row],
    file: Path,
    *,
    quick: bool,
    loads: Mapping[str, float],
    where: Mapping[str, str] | None = None,
) -> None:
    """Write the figures as JSON: `loads` is the machine's load before each part, `where` itself."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": dict(describe() if where is None else where),
        "stores": sorted({row.store for row in rows} - {""}),
        "quick": quick,
        "load_before": dict(loads),
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    file.write_text(json.dumps(content, indent=1) + "\n")
