"""The verdict on a run, from its directory alone: also on another day, on another machine."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.verdict import Verdict, worst
from kvraft_chaos.history import Event, HistoryError, load, operations
from kvraft_chaos.nemesis.plan import Plan
from kvraft_chaos.nemesis.planning import PlanError, read_plan
from kvraft_chaos.run import findings
from kvraft_chaos.run.directory import Mark, RunDirectory
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.run.marks import load_marks
from kvraft_chaos.run.recovered import Recovery, recovered, recovery
from kvraft_chaos.run.request import DEFAULT_NODES, known
from kvraft_chaos.workloads.catalogue import WORKLOADS


@dataclass(frozen=True, slots=True)
class Judgement:
    """What stands in `verdict.json`."""

    plan: Plan
    command: str
    """That plays the same plan again."""
    operations: int
    unknown: int
    recovery: Recovery
    findings: Sequence[Finding]

    @property
    def verdict(self) -> Verdict:
        return worst(each.verdict for each in self.findings)

    @property
    def unknown_share(self) -> float:
        return self.unknown / self.operations if self.operations else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "workload": self.plan.workload,
            "seed": self.plan.seed,
            "negative": self.plan.negative,
            "operations": self.operations,
            "unknown": self.unknown,
            "unknown_share": round(self.unknown_share, 4),
            "faults": sorted({step.fault for step in self.plan.steps}),
            "findings": [each.as_json() for each in self.findings],
            "recovery": dict(self.recovery),
            "kvraft": version("kvraft"),
            "command": self.command,
        }


def judge(directory: RunDirectory) -> Judgement:
    """Judge what lies there and write `verdict.json`. HistoryError or RunError names what is no
    part of a run.
    """
    plan, events, marks, logs = _read(directory)
    asked = sum(each.type == "invoke" and each.f != findings.STATE_HASH for each in events)
    unknown = sum(each.completed is None for each in operations(events))
    measured = recovery(events, marks)
    judgement = Judgement(
        plan,
        _command(plan, directory),
        asked,
        unknown,
        measured,
        [
            *_by_workload(plan.workload, events),
            findings.leaders(logs, marks),
            findings.states(events, plan.nodes),
            recovered(measured, marks),
            findings.crashes(logs, marks),
            findings.complete(marks),
            findings.share(asked, unknown),
        ],
    )
    directory.verdict.write_text(json.dumps(judgement.as_json(), indent=2) + "\n")
    return judgement


def _command(plan: Plan, directory: RunDirectory) -> str:
    words = ["kvraft", "chaos", "run", "--plan", str(directory.plan)]
    if len(plan.nodes) != DEFAULT_NODES:
        words += ["--nodes", str(len(plan.nodes))]
    return shlex.join(words)


def _by_workload(name: str, events: Sequence[Event]) -> list[Finding]:
    try:
        return WORKLOADS[name]().check(events)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HistoryError(f"this is no history of {name}: {error!r}") from error


def _read(
    directory: RunDirectory,
) -> tuple[Plan, list[Event], list[Mark], Mapping[str, Sequence[str]]]:
    if not directory.path.is_dir():
        raise RunError(f"there is no directory {directory.path}")
    for path in (directory.plan, directory.history, directory.faults):
        if not path.is_file():
            raise RunError(f"{directory.path} is no run: {path.name} is missing")
    try:
        plan = known(read_plan(directory.plan))
    except PlanError as error:
        raise RunError(str(error)) from error
    logs = {name: directory.logs / f"{name}.log" for name in plan.nodes}
    for path in logs.values():
        if not path.is_file():
            raise RunError(f"{directory.path} is no run: logs/{path.name} is missing")
    lines = {name: path.read_text(errors="replace").splitlines() for name, path in logs.items()}
    return plan, load(directory.history), load_marks(directory.faults), lines
