"""`python -m benchmarks [PART ...]`: measure, print a table, write runs/bench.json."""

import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks import failover, memory, snapshots, startup
from benchmarks.report import Row, save, show

Part = Callable[[Callable[[str, int], Callable[[], None]]], list[Row]]
PARTS: dict[str, Part] = {
    "startup": startup.run,
    "failover": failover.run,
    "memory": memory.run,
    "snapshots": snapshots.run,
}


def main(names: list[str]) -> int:
    """Run the named parts, or all."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        Console(stderr=True).print(f"benchmarks: no part {unknown[0]!r}; there are {list(PARTS)}")
        return 1
    rows: list[Row] = []
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def progress(text: str, total: int) -> Callable[[], None]:
            task = bars.add_task(text, total=total)
            return lambda: bars.advance(task)

        for name in names or list(PARTS):
            rows += PARTS[name](progress)
    show(rows)
    Console(stderr=True).print(f"written to {save(rows, Path('runs'))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
