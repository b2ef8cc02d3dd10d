"""Failures of the past, repeated: fixed, and so innocent."""

from pathlib import Path

import pytest

from kvraft_chaos.simulation import failure_file
from kvraft_chaos.simulation.mutants import MUTANTS

KEPT = sorted((Path(__file__).parent / "kept").glob("*.json"))


@pytest.fixture(params=KEPT, ids=[path.stem for path in KEPT])
def failure(request):
    return failure_file.load(request.param)


def test_there_are_some():
    assert KEPT


def test_it_is_fixed(failure):
    assert [run.violations for run in failure_file.replay(failure, guarded=True)] == [[], []]


def test_it_says_what_it_was(failure):
    assert failure.note
    assert failure.mutant in MUTANTS
