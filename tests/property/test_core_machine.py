"""The state machine against the naive oracle, with freezes, snapshots and reloads in between.

Twice: by hypothesis, which shrinks what it finds, and in long seeded runs, which go further.
"""

from collections import Counter
from random import Random

import pytest
from core_pair import Pair
from core_strategies import meeting_command, random_command, small_limits
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kvraft.core.errors import Reason

PASSED_MS = [0, 1, 1, 2, 2, 10, 50, 100, 400, 1_000, 2_500]
PIECES = [1, 7, 64, 1 << 20]


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.pair = Pair(small_limits)

    @rule(
        gap=st.integers(1, 3),
        passed_ms=st.none() | st.sampled_from(PASSED_MS),
        commands=st.lists(meeting_command, min_size=1, max_size=8),
    )
    def entry(self, gap, passed_ms, commands):
        self.pair.apply(commands, gap=gap, passed_ms=passed_ms)

    @precondition(lambda self: len(self.pair.frozen) < 3)
    @rule()
    def freeze(self):
        self.pair.freeze()

    @precondition(lambda self: self.pair.frozen)
    @rule(choice=st.integers(0, 2), steps=st.integers(1, 9))
    def read_on(self, choice, steps):
        self.pair.read_on(choice, steps)

    @precondition(lambda self: self.pair.frozen)
    @rule(choice=st.integers(0, 2))
    def release(self, choice):
        self.pair.release(choice)

    @rule(piece=st.sampled_from(PIECES))
    def reload(self, piece):
        self.pair.reload(piece)

    @invariant()
    def equal(self):
        self.pair.check()


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    """Cut chunks and blocks so small that a handful of keys crosses many of them."""
    monkeypatch.setattr("kvraft.core.table.TABLE_CHUNK_RECORDS", 2)
    monkeypatch.setattr("kvraft.core.frozen.SNAPSHOT_BLOCK_BYTES", 48)
    monkeypatch.setattr("kvraft.core.machine.DISCARDED_PER_APPLY", 1)


Machine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestMachineAgainstOracle = Machine.TestCase


def move(pair, random):
    """Make one random move; returns what was answered, if it was an entry."""
    kind = random.randrange(20)
    if kind == 0 and len(pair.frozen) < 3:
        pair.freeze()
    elif kind in (1, 2) and pair.frozen:
        pair.read_on(random.randrange(3), random.randint(1, 9))
    elif kind == 3 and pair.frozen:
        pair.release(random.randrange(3))
    elif kind == 4:
        pair.reload(random.choice(PIECES))
    else:
        commands = [random_command(random) for _ in range(random.randint(0, 6))]
        return pair.apply(commands, passed_ms=random.choice([None, *PASSED_MS]))
    return []


def test_long_runs_stay_equal_and_meet_every_answer():
    answers = Counter()
    for seed in range(20):
        random, pair = Random(seed), Pair(small_limits)
        for _ in range(400):
            told = move(pair, random)
            answers.update(one if isinstance(one, str) else type(one).__name__ for one in told)
            pair.check()
    assert answers.keys() & set(Reason) == {
        Reason.INVALID,
        Reason.LEASE_EXISTS,
        Reason.LEASE_FULL,
        Reason.LEASE_NOT_FOUND,
        Reason.MEMBER_UNKNOWN,
        Reason.TOO_MANY_ENTRIES,
        Reason.TOO_MANY_LEASES,
        Reason.TTL_OUT_OF_RANGE,
    }
    assert min(answers.values()) >= 10, answers
