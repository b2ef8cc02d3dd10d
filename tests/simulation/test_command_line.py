"""The command line: what it prints for people and for programs, and its exit status."""

import json

import pytest

from kvraft_chaos.checkers.linearizability import KeyReport
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.simulation import __main__ as command
from kvraft_chaos.simulation.__main__ import main, seeds_of
from kvraft_chaos.simulation.faults import Fault
from kvraft_chaos.simulation.mutants import MUTANTS, registry
from kvraft_chaos.simulation.report import figures
from kvraft_chaos.simulation.runs import run_seed

FIGURES = (
    "seeds", "violations", "simulated_seconds", "wall_seconds", "client_operations", "elections",
    "crashes", "client_crashes", "snapshots", "wiped_disks", "bit_flips", "expired_leases",
    "compared_hashes", "undecided_keys", "messages", "simulated_seconds_per_wall_second",
    "client_operations_per_simulated_second", "client_operations_per_wall_second", "trace",
)  # fmt: skip


def test_it_reports_for_programs(capsys):
    assert main(["--seeds", "3-4", "--json"]) == 0
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert told.err == ""
    assert set(FIGURES) <= set(report)
    assert report["seeds"] == 2
    assert report["violations"] == 0
    assert report["simulated_seconds"] > 40
    assert report["client_operations"] > 100
    seconds = report["simulated_seconds"]
    rate = report["client_operations"] / seconds
    assert report["client_operations_per_simulated_second"] == pytest.approx(rate, abs=0.1)


def test_it_reports_for_people(capsys):
    assert main(["--seeds", "3"]) == 0
    told = capsys.readouterr()
    assert told.err == ""  # no bar where nobody looks
    for name in FIGURES:
        assert name.replace("_", " ") in told.out


def test_every_counter_counts(monkeypatch):
    """One of each fault that is counted, and a checker that gives every key up."""

    def undecided(key, history, **_limits):
        return KeyReport(key, Verdict.UNKNOWN, len(history), 0)

    monkeypatch.setattr("kvraft_chaos.simulation.account.check_key", undecided)
    plan = [
        Fault(2.0, "bit_flip", ("A",), 1.0),
        Fault(3.0, "client_crash", ("c1", "A"), 1.0),
        Fault(10.0, "wipe_and_rejoin", ("B",), 1.0),
    ]
    run = run_seed(3, plan=plan)
    report = figures([run, run], wall_seconds=2.0)
    assert {name for name in FIGURES if not report[name]} == {"violations"}
    assert report["crashes"] == 2 * run.crashes == 4
    assert report["client_crashes"] == report["bit_flips"] == report["wiped_disks"] == 2


def test_several_processes_share_the_seeds(capsys):
    told = []
    for jobs in ("1", "2"):
        assert main(["--seeds", "3-8", "--jobs", jobs, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["jobs"] == int(jobs)
        told.append([report[name] for name in FIGURES if "wall" not in name])
    assert told[0] == told[1]


def test_five_nodes(capsys):
    assert main(["--seeds", "3", "--nodes", "5", "--trace"]) == 0
    assert "E follows" in capsys.readouterr().out


def test_it_convicts_and_says_where(capsys):
    assert main(["--seeds", "1-3", "--mutant", "hold_acks_for_disk"]) == 1
    out = capsys.readouterr().out
    assert "first convicted seed: 1" in out
    assert "quorum-retention" in out


def test_it_convicts_for_programs(capsys):
    assert main(["--seeds", "1-3", "--mutant", "hold_acks_for_disk", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["mutant"] == "hold_acks_for_disk"
    assert report["first_seed"] == 1
    assert (report["seeds"], report["violations"]) == (1, 1)  # it stops there


def test_a_schedule_convicts_what_no_seed_does(capsys):
    assert main(["--seeds", "3", "--mutant", "rejoined_voter_not_announced"]) == 1
    assert "the_leader_changes_between_request_and_commit" in capsys.readouterr().out


def test_a_failure_is_kept_and_can_be_repeated(tmp_path, capsys):
    asked = ["--seeds", "1", "--mutant", "hold_acks_for_disk", "--json", "--keep", str(tmp_path)]
    assert main(asked) == 1
    (path,) = json.loads(capsys.readouterr().out)["files"]
    assert main(["--replay", path]) == 1
    out = capsys.readouterr().out
    assert "the same trace: yes" in out
    assert "quorum-retention" in out
    assert main(["--replay", path, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["seed"], report["same_code"], report["exact"]) == (1, True, True)
    assert "quorum-retention" in report["violations"]


def test_the_mutants_are_listed(capsys):
    assert main(["--list-mutants"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(MUTANTS)
    assert main(["--list-mutants", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["mutants"]
    assert [each["name"] for each in listed] == list(MUTANTS)


FEW = ("hold_acks_for_disk", "torn_record_accepted", "state_hash_blind_to_leases")


@pytest.fixture
def few_mutants():
    everyone = dict(MUTANTS)
    for name in everyone.keys() - set(FEW):
        del MUTANTS[name]
    yield
    MUTANTS.clear()
    MUTANTS.update(everyone)  # in the order that the docs have


@pytest.mark.usefixtures("few_mutants")
def test_all_mutants_are_tried(capsys):
    assert main(["--mutants", "--seeds", "1-2"]) == 0
    out = capsys.readouterr().out
    assert "3 of 3 caught" in out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    caught = {row[0]: row[1:3] for row in rows if row and row[0] in FEW}
    assert caught["hold_acks_for_disk"] == ["yes", "1"]
    assert set(caught) == set(FEW)
    assert main(["--mutants", "--seeds", "1", "--json"]) == 0
    told = {each["name"]: each for each in json.loads(capsys.readouterr().out)["mutants"]}
    assert list(told) == [name for name in MUTANTS if name in FEW]
    assert all(each["caught"] is True for each in told.values())
    assert told["hold_acks_for_disk"]["seeds"] == 1


@pytest.mark.usefixtures("few_mutants")
def test_one_that_gets_away_is_told(capsys):
    MUTANTS["harmless"] = registry.Mutant("harmless", "Nothing.")
    assert main(["--mutants", "--seeds", "3"]) == 1
    assert "3 of 4 caught" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["x", "5-1", "1-x", ""])
def test_bad_seeds_are_named(text, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--seeds", text])
    assert "seeds" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "x"])
def test_bad_jobs_are_named(text, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([f"--jobs={text}"])
    assert "jobs are processes, 1 or more" in capsys.readouterr().err


def test_seeds_include_both_ends():
    assert list(seeds_of("3-5")) == [3, 4, 5]
    assert list(seeds_of("7")) == [7]
    assert len(command.SEEDS) == 20
