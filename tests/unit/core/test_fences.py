"""Fences: a mutation that carries one is applied only while its lock is held with that token."""

import pytest
from core_locks import EXCLUSIVE, SHARED, fence, free, wish, with_lease
from core_states import apply, bootstrapped

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    Fence,
    Get,
    GuardPrefix,
    KeyIdentity,
    LeaseGrant,
    Put,
    Request,
    Txn,
    Update,
)
from kvraft.core.conditions import All, Clause, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.guards import Guards
from kvraft.core.history import Cause
from kvraft.core.results import GuardResult, PutResult, Refused, Replayed, TxnResult, Unmet


@pytest.fixture
def machine():
    return with_lease(bootstrapped())


def fenced(mutation, *fences, **how):
    return Request(mutation, fences=fences, **how)


def clause(lock, operator, token):
    return Clause(lock, Target.FENCE, operator, (token,))


# -- fences


def test_a_write_with_the_holders_fence_is_applied_and_says_so(machine):
    apply(machine, wish("a", "x"))
    assert isinstance(apply(machine, fenced(Put(b"k", b""), fence(machine, "x"))), PutResult)
    assert [event.cause for event in machine.changes[0].events] == [Cause.FENCED]
    apply(machine, fenced(DeleteRange(b"", None), fence(machine, "x")))
    assert [event.cause for event in machine.changes[0].events] == [Cause.FENCED]
    apply(machine, Put(b"k", b""))
    assert [event.cause for event in machine.changes[0].events] == [Cause.REQUEST]


def test_a_superseded_token_is_refused_and_the_holders_named(machine):
    apply(machine, wish("a", "x"), wish("b", "x"), free("a"))
    message = "token 1 of lock b'x' is not valid: it is held with 2"
    assert apply(machine, fenced(Put(b"k", b""), Fence(b"x", 1))) == Refused(
        Reason.STALE_FENCE, message
    )
    apply(machine, free("b"))
    refused = apply(machine, fenced(Put(b"k", b""), Fence(b"x", 2)))
    assert refused.message == "token 2 of lock b'x' is not valid: nobody holds it"
    assert machine.key_count == 0


def test_the_token_of_a_gone_reader_is_stale_while_others_hold(machine):
    apply(machine, *(wish(f"r{n}", "x", mode=SHARED) for n in range(7)), free("r0"))
    refused = apply(machine, fenced(Put(b"k", b""), Fence(b"x", 1)))
    assert refused.message.endswith("it is held with 2, 3, 4, 5, ...")
    assert isinstance(apply(machine, fenced(Put(b"k", b""), Fence(b"x", 7))), PutResult)


def test_the_token_of_another_lock_does_not_pass(machine):
    apply(machine, wish("a", "x"), wish("b", "y"))
    assert apply(machine, fenced(Put(b"k", b""), Fence(b"y", 1))).reason is Reason.STALE_FENCE


def test_all_fences_must_hold_and_the_first_bad_one_is_named(machine):
    apply(machine, wish("a", "x"))
    both = (Fence(b"x", 1), Fence(b"y", 5), Fence(b"z", 6))
    assert "of lock b'y'" in apply(machine, fenced(Put(b"k", b""), *both)).message


def test_identity_comes_before_fences_and_fences_before_the_condition(machine):
    apply(machine, wish("a", "x"))
    put = fenced(Put(b"k", b""), Fence(b"x", 1), identity=KeyIdentity(b"i"))
    done = apply(machine, put)
    apply(machine, free("a"))
    assert apply(machine, put) == Replayed(done, machine.revision - 1)
    missing = Clause(b"absent", Target.EXISTS, Operator.EQ, (True,))
    stale = fenced(Put(b"k", b""), Fence(b"x", 1), condition=missing)
    assert apply(machine, stale).reason is Reason.STALE_FENCE


def test_a_stale_fence_is_recorded_like_any_refusal(machine):
    put = fenced(Put(b"k", b""), Fence(b"x", 1), identity=KeyIdentity(b"i"))
    refused = apply(machine, put)
    apply(machine, wish("a", "x"))
    assert machine.holds(b"x", 1)
    assert apply(machine, put) == Replayed(refused, machine.revision - 1)


def test_the_same_request_with_another_fence_is_another_request(machine):
    apply(machine, wish("a", "x"), wish("b", "y"))
    apply(machine, fenced(Put(b"k", b""), Fence(b"x", 1), identity=KeyIdentity(b"i")))
    other = fenced(Put(b"k", b""), Fence(b"y", 2), identity=KeyIdentity(b"i"))
    assert apply(machine, other).reason is Reason.KEY_REUSED


# -- the clause


