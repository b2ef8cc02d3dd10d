"""The chronicle and the account convict what a hand-made log cannot explain."""

import pytest

from kvraft.core.codec import encode_entry
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    Entry,
    Expect,
    KeyIdentity,
    LeaseKeepAlive,
    Put,
    Request,
    Resolve,
)
from kvraft.core.machine import StateMachine
from kvraft.core.results import CasResult, DeleteResult, KeyValue, PutResult
from kvraft.replica.batcher import AppliedBatch
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.lease_watch import Removal


class Log:
    """A chronicle that a real state machine writes."""

    def __init__(self):
        self.reported = []
        self.chronicle = Chronicle(lambda kind, _: self.reported.append(kind), lambda: 0.0, [])
        self.account = Account(self.chronicle)
        self.machine = StateMachine()

    def apply(self, *commands, stamp_ms=0):
        entry = Entry(stamp_ms, commands)
        index = self.machine.index + 1
        before = self.chronicle.before(self.machine, entry)
        batch = AppliedBatch(self.machine.apply(index, entry), self.machine.revisions)
        self.chronicle.write(index, encode_entry(entry), batch, before)
        return index, batch


@pytest.fixture
def log():
    return Log()


PUT = Put(b"k", b"1")


def test_an_honest_run_is_acquitted(log):
    asked = log.account.ask(PUT)
    index, batch = log.apply(PUT)
    log.account.tell(asked, batch.results[0], index, batch.revisions[0])
    read = log.chronicle.moment()
    log.account.read("get", index, read)
    log.account.saw(b"k", log.machine.get(b"k"), read)
    log.account.judge([])
    assert log.reported == []
    assert log.account.done == 2


@pytest.mark.parametrize("change", ["payload", "results", "revisions", "time", "events"])
def test_another_node_with_another_outcome(log, change):
    index, batch = log.apply(PUT)
    payload = encode_entry(Entry(1 if change == "payload" else 0, (PUT,)))
    results = [DeleteResult(0)] if change == "results" else batch.results
    revisions = [9] if change == "revisions" else batch.revisions
    if change == "time":
        log.machine.cluster_time_ms = 5
    if change == "events":
        log.machine.changes = []
    log.chronicle.compare("B", index, payload, AppliedBatch(results, revisions), log.machine)
    assert log.reported == ["state-divergence"]


def test_another_node_with_the_same_outcome(log):
    index, batch = log.apply(PUT)
    log.chronicle.compare("B", index, encode_entry(Entry(0, (PUT,))), batch, log.machine)
    assert log.reported == []


def test_another_state_at_the_same_index(log):
    log.apply(PUT)
    log.chronicle.compare_state("A", log.machine)
    log.chronicle.compare_state("B", log.machine)
    assert log.reported == []
    other = StateMachine()
    other.apply(1, Entry(0, (Put(b"k", b"2"),)))
    log.chronicle.compare_state("C", other)
    assert log.reported == ["state-hash"]


def test_an_answer_that_the_log_does_not_hold(log):
    asked = log.account.ask(PUT)
    index, batch = log.apply(PUT)
    wrong = PutResult(KeyValue(b"k", b"1", 7, 7, 1, 0))
    log.chronicle.check_answer(PUT, index, wrong, asked.moment)
    log.chronicle.check_answer(PUT, index + 1, batch.results[0], asked.moment)
    assert log.reported == ["wrong-answer"] * 2


def test_an_answer_from_before_the_question(log):
    index, batch = log.apply(PUT)
    asked = log.account.ask(PUT)
    log.chronicle.check_answer(PUT, index, batch.results[0], asked.moment)
    assert log.reported == ["wrong-answer"]


@pytest.mark.parametrize("late", [True, False])
def test_a_read_must_have_seen_what_was_applied_before_it_was_asked(log, late):
    index, _ = log.apply(PUT)
    asked = log.chronicle.moment()
    if late:
        log.apply(Put(b"other", b"2"))
        log.account.read("get", index, asked)
        assert log.reported == []
        asked = log.chronicle.moment()
    log.account.read("get", index, asked)
    assert log.reported == (["stale-read"] if late else [])


def test_an_acknowledged_write_that_the_log_lost(log):
    log.account.answered[PUT] = 1
    log.account.judge([])
    assert log.reported == ["acknowledged-write-lost"]


