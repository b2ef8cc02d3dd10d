"""Invariants: what later values of a key, or of all keys under a prefix, must satisfy."""

import pytest
from core_states import apply, bootstrapped, digest, encoding, loaded

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    LeaseGrant,
    LeaseRevoke,
    Put,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.errors import Reason
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    InvariantResult,
    PutResult,
    Refused,
    UpdateResult,
)

KEY = b"acct/1"
BALANCE = SetInvariant(b"acct/", True, minimum=0, maximum=100)
FIXED = SetInvariant(b"fixed/", True, immutable=True)
ABSENT = Expect(absent=True)


def demanding(*invariants, **limits):
    machine = bootstrapped(**limits)
    apply(machine, *invariants)
    return machine


def add(amount, key=KEY):
    return Update(key, (Action(ActionKind.ADD, amount),))


def broken(message):
    return Refused(Reason.INVARIANT, message)


@pytest.mark.parametrize("value", [b"0", b"100"])
def test_a_value_at_a_bound_is_written(value):
    machine = demanding(BALANCE)
    assert isinstance(apply(machine, Put(KEY, value)), PutResult)
    assert isinstance(apply(machine, CompareAndSet(KEY, value, Expect(value=value))), CasResult)
    assert isinstance(apply(machine, add(0)), UpdateResult)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"-1", "the value -1 is below the minimum 0"),
        (b"101", "the value 101 is above the maximum 100"),
        (b"many", "the value b'many' is not an int64 in decimal"),
        (b"", "the value b'' is not an int64 in decimal"),
    ],
)
@pytest.mark.parametrize(
    "write",
    [
        lambda value: Put(KEY, value),
        lambda value: CompareAndSet(KEY, value, ABSENT),
        lambda value: Update(KEY, (Action(ActionKind.SET, value),)),
    ],
    ids=["put", "cas", "update"],
)
def test_a_value_that_breaks_one_is_refused(write, value, why):
    machine = demanding(BALANCE)
    refused = apply(machine, write(value))
    assert refused == broken(f"the invariant of prefix b'acct/': {why}")
    assert (machine.key_count, machine.changes) == (0, [])
    inside = (
        apply(machine, Txn(None, (write(value),)))
        if not isinstance(write(value), CompareAndSet)
        else refused
    )
    assert inside.reason is Reason.INVARIANT


def test_what_stands_when_it_is_set_may_stay_and_is_checked_when_it_changes():
    machine = bootstrapped()
    apply(machine, Put(KEY, b"500"))
    apply(machine, BALANCE)
    assert machine.get(KEY).value == b"500"
    assert apply(machine, add(-1)).reason is Reason.INVARIANT
    assert apply(machine, add(-450)).entry.value == b"50"
    assert apply(machine, Delete(KEY)) == DeleteResult(1)


def test_all_that_match_are_checked():
    machine = demanding(
        SetInvariant(b"", True, minimum=-9),
        SetInvariant(b"a", True, maximum=9),
        SetInvariant(b"ab", False, minimum=5),
        SetInvariant(b"abc", True, minimum=8),
    )

    def told(key, value):
        result = apply(machine, Put(key, value))
        return result.message.split(": ")[0] if isinstance(result, Refused) else None

    assert told(b"ab", b"5") is None
    assert told(b"ab", b"4") == "the invariant of key b'ab'"
    assert told(b"ab", b"10") == "the invariant of prefix b'a'"
    assert told(b"abd", b"4") is None, "a key's own is not a prefix"
    assert told(b"abc", b"7") == "the invariant of prefix b'abc'"
    assert told(b"abcd", b"7") == "the invariant of prefix b'abc'"
    assert told(b"b", b"-10") == "the invariant of prefix b''"
    assert told(b"b", b"99") is None


def test_what_is_immutable_is_created_and_then_stays():
    machine = demanding(FIXED)
    assert isinstance(apply(machine, Put(b"fixed/a", b"1")), PutResult)
    state = machine.get(b"fixed/a")
    message = "the immutable invariant of prefix b'fixed/': key b'fixed/a' stays"
    for write in (Put(b"fixed/a", b"1"), add(1, b"fixed/a")):
        assert apply(machine, write) == broken(f"{message} as it is")
    assert apply(machine, Delete(b"fixed/a")) == broken(message)
    gone = Update(b"fixed/a", (Action(ActionKind.DELETE),))
    assert apply(machine, gone) == broken(message)
    assert apply(machine, Delete(b"fixed/no")) == DeleteResult(0)
    assert machine.get(b"fixed/a") == state