def test_a_clause_asks_whether_a_token_is_a_holders(machine):
    apply(machine, wish("a", "x", mode=SHARED), wish("b", "x", mode=SHARED))
    for operator, token, outcome in (
        (Operator.EQ, 2, True),
        (Operator.EQ, 3, False),
        (Operator.NE, 2, False),
        (Operator.NE, 3, True),
    ):
        answer = apply(machine, Request(Put(b"k", b""), clause(b"x", operator, token)))
        assert isinstance(answer, PutResult) is outcome
    assert isinstance(
        apply(machine, Request(Put(b"k", b""), clause(b"y", Operator.NE, 1))), PutResult
    )


def test_a_lock_in_a_condition_is_no_key(machine):
    apply(machine, Put(b"x", b""), Put(b"k", b"1"))
    condition = All((clause(b"x", Operator.EQ, 1), Clause(b"k", Target.VERSION, Operator.EQ, (1,))))
    answer = apply(machine, Request(Put(b"k", b""), condition))
    assert isinstance(answer, Unmet)
    assert (answer.clause, [entry.key for entry in answer.entries]) == (0, [b"k"])


def test_a_transactions_own_condition_can_ask_for_a_token(machine):
    apply(machine, wish("a", "x"))
    txn = Txn(clause(b"x", Operator.EQ, 1), (Put(b"k", b"then"),), (Put(b"k", b"else"),))
    apply(machine, txn)
    assert machine.get(b"k").value == b"then"
    apply(machine, free("a"), txn)
    assert machine.get(b"k").value == b"else"


# -- guards


def needs(answer, lock=None):
    assert answer.reason is Reason.FENCE_REQUIRED, answer
    assert lock is None or f"holder of lock {lock!r}" in answer.message
    return True


WRITES = [
    Put(b"p/k", b"2"),
    CompareAndSet(b"p/k", b"2", Expect(value=b"1")),
    Update(b"p/k", (Action(ActionKind.SET, b"2"),)),
    Update(b"p/k", (Action(ActionKind.DELETE),)),
    Delete(b"p/k"),
    DeleteRange(b"", None),
    DeleteRange(b"p/k", b"p/k\0"),
    Txn(None, (Get(b"p/k"), Put(b"free", b""), Put(b"p/k", b"2"))),
]


@pytest.mark.parametrize("write", WRITES, ids=repr)
def test_every_way_to_change_a_guarded_key_needs_its_locks_fence(machine, write):
    apply(machine, Put(b"p/k", b"1"), GuardPrefix(b"p/", lock=b"x"))
    apply(machine, wish("a", "x"), wish("b", "y"))
    revision = machine.revision
    assert needs(apply(machine, write), b"x")
    assert needs(apply(machine, fenced(write, Fence(b"y", 2))), b"x")
    assert (machine.revision, machine.get(b"p/k").value) == (revision, b"1")
    assert not isinstance(apply(machine, fenced(write, Fence(b"x", 1))), Refused)
    assert machine.revision == revision + 1


@pytest.mark.parametrize(
    "nothing",
    [
        Delete(b"p/absent"),
        CompareAndSet(b"p/k", b"2", Expect(value=b"9")),
        DeleteRange(b"p/l", None),
        DeleteRange(b"", b"p/k"),
        Update(b"p/k", (Action(ActionKind.SET_IF_ABSENT, b"2"),)),
    ],
    ids=repr,
)
def test_what_changes_no_guarded_key_needs_none(machine, nothing):
    apply(machine, Put(b"p/k", b"1"), GuardPrefix(b"p/", lock=b"x"))
    assert not isinstance(apply(machine, nothing), Refused)


def test_the_longest_guarded_prefix_decides(machine):
    apply(machine, GuardPrefix(b"p", lock=b"x"), GuardPrefix(b"p/q", lock=b"y"))
    apply(machine, wish("a", "x"), wish("b", "y"))
    assert needs(apply(machine, fenced(Put(b"p/qq", b""), Fence(b"x", 1))), b"y")
    assert needs(apply(machine, fenced(Put(b"p/", b""), Fence(b"y", 2))), b"x")
    assert isinstance(apply(machine, fenced(Put(b"p/qq", b""), Fence(b"y", 2))), PutResult)
    apply(machine, GuardPrefix(b"p/q"))
    assert isinstance(apply(machine, fenced(Put(b"p/qr", b""), Fence(b"x", 1))), PutResult)


def test_a_guard_per_key_needs_the_lock_named_like_the_key(machine):
    apply(machine, GuardPrefix(b"p/", per_key=True), wish("a", "p/1"), wish("b", "p/2"))
    assert needs(apply(machine, fenced(Put(b"p/2", b""), Fence(b"p/1", 1))), b"p/2")
    both = (Fence(b"p/1", 1), Fence(b"p/2", 2))
    txn = Txn(None, (Put(b"p/1", b""), Put(b"p/2", b"")))
    assert needs(apply(machine, fenced(txn, both[0])), b"p/2")
    assert isinstance(apply(machine, fenced(txn, *both)), TxnResult)
    assert needs(apply(machine, fenced(DeleteRange(b"p", None), both[0])), b"p/2")
    assert not isinstance(apply(machine, fenced(DeleteRange(b"p", None), *both)), Refused)


