"""The model of the past convicts events, conditions and sums that do not fit."""

import pytest

from kvraft.core.actions import Action, ActionKind
from kvraft.core.codec import encode_entry
from kvraft.core.commands import Delete, Entry, Get, Put, Request, Txn, Update
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft.core.history import Revision
from kvraft.core.machine import StateMachine
from kvraft.core.results import GetResult, PutResult, TxnResult, Unmet
from kvraft.replica.batcher import AppliedBatch
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.past import ACCOUNTS, DEPOSIT, Past


class Log:
    """A chronicle that a real state machine writes, and that can be tampered with."""

    def __init__(self, *listeners):
        self.reported = []
        self.chronicle = Chronicle(lambda kind, _: self.reported.append(kind), lambda: 0.0, [])
        self.past = Past(self.chronicle)
        self.chronicle.listeners.append(self.past.on_chapter)
        self.machine = StateMachine()

    def apply(self, *commands, results=None, changes=None):
        entry = Entry(0, commands)
        index = self.machine.index + 1
        before = self.chronicle.before(self.machine, entry)
        batch = AppliedBatch(self.machine.apply(index, entry), self.machine.revisions)
        if results is not None:
            batch = AppliedBatch(results, self.machine.revisions)
        if changes is not None:
            self.machine.changes = changes
        self.chronicle.write(index, encode_entry(entry), batch, before)
        return batch.results


@pytest.fixture
def log():
    return Log()


ONE, TWO = Put(b"k", b"1"), Put(b"k", b"2")


def absent(key):
    return Clause(key, Target.EXISTS, Operator.EQ, (False,))


def test_what_stood_at_each_revision(log):
    log.apply(ONE, TWO)
    log.apply(Delete(b"k"))
    seen = [log.past.entry(b"k", revision) for revision in (1, 2, 3, 4)]
    assert [None if each is None else each.value for each in seen] == [None, b"1", b"2", None]
    for revision, entry in enumerate(seen, 1):
        log.past.check_read(b"k", revision, entry)
    log.past.check_live(log.machine)
    assert log.reported == []
    log.past.check_read(b"k", 2, seen[2])
    assert log.reported == ["wrong-read-of-the-past"]


def test_an_event_that_is_missing(log):
    log.apply(ONE, changes=[])
    log.past.check_live(log.machine)
    log.apply(TWO)
    assert log.reported == ["events-missing", "event-does-not-fit"]


def test_an_event_of_no_command(log):
    log.apply(ONE)
    event = log.machine.changes[0].events[0]._replace(before=(b"1", 2, 2, 1, 0))
    log.apply(Delete(b"other"), changes=[Revision(9, 0, (event,))])
    assert log.reported == ["events-of-nobody"]


def test_a_revision_that_is_given_twice(log):
    log.apply(ONE)
    first = log.machine.changes
    log.apply(TWO, changes=first)
    assert "revision-given-twice" in log.reported


CONDITIONS = [
    (absent(b"k"), False),
    (Not(absent(b"k")), True),
    (Clause(b"k", Target.VALUE, Operator.EQ, (b"1",)), True),
    (Clause(b"k", Target.NUMBER, Operator.GE, (2,)), False),
    (Clause(b"k", Target.NUMBER, Operator.GE, (1,)), True),
    (Clause(b"k", Target.VERSION, Operator.EQ, (1,)), True),
    (Clause(b"k", Target.MOD_REVISION, Operator.EQ, (3,)), False),
    (Clause(b"k", Target.COUNT, Operator.LT, (1,)), False),
    (Clause(b"other", Target.VALUE, Operator.NE, (b"1",)), True),
    (All((absent(b"other"), absent(b"k"))), False),
    (AnyOf((absent(b"other"), absent(b"k"))), True),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
def test_a_condition_is_decided_again(log, condition, holds):
    log.apply(ONE)
    log.apply(Request(Delete(b"other"), condition))
    assert log.reported == []
    assert log.past.conditions == 1
    wrong = Unmet(0, (), ()) if holds else log.machine.apply(9, Entry(0, (Delete(b"x"),)))[0]
    log.machine.index = 9
    log.apply(Request(Delete(b"other"), condition), results=[wrong])
    assert log.reported == ["wrong-condition"]


def test_a_condition_is_decided_where_its_command_stands(log):
    told = log.apply(Request(ONE, absent(b"k")), Request(TWO, absent(b"k")))
    assert [type(each) for each in told] == [PutResult, Unmet]
    assert log.reported == []


def test_a_transaction_that_reads_what_did_not_stand(log):
    txn = Txn(absent(b"k"), (ONE, Get(b"k")), ())
    (told,) = log.apply(txn)
    assert log.reported == []
    log.apply(Delete(b"k"))
    wrong = TxnResult(None, (told.results[0], GetResult(None)))
    log.apply(txn, results=[wrong])
    assert log.reported == ["wrong-read-in-txn"]


def test_money_that_is_lost_or_owed(log):
    log.apply(Txn(None, tuple(Put(key, str(DEPOSIT).encode()) for key in ACCOUNTS)))
    moves = [
        Update(key, (Action(ActionKind.ADD, amount),))
        for key, amount in zip(ACCOUNTS, (-DEPOSIT, DEPOSIT), strict=False)
    ]
    log.apply(Txn(None, tuple(moves)))
    assert log.reported == []
    log.apply(Txn(None, tuple(moves)))
    log.apply(Update(ACCOUNTS[2], (Action(ActionKind.ADD, 1),)))
    assert log.reported == ["bank-sum"] * 2


def test_history_that_goes_too_early(log):
    log.apply(ONE, TWO)
    log.past.check_gone(1, 2)
    assert log.reported == []
    log.past.check_gone(1, 3)
    assert log.reported == ["history-lost"]
