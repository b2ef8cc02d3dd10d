"""What a user may ask for, and the plan that it comes to; every mistake is named."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from kvraft_chaos.negatives.catalogue import NEGATIVES
from kvraft_chaos.nemesis.catalogue import FAULTS, lacking
from kvraft_chaos.nemesis.plan import Plan
from kvraft_chaos.nemesis.planning import LONGEST_RUN_MS, PlanError, make_plan, read_plan
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.workloads.catalogue import WORKLOADS

DEFAULT_SECONDS = 20.0
DEFAULT_FAULTS = ("isolate-leader", "one-way", "halves", "kill", "pause", "delay", "resets")
"""Of each family one that hurts: links that fail in one way or both, nodes that die or stop."""
NODES = (3, 5)
DEFAULT_NODES = 3
SEED_MAX = 1 << 31
"""Of a seed that nobody chose: short enough to be typed."""


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `kvraft chaos run`. None: not given."""

    workload: str | None = None
    faults: Sequence[str] | None = None
    seconds: float | None = None
    seed: int | None = None
    plan: Path | None = None
    negative: str | None = None
    nodes: int = DEFAULT_NODES

    def plan_asked(self) -> Plan:
        """Draw the plan, or read it. RunError names what cannot be had."""
        names = tuple(f"n{number + 1}" for number in range(self.nodes))
        try:
            if self.nodes not in NODES:
                raise RunError(f"--nodes: 3 or 5, got {self.nodes}")
            if self.plan is not None:
                given = (self.workload, self.faults, self.seconds, self.seed, self.negative)
                if any(each is not None for each in given):
                    raise RunError("--plan says it all: give no workload, faults, duration or seed")
                return known(read_plan(self.plan, names))
            if self.negative is not None:
                return self._negative(self.negative, names)
            return self._drawn(names)
        except PlanError as error:
            raise RunError(str(error)) from error

    def _drawn(self, names: tuple[str, ...]) -> Plan:
        if self.workload is None:
            raise RunError(f"give --workload: one of {', '.join(WORKLOADS)}; --list explains")
        faults = self.faults
        if faults is None:
            missing = lacking(DEFAULT_FAULTS)
            faults = [each for each in DEFAULT_FAULTS if each not in missing]
        plan = make_plan(self.workload, faults, self._duration_ms(), self._seed(), nodes=names)
        return known(plan)

    def _negative(self, name: str, names: tuple[str, ...]) -> Plan:
        """A control brings the plan that lets its mistake show."""
        negative = NEGATIVES.get(name)
        if negative is None:
            raise RunError(f"unknown negative {name!r}: one of {', '.join(NEGATIVES)}")
        if self.faults is not None or self.seconds is not None:
            raise RunError("--negative brings its own plan: give no faults and no duration")
        if self.workload not in (None, negative.workload):
            raise RunError(f"--negative {name} is for --workload {negative.workload}")
        return Plan(
            negative.workload, self._seed(), negative.duration_ms, names, negative.steps, name
        )

    def _duration_ms(self) -> int:
        seconds = DEFAULT_SECONDS if self.seconds is None else self.seconds
        if not math.isfinite(seconds) or round(seconds * 1_000) < 1:
            raise RunError(f"--duration: a positive number of seconds, got {seconds:g}")
        if seconds * 1_000 > LONGEST_RUN_MS:
            raise RunError(f"--duration: at most {LONGEST_RUN_MS // 1_000}, got {seconds:g}")
        return round(seconds * 1_000)

    def _seed(self) -> int:
        return SystemRandom().randrange(SEED_MAX) if self.seed is None else self.seed


def known(plan: Plan) -> Plan:
    """The plan, of which everything can be played and judged here."""
    if plan.workload not in WORKLOADS:
        raise RunError(f"unknown workload {plan.workload!r}: one of {', '.join(WORKLOADS)}")
    if plan.negative is not None and plan.negative not in NEGATIVES:
        raise RunError(f"unknown negative {plan.negative!r}: one of {', '.join(NEGATIVES)}")
    return plan


def catalogue() -> dict[str, list[dict[str, str | None]]]:
    """Everything that can be asked for, with its sentence."""
    missing = lacking(FAULTS)
    return {
        "workloads": [
            {"name": each.name, "sentence": each.sentence} for each in WORKLOADS.values()
        ],
        "faults": [
            {"name": each.name, "sentence": each.sentence, "lacks": missing.get(each.name)}
            for each in FAULTS.values()
        ],
        "negatives": [
            {"name": each.name, "sentence": each.sentence, "workload": each.workload}
            for each in NEGATIVES.values()
        ],
    }
