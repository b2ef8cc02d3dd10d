"""Draws are the same in every Python, and nothing draws otherwise."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kvraft
import kvraft_chaos.simulation
import kvraft_client
from kvraft_chaos.simulation.chance import Chance

MODULES = sorted(Path(kvraft_chaos.simulation.__path__[0]).rglob("*.py"))
SOURCES_OF_CHANCE = {"random", "secrets", "uuid", "os.urandom"}
ALLOWED = {
    ("chance.py", "random.Random"),
    ("players.py", "random.Random"),  # scripts are written for it, on real clusters too
}
ROOTS = [str(Path(each.__path__[0]).parent) for each in (kvraft, kvraft_chaos, kvraft_client)]
OTHER_PYTHON = os.environ.get("KVRAFT_OTHER_PYTHON", "")
"""An interpreter of another minor version that has the dependencies."""
PROGRAM = """
from kvraft_chaos.simulation.runs import run_seed
for seed in (1, 2, 3):
    run = run_seed(seed)
    print(seed, run.trace, run.operations, run.messages, run.log)
"""


def drawn():
    """Some of each kind, one after the other: a draw more or less moves all that follow."""
    chance = Chance(7, "golden")
    return [
        [chance.random() for _ in range(3)],
        [chance.below(1000) for _ in range(4)],
        [chance.integer(3, 6) for _ in range(4)],
        [chance.pick("abc") for _ in range(4)],
        chance.bytes(8).hex(),
        chance.sample(range(5), 3),
        chance.between(1.0, 2.0),
        [chance.happens(0.5) for _ in range(4)],
        chance.waiting_time(2.0),
    ]


def test_the_draws_of_a_seed_are_fixed():
    assert drawn() == [
        [0.596052220800874, 0.38055211274905076, 0.8373656717685818],
        [688, 799, 863, 689],
        [3, 4, 4, 6],
        ["c", "a", "a", "b"],
        "ef4a68978ff2ccd5",
        [3, 1, 2],
        1.2234442143582658,
        [False, False, False, True],
        pytest.approx(1.368621716229394, rel=1e-15),  # log comes from the C library
    ]


def test_bytes_are_as_many_as_asked():
    chance = Chance(1, "bytes")
    assert [len(chance.bytes(count)) for count in range(20)] == list(range(20))


def test_integers_reach_both_ends():
    chance = Chance(1, "integers")
    assert {chance.integer(3, 5) for _ in range(100)} == {3, 4, 5}


def sources_used(path):
    """Names of the doors to chance that a module imports or reaches into."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        else:
            continue
        for name in names:
            if name in SOURCES_OF_CHANCE or name.split(".")[0] in SOURCES_OF_CHANCE:
                yield path.name, name


def test_only_chance_draws():
    assert {found for path in MODULES for found in sources_used(path)} == ALLOWED


def test_of_the_generator_only_random_is_used():
    """The one method whose sequence Python promises to keep for a seed."""
    (chance,) = [path for path in MODULES if path.name == "chance.py"]
    tree = ast.parse(chance.read_text())
    made = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Random"
    ]
    used = [node for node in ast.walk(tree) if getattr(node, "value", None) in made]
    assert [node.attr for node in used] == ["random"]


@pytest.mark.skipif(not OTHER_PYTHON, reason="KVRAFT_OTHER_PYTHON names no second interpreter")
def test_another_python_gives_the_same_runs():
    mine, other = (
        subprocess.run(
            [python, "-c", PROGRAM],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(ROOTS)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for python in (sys.executable, OTHER_PYTHON)
    )
    assert mine == other
