"""Requests with an identity: one effect, whatever is sent again, in the order B4 demands."""

import pytest
from core_states import apply, bootstrapped, digest, encoding, loaded

from kvraft.core.actions import Action, ActionKind
from kvraft.core.codec import decode_entry, encode_entry
from kvraft.core.commands import (
    CompareAndSet,
    Entry,
    Expect,
    KeyIdentity,
    LeaseGrant,
    Put,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.results import (
    CasResult,
    LeaseResult,
    PutResult,
    Refused,
    Replayed,
    Resolved,
    SessionResult,
    TxnResult,
    Unmet,
    UpdateResult,
)

ADD = Update(b"n", (Action(ActionKind.ADD, 1),))
KEYED = Request(ADD, identity=KeyIdentity(b"once"))
ABOVE = Clause(b"n", Target.NUMBER, Operator.GT, (500,))


def in_session(sequence, first_unacked=1, mutation=ADD, session_id=1):
    return Request(mutation, None, SessionIdentity(session_id, sequence, first_unacked))


def test_two_copies_in_one_entry_have_one_effect():
    machine = bootstrapped()
    first, other, second = apply(machine, KEYED, ADD, KEYED)
    assert isinstance(first, UpdateResult)
    assert second == Replayed(first, 2)
    assert machine.get(b"n").value == b"2"
    assert machine.revisions == [2, 3, 3]
    assert other.entry.value == b"2"


def test_copies_from_the_wire_are_the_same_request():
    machine = bootstrapped()
    entry = decode_entry(encode_entry(Entry(None, (KEYED,))))
    (first,) = machine.apply(5, entry)
    assert apply(machine, KEYED) == Replayed(first, 2)


def test_a_session_counts_once_too():
    machine = bootstrapped()
    opened, first, again = apply(machine, SessionOpen(), in_session(1), in_session(1))
    assert (opened, machine.session_count) == (SessionResult(1), 1)
    assert again == Replayed(first, 2)
    late = apply(machine, in_session(2, first_unacked=2), in_session(1))[1]
    assert late.reason is Reason.SESSION_EXPIRED
    assert machine.get(b"n").value == b"2"


def test_the_look_up_comes_before_the_condition():
    machine = bootstrapped()
    apply(machine, Put(b"n", b"501"))
    request = Request(Update(b"n", (Action(ActionKind.ADD, -75),)), ABOVE, KeyIdentity(b"once"))
    first = apply(machine, request)
    assert first.entry.value == b"426"
    assert apply(machine, request) == Replayed(first, 3)


def test_a_condition_that_was_false_stays_so_for_its_request():
    machine = bootstrapped()
    apply(machine, Put(b"n", b"500"))
    request = Request(ADD, ABOVE, KeyIdentity(b"once"))
    missed = apply(machine, request)
    assert missed == Unmet(0, (), (machine.get(b"n"),))
    apply(machine, Put(b"n", b"501"))
    assert apply(machine, request) == Replayed(missed, 2)
    assert machine.get(b"n").value == b"501"


def test_a_refusal_is_recorded():
    machine = bootstrapped()
    request = Request(Put(b"k", b"", lease_id=5), None, KeyIdentity(b"once"))
    refused = apply(machine, request)
    apply(machine, LeaseGrant(1_000, 5))
    assert apply(machine, request) == Replayed(refused, 1)
    assert machine.get(b"k") is None


@pytest.mark.parametrize(
    "other",
    [
        Request(Put(b"n", b"1"), None, KeyIdentity(b"once")),
        Request(ADD, ABOVE, KeyIdentity(b"once")),
    ],
    ids=["mutation", "condition"],
)
def test_an_identity_is_not_used_twice(other):
    machine = bootstrapped()
    first = apply(machine, KEYED)
    refused = apply(machine, other)
    assert refused.reason is Reason.KEY_REUSED
    assert apply(machine, KEYED) == Replayed(first, 2)
    assert machine.get(b"n").value == b"1"


@pytest.mark.parametrize(
    "mutation",
    [
        LeaseGrant(1_000),
        SetInvariant(b"n", False, minimum=0),
        Txn(None, (ADD, Put(b"k", b""))),
        CompareAndSet(b"k", b"", Expect(absent=True)),
    ],
    ids=lambda mutation: type(mutation).__name__,
)
def test_every_mutation_can_carry_an_identity(mutation):
    machine = bootstrapped()
    request = Request(mutation, None, KeyIdentity(b"once"))
    first, again = apply(machine, request, request)
    assert again == Replayed(first, 2)
    assert machine.revision == 2


def test_a_resolved_identity_is_decided_for_good():
    machine = bootstrapped()
    identity = KEYED.identity
    burned, copy, asked = apply(machine, Resolve(identity), KEYED, Resolve(identity))
    assert (burned, asked) == (Resolved(None), Resolved(None))
    assert copy.reason is Reason.ABANDONED
    assert machine.get(b"n") is None
    done, told = (
        apply(machine, SessionOpen(), in_session(1))[1],
        apply(machine, Resolve(in_session(1).identity)),
    )
    assert told == Resolved(done, 2)


def told_twice(machine, request, kept, revision):
    """Demand that a copy, and the question, are answered by what is kept."""
    assert apply(machine, request) == Replayed(kept, revision, omitted=True)
    assert apply(machine, Resolve(request.identity)) == Resolved(kept, revision, omitted=True)


def test_a_large_value_is_left_out_and_its_revision_told():
    machine = bootstrapped(outcome_reply_bytes=100)
    request = Request(Put(b"k", bytes(200)), None, KeyIdentity(b"once"))
    first = apply(machine, request)
    told_twice(machine, request, PutResult(valueless(first.entry)), 2)


def test_a_condition_that_was_false_is_told_so_however_large_what_it_met():
    machine = bootstrapped(outcome_reply_bytes=100)
    apply(machine, Put(b"n", b"x" * 200))
    request = Request(ADD, ABOVE, KeyIdentity(b"once"))
    met = machine.get(b"n")
    assert apply(machine, request) == Unmet(0, (0,), (met,))
    apply(machine, Put(b"n", b"501"))
    told_twice(machine, request, Unmet(0, (0,), (valueless(met),)), 2)


def test_a_failed_compare_and_set_is_told_so_however_large_what_it_met():
    machine = bootstrapped(outcome_reply_bytes=100)
    apply(machine, Put(b"k", b"x" * 200))
    swap = CompareAndSet(b"k", b"y", Expect(absent=True))
    request = Request(swap, None, KeyIdentity(b"once"))
    assert apply(machine, request) == CasResult(False, machine.get(b"k"))
    told_twice(machine, request, CasResult(False, valueless(machine.get(b"k"))), 2)


def test_a_large_transaction_tells_the_branch_that_was_done():
    machine = bootstrapped(outcome_reply_bytes=250)
    exists = Clause(b"k0", Target.EXISTS, Operator.EQ, (True,))
    puts = tuple(Put(b"k%d" % number, b"x" * 90) for number in range(9))
    request = Request(Txn(exists, (), puts), None, KeyIdentity(b"once"))
    first = apply(machine, request)
    assert len(first.results) == 9
    told_twice(machine, request, TxnResult(Unmet(0, (), ()), ()), 2)


def valueless(entry):
    return entry._replace(value=b"", value_omitted=True)


def test_age_comes_before_the_first_command_of_the_entry():
    machine = bootstrapped(key_retention_ms=1_000, session_idle_ms=5_000)
    apply(machine, SessionOpen(), KEYED, at=0)
    assert isinstance(apply(machine, KEYED, at=999), Replayed)
    assert isinstance(apply(machine, KEYED, at=1_000), UpdateResult)
    assert isinstance(apply(machine, in_session(1), at=4_999), UpdateResult)
    assert isinstance(apply(machine, in_session(1), at=9_998), Replayed)
    assert apply(machine, in_session(1), at=14_998).reason is Reason.SESSION_EXPIRED


def test_a_full_table_refuses_before_anything_is_done():
    machine = bootstrapped(outcome_records=1)
    first = apply(machine, KEYED)
    refused = apply(machine, Request(ADD, None, KeyIdentity(b"more")))
    assert refused.reason is Reason.OVERLOAD
    assert machine.get(b"n").value == b"1"
    assert apply(machine, KEYED) == Replayed(first, 2)


def test_sessions_close_and_are_bounded():
    machine = bootstrapped(sessions=1)
    assert apply(machine, SessionOpen()) == SessionResult(1)
    assert apply(machine, SessionOpen()).reason is Reason.OVERLOAD
    assert apply(machine, SessionClose(1)) == SessionResult(1)
    assert apply(machine, in_session(1)).reason is Reason.SESSION_EXPIRED
    assert apply(machine, SessionOpen()) == SessionResult(2)
    assert machine.revision == 1


def test_a_reload_forgets_nothing():
    machine = bootstrapped()
    first = apply(machine, KEYED)
    done = apply(machine, SessionOpen(), in_session(1))[1]
    again = loaded(encoding(machine))
    assert digest(again) == digest(machine)
    for each in (machine, again):
        assert apply(each, KEYED, in_session(1)) == [Replayed(first, 2), Replayed(done, 3)]
    assert digest(again) == digest(machine)


def test_a_request_without_an_identity_is_done_each_time():
    machine = bootstrapped()
    apply(machine, Put(b"n", b"650"))
    request = Request(Update(b"n", (Action(ActionKind.ADD, -75),)), ABOVE)
    told = [apply(machine, request) for _ in range(3)]
    assert [result.entry.value for result in told[:2]] == [b"575", b"500"]
    assert told[2] == Unmet(0, (), (machine.get(b"n"),))
    assert machine.get(b"n").value == b"500"


def test_what_a_lease_command_answered_is_replayed():
    machine = bootstrapped()
    request = Request(LeaseGrant(1_000), None, KeyIdentity(b"lease"))
    apply(machine, request)
    assert apply(machine, request) == Replayed(LeaseResult(1, 1_000, 1_000), 2)
    assert machine.lease_count == 1
    assert not isinstance(apply(machine, LeaseGrant(1_000)), Refused)
