"""Plans: drawn the same way each time, read back as they were written, refused in one line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvraft_chaos.nemesis.catalogue import FAULTS
from kvraft_chaos.nemesis.fault import LONGEST_MS
from kvraft_chaos.nemesis.planning import (
    QUIET_MS,
    PlanError,
    make_plan,
    parse_plan,
    read_plan,
    write_plan,
)
from kvraft_chaos.topology import NODES

ALL = tuple(FAULTS)
FIVE = ("n1", "n2", "n3", "n4", "n5")


@settings(deadline=None)
@given(
    seed=st.integers(0, 1 << 40),
    faults=st.lists(st.sampled_from(ALL), min_size=1, unique=True),
    duration_ms=st.integers(5_000, 90_000),
    nodes=st.sampled_from([NODES, FIVE]),
)
def test_a_drawn_plan_can_be_read_again_and_leaves_a_quiet_beginning_and_end(
    tmp_path_factory, seed, faults, duration_ms, nodes
):
    plan = make_plan("register", faults, duration_ms, seed, nodes=nodes)
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    write_plan(plan, path)
    assert read_plan(path, nodes) == plan
    assert plan == make_plan("register", faults, duration_ms, seed, nodes=nodes)
    assert plan.steps
    for step in plan.steps:
        assert step.at_ms >= QUIET_MS
        assert step.at_ms + step.for_ms <= duration_ms - QUIET_MS
        assert step.for_ms <= LONGEST_MS
    assert list(plan.steps) == sorted(plan.steps, key=lambda step: step.at_ms)


def test_strokes_overlap_and_every_fault_has_its_turn():
    plan = make_plan("bank", ["kill", "delay", "ring", "pause"], 20_000, 3, nodes=NODES)
    assert {step.fault for step in plan.steps} == {"kill", "delay", "ring", "pause"}
    most = max(
        sum(s.at_ms <= at < s.at_ms + s.for_ms for s in plan.steps) for at in range(0, 20_000, 100)
    )
    assert most >= 2


def test_seed_and_workload_change_the_plan_and_no_faults_make_none():
    first = make_plan("bank", ALL, 20_000, 3, nodes=NODES)
    assert first.steps != make_plan("bank", ALL, 20_000, 4, nodes=NODES).steps
    assert first.steps != make_plan("lock", ALL, 20_000, 3, nodes=NODES).steps
    assert make_plan("bank", [], 1_000, 3, nodes=NODES, negative="no-fence").steps == ()


@pytest.mark.parametrize(
    ("faults", "duration_ms", "message"),
    [
        (["meteor"], 20_000, '--faults: unknown fault "meteor"; known are halves, '),
        (["kill"], 4_999, "a run with faults takes at least 5 s"),
    ],
)
def test_what_cannot_be_planned_is_said(faults, duration_ms, message):
    with pytest.raises(PlanError, match=message):
        make_plan("bank", faults, duration_ms, 1, nodes=NODES)


def good():
    step = {"at_ms": 2_000, "for_ms": 1_000, "fault": "kill", "arguments": {"node": "n1"}}
    return {
        "workload": "bank",
        "seed": 1,
        "duration_ms": 9_000,
        "nodes": list(NODES),
        "steps": [step],
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "p: unknown field 'colour'"),
        ({"workload": 7}, "p: workload: a text is needed, not 7"),
        ({"seed": "1"}, 'p: seed: an integer is needed, not "1"'),
        ({"seed": True}, "p: seed: an integer is needed, not true"),
        ({"duration_ms": 0}, "p: duration_ms: 1 to 86400000 is allowed, not 0"),
        ({"negative": 1}, "p: negative: a text is needed, not 1"),
        ({"nodes": ["n1", "n2"]}, "p: nodes: 3 or 5 names are needed"),
        ({"nodes": ["n1", "n1", "n2"]}, "p: nodes: 3 or 5 names are needed"),
        ({"steps": {}}, "p: steps: a list is needed, not {}"),
        ({"steps": ["kill"]}, 'p: step 0: an object is needed, not "kill"'),
    ],
)
def test_a_plan_with_a_mistake_is_refused_in_one_line(change, message):
    with pytest.raises(PlanError) as refused:
        parse_plan({**good(), **change}, "p")
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fault": "meteor"}, 'unknown fault "meteor"; known are halves, '),
        ({"fault": ["kill"]}, 'unknown fault ["kill"]'),
        ({"when": 1}, "unknown field 'when'"),
        ({"at_ms": -1}, "at_ms: 0 to 9000 is allowed, not -1"),
        ({"for_ms": 1.5}, "for_ms: an integer is needed, not 1.5"),
        ({"for_ms": 7_500}, "it ends at 9500 ms, the run at 9000 ms"),
        ({"arguments": []}, "arguments: an object is needed, not []"),
        ({"arguments": {}}, "kill needs 'node'"),
        ({"arguments": {"node": "n1", "how": "gently"}}, "kill takes no 'how'"),
        ({"arguments": {"node": "n4"}}, "node: a node (n1, n2, n3) or a role"),
        ({"arguments": {"node": ["n1"]}}, "node: a node (n1, n2, n3) or a role"),
    ],
)
def test_a_step_with_a_mistake_is_refused_by_its_number(change, message):
    given_plan = good()
    given_plan["steps"].append({**given_plan["steps"][0], **change})
    with pytest.raises(PlanError) as refused:
        parse_plan(given_plan, "p")
    assert str(refused.value).startswith(f"p: step 1: {message}")


@pytest.mark.parametrize(
    ("fault", "arguments", "message"),
    [
        ("halves", {"side": ["n1", "n2"]}, "fewer than half"),
        ("halves", {"side": [["n1"]]}, "fewer than half"),
        ("ring", {"order": ["n1", "n2"]}, "a list of all nodes"),
        ("one-way", {"node": "leader", "direction": "up"}, "one of in, out"),
        ("bandwidth", {"node": "all", "where": "peers", "kb_per_s": 0}, "an integer from 1"),
        ("kill", {"node": "all"}, "or a role"),
    ],
)
def test_arguments_that_no_fault_takes_are_refused(fault, arguments, message):
    step = {"at_ms": 0, "for_ms": 1, "fault": fault, "arguments": arguments}
    with pytest.raises(PlanError, match=message):
        parse_plan({**good(), "steps": [step]}, "p")


@pytest.mark.parametrize("missing", ["workload", "seed", "duration_ms", "nodes", "steps"])
def test_what_is_missing_is_named(missing):
    given_plan = good()
    del given_plan[missing]
    with pytest.raises(PlanError, match=f"p: {missing} is missing"):
        parse_plan(given_plan, "p")


def test_files_that_are_no_plan_are_refused_and_so_is_another_cluster(tmp_path):
    path = tmp_path / "plan.json"
    with pytest.raises(PlanError, match="cannot be read: No such file"):
        read_plan(path)
    path.write_text('{"workload": ')
    with pytest.raises(PlanError, match="not JSON"):
        read_plan(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="not JSON"):
        read_plan(path)
    path.write_text("[" * 100_000)
    with pytest.raises(PlanError, match="not JSON"):
        read_plan(path)
    path.write_text(json.dumps({**good(), "nodes": list(FIVE)}))
    with pytest.raises(PlanError, match=r"a plan for 5 nodes \(n1, .*, and there are 3 \(n1, n2"):
        read_plan(path, NODES)
    assert read_plan(path).nodes == FIVE
