"""Many runs and one table: what is drawn, what is kept, what is played again."""

import json
import sys
import threading
from dataclasses import asdict, replace
from io import StringIO

import pytest
from rich.console import Console

from kvraft_chaos.campaign import __main__ as campaign
from kvraft_chaos.campaign import histories
from kvraft_chaos.campaign.histories import Asked, NoVerdictError, Result, StoppedError, draw, play
from kvraft_chaos.campaign.table import markdown, rows
from kvraft_chaos.workloads.catalogue import WORKLOADS

ASKED = Asked(5, "bank", ("kill",), 6.0)
FAULTS = ("kill", "pause", "delay", "halves", "resets", "one-way")


def result(seed, workload="bank", verdict="valid", **given):
    made = {"operations": 1_000, "unknown": 1, "leader_ms": 300, "operations_ms": 400, "why": ""}
    return Result(seed, workload, ("kill",), 6.0, verdict, **{**made, **given}, directory=None)


def told(verdict, sentence="x"):
    return {
        "verdict": verdict,
        "operations": 10,
        "unknown": 0,
        "recovery": {"leader_ms": 1, "operations_ms": 2},
        "findings": [
            {"checker": "fine", "verdict": "valid", "sentence": ""},
            {"checker": "checker", "verdict": verdict, "sentence": sentence},
        ],
    }


@pytest.fixture
def says(monkeypatch):
    """Let a history end by printing this, in the place of `kvraft chaos run`."""

    def instead(program):
        code = f"import os, sys, time; os.makedirs(sys.argv[1]); {program}"
        monkeypatch.setattr(
            histories, "command", lambda _asked, directory: ["this", code, str(directory)]
        )
        real = histories.subprocess.Popen
        monkeypatch.setattr(
            histories.subprocess,
            "Popen",
            lambda words, **options: real([sys.executable, "-c", words[3], words[4]], **options),
        )

    return instead


def test_every_workload_comes_in_turn_with_other_faults():
    asked = draw(range(3, 23), list(WORKLOADS), FAULTS, 20.0)

    assert asked == draw(range(3, 23), list(WORKLOADS), FAULTS, 20.0)
    assert [each.seed for each in asked] == list(range(3, 23))
    assert {each.workload for each in asked[:10]} == set(WORKLOADS)
    assert len({each.faults for each in asked}) > 10
    assert all(len(set(each.faults)) == 4 for each in asked)


def test_a_valid_history_leaves_a_line_only(says, tmp_path):
    says(f"print({json.dumps(json.dumps(told('valid')))})")
    found = play(ASKED, tmp_path, threading.Event())

    assert (found.verdict, found.operations, found.why) == ("valid", 10, "")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_valid_is_kept(says, tmp_path):
    says(f"print({json.dumps(json.dumps(told('invalid', 'two holders')))}); sys.exit(1)")
    found = play(ASKED, tmp_path, threading.Event())

    assert (found.verdict, found.why) == ("invalid", "checker: two holders")
    assert [each.name for each in tmp_path.iterdir()] == [found.directory] == ["seed-5"]


def test_a_history_without_a_verdict_says_why(says, tmp_path):
    says("sys.exit('kvraft: error: no cluster')")

    with pytest.raises(NoVerdictError, match="seed 5: kvraft: error: no cluster"):
        play(ASKED, tmp_path, threading.Event())


def test_a_history_is_ended_with_the_campaign(says, tmp_path):
    says("time.sleep(100)")
    stop = threading.Event()
    stop.set()

    with pytest.raises(StoppedError):
        play(ASKED, tmp_path, stop)


def test_the_table_has_a_row_for_each_workload_and_one_for_all():
    table = rows(
        [
            result(1, "bank"),
            result(2, "lock", "unknown", operations=3_000, unknown=300, leader_ms=None),
            result(3, "bank", "invalid", operations_ms=4_900),
        ],
        ["lock", "bank", "watch"],
    )

    assert [each["workload"] for each in table] == ["lock", "bank", "all"]
    assert table[1] == {
        "workload": "bank",
        "histories": 2,
        "operations": 2_000,
        "unknown_share": 0.001,
        "valid": 1,
        "invalid": 1,
        "unknown": 0,
        "worst_leader_ms": 300,
        "worst_operations_ms": 4_900,
    }
    lines = markdown(table).splitlines()
    assert lines[2] == "| lock | 1 | 3,000 | 10.00% | 0 | 0 | 1 | - | 0.40 s |"
    assert lines[4] == "| all | 3 | 5,000 | 6.04% | 1 | 1 | 1 | 0.30 s | 4.90 s |"


@pytest.fixture
def played(monkeypatch):
    """Seeds that were played, each by the verdict of `verdicts`."""
    seeds, verdicts = [], {}

    def instead(asked, _folder, _stop):
        seeds.append(asked.seed)
        if verdicts.get(asked.seed) == "none":
            raise NoVerdictError(f"seed {asked.seed}: no cluster")
        verdict = verdicts.get(asked.seed, "valid")
        return replace(result(asked.seed, asked.workload, verdict), seconds=asked.seconds)

    monkeypatch.setattr(campaign, "play", instead)
    return seeds, verdicts


def run(out, histories_count, *more):
    return campaign.main(["--histories", str(histories_count), "--out", str(out), *more])


def test_a_campaign_goes_on_with_what_is_there(played, tmp_path, capsys):
    seeds, _ = played
    assert run(tmp_path, 3) == 0
    path = tmp_path / "results.jsonl"
    path.write_text(path.read_text() + '{"seed": 4, "wor')  # it was killed in the middle of a line
    assert run(tmp_path, 5, "--jobs", "2") == 0

    assert sorted(seeds) == [1, 2, 3, 4, 5]
    assert json.loads((tmp_path / "campaign.json").read_text())[-1]["histories"] == 5
    assert capsys.readouterr().out.endswith((tmp_path / "campaign.md").read_text())
    assert len(path.read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("verdict", "status"), [("valid", 0), ("invalid", 1), ("unknown", 2), ("none", 3)]
)
def test_the_status_is_that_of_the_worst(played, tmp_path, verdict, status):
    _, verdicts = played
    verdicts[2] = verdict

    assert run(tmp_path, 3) == status


def test_a_terminal_has_a_bar_and_keeps_what_is_not_valid():
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with campaign._progress(console, 2) as told:
        told("seed 1 bank: valid")
        told("seed 2 lock: invalid one holder: two at a time")

    assert "2/2" in out.getvalue()
    erased = "\x1b[2K"  # what stays begins where the bar was
    assert f"{erased}seed 2 lock: invalid one holder: two at a time\n" in out.getvalue()
    assert f"{erased}seed 1" not in out.getvalue()


def test_histories_of_another_length_are_not_mixed(played, tmp_path, capsys):
    line = json.dumps(asdict(result(1)))
    (tmp_path / "results.jsonl").write_text(line + "\n")

    assert run(tmp_path, 2) == 3
    assert "has histories of 6 s: choose another --out" in capsys.readouterr().err
    assert played[0] == []


@pytest.mark.parametrize("wrong", [("--histories", "0"), ("--seconds", "1"), ("--jobs", "0")])
def test_what_cannot_be_played_is_refused(tmp_path, wrong):
    with pytest.raises(SystemExit) as caught:
        campaign.main(["--out", str(tmp_path), *wrong])
    assert caught.value.code == 3  # not the 2 of a verdict
