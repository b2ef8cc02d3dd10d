"""A failure is a file: written, read, shrunk, repeated exactly; a bad one says what is wrong."""

import json
import os
import subprocess
import sys

import pytest

from kvraft_chaos.simulation import failure_file
from kvraft_chaos.simulation.__main__ import main
from kvraft_chaos.simulation.runs import first_convicted

MUTANT = "normalise_appends"


@pytest.fixture(scope="module")
def failure():
    _, run = first_convicted(range(1, 20), mutant=MUTANT)
    assert run is not None
    return failure_file.describe(run, MUTANT, note="found on purpose", runs_max=6)


@pytest.fixture
def path(failure, tmp_path):
    return failure_file.save(failure, tmp_path / "found")


def test_it_survives_being_written(failure, path):
    assert failure_file.load(path) == failure
    assert path.name == f"{MUTANT}-{failure.seed}.json"


def test_the_shrunk_plan_is_a_part_that_still_convicts(failure):
    assert len(failure.shrunk) < len(failure.plan)
    assert [fault for fault in failure.plan if fault in failure.shrunk] == failure.shrunk
    whole, shrunk = failure_file.replay(failure)
    assert failure.kinds[0] in {violation.kind for violation in whole.violations}
    assert [violation.kind for violation in shrunk.violations] == failure.kinds
    assert failure_file.repeats(failure, [whole, shrunk])


def test_without_the_mistake_it_is_innocent(failure):
    assert [run.violations for run in failure_file.replay(failure, guarded=True)] == [[], []]


def test_a_replay_repeats_exactly_whatever_the_hash_seed(path):
    for hash_seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-m", "kvraft_chaos.simulation", "--replay", str(path), "--json"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        told = json.loads(done.stdout)
        assert (told["same_code"], told["exact"]) == (True, True)
        assert told["violations"]


def test_another_trace_with_the_same_code_is_told(path, capsys):
    content = json.loads(path.read_text())
    content["shrunk_trace"] += 1
    path.write_text(json.dumps(content))
    assert main(["--replay", str(path)]) == 3
    assert "the same trace: no" in capsys.readouterr().out


def test_other_code_may_give_another_trace(path, capsys):
    content = json.loads(path.read_text())
    content["shrunk_trace"] += 1
    content["versions"]["code"] = "another"
    path.write_text(json.dumps(content))
    assert main(["--replay", str(path)]) == 1
    assert "other code" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no failure file"),
        ("{}", "no failure file"),
        ("[]", "no failure file"),
        ('{"format": 99}', "format 99"),
        ('{"format": 1, "seed": 3}', "no failure file"),
    ],
)
def test_a_bad_file_is_refused_with_its_name(text, says, tmp_path, capsys):
    path = tmp_path / "bad.json"
    path.write_text(text)
    assert main(["--replay", str(path)]) == 2
    told = capsys.readouterr().err
    assert str(path) in told
    assert says in told


def test_a_missing_file_is_refused_with_its_name(tmp_path, capsys):
    assert main(["--replay", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