@pytest.mark.parametrize(
    ("start", "end", "refused"),
    [
        (b"", None, True),
        (b"fixed/", b"fixed/b", True),
        (b"fixed/a", b"fixed/a\0", True),
        (b"fixed/b", None, False),
        (b"fixed/0", b"fixed/a", False),
        (b"", b"fixed/a", True),
        (b"", b"b", False),
        (b"z", None, False),
        (b"d", b"fixed/a", False),
        (b"d", b"fixed/a\0", True),
    ],
)
def test_a_range_is_deleted_unless_it_holds_what_is_immutable(start, end, refused):
    machine = demanding(
        FIXED, SetInvariant(b"c", False, immutable=True), SetInvariant(b"zz", False, immutable=True)
    )
    apply(machine, *(Put(key, b"") for key in (b"a", b"c", b"e", b"fixed/a", b"z")))
    result = apply(machine, DeleteRange(start, end))
    assert isinstance(result, Refused) is refused
    assert machine.key_count == (5 if refused else 5 - result.deleted)


def test_what_is_immutable_no_more_is_deleted():
    machine = demanding(FIXED, SetInvariant(b"c", False, immutable=True))
    apply(machine, Put(b"c", b""), Put(b"fixed/a", b""))
    apply(machine, SetInvariant(b"fixed/", True), SetInvariant(b"c", False, maximum=1))
    assert apply(machine, DeleteRange(b"", None)) == DeleteResult(2)


def test_a_length_that_no_prefix_has_is_not_looked_up():
    machine = demanding(FIXED, BALANCE, SetInvariant(b"other/", True, minimum=0))
    apply(machine, SetInvariant(b"fixed/", True), SetInvariant(b"acct/", True))
    assert machine._invariants._lengths == {len(b"other/"): 1}


def test_an_end_of_a_lease_is_exempt():
    machine = demanding(FIXED)
    apply(machine, LeaseGrant(1_000, 5), at=0)
    apply(machine, Put(b"fixed/a", b"", lease_id=5), Put(b"fixed/b", b"", ttl_ms=1_000))
    apply(machine, LeaseRevoke(5))
    assert machine.key_count == 1
    apply(machine, at=1_000)
    assert machine.key_count == 0


def test_a_transaction_is_checked_write_by_write_and_refused_as_a_whole():
    machine = demanding(BALANCE)
    apply(machine, Put(b"acct/1", b"50"), Put(b"acct/2", b"50"))
    refused = apply(machine, Txn(None, (add(-60), add(60, b"acct/2"))))
    message = "then[0]: the invariant of prefix b'acct/': the value -10 is below the minimum 0"
    assert refused == broken(message)
    assert machine.get(b"acct/2").value == b"50"
    apply(machine, Txn(None, (add(-50), add(50, b"acct/2"))))
    assert (machine.get(b"acct/1").value, machine.get(b"acct/2").value) == (b"0", b"100")


def test_setting_one_takes_a_revision_where_it_changes_something():
    machine = bootstrapped()
    assert apply(machine, BALANCE) == InvariantResult(b"acct/", True)
    assert machine.revision == 2
    apply(machine, BALANCE, SetInvariant(b"acct/", False), SetInvariant(b"no", True))
    assert (machine.revision, machine.changes) == (2, [])
    wider = SetInvariant(b"acct/", True, minimum=-5)
    apply(machine, wider)
    assert (machine.revision, machine.invariants()) == (3, (wider,))
    apply(machine, SetInvariant(b"acct/", True))
    assert (machine.revision, machine.invariants()) == (4, ())
    assert isinstance(apply(machine, Put(KEY, b"text")), PutResult)


def test_they_are_listed_in_order_and_survive_a_reload():
    rows = (
        SetInvariant(b"", True, maximum=9),
        SetInvariant(b"a", False, minimum=1),
        SetInvariant(b"a", True, immutable=True),
        SetInvariant(b"b", False, 1, 2, immutable=True),
    )
    machine = demanding(*reversed(rows))
    assert machine.invariants() == rows
    again = loaded(encoding(machine))
    assert (again.invariants(), digest(again)) == (rows, digest(machine))
    for each in (machine, again):
        apply(each, Put(b"a", b"1"), SetInvariant(b"b", False))
        assert apply(each, Put(b"a", b"2")).reason is Reason.INVARIANT
        assert isinstance(apply(each, Put(b"b", b"3")), PutResult)
    assert digest(again) == digest(machine)


def test_their_number_is_bounded():
    machine = demanding(BALANCE, FIXED, invariants=2)
    refused = apply(machine, SetInvariant(b"more", False, minimum=0))
    message = "2 invariants are set, the limit invariants is 2"
    assert refused == Refused(Reason.TOO_MANY_INVARIANTS, message)
    assert apply(machine, SetInvariant(b"acct/", True, minimum=1)) == InvariantResult(
        b"acct/", True
    )
    apply(machine, SetInvariant(b"acct/", True))
    assert apply(machine, SetInvariant(b"m", False, minimum=0)) == InvariantResult(b"m", False)
