"""Served again in time, by what was measured and by what clients heard after the last heal."""

import pytest

from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event
from kvraft_chaos.run.directory import Mark
from kvraft_chaos.run.recovered import LEADER_MS, OPERATIONS_MS, recovered, recovery

MS = 1_000_000
HEALED_MS, FINALS_MS = 10_000, 18_000


def marks(leader_ms=300, operations_ms=400, silent=()):
    value = {"leader_ms": leader_ms, "operations_ms": operations_ms}
    return [
        Mark(0, "phase", "faults"),
        Mark(HEALED_MS * MS, "phase", "healed"),
        Mark((HEALED_MS + 500) * MS, "recovered", "", nodes=silent, value=value),
        Mark(FINALS_MS * MS, "phase", "finals"),
    ]


def operation(asked_ms, told_ms, completion="ok", error=None):
    return [
        Event(0, asked_ms * MS, 1, "invoke", "put", "k"),
        Event(1, told_ms * MS, 1, completion, "put", "k", error=error),
    ]


def judged(events, given):
    return recovered(recovery(events, given), given)


def test_in_time_is_valid():
    found = judged(operation(HEALED_MS, HEALED_MS + 100), marks())

    assert found.verdict is Verdict.VALID
    assert found.sentence == (
        "a leader 300 ms after the last heal (2000 allowed); "
        "all new operations succeed 400 ms after the last heal (5000 allowed)"
    )


@pytest.mark.parametrize(
    "late",
    [
        {"leader_ms": LEADER_MS + 1},
        {"leader_ms": None},
        {"operations_ms": OPERATIONS_MS + 1},
        {"operations_ms": None},
    ],
)
def test_too_late_is_invalid(late):
    assert judged([], marks(**late)).verdict is Verdict.INVALID


def test_a_node_that_did_not_come_back_is_named():
    found = judged([], marks(silent=("n2",)))

    assert found.verdict is Verdict.INVALID
    assert found.sentence.endswith("no answer from n2")


@pytest.mark.parametrize(
    ("completion", "error"),
    [
        ("info", "OutcomeUnknown: deadline"),
        ("fail", "NoQuorum: nobody leads"),
        ("fail", "Unreachable: no endpoint"),
        ("info", "DeadlineExceeded: time is up"),
    ],
)
def test_what_clients_were_not_served_counts(completion, error):
    late = operation(HEALED_MS + 3_500, HEALED_MS + 5_600, completion, error)
    early = operation(HEALED_MS + 100, HEALED_MS + 900, completion, error)

    assert judged(late, marks()).verdict is Verdict.INVALID
    assert judged(early, marks()).verdict is Verdict.VALID
    assert recovery(early, marks())["operations_ms"] == 900


def test_what_was_asked_before_the_heal_or_at_the_end_does_not_count():
    before = operation(HEALED_MS - 100, HEALED_MS + 6_000, "info", "OutcomeUnknown: broken")
    at_the_end = operation(FINALS_MS + 100, FINALS_MS + 200, "fail", "NoQuorum: x")

    assert recovery(before, marks())["operations_ms"] == 400
    assert recovery(at_the_end, marks())["operations_ms"] == 400


def test_a_refusal_by_the_state_is_a_service():
    refused = operation(HEALED_MS, HEALED_MS + 6_000, "fail", "LockTimeout: not had within 1 s")

    assert recovery(refused, marks())["operations_ms"] == 400


def test_a_run_without_the_measure_is_unknown():
    found = judged([], [Mark(0, "phase", "faults")])

    assert found.verdict is Verdict.UNKNOWN
