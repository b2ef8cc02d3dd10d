"""The state machine against the naive oracle, with freezes, snapshots and reloads in between.

Twice: by hypothesis, which shrinks what it finds, and in long seeded runs, which go further.
A longer one: `python -m core_campaign` (see there).
"""

from collections import Counter

import pytest
from core_campaign import PIECES, SMALL_PIECES, Campaign
from core_pair import Pair
from core_traffic import PASSED_MS, SMALL_LIMITS, Traffic
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kvraft.core.errors import Reason


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.pair = Pair(SMALL_LIMITS)
        self.traffic = Traffic(self.pair.oracle)
        self.chosen = 0

    @rule(
        gap=st.integers(1, 3),
        passed_ms=st.none() | st.sampled_from(PASSED_MS),
        count=st.integers(1, 6),
        random=st.randoms(use_true_random=False),
        chosen=st.integers(0, 30),
    )
    def entry(self, gap, passed_ms, count, random, chosen):
        self.chosen = chosen
        commands = [self.traffic.command(random) for _ in range(count)]
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
        self.pair.check(self.chosen)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    for name, size in SMALL_PIECES.items():
        monkeypatch.setattr(name, size)


Machine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestMachineAgainstOracle = Machine.TestCase


def test_long_runs_stay_equal_and_meet_every_answer():
    answers = Counter()
    for seed in range(20):
        answers += Campaign(seed).run(1_500)
    assert answers.total() >= 30_000
    assert answers.keys() & set(Reason) == {
        Reason.ABANDONED,
        Reason.ALREADY_HELD,
        Reason.DEADLOCK,
        Reason.FENCE_REQUIRED,
        Reason.INVALID,
        Reason.INVARIANT,
        Reason.KEY_REUSED,
        Reason.LEASE_EXISTS,
        Reason.LEASE_FULL,
        Reason.LEASE_NOT_FOUND,
        Reason.LOCK_MODE,
        Reason.LOCK_NOT_FOUND,
        Reason.MEMBER_UNKNOWN,
        Reason.OVERLOAD,
        Reason.SESSION_EXPIRED,
        Reason.STALE_FENCE,
        Reason.TOO_LARGE,
        Reason.TOO_MANY_ENTRIES,
        Reason.TOO_MANY_GUARDS,
        Reason.TOO_MANY_INVARIANTS,
        Reason.TOO_MANY_LEASES,
        Reason.TOO_MANY_LOCKS,
        Reason.TOO_MANY_WAITERS,
        Reason.TTL_OUT_OF_RANGE,
        Reason.WRONG_TYPE,
    }
    assert min(answers.values()) >= 10, answers
