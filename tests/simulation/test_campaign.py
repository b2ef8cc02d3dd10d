"""Random runs: innocent with every guard, guilty without some, the same every time."""

import json
import os
import subprocess
import sys

import pytest

from kvraft_chaos.simulation.__main__ import main, run_seed, seeds_of

CONVICTED_WITHIN = 12
"""Seeds; the goal is 200, but these are found far sooner."""


@pytest.mark.parametrize("seed", range(1, 7))
def test_three_nodes_keep_every_promise(seed):
    run = run_seed(seed, size=3, mutant=None)
    assert run.violations == []
    assert run.operations > 100


def test_five_nodes_keep_every_promise():
    assert run_seed(1, size=5, mutant=None).violations == []


@pytest.mark.parametrize(
    ("mutant", "kinds"),
    [
        ("normalise_appends", {"truncates-committed"}),
        ("hold_acks_for_disk", {"quorum-retention"}),
        ("leader_counts_own_disk", {"quorum-retention"}),
    ],
)
def test_a_missing_guard_is_convicted(mutant, kinds):
    for seed in range(1, CONVICTED_WITHIN + 1):
        run = run_seed(seed, size=3, mutant=mutant)
        if kinds & {violation.kind for violation in run.violations}:
            return
    pytest.fail(f"{mutant} was not convicted within {CONVICTED_WITHIN} seeds")


def test_one_seed_is_one_run_whatever_the_hash_seed():
    program = (
        "from kvraft_chaos.simulation.__main__ import run_seed;"
        "print(run_seed(3, size=3, mutant=None).trace)"
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
    one, other = (run_seed(seed, size=3, mutant=None) for seed in (3, 4))
    assert one.trace != other.trace
    assert one.plan != other.plan


def test_the_command_line_reports_for_programs(capsys):
    assert main(["--seeds", "3-3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["seeds"] == 1
    assert report["violations"] == 0
    assert report["simulated_seconds"] > 20
    assert report["operations"] > 100


def test_the_command_line_convicts_and_says_where(capsys):
    assert main(["--seeds", "1-1", "--mutant", "hold_acks_for_disk"]) == 1
    out = capsys.readouterr().out
    assert "first convicted seed: 1" in out
    assert "quorum-retention" in out


@pytest.mark.parametrize("text", ["x", "5-1", "1-x", ""])
def test_bad_seeds_are_named(text, capsys):
    with pytest.raises(SystemExit):
        main(["--seeds", text])
    assert "seeds" in capsys.readouterr().err


def test_seeds_include_both_ends():
    assert list(seeds_of("3-5")) == [3, 4, 5]
    assert list(seeds_of("7")) == [7]