@pytest.mark.parametrize(
    ("told", "times", "found"),
    [
        ("refused", 1, ["refused-but-applied"]),
        ("refused", 0, []),
        ("unknown", 0, []),
        ("unknown", 1, []),
        ("unknown", 2, ["applied-twice"]),
    ],
)
def test_what_a_failure_says_about_the_log(log, told, times, found):
    log.account.deny(log.account.ask(PUT), unknown=told == "unknown")
    for _ in range(times):
        log.apply(PUT)
    log.account._judge_counts()
    assert log.reported == found


def test_keepalives_may_be_repeated(log):
    keepalive = LeaseKeepAlive(7)
    log.account.deny(log.account.ask(keepalive), unknown=False)
    log.apply(keepalive)
    log.account.judge([])
    assert log.reported == []


def test_a_client_that_dies_never_knows(log):
    asked = log.account.ask(PUT)
    log.apply(PUT)
    log.account.crash([asked])
    log.account.judge([])
    assert log.reported == []
    assert log.account.unknown[PUT] == 1


def test_a_key_that_went_with_its_lease_may_be_absent_and_no_other(log):
    index, batch = log.apply(PUT)
    log.account.tell(log.account.ask(PUT), batch.results[0], index, batch.revisions[0])
    log.reported.clear()  # asked behind the entry: another test's subject
    moment = log.chronicle.moment()
    log.account.saw(b"k", None, log.chronicle.moment())
    log.account.judge([Removal(b"k", batch.revisions[0] + 1, moment)])
    assert log.reported == []


def test_a_key_that_vanished_without_a_reason(log):
    asked = log.account.ask(PUT)
    index, batch = log.apply(PUT)
    log.account.tell(asked, batch.results[0], index, batch.revisions[0])
    log.account.saw(b"k", None, log.chronicle.moment())
    log.account.judge([])
    assert log.reported == ["not-linearizable"]


ENTRY = KeyValue(b"k", b"1", 3, 5, 2, 0)


@pytest.mark.parametrize(
    ("expect", "result", "guilty"),
    [
        (Expect(version=1), CasResult(True, ENTRY), False),
        (Expect(version=2), CasResult(True, ENTRY), True),
        (Expect(version=2), CasResult(False, ENTRY), True),
        (Expect(version=1), CasResult(False, ENTRY), False),
        (Expect(create_revision=3), CasResult(True, ENTRY), False),
        (Expect(create_revision=4), CasResult(True, ENTRY), True),
        (Expect(create_revision=4), CasResult(False, None), False),
        (Expect(mod_revision=4, version=2), CasResult(False, ENTRY), False),
    ],
)
def test_conditions_on_version_and_creation(log, expect, result, guilty):
    log.account._check_expectation(expect, result)
    assert log.reported == (["wrong-condition"] if guilty else [])


def test_a_swap_against_a_condition_that_did_not_hold(log):
    first = log.account.ask(PUT)
    index, batch = log.apply(PUT)
    log.account.tell(first, batch.results[0], index, batch.revisions[0])
    swap = CompareAndSet(b"k", b"2", Expect(value=b"9"))
    log.account._record(
        "cas",
        "k",
        {"value": "2", "expect": {"value": "9"}},
        {"succeeded": True, "mod_revision": 9},
        log.account.ask(swap).moment,
    )
    log.account.judge([])
    assert log.reported == ["not-linearizable"]


NAMED = Request(PUT, identity=KeyIdentity(b"name"))


@pytest.mark.parametrize("was_done", [False, True])
def test_what_its_client_settled_as_never_applied_is_owed_by_nobody(log, was_done):
    """The answer to the question was lost, and the client sent the request again (seed 6374)."""
    asked = log.account.ask(NAMED)
    log.apply(Resolve(NAMED.identity))
    index, batch = log.apply(NAMED)
    log.account.tell(asked, batch.results[0], index, batch.revisions[0])
    if was_done:
        log.chronicle.applied[NAMED] += 1
    log.account.judge([])
    assert log.reported == (["refused-but-applied"] if was_done else [])


def test_a_key_that_was_of_another_request_is_nobodys_wish(log):
    """Clients name each request anew: that the store knows the name is no answer."""
    asked = log.account.ask(NAMED)
    log.apply(Request(Delete(b"k"), identity=NAMED.identity))
    index, batch = log.apply(NAMED)
    log.account.tell(asked, batch.results[0], index, batch.revisions[0])
    log.account.judge([])
    assert log.reported == ["acknowledged-write-lost"]


def test_a_node_that_is_behind_at_the_end(log):
    log.apply(PUT)
    log.apply(Delete(b"k"))
    log.account.check_durable("A", 2)
    assert log.reported == []
    log.account.check_durable("A", 1)
    assert log.reported == ["acknowledged-write-lost"]
