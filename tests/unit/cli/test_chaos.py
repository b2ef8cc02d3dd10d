"""chaos: what can be asked for, one clear line about what cannot, and a status for each verdict."""

import contextlib
import json
import sys

import pytest
from run_samples import write_run
from typer.testing import CliRunner

from kvraft.cli.app import app
from kvraft_chaos.negatives.catalogue import NEGATIVES
from kvraft_chaos.nemesis.catalogue import FAULTS
from kvraft_chaos.nemesis.plan import Plan
from kvraft_chaos.nemesis.planning import write_plan
from kvraft_chaos.run import session
from kvraft_chaos.run.directory import Mark, RunDirectory
from kvraft_chaos.run.scoreboard import Scoreboard
from kvraft_chaos.workloads.catalogue import WORKLOADS

NOBODY = "http://127.0.0.1:1"


def kvraft(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def only_line(result):
    """Of what was told; the status says that nothing was judged."""
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith("kvraft: error: ")
    return line.removeprefix("kvraft: error: ")


def test_list_names_all_with_their_sentences():
    lines = kvraft("chaos", "run", "--list").stdout.splitlines()

    shown = {line.split()[0] for line in lines if line.startswith("  ")}
    assert shown == {*WORKLOADS, *FAULTS, *NEGATIVES}
    assert [line for line in lines if not line.startswith("  ")] == [
        "workloads:",
        "faults:",
        "negatives:",
    ]
    assert WORKLOADS["bank"].sentence in "\n".join(lines)


def test_list_for_programs():
    listed = json.loads(kvraft("chaos", "run", "--list", "--json").stdout)

    assert listed == json.loads(kvraft("-o", "json", "chaos", "run", "--list").stdout)
    assert [each["name"] for each in listed["workloads"]] == list(WORKLOADS)
    assert {"name", "sentence", "workload"} == set(listed["negatives"][0])


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("run",), "give --workload"),
        (("run", "--workload", "poker"), "unknown workload 'poker'"),
        (("run", "--workload", "bank", "--faults", "kill,flood"), 'unknown fault "flood"'),
        (("run", "--workload", "bank", "--duration", "0"), "--duration: a positive number"),
        (("run", "--workload", "bank", "--duration", "long"), "Invalid value for '--duration'"),
        (("run", "--negative", "good-luck"), "unknown negative 'good-luck'"),
        (("run", "--plan", "none.json"), "none.json: cannot be read"),
        (("run", "--nonsense"), "No such option"),
        (("nonsense",), "No such command"),
        (("--nonsense",), "No such option"),
        (("check",), "Missing argument 'DIR'"),
        (("check", "none"), "there is no directory none"),
    ],
)
def test_a_mistake_is_one_line_and_no_verdict(arguments, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert what in only_line(kvraft("chaos", *arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_plan_for_five_nodes_is_not_played_on_three(tmp_path):
    path = tmp_path / "plan.json"
    write_plan(Plan("bank", 3, 9_000, ("n1", "n2", "n3", "n4", "n5"), ()), path)

    assert "a plan for 5 nodes" in only_line(kvraft("chaos", "run", "--plan", path))


def test_no_toxiproxy_at_the_url_is_said_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("TOXIPROXY_URL", NOBODY)
    out = tmp_path / "run"
    told = only_line(kvraft("chaos", "run", "--workload", "bank", "--out", out))

    assert told == f"Toxiproxy at {NOBODY}: GET /version: no server answers there"
    assert not out.exists()


def test_a_directory_with_something_in_it_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TOXIPROXY_URL", "embedded")
    (tmp_path / "mine").write_text("precious")
    told = only_line(kvraft("chaos", "run", "--workload", "bank", "--out", tmp_path))

    assert told == f"{tmp_path} is there already, and not empty"
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_a_missing_extra_is_named(monkeypatch):
    for name in [each for each in sys.modules if each.startswith("kvraft_chaos")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "toxiproxy", None)
    monkeypatch.setitem(sys.modules, "toxiproxy.api", None)

    told = only_line(kvraft("chaos", "run", "--list"))
    assert told == "chaos needs toxiproxy.api: pip install 'kvraft[chaos]'"


def test_other_commands_keep_their_status():
    assert kvraft("get", "--nonsense").exit_code == 1


@pytest.mark.parametrize(
    ("given", "verdict", "status"),
    [
        ({}, "valid", 0),
        ({"stale": True}, "invalid", 1),
        ({"phases": ("setup",)}, "unknown", 2),
    ],
)
def test_check_judges_a_directory(given, verdict, status, tmp_path):
    directory = write_run(tmp_path / "run", **given)
    result = kvraft("chaos", "check", directory.path)

    assert result.exit_code == status
    assert result.stdout.startswith(f"{verdict:<7}  register, seed 7, 20 s: 2 operations")
    assert json.loads(directory.verdict.read_text())["verdict"] == verdict
    assert directory.timeline.exists()


def test_check_for_programs(tmp_path):
    directory = write_run(tmp_path / "run")
    result = kvraft("chaos", "check", directory.path, "--json")

    told = json.loads(result.stdout)
    assert told == {"directory": str(directory.path), **json.loads(directory.verdict.read_text())}
    assert result.stderr.startswith("valid")


@pytest.mark.parametrize(
    ("name", "damage", "what"),
    [
        ("history.jsonl", lambda text: text[:-9], "history.jsonl:10: truncated"),
        ("history.jsonl", lambda text: text.replace('"ok"', '"oh"', 1), "unknown event type 'oh'"),
        ("faults.jsonl", lambda text: text.replace('"phase"', '"haze"', 1), "unknown type of mark"),
        ("plan.json", lambda _text: "{", "plan.json: not JSON"),
    ],
)
def test_damage_is_one_line_and_no_verdict(name, damage, what, tmp_path):
    directory = write_run(tmp_path / "run")
    path = directory.path / name
    path.write_text(damage(path.read_text()))

    assert what in only_line(kvraft("chaos", "check", directory.path))


@pytest.fixture
def played(monkeypatch):
    """`chaos run` without a cluster: the sample is what it comes to."""
    asked = []

    def instead(plan, path, stop, view, **_given):
        del stop
        asked.append((plan, path))
        with contextlib.ExitStack() as stack:
            told = stack.enter_context(view(Scoreboard(session.Recorder())))
            told(Mark(0, "strike", "kill", 0, "n1", ("n1",)))
        path.parent.mkdir(exist_ok=True)
        return write_run(path)

    monkeypatch.setattr(session, "run", instead)
    return asked


def test_a_run_is_shown_judged_and_told(played, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faults = ("--faults", "kill,delay", "--duration", 9, "--seed", 7)
    result = kvraft("chaos", "run", "--workload", "register", *faults)

    assert result.exit_code == 0, result.stderr
    ((plan, path),) = played
    assert (plan.workload, plan.seed, plan.duration_ms) == ("register", 7, 9_000)
    assert path.parent.name == "runs"
    assert path.name.endswith("-register-7")
    assert "strike kill: n1" in result.stdout
    assert f"repeat  kvraft chaos run --plan {path / 'plan.json'}" in result.stdout


def test_a_run_for_programs_is_one_line(played, tmp_path):
    out = tmp_path / "run"
    result = kvraft("chaos", "run", "--workload", "register", "--out", out, "--json")

    assert played
    told = json.loads(result.stdout)
    assert (told["verdict"], told["directory"]) == ("valid", str(out))
    assert "strike kill: n1" in result.stderr


def test_what_breaks_a_run_is_no_verdict(played, tmp_path, monkeypatch):
    del played

    def breaks(*_given, **_named):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(session, "run", breaks)
    result = kvraft("chaos", "run", "--workload", "bank", "--out", tmp_path / "run")

    assert result.exit_code == 3  # an exception's own status would be that of an invalid run
    assert "RuntimeError: a mistake of ours" in result.stderr


def test_latest_points_at_the_last_run(tmp_path):
    for name in ("first", "second"):
        made = session.make_directory(tmp_path / name)
        assert made == RunDirectory(tmp_path / name)
        assert (tmp_path / "latest").resolve() == tmp_path / name
