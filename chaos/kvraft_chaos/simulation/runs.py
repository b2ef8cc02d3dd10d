"""Runs of one seed or many, in one process or several, with a mutant's mistake or without."""

import gc
from collections.abc import Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from functools import partial

from kvraft.consensus.switches import Switches
from kvraft_chaos.simulation.campaign import Campaign, Run
from kvraft_chaos.simulation.faults import Fault
from kvraft_chaos.simulation.mutants import MUTANTS

CHUNK = 4
"""Seeds that a process takes at once: starting one costs far less than running it."""


def run_seed(
    seed: int,
    *,
    size: int = 3,
    mutant: str | None = None,
    plan: list[Fault] | None = None,
    workload: str | None = None,
) -> Run:
    """Run one seed; `plan` replaces the faults that the seed draws, `workload` the clients."""
    mistake = MUTANTS[mutant] if mutant else None
    switches = mistake.switches if mistake else Switches()
    with mistake.apply() if mistake else nullcontext(), _collected_once():
        return Campaign(seed, size, switches, plan, workload).run()


@contextmanager
def _collected_once() -> Iterator[None]:
    """Leave the collector out of a run: it finds little in it, and all of it once it is over."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        gc.collect(0)  # what is young: this run; not the modules, each time anew


def run_seeds(
    seeds: range,
    *,
    size: int = 3,
    mutant: str | None = None,
    jobs: int = 1,
    workload: str | None = None,
) -> Generator[Run]:
    """Run seeds in order, in `jobs` processes; whoever has seen enough closes it."""
    one = partial(run_seed, size=size, mutant=mutant, workload=workload)
    if jobs == 1:
        yield from map(one, seeds)
        return
    pool = ProcessPoolExecutor(jobs)
    try:
        yield from pool.map(one, seeds, chunksize=CHUNK)
    finally:
        pool.shutdown(cancel_futures=True)


def first_convicted(
    seeds: range, *, size: int = 3, mutant: str | None = None, jobs: int = 1
) -> tuple[int, Run | None]:
    """Run seeds until one is convicted; return how many it took, and its run (None: none is)."""
    done = 0
    with closing(run_seeds(seeds, size=size, mutant=mutant, jobs=jobs)) as runs:
        for done, run in enumerate(runs, 1):
            if run.violations:
                return done, run
    return done, None
