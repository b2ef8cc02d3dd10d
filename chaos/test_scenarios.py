"""Every workload under fixed faults, from start to verdict: valid, and served again in time."""

import contextlib
import threading

import pytest

from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.nemesis.catalogue import FAULTS, lacking
from kvraft_chaos.nemesis.plan import Plan, Step
from kvraft_chaos.run.conclude import concluded
from kvraft_chaos.run.scoreboard import words
from kvraft_chaos.run.session import run
from kvraft_chaos.topology import NODES
from kvraft_chaos.workloads.catalogue import WORKLOADS

RUN_MS = 5_000
"""With the start of a cluster, healing and the verdict about ten seconds."""
OPERATIONS_MIN = 100
"""Of a run on a busy machine: with fewer nothing was tested."""

ALL_PEERS = {"node": "all", "where": "peers"}
ALL_CLIENTS = {"node": "all", "where": "clients"}
SCENARIOS = {
    "register": (
        Step(500, 1_500, "isolate-leader"),
        Step(2_500, 1_500, "one-way", {"node": "leader", "direction": "in"}),
        Step(3_000, 1_500, "snapshot", {"node": "n2"}),
    ),
    "mix": (
        Step(500, 1_500, "kill", {"node": "leader"}),
        Step(1_500, 2_500, "slicing", {**ALL_PEERS, "bytes": 200, "pause_us": 500}),
        Step(2_500, 1_500, "halves", {"side": ["n1"]}),
    ),
    "bank": (
        Step(500, 3_500, "delay", {**ALL_PEERS, "latency_ms": 30, "jitter_ms": 20}),
        Step(1_000, 500, "kill-all"),
    ),
    "append": (
        Step(500, 1_500, "half-open", ALL_CLIENTS),
        Step(1_500, 2_500, "resets", {**ALL_CLIENTS, "after_ms": 200}),
        Step(3_000, 1_000, "isolate-leader"),
    ),
    "set": (
        Step(500, 2_000, "swizzle-clog", {"clog": [*NODES], "unclog": ["n2", "n3", "n1"]}),
        Step(2_000, 2_500, "flapping", {"node": "leader"}),
    ),
    "fenced-counter": (
        Step(500, 2_500, "pause", {"node": "leader"}),
        Step(1_500, 2_500, "pause-client", {"client": 1}),
    ),
    "lock": (
        Step(500, 2_500, "pause-client", {"client": 0}),
        Step(1_000, 1_500, "isolate-leader"),
        Step(3_000, 1_000, "kill", {"node": "leader"}),
    ),
    "lease": (
        Step(500, 500, "transfer-leader", {"to": "follower"}),
        Step(1_000, 2_500, "pause", {"node": "leader"}),
        Step(1_500, 2_500, "clock-jump", {"node": "n1", "by_s": 3_600}),
    ),
    "watch": (
        Step(500, 2_000, "bridge", {"order": [*NODES]}),
        Step(1_500, 1_000, "kill", {"node": "follower"}),
        Step(3_000, 1_000, "disconnect", {"node": "leader"}),
    ),
    "recipe": (
        Step(500, 1_500, "ring", {"order": [*NODES]}),
        Step(1_500, 2_500, "bandwidth", {**ALL_PEERS, "kb_per_s": 60}),
        Step(2_500, 1_500, "isolate-follower"),
    ),
    "register-disks": (
        Step(500, 3_500, "slow-disk", {"node": "leader", "sync_ms": 100}),
        Step(500, 1_500, "full-disk", {"node": "n3"}),
        Step(2_500, 1_000, "rejoin", {"node": "follower"}),
    ),
}  # fmt: skip
"""By workload, and a word where it has more than one."""
SMOKE = ("register", "lock")


def workload_of(scenario):
    return scenario.removesuffix("-disks")


def test_the_scenarios_cover_every_workload_and_most_faults():
    struck = {step.fault for steps in SCENARIOS.values() for step in steps}

    assert {workload_of(each) for each in SCENARIOS} == set(WORKLOADS)
    assert set(FAULTS) - struck == {"restart-storm"}  # it takes longer than there is here


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(each, marks=[pytest.mark.smoke] if each in SMOKE else []) for each in SCENARIOS],
)
def test_scenario(scenario, proxies, progress, tmp_path):
    steps = SCENARIOS[scenario]
    missing = lacking(step.fault for step in steps)
    plan = Plan(
        workload_of(scenario),
        seed=1,
        duration_ms=RUN_MS,
        nodes=NODES,
        steps=tuple(step for step in steps if step.fault not in missing),
    )
    progress(f"without {missing}" if missing else "all faults can be had")

    @contextlib.contextmanager
    def view(_board):
        yield lambda mark: progress(words(mark))

    directory = run(
        plan,
        tmp_path / "run",
        threading.Event(),
        view,
        proxies=lambda: contextlib.nullcontext(proxies),
    )
    judgement = concluded(directory)

    progress(f"{judgement.operations} operations, {judgement.unknown} unknown")
    assert [each for each in judgement.findings if each.verdict is not Verdict.VALID] == []
    assert judgement.verdict is Verdict.VALID
    assert judgement.operations >= OPERATIONS_MIN
    assert judgement.recovery["leader_ms"] is not None
    assert judgement.recovery["operations_ms"] is not None
    assert directory.timeline.exists()
