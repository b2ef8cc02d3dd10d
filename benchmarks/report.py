"""Figures of a run: rows for people, JSON for programs."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, median, greatest of some measurements."""

    low: float
    median: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, its unit and what it should be."""

    name: str
    unit: str
    spread: Spread
    goal: str = ""
    note: str = ""


def spread(values: Sequence[float]) -> Spread:
    """Summarise measurements."""
    return Spread(min(values), statistics.median(values), max(values), len(values))


def machine() -> str:
    """Describe where this was measured."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def show(rows: Sequence[Row]) -> None:
    """Print a table."""
    table = Table("figure", "unit", "median", "low", "high", "n", "goal", "note", title=machine())
    for row in rows:
        values = (row.spread.median, row.spread.low, row.spread.high)
        cells = [f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in values]
        table.add_row(row.name, row.unit, *cells, str(row.spread.count), row.goal, row.note)
    Console().print(table)


def save(rows: Sequence[Row], directory: Path) -> Path:
    """Write the figures as JSON; return the file."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "bench.json"
    content = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    file.write_text(json.dumps(content, indent=1) + "\n")
    return file