def test_a_key_too_long_to_name_a_lock_can_never_be_written_under_one_for_each_key(machine):
    apply(machine, GuardPrefix(b"p", per_key=True))
    message = apply(machine, Put(b"p" * 513, b"")).message
    assert "of 513 bytes can never be written" in message
    assert needs(apply(machine, Put(b"p" * 512, b"")))


def test_a_shared_token_does_not_satisfy_a_guard(machine):
    apply(machine, GuardPrefix(b"p", lock=b"x"), wish("a", "x", mode=SHARED))
    assert needs(apply(machine, fenced(Put(b"p", b""), Fence(b"x", 1))))
    apply(machine, free("a"), wish("b", "x", mode=EXCLUSIVE))
    assert isinstance(apply(machine, fenced(Put(b"p", b""), Fence(b"x", 2))), PutResult)


def test_the_end_of_a_lease_is_exempt_from_guards(machine):
    apply(machine, LeaseGrant(1_000, lease_id=5), Put(b"p", b"", lease_id=5), at=0)
    apply(machine, Put(b"q", b"", ttl_ms=1_000), GuardPrefix(b"", lock=b"x"))
    apply(machine, at=1_000)
    assert machine.key_count == 0


def test_a_range_over_several_guards_needs_the_fences_of_all_that_hold_keys(machine):
    apply(machine, *(Put(key, b"") for key in (b"a1", b"b1", b"ba1", b"c1", b"d1")))
    for prefix, lock in ((b"b", b"x"), (b"ba", b"y"), (b"bb", b"none"), (b"d", b"z")):
        apply(machine, GuardPrefix(prefix, lock=lock))
    apply(machine, wish("a", "x", "y", "z"))
    x, y, z = Fence(b"x", 1), Fence(b"y", 2), Fence(b"z", 3)
    assert needs(apply(machine, fenced(DeleteRange(b"", None), y, z)), b"x")
    assert needs(apply(machine, fenced(DeleteRange(b"", None), x, z)), b"y")
    assert needs(apply(machine, fenced(DeleteRange(b"", None), x, y)), b"z")
    assert apply(machine, fenced(DeleteRange(b"", b"d"), x, y)).deleted == 4
    assert apply(machine, fenced(DeleteRange(b"", None), x, y, z)).deleted == 1


def test_a_range_costs_its_guards_and_not_its_keys(machine, monkeypatch):
    apply(machine, GuardPrefix(b"p", lock=b"x"), wish("a", "x"))
    for start in range(0, 2_000, 500):
        puts = (Put(b"p%04d" % n, b"") for n in range(start, start + 500))
        apply(machine, *(fenced(put, Fence(b"x", 1)) for put in puts))
    looked = []
    deciding = Guards._deciding
    monkeypatch.setattr(
        Guards, "_deciding", lambda self, key: looked.append(key) or deciding(self, key)
    )
    apply(machine, fenced(DeleteRange(b"", None), Fence(b"x", 1)))
    assert looked == [b"p0000"]


def test_setting_a_guard_takes_a_revision_only_where_it_changes_something(machine):
    revision = machine.revision
    assert apply(machine, GuardPrefix(b"q", lock=b"x")) == GuardResult(b"q")
    apply(machine, GuardPrefix(b"p", per_key=True), GuardPrefix(b"q", lock=b"x"))
    assert machine.guards() == (GuardPrefix(b"p", per_key=True), GuardPrefix(b"q", lock=b"x"))
    apply(machine, GuardPrefix(b"q", lock=b"y"), GuardPrefix(b"p"), GuardPrefix(b"p"))
    assert machine.guards() == (GuardPrefix(b"q", lock=b"y"),)
    assert machine.revision == revision + 4


def test_guards_are_bounded_in_number_and_in_lengths():
    machine = bootstrapped(guards=2, prefix_lengths=1)
    apply(machine, GuardPrefix(b"a", lock=b"x"))
    assert apply(machine, GuardPrefix(b"bb", lock=b"x")) == Refused(
        Reason.TOO_MANY_GUARDS, "prefixes of 1 lengths are guarded, the limit prefix_lengths is 1"
    )
    apply(machine, GuardPrefix(b"b", lock=b"x"))
    assert apply(machine, GuardPrefix(b"c", lock=b"x")) == Refused(
        Reason.TOO_MANY_GUARDS, "2 prefixes are guarded, the limit guards is 2"
    )
    apply(machine, GuardPrefix(b"a"), GuardPrefix(b"b"))
    assert apply(machine, GuardPrefix(b"cc", lock=b"x")) == GuardResult(b"cc")
