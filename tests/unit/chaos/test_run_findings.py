"""What is asked of every run: each question answered both ways."""

import pytest

from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event
from kvraft_chaos.run import findings
from kvraft_chaos.run.directory import Mark

NODES = ("n1", "n2", "n3")
QUIET = ["2026-11-21 08:00:00,000 n1 INFO serving clients on 127.0.0.1:1, peers on 127.0.0.1:2"]
LED = ["2026-11-21 08:00:01,000 n1 INFO leads term 1: elected by n1, n2"]
ENDED = ["2026-11-21 08:00:02,000 n3 CRITICAL stopping: log: no space left"]
SURPRISED = ["Traceback (most recent call last):", '  File "x.py", line 1, in <module>']


def logs(**given):
    return {name: given.get(name, QUIET) for name in NODES}


def leader(node, term):
    return Mark(0, "leader", node, value=term)


def strike(name, *nodes):
    return Mark(0, "strike", name, nodes=nodes)


def hashes(**digests):
    return [
        Event(index, 0, 9, "ok", findings.STATE_HASH, value={"digest": digest}, node=node)
        for index, (node, digest) in enumerate(digests.items())
    ]


def test_a_leader_is_seen_in_logs_and_from_outside():
    assert findings.leaders(logs(n1=LED), [leader("n1", 1)]).verdict is Verdict.VALID
    assert findings.leaders(logs(n1=LED), [leader("n2", 1)]).verdict is Verdict.INVALID
    assert findings.leaders(logs(n1=LED, n2=LED), []).verdict is Verdict.INVALID
    assert findings.leaders(logs(), []).verdict is Verdict.UNKNOWN


def test_a_node_that_ended_by_itself_is_a_crash():
    found = findings.crashes(logs(n3=ENDED), [strike("kill", "n3")])

    assert found.verdict is Verdict.INVALID
    assert "n3, line 1 of its log" in found.sentence
    assert findings.crashes(logs(), []).verdict is Verdict.VALID


def test_a_node_whose_disk_was_full_has_to_end():
    assert findings.crashes(logs(n3=ENDED), [strike("full-disk", "n3")]).verdict is Verdict.VALID
    assert findings.crashes(logs(n3=ENDED), [strike("full-disk", "n2")]).verdict is Verdict.INVALID


def test_a_surprise_is_a_crash_in_any_case():
    found = findings.crashes(logs(n3=SURPRISED), [strike("full-disk", "n3")])

    assert found.verdict is Verdict.INVALID


def test_states_are_equal_or_different_or_not_known():
    assert findings.states(hashes(n1="a", n2="a", n3="a"), NODES).verdict is Verdict.VALID
    different = findings.states(hashes(n1="a", n2="b", n3="a"), NODES)
    assert different.verdict is Verdict.INVALID
    assert different.sentence == "the nodes hold different states: n1+n3 a, n2 b"
    assert list(different.contradiction) == [0, 1, 2]
    missing = findings.states(hashes(n1="a", n3="a"), NODES)
    assert (missing.verdict, missing.sentence) == (Verdict.UNKNOWN, "no state hash of n2")
    assert findings.states(hashes(n1="a", n2="b"), NODES).verdict is Verdict.INVALID


@pytest.mark.parametrize(
    ("phases", "verdict"),
    [
        (("setup", "faults", "healed", "finals", "end"), Verdict.VALID),
        (("setup", "faults", "healed", "finals"), Verdict.UNKNOWN),
        (("setup",), Verdict.UNKNOWN),
        ((), Verdict.UNKNOWN),
    ],
)
def test_a_run_that_broke_off_says_so(phases, verdict):
    found = findings.complete([Mark(0, "phase", each) for each in phases])

    assert found.verdict is verdict
    if verdict is Verdict.UNKNOWN:
        assert found.sentence.endswith(phases[-1] if phases else "nothing")


@pytest.mark.parametrize(
    ("operations", "unknown", "verdict"),
    [
        (100, 10, Verdict.VALID),
        (100, 11, Verdict.UNKNOWN),
        (0, 0, Verdict.UNKNOWN),
    ],
)
def test_too_much_that_is_unknown_proves_nothing(operations, unknown, verdict):
    assert findings.share(operations, unknown).verdict is verdict
