"""Whether a mutant is convicted: by its schedule, and by how many random seeds."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from kvraft_chaos.simulation.mutants import MUTANTS
from kvraft_chaos.simulation.mutants.registry import Mutant
from kvraft_chaos.simulation.runs import first_convicted
from kvraft_chaos.simulation.schedules import SCHEDULES


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one mutant."""

    name: str
    mistake: str
    schedule: str
    """That convicts it; empty if none does."""
    finding: str
    seeds: int
    """How many random seeds it took until one convicted it; 0: none did, or none was tried."""
    first_seed: int | None
    kind: str
    """Of the first violation in that seed."""

    @property
    def caught(self) -> bool:
        """Whether anything convicts it."""
        return bool(self.schedule or self.seeds)

    @property
    def by(self) -> str:
        """Return what convicts it, in words."""
        parts = [f"schedule {self.schedule}: {self.finding}"] if self.schedule else []
        parts += [f"seed {self.first_seed}: {self.kind}"] if self.first_seed is not None else []
        return "; ".join(parts) or "nothing"


def found_by_schedule(mutant: Mutant) -> set[str]:
    """Play its schedule with its mistake; an exception is a finding by its name."""
    if not mutant.schedule:
        return set()
    with mutant.apply():
        try:
            return SCHEDULES[mutant.schedule].run(mutant.off)
        except AssertionError:
            return {"assertion"}
        except Exception as error:  # noqa: BLE001 - whatever breaks under a mistake betrays it
            return {type(error).__name__}


def try_mutant(name: str, seeds: range, size: int = 3) -> Verdict:
    """Play the schedule, then random seeds until one convicts."""
    mutant = MUTANTS[name]
    convicts = mutant.finding in found_by_schedule(mutant) if mutant.schedule else False
    tried, run = first_convicted(seeds, size=size, mutant=name)
    return Verdict(
        name,
        mutant.mistake,
        mutant.schedule if convicts else "",
        mutant.finding if convicts else "",
        tried if run else 0,
        run.seed if run else None,
        run.violations[0].kind if run else "",
    )


def try_mutants(
    names: list[str], seeds: range, *, size: int = 3, jobs: int = 1
) -> Iterator[Verdict]:
    """Try several, in order."""
    one = partial(try_mutant, seeds=seeds, size=size)
    if jobs == 1:
        yield from map(one, names)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(one, names)
