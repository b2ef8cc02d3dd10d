"""A verdict from a directory alone, and one clear line about what is no run."""

import json
from dataclasses import replace

import pytest
from run_samples import PLAN, write_run

from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import HistoryError
from kvraft_chaos.run.conclude import concluded
from kvraft_chaos.run.directory import RunDirectory
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.run.judge import judge
from kvraft_chaos.run.summary import summary


@pytest.fixture
def directory(tmp_path):
    return write_run(tmp_path / "run")


def by_checker(judgement):
    return {each.checker: each.verdict for each in judgement.findings}


def test_a_good_run_is_valid_and_says_all_of_it(directory):
    judgement = judge(directory)

    assert set(by_checker(judgement).values()) == {Verdict.VALID}
    told = json.loads(directory.verdict.read_text())
    assert told == json.loads(json.dumps(judgement.as_json()))
    assert (told["verdict"], told["workload"], told["seed"]) == ("valid", "register", 7)
    assert (told["operations"], told["unknown"], told["unknown_share"]) == (2, 0, 0.0)
    assert told["faults"] == ["kill"]
    assert told["recovery"] == {"leader_ms": 10, "operations_ms": 20}
    assert told["command"] == f"kvraft chaos run --plan {directory.plan}"
    assert told["negative"] is None


def test_a_stale_read_is_convicted(tmp_path):
    judgement = judge(write_run(tmp_path / "run", stale=True))

    assert judgement.verdict is Verdict.INVALID
    assert by_checker(judgement)["linearizability"] is Verdict.INVALID


def test_one_finding_of_the_run_itself_is_enough(directory):
    log = directory.logs / "n3.log"
    log.write_text(log.read_text() + "x n3 CRITICAL stopping: it is wrong about itself\n")

    assert by_checker(judge(directory))["crashes"] is Verdict.INVALID


def test_a_run_that_broke_off_is_unknown(tmp_path):
    directory = write_run(tmp_path / "run", phases=("setup",))
    lines = directory.faults.read_text().splitlines(keepends=True)
    directory.faults.write_text("".join(lines[:-1]))

    assert judge(directory).verdict is Verdict.UNKNOWN


def test_a_negative_control_is_in_the_verdict(tmp_path):
    plan = replace(PLAN, negative="local-reads")

    assert judge(write_run(tmp_path / "run", plan)).as_json()["negative"] == "local-reads"


def test_a_run_of_five_nodes_is_repeated_on_five(tmp_path):
    plan = replace(PLAN, nodes=("n1", "n2", "n3", "n4", "n5"))
    directory = write_run(tmp_path / "run", plan)
    words = judge(directory).command.split()

    assert words[3:] == ["--plan", str(directory.plan), "--nodes", "5"]


def test_it_is_drawn_as_well(directory):
    concluded(directory)

    assert directory.timeline.exists()
    assert directory.latency.exists()
    assert directory.rate.exists()


@pytest.mark.parametrize("name", ["plan.json", "history.jsonl", "faults.jsonl", "logs/n2.log"])
def test_a_missing_file_is_named(directory, name):
    (directory.path / name).unlink()

    with pytest.raises(RunError, match=f"is no run: {name} is missing"):
        judge(directory)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(RunError, match="there is no directory"):
        judge(RunDirectory(tmp_path / "none"))


def test_a_truncated_history_is_named(directory):
    directory.history.write_text(directory.history.read_text()[:-20])

    with pytest.raises(HistoryError, match=r"history.jsonl:10: truncated"):
        judge(directory)


def test_an_unknown_event_type_is_named(directory):
    text = directory.history.read_text().replace('"invoke"', '"revoke"', 1)
    directory.history.write_text(text)

    with pytest.raises(HistoryError, match=r"history.jsonl:1: unknown event type 'revoke'"):
        judge(directory)


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("workload", "poker", "unknown workload 'poker'"),
        ("negative", "good-luck", "unknown negative 'good-luck'"),
        ("steps", [{"at_ms": 0, "for_ms": 1, "fault": "flood"}], 'unknown fault "flood"'),
        ("nodes", ["n1"], "3 or 5 names are needed"),
    ],
)
def test_a_plan_of_another_world_is_named(directory, field, value, what):
    plan = json.loads(directory.plan.read_text())
    directory.plan.write_text(json.dumps({**plan, field: value}))

    with pytest.raises(RunError, match=what):
        judge(directory)


def test_answers_that_no_such_store_gives_are_named(directory):
    text = directory.history.read_text().replace('{"value":"a","mod_revision":2}', "7")
    directory.history.write_text(text)

    with pytest.raises(HistoryError, match="register"):
        judge(directory)


def test_the_summary_names_what_is_not_valid(tmp_path):
    directory = write_run(tmp_path / "run", stale=True)
    lines = [each.plain for each in summary(judge(directory), directory, verbose=False)]

    assert lines[0] == "invalid  register, seed 7, 20 s: 2 operations, 0 unknown"
    assert lines[1].startswith("  invalid  linearizability: k: ")
    assert "leaders, states, recovery, crashes, complete, unknown-share" in "\n".join(lines)
    assert lines[-1] == f"  repeat  kvraft chaos run --plan {directory.plan}"
    verbose = [each.plain for each in summary(judge(directory), directory, verbose=True)]
    assert any(line.startswith("  valid    states: 3 nodes hold the same") for line in verbose)
