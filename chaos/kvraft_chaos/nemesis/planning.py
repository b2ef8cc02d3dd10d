"""Plans: drawn from a seed, written to `plan.json`, and read back with every mistake named."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from random import Random
from typing import Any

from kvraft_chaos.nemesis.catalogue import FAULTS
from kvraft_chaos.nemesis.fault import LONGEST_MS
from kvraft_chaos.nemesis.plan import Plan, Step

QUIET_MS = 2_000
"""At the beginning, so that there is something to lose, and at the end, to see that it heals."""
EVERY_MS = 1_300
"""A stroke begins on average; they last 1 to 5 s, so two or three go on at a time."""
SHORTEST_RUN_MS = 2 * QUIET_MS + 1_000
LONGEST_RUN_MS = 24 * 3_600_000


class PlanError(Exception):
    """A plan that cannot be played here; one line that says what is wrong with it."""


def make_plan(
    workload: str,
    faults: Sequence[str],
    duration_ms: int,
    seed: int,
    *,
    nodes: Sequence[str],
    negative: str | None = None,
) -> Plan:
    """Draw a plan: overlapping strokes of these faults, each of them where there is time for it.

    Overlaps may take the majority away: clients are promised progress only after the last heal.
    """
    for fault in faults:
        _known(fault, "--faults")
    if faults and duration_ms < SHORTEST_RUN_MS:
        raise PlanError(f"a run with faults takes at least {SHORTEST_RUN_MS / 1000:g} s")
    chance = Random(f"{seed} {workload}")
    names = tuple(nodes)
    steps = tuple(_strokes(faults, duration_ms, chance, names)) if faults else ()
    return Plan(workload, seed, duration_ms, names, steps, negative)


def _strokes(
    faults: Sequence[str], duration_ms: int, chance: Random, names: tuple[str, ...]
) -> list[Step]:
    window_ms = duration_ms - 2 * QUIET_MS
    bag: list[str] = []
    steps = []
    for _ in range(max(1, round(window_ms / EVERY_MS))):
        bag = bag or chance.sample(list(faults), len(faults))
        fault = FAULTS[bag.pop()]
        for_ms = min(chance.randint(fault.shortest_ms, LONGEST_MS), window_ms)
        at_ms = QUIET_MS + chance.randint(0, window_ms - for_ms)
        steps.append(Step(at_ms, for_ms, fault.name, fault.draw(chance, names)))
    return sorted(steps, key=lambda step: step.at_ms)


def write_plan(plan: Plan, path: Path) -> None:
    path.write_text(json.dumps(asdict(plan), indent=1) + "\n", encoding="utf-8")


def read_plan(path: Path, nodes: Sequence[str] | None = None) -> Plan:
    """Return the plan of a file, for a cluster of these nodes."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{path}: not JSON: {error}") from error
    plan = parse_plan(given, str(path))
    if nodes is not None and plan.nodes != tuple(nodes):
        raise PlanError(
            f"{path}: a plan for {len(plan.nodes)} nodes ({', '.join(plan.nodes)}), "
            f"and there are {len(nodes)} ({', '.join(nodes)})"
        )
    return plan


def parse_plan(given: Any, where: str) -> Plan:
    """Return the plan that stands in JSON."""
    given = _fields(given, Plan, where, optional={"negative"})
    workload = _text(given["workload"], f"{where}: workload")
    negative = given.get("negative")
    if negative is not None:
        _text(negative, f"{where}: negative")
    seed = _integer(given["seed"], f"{where}: seed")
    duration_ms = _integer(given["duration_ms"], f"{where}: duration_ms", 1, LONGEST_RUN_MS)
    nodes = given["nodes"]
    if not _distinct_names(nodes) or len(nodes) not in (3, 5):
        raise PlanError(f"{where}: nodes: 3 or 5 names are needed, not {_short(nodes)}")
    if not isinstance(given["steps"], list):
        raise PlanError(f"{where}: steps: a list is needed, not {_short(given['steps'])}")
    names = tuple(nodes)
    steps = tuple(
        _step(each, f"{where}: step {number}", names, duration_ms)
        for number, each in enumerate(given["steps"])
    )
    return Plan(workload, seed, duration_ms, names, steps, negative)


def _step(given: Any, where: str, names: tuple[str, ...], duration_ms: int) -> Step:
    given = _fields(given, Step, where, optional={"arguments"})
    fault = _known(given["fault"], where)
    at_ms = _integer(given["at_ms"], f"{where}: at_ms", 0, duration_ms)
    for_ms = _integer(given["for_ms"], f"{where}: for_ms", 1, duration_ms)
    if at_ms + for_ms > duration_ms:
        raise PlanError(f"{where}: it ends at {at_ms + for_ms} ms, the run at {duration_ms} ms")
    arguments = given.get("arguments", {})
    if not isinstance(arguments, dict):
        raise PlanError(f"{where}: arguments: an object is needed, not {_short(arguments)}")
    takes = FAULTS[fault].takes
    for name in arguments:
        if name not in takes:
            raise PlanError(f"{where}: {fault} takes no {name!r}")
    for name, argument in takes.items():
        if name not in arguments:
            raise PlanError(f"{where}: {fault} needs {name!r}")
        problem = argument.problem(arguments[name], names)
        if problem is not None:
            raise PlanError(f"{where}: {name}: {problem}, not {_short(arguments[name])}")
    return Step(at_ms, for_ms, fault, arguments)


def _known(fault: Any, where: str) -> str:
    if isinstance(fault, str) and fault in FAULTS:
        return fault
    raise PlanError(f"{where}: unknown fault {_short(fault)}; known are {', '.join(FAULTS)}")


def _fields(given: Any, shape: type[Plan | Step], where: str, optional: set[str]) -> Any:
    if not isinstance(given, Mapping):
        raise PlanError(f"{where}: an object is needed, not {_short(given)}")
    known = {field.name for field in fields(shape)}
    for name in given:
        if name not in known:
            raise PlanError(f"{where}: unknown field {name!r}")
    for name in sorted(known - optional):
        if name not in given:
            raise PlanError(f"{where}: {name} is missing")
    return given


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    raise PlanError(f"{where}: a text is needed, not {_short(value)}")


def _integer(value: Any, where: str, low: int | None = None, high: int | None = None) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PlanError(f"{where}: an integer is needed, not {_short(value)}")
    if (low is not None and value < low) or (high is not None and value > high):
        raise PlanError(f"{where}: {low} to {high} is allowed, not {value}")
    return value


def _distinct_names(value: Any) -> bool:
    named = isinstance(value, list) and all(isinstance(name, str) and name for name in value)
    return named and len(set(value)) == len(value)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
