"""What may be asked for, and what each mistake is called."""

from pathlib import Path

import pytest

from kvraft_chaos.negatives.catalogue import NEGATIVES
from kvraft_chaos.nemesis.catalogue import FAULTS, lacking
from kvraft_chaos.nemesis.plan import Plan, Step
from kvraft_chaos.nemesis.planning import write_plan
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.run.request import DEFAULT_FAULTS, Request, catalogue
from kvraft_chaos.workloads.catalogue import WORKLOADS

FIVE = ("n1", "n2", "n3", "n4", "n5")
STEP = Step(2_000, 1_000, "kill", {"node": "n1"})


def refused(**given):
    with pytest.raises(RunError) as caught:
        Request(**given).plan_asked()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_same_request_is_the_same_plan():
    asked = Request(workload="bank", faults=["kill", "delay"], seconds=30, seed=7)
    plan = asked.plan_asked()

    assert plan == asked.plan_asked()
    assert (plan.workload, plan.seed, plan.duration_ms, plan.negative) == ("bank", 7, 30_000, None)
    assert {step.fault for step in plan.steps} == {"kill", "delay"}
    assert plan.nodes == ("n1", "n2", "n3")


def test_what_is_not_given_is_a_mix_and_a_seed():
    first, second = (Request(workload="register").plan_asked() for _ in range(2))

    assert first.duration_ms == 20_000
    assert {step.fault for step in first.steps} <= set(DEFAULT_FAULTS) - set(
        lacking(DEFAULT_FAULTS)
    )
    assert set(DEFAULT_FAULTS) <= set(FAULTS)
    assert first.seed != second.seed


def test_no_fault_at_all_can_be_asked_for():
    assert Request(workload="register", faults=[], seconds=1).plan_asked().steps == ()


def test_five_nodes_can_be_asked_for():
    assert Request(workload="register", nodes=5).plan_asked().nodes == FIVE


def test_a_negative_control_brings_its_plan():
    negative = NEGATIVES["local-reads"]
    plan = Request(negative="local-reads", seed=3).plan_asked()

    assert (plan.workload, plan.negative, plan.seed) == (negative.workload, "local-reads", 3)
    assert plan.steps == negative.steps
    assert plan.duration_ms == negative.duration_ms


def test_a_plan_is_played_again(tmp_path):
    path = tmp_path / "plan.json"
    plan = Plan("bank", 3, 9_000, ("n1", "n2", "n3"), (STEP,))
    write_plan(plan, path)

    assert Request(plan=path).plan_asked() == plan


def test_a_plan_for_five_nodes_is_not_played_on_three(tmp_path):
    path = tmp_path / "plan.json"
    write_plan(Plan("bank", 3, 9_000, FIVE, (STEP,)), path)

    assert "a plan for 5 nodes (n1, n2, n3, n4, n5), and there are 3" in refused(plan=path)
    assert Request(plan=path, nodes=5).plan_asked().nodes == FIVE


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "give --workload: one of register"),
        ({"workload": "poker"}, "unknown workload 'poker': one of register"),
        ({"workload": "bank", "faults": ["flood"]}, '--faults: unknown fault "flood"; known are'),
        ({"workload": "bank", "seconds": 0.0}, "--duration: a positive number of seconds, got 0"),
        ({"workload": "bank", "seconds": -1.0}, "--duration: a positive number of seconds, got -1"),
        ({"workload": "bank", "seconds": float("nan")}, "--duration: a positive number of seconds"),
        ({"workload": "bank", "seconds": 1e18}, "--duration: at most 86400, got 1e+18"),
        ({"workload": "bank", "seconds": 1.0}, "a run with faults takes at least 5 s"),
        ({"workload": "bank", "nodes": 4}, "--nodes: 3 or 5, got 4"),
        ({"negative": "good-luck"}, "unknown negative 'good-luck': one of local-reads"),
        ({"negative": "local-reads", "faults": ["kill"]}, "--negative brings its own plan"),
        ({"negative": "local-reads", "workload": "bank"}, "local-reads is for --workload register"),
        ({"plan": Path("none.json")}, "none.json: cannot be read"),
        ({"plan": Path("none.json"), "seed": 1}, "--plan says it all"),
        ({"plan": Path("none.json"), "negative": "local-reads"}, "--plan says it all"),
    ],
)
def test_a_mistake_is_named(given, what):
    assert what in refused(**given)


def test_the_list_has_a_sentence_for_everything():
    listed = catalogue()

    assert {each["name"] for each in listed["workloads"]} == set(WORKLOADS)
    assert {each["name"] for each in listed["faults"]} == set(FAULTS)
    assert {each["name"] for each in listed["negatives"]} == set(NEGATIVES)
    assert all(each["sentence"] for entries in listed.values() for each in entries)
