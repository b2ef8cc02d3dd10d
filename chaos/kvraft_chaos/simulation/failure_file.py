"""A failure is a file: seed, plan, versions, the shrunk plan and a trace that people can read.

`--replay` repeats it: with the code that wrote it, to the same trace hash, or the simulator itself
is at fault. With other code the file is a test: its plans must give no violation.
"""

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pysyncobj.version import VERSION as PYSYNCOBJ_VERSION

import kvraft
import kvraft_chaos
from kvraft_chaos.simulation.campaign import Run
from kvraft_chaos.simulation.faults import Fault
from kvraft_chaos.simulation.runs import run_seed
from kvraft_chaos.simulation.shrink import RUNS_MAX, ddmin

FORMAT = 1
TRACE_LINES = 200
"""Of the shrunk run, the last ones before its violation."""


class FailureFileError(Exception):
    """The file is none that this version can replay."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One convicted run, and the smallest plan that still convicts."""

    seed: int
    size: int
    mutant: str | None
    """The mistake it was found with; None: found in the code as it was."""
    kinds: list[str]
    """Of the violations of the shrunk run."""
    details: list[str]
    plan: list[Fault]
    shrunk: list[Fault]
    trace: int
    """Hash of everything delivered in the run of `plan` ..."""
    shrunk_trace: int
    """... and of `shrunk`."""
    log: list[str]
    """What led to the violation in the shrunk run, for people."""
    note: str = ""
    """What it was, once it is fixed."""
    versions: dict[str, str] = field(default_factory=dict)
    workload: str | None = None
    """Of the clients; None: the simulator's own mix."""


@cache
def versions() -> dict[str, str]:
    """Return what a repetition depends on; `code` is a digest of the product and the simulator."""
    digest = hashlib.sha256()
    for package in (kvraft, kvraft_chaos):
        root = Path(next(iter(package.__path__)))
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return {
        "code": digest.hexdigest()[:16],
        "python": platform.python_version(),
        "pysyncobj": PYSYNCOBJ_VERSION,
    }


def describe(
    run: Run, mutant: str | None = None, note: str = "", *, runs_max: int = RUNS_MAX
) -> Failure:
    """Shrink the plan of a convicted run, and put everything together."""
    wanted = run.violations[0].kind

    def fails(plan: list[Fault]) -> bool:
        again = _again(run, plan, mutant)
        return any(each.kind == wanted for each in again.violations)

    shrunk = ddmin(run.plan, fails, runs_max)
    small = _again(run, shrunk, mutant)
    return Failure(
        seed=run.seed,
        size=run.size,
        mutant=mutant,
        kinds=[each.kind for each in small.violations],
        details=[f"{each.time:.4f} {each.kind}: {each.detail}" for each in small.violations],
        plan=run.plan,
        shrunk=shrunk,
        trace=run.trace,
        shrunk_trace=small.trace,
        log=small.leading_up(TRACE_LINES),
        note=note,
        versions=versions(),
        workload=run.workload,
    )


def _again(like: Run | Failure, plan: list[Fault], mutant: str | None) -> Run:
    """Another run that differs in its faults only."""
    return run_seed(like.seed, size=like.size, mutant=mutant, plan=plan, workload=like.workload)


def save(failure: Failure, directory: Path) -> Path:
    """Write it as `DIRECTORY/NAME-SEED.json`; return the path."""
    directory.mkdir(parents=True, exist_ok=True)
    name = failure.mutant or failure.kinds[0]
    if failure.workload is not None:
        name = f"{failure.workload}-{name}"
    path = directory / f"{name}-{failure.seed}.json"
    content = {"format": FORMAT}
    content |= {key: getattr(failure, key) for key in Failure.__dataclass_fields__}
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def load(path: Path) -> Failure:
    """Read a file; raises FailureFileError that says what is wrong with it."""
    try:
        content = json.loads(path.read_text())
        found = content.pop("format")
        if found != FORMAT:
            raise FailureFileError(f"{path} is of format {found}, this version reads {FORMAT}")
        for name in ("plan", "shrunk"):
            content[name] = _plan(content[name])
        return Failure(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FailureFileError(f"{path} is no failure file: {error!r}") from error


def replay(failure: Failure, *, guarded: bool = False) -> list[Run]:
    """Run its plan and its shrunk plan; `guarded`: without the mutant it was found with."""
    mutant = None if guarded else failure.mutant
    return [_again(failure, plan, mutant) for plan in (failure.plan, failure.shrunk)]


def same_code(failure: Failure) -> bool:
    """Whether this code wrote it, so that a repetition must be exact."""
    return failure.versions == versions()


def repeats(failure: Failure, runs: Sequence[Run]) -> bool:
    """Whether both runs delivered exactly what they did then."""
    return [run.trace for run in runs] == [failure.trace, failure.shrunk_trace]


def _plan(rows: list[tuple[float, str, list[str], float, float]]) -> list[Fault]:
    return [Fault(at, kind, tuple(nodes), *amounts) for at, kind, nodes, *amounts in rows]
