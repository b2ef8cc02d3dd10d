"""Random runs: innocent with every guard, guilty without some, the same every time."""

import os
import subprocess
import sys

import pytest

from kvraft_chaos.simulation.runs import first_convicted, run_seed, run_seeds

SEEDS = 200
CHUNK = 10
"""Seeds a test: few enough that two workers share the work evenly."""
CONVICTED_WITHIN = 12
"""Seeds; the goal is 500, but these are found far sooner."""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_three_nodes_keep_every_promise(first):
    for run in run_seeds(range(first, first + CHUNK)):
        assert (run.seed, run.violations) == (run.seed, [])
        assert run.operations > 50


@pytest.mark.parametrize("seed", [1, 2])
def test_five_nodes_keep_every_promise(seed):
    run = run_seed(seed, size=5)
    assert run.size == 5
    assert run.violations == []


@pytest.mark.parametrize(
    "mutant",
    ["normalise_appends", "hold_acks_for_disk", "leader_counts_own_disk"],
)
def test_random_seeds_convict_a_missing_guard(mutant):
    _, run = first_convicted(range(1, CONVICTED_WITHIN + 1), mutant=mutant)
    assert run is not None


def test_one_seed_is_one_run_whatever_the_hash_seed():
    program = (
        "from kvraft_chaos.simulation.runs import run_seed;"
        "run = run_seed(3); print(run.trace, run.operations, run.messages)"
    )
    traces = set()
    for hash_seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        traces.add(done.stdout)
    assert len(traces) == 1


def test_the_plan_and_the_trace_differ_from_seed_to_seed():
    one, other = run_seed(3), run_seed(4)
    assert one.trace != other.trace
    assert one.plan != other.plan


def test_several_processes_give_the_same_runs_in_the_same_order():
    alone = [(run.seed, run.trace) for run in run_seeds(range(1, 4))]
    shared = [(run.seed, run.trace) for run in run_seeds(range(1, 4), jobs=2)]
    assert alone == shared


def test_what_breaks_the_simulator_is_a_violation_too(monkeypatch):
    def broken(_self):
        raise KeyError("C")

    monkeypatch.setattr("kvraft_chaos.simulation.clients.Clients.judge", broken)
    (violation,) = run_seed(3).violations
    assert violation.kind == "exception"
    assert "KeyError('C')" in violation.detail


def test_a_campaign_forgets_the_story_of_an_innocent_run():
    run = run_seed(3)
    small = run.in_figures()
    assert (small.log, small.plan) == ([], [])
    assert (small.operations, small.trace) == (run.operations, run.trace)


def test_the_log_of_a_convicted_run_ends_at_the_violation():
    run = run_seed(1, mutant="hold_acks_for_disk")
    end = run.violations[0].time
    lines = run.leading_up(40)
    assert lines
    assert all(float(line.split()[0]) <= end for line in lines)
    assert float(run.log[-1].split()[0]) > end
