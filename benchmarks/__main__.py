"""`python -m benchmarks [PART ...] [--quick] [--json FILE]`: measure, print a table, write JSON."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bars

from benchmarks import (
    checker,
    failover,
    hot_key,
    locks,
    memory,
    overload,
    snapshots,
    startup,
    watchers,
    writes,
)
from benchmarks.report import Progress, Row, Step, load, save, show
from benchmarks.sizes import FULL, QUICK, Sizes
from kvraft.cli.local_cluster import ClusterError

Part = Callable[[Progress, Sizes], list[Row]]
PARTS: dict[str, Part] = {
    "startup": startup.run,
    "failover": failover.run,
    "writes": writes.run,
    "memory": memory.run,
    "snapshots": snapshots.run,
    "hot-key": hot_key.run,
    "watchers": watchers.run,
    "lock": locks.run,
    "overload": overload.run,
    "checker": checker.run,
}


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or all")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work at all?")
    parser.add_argument("--json", type=Path, default=Path("runs/bench.json"), metavar="FILE")
    options = parser.parse_args(arguments)
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}; there are {', '.join(PARTS)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the named parts, or all."""
    options = _parse(arguments)
    # As installed: without its bytecode a node compiles itself anew at every start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows: list[Row] = []
    loads: dict[str, float] = {}
    errors = Console(stderr=True)
    with Bars(console=errors, transient=True) as bars:

        def progress(text: str, total: int) -> Step:
            task = bars.add_task(text, total=total)
            return lambda: bars.advance(task)

        try:
            for name in options.parts or list(PARTS):
                loads[name] = load()
                rows += PARTS[name](progress, QUICK if options.quick else FULL)
        except ClusterError as error:
            errors.print(f"benchmarks: {error}", markup=False)
            return 1
        finally:
            if rows:
                save(rows, options.json, quick=options.quick, loads=loads)
    show(rows)
    errors.print(f"load of the machine before each part: {loads}; written to {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
