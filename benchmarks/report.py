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

WIDTH = 120
"""Columns of the table at least, also where the output is a file."""

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


def machine() -> str:
    """Describe where this was measured."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def load() -> float:
    """Return the machine's load of the last minute: above its cores, figures are of the crowd."""
    return round(os.getloadavg()[0], 2)


def show(rows: Sequence[Row]) -> None:
    """Print a table; a goal that is missed says so."""
    table = Table("figure", "unit", "median", "low", "p95", "high", "n", "goal", title=machine())
    for row in rows:
        values = (row.spread.median, row.spread.low, row.spread.p95, row.spread.high)
        cells = [f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in values]
        table.add_row(row.name, row.unit, *cells, str(row.spread.count), _goal(row))
    console = Console(width=max(Console().width, WIDTH))
    console.print(table)
    for row in rows:
        if row.note:
            console.print(f"{row.name}: {row.note}", markup=False, highlight=False)


def _goal(row: Row) -> str:
    if row.met is None:
        return ""
    most = [f"{which} {value:.3g}" for which, value in row.goals.items()]
    least = [f"{which} at least {value:.3g}" for which, value in row.least.items()]
    text = ", ".join(most + least)
    return f"{text}: met" if row.met else f"[bold red]{text}: MISSED[/bold red]"


def save(rows: Sequence[Row], file: Path, *, quick: bool, loads: Mapping[str, float]) -> None:
    """Write the figures as JSON; `loads` is the machine's load before each part."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": machine(),
        "quick": quick,
        "load_before": dict(loads),
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    file.write_text(json.dumps(content, indent=1) + "\n")
