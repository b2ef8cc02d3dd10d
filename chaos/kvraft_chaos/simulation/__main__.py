"""`python -m kvraft_chaos.simulation --seeds A-B`: random runs of the real node."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

from kvraft.consensus.switches import Switches
from kvraft_chaos.simulation.campaign import MUTANTS, Campaign, Run

TRACE_LINES = 40
"""Of the first convicted run, printed for people."""


def run_seed(seed: int, *, size: int, mutant: str | None) -> Run:
    """Run one seed; `mutant` names the guard that is switched off."""
    switches = Switches() if mutant is None else replace(Switches(), **{mutant: False})
    return Campaign(seed, size, switches).run()


def run_seeds(seeds: range, *, size: int, mutant: str | None, jobs: int) -> Iterator[Run]:
    """Run seeds in order, in `jobs` processes."""
    one = partial(run_seed, size=size, mutant=mutant)
    if jobs == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(one, seeds, chunksize=4)


def seeds_of(text: str) -> range:
    """Parse `A-B` (both included) or a single seed."""
    first, _, last = text.partition("-")
    try:
        seeds = range(int(first), int(last or first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"seeds are A-B or one number, not {text!r}") from None
    if not seeds:
        raise argparse.ArgumentTypeError(f"no seeds in {text!r}: the first is above the last")
    return seeds


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m kvraft_chaos.simulation",
        description="Run the real node through random faults on virtual time; one seed is one run.",
        epilog="Example: --seeds 1-200; exit status 0: no violation, 1: convicted.",
    )
    parser.add_argument("--seeds", type=seeds_of, default=range(1, 21), metavar="A-B")
    parser.add_argument("--nodes", type=int, choices=(3, 5), default=3)
    parser.add_argument("--mutant", choices=MUTANTS, help="switch this guard off")
    parser.add_argument("--list-mutants", action="store_true")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--trace", action="store_true", help="print what happened, line by line")
    return parser.parse_args(arguments)


def _shown(runs: Iterable[Run], count: int) -> Iterator[Run]:
    """Pass runs on, with progress for people."""
    wanted = sys.stderr.isatty()
    for number, run in enumerate(runs, 1):
        if wanted:
            sys.stderr.write(f"\r{number} of {count} seeds")
            sys.stderr.flush()
        yield run
    if wanted:
        sys.stderr.write("\r\033[K")


def _report(runs: list[Run], wall_seconds: float) -> dict[str, object]:
    simulated = sum(run.simulated_seconds for run in runs)
    kinds: dict[str, dict[str, object]] = {}
    for run in runs:
        for violation in run.violations:
            kind = kinds.setdefault(
                violation.kind,
                {"seeds": 0, "first_seed": run.seed, "example": violation.detail},
            )
            kind["seeds"] = int(str(kind["seeds"])) + 1
    operations = sum(run.operations for run in runs)
    return {
        "seeds": len(runs),
        "violations": sum(1 for run in runs if run.violations),
        "kinds": kinds,
        "simulated_seconds": round(simulated, 1),
        "wall_seconds": round(wall_seconds, 2),
        "simulated_per_wall_second": round(simulated / wall_seconds, 1),
        "operations": operations,
        "operations_per_wall_second": round(operations / wall_seconds, 1),
        "messages": sum(run.messages for run in runs),
        "elections": sum(run.elections for run in runs),
        "crashes": sum(run.crashes for run in runs),
        "snapshots": sum(run.snapshots for run in runs),
        "wiped_disks": sum(run.wipes for run in runs),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status."""
    options = _arguments(arguments)
    logging.getLogger("pysyncobj").setLevel(logging.CRITICAL + 1)  # mutants make it complain
    out = sys.stdout.write
    if options.list_mutants:
        out("".join(f"{name}\n" for name in MUTANTS))
        return 0
    begun = time.perf_counter()
    seeds = options.seeds
    runs = run_seeds(seeds, size=options.nodes, mutant=options.mutant, jobs=options.jobs)
    done = list(_shown(runs, len(seeds)))
    report = _report(done, time.perf_counter() - begun)
    if options.json:
        out(json.dumps(report) + "\n")
    else:
        for name, value in report.items():
            out(f"{name.replace('_', ' '):28} {value}\n")
    convicted = [run for run in done if run.violations]
    if convicted and not options.json:
        _explain(convicted[0])
    if options.trace:
        out("".join(f"{line}\n" for line in done[0].log))
    return 1 if convicted else 0


def _explain(run: Run) -> None:
    out = sys.stdout.write
    out(f"first convicted seed: {run.seed}\n")
    for violation in run.violations:
        out(f"  {violation.time:9.4f} {violation.kind}: {violation.detail}\n")
    out("".join(f"    {line}\n" for line in run.log[-TRACE_LINES:]))


if __name__ == "__main__":
    raise SystemExit(main())
