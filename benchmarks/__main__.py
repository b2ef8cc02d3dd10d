"""`python -m benchmarks [PART ...] [--quick] [--json FILE]`: measure, print a table, write JSON.

`python -m benchmarks.table FILE` makes Markdown of the JSON.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bars

from benchmarks import (
    checker,
    failover,
    hot_key,
    leases,
    locks,
    memory,
    memory_peers,
    one_loop,
    overload,
    scale,
    side_by_side,
    snapshots,
    startup,
    watchers,
    writes,
)
from benchmarks.machine import describe
from benchmarks.report import Progress, Row, Step, load, save, show
from benchmarks.sizes import FULL, QUICK, Sizes
from kvraft.cli.local_cluster import ClusterError

Part = Callable[[Progress, Sizes], list[Row]]
PARTS: dict[str, Part] = {
    "startup": startup.run,
    "failover": failover.run,
    "writes": writes.run,
    **{name: partial(side_by_side.run, [name]) for name in side_by_side.HEATS},
    "memory": memory.run,
    "memory-peers": memory_peers.run,
    "snapshots": snapshots.run,
    "hot-key": hot_key.run,
    "watchers": watchers.run,
    "lock": locks.run,
    "overload": overload.run,
    "checker": checker.run,
    "scale": scale.run,
    "leases": leases.run,
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


def _together(names: Sequence[str]) -> Iterator[tuple[str, Part]]:
    """Yield the parts by name; those that measure the same stores share their servers."""
    shared = [name for name in names if name in side_by_side.HEATS]
    for name in names:
        if name not in shared:
            yield name, PARTS[name]
        elif name == shared[0]:
            yield ", ".join(shared), partial(side_by_side.run, shared)


def main(arguments: list[str] | None = None) -> int:
    """Run the named parts, or all."""
    options = _parse(arguments)
    # As installed: without its bytecode a node compiles itself anew at every start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows: list[Row] = []
    loads: dict[str, float] = {}
    where = describe()  # before anything is written: the time of an fsync is in it
    errors = Console(stderr=True)
    with closing(one_loop), Bars(console=errors, transient=True) as bars:

        def progress(text: str, total: int) -> Step:
            task = bars.add_task(text, total=total)
            return lambda: bars.advance(task)

        try:
            for name, part in _together(options.parts or list(PARTS)):
                loads[name] = load()
                rows += part(progress, QUICK if options.quick else FULL)
        except ClusterError as error:
            errors.print(f"benchmarks: {error}", markup=False)
            return 1
        finally:
            if rows:
                save(rows, options.json, quick=options.quick, loads=loads, where=where)
    show(rows)
    for name, value in where.items():
        errors.print(f"{name}: {value}", markup=False, highlight=False)
    errors.print(f"load of the machine before each part: {loads}; written to {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
