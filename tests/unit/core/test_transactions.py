"""Transactions: one revision for all or nothing at all, and each operation sees those before it."""

import pytest
from core_states import apply, bootstrapped, digest

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    Delete,
    DeleteRange,
    Entry,
    Get,
    GetRange,
    LeaseGrant,
    LeaseRevoke,
    Put,
    Request,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import All, Clause, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.history import Cause, Event
from kvraft.core.results import (
    DeleteResult,
    GetResult,
    KeyValue,
    Page,
    PutResult,
    Refused,
    TxnResult,
    Unmet,
    UpdateResult,
)

LEASE = 5


def add(key, amount, **lease):
    return Update(key, (Action(ActionKind.ADD, amount),), **lease)


def exists(key):
    return Clause(key, Target.EXISTS, Operator.EQ, (True,))


def count(prefix, number):
    return Clause(prefix, Target.COUNT, Operator.EQ, (number,))


def then(*operations):
    return Txn(None, operations)


def stored(**limits):
    """Hold a, b, c at revisions 2 to 4, and lease 5 with d, e, at revisions 5 to 7."""
    machine = bootstrapped(**limits)
    apply(machine, *(Put(key, b"1") for key in (b"a", b"b", b"c")), LeaseGrant(9_000, LEASE))
    apply(machine, Put(b"d", b"1", lease_id=LEASE), Put(b"e", b"1", lease_id=LEASE))
    assert machine.revision == 7
    return machine


def keys_of(page):
    return [entry.key for entry in page.entries]


def test_all_operations_take_one_revision_and_answer_in_order():
    machine = stored()
    result = apply(
        machine,
        then(Put(b"x", b"new"), add(b"a", 4), Delete(b"b", return_previous=True), Get(b"a")),
    )
    a = KeyValue(b"a", b"5", 2, 8, 2, 0)
    assert result == TxnResult(
        None,
        (
            PutResult(KeyValue(b"x", b"new", 8, 8, 1, 0)),
            UpdateResult(a, KeyValue(b"a", b"1", 2, 2, 1, 0)),
            DeleteResult(1, KeyValue(b"b", b"1", 3, 3, 1, 0)),
            GetResult(a),
        ),
    )
    assert (machine.revision, machine.get(b"a"), machine.get(b"b")) == (8, a, None)


def test_a_false_condition_is_told_and_the_other_list_is_done():
    machine = stored()
    condition = All((exists(b"a"), exists(b"no"), exists(b"c")))
    result = apply(machine, Txn(condition, (Put(b"x", b""),), (Put(b"y", b""),)))
    standing = (KeyValue(b"a", b"1", 2, 2, 1, 0), KeyValue(b"c", b"1", 4, 4, 1, 0))
    assert result.unmet == Unmet(1, (), standing)
    assert (machine.get(b"x"), machine.get(b"y").mod_revision) == (None, 8)


def test_without_an_effect_there_is_no_revision():
    machine = stored()
    minimum = Update(b"a", (Action(ActionKind.MIN, 7),))
    result = apply(machine, then(Get(b"a"), Delete(b"no"), minimum, DeleteRange(b"x", None)))
    a = KeyValue(b"a", b"1", 2, 2, 1, 0)
    assert result.results[2] == UpdateResult(a, a)
    assert (machine.revision, machine.changes) == (7, [])


def test_a_range_read_sees_what_was_written_and_deleted_before_it():
    machine = stored()
    result = apply(
        machine,
        then(
            Put(b"bb", b"2"),
            Delete(b"c"),
            Put(b"d", b"2"),
            GetRange(b"a", b"e", 9),
            GetRange(b"", None, 2),
            GetRange(b"", None, 9, keys_only=True),
            DeleteRange(b"x", None),
        ),
    )
    pages = result.results[3:6]
    assert [keys_of(page) for page in pages] == [
        [b"a", b"b", b"bb", b"d"],
        [b"a", b"b"],
        [b"a", b"b", b"bb", b"d", b"e"],
    ]
    assert [page.more for page in pages] == [False, True, False]
    assert pages[0].entries[2:] == (
        KeyValue(b"bb", b"2", 8, 8, 1, 0),
        KeyValue(b"d", b"2", 6, 8, 2, 0),
    )
    assert {entry.value for entry in pages[2].entries} == {b""}


def test_a_deleted_range_is_gone_for_what_follows():
    machine = stored()
    result = apply(
        machine,
        then(
            DeleteRange(b"b", b"d"),
            DeleteRange(b"a", b"e"),
            GetRange(b"", None, 9),
            Get(b"c"),
            Txn(count(b"", 1), (Put(b"x", b""),), (Put(b"y", b""),)),
        ),
    )
    first, second, page, read, nested = result.results
    assert (first, second) == (DeleteResult(2), DeleteResult(2))
    assert (keys_of(page), read, nested.unmet) == ([b"e"], GetResult(None), None)
    assert [entry.key for entry in machine.page(b"", None, limit=9, max_bytes=99).entries] == [
        b"e",
        b"x",
    ]


def test_a_nested_condition_sees_what_was_written_before_it():
    machine = stored()
    seen = Clause(b"a", Target.MOD_REVISION, Operator.EQ, (8,))
    result = apply(
        machine,
        then(
            add(b"a", 1),
            Put(b"n", b""),
            Txn(All((seen, count(b"", 6))), (Put(b"yes", b""),), (Put(b"no", b""),)),
            Txn(exists(b"no"), (), (Put(b"other", b""),)),
            Delete(b"c"),
            Txn(count(b"", 7), (), (Get(b"c"),)),
        ),
    )
    assert result.results[5].unmet is None
    assert result.results[2] == TxnResult(None, (PutResult(KeyValue(b"yes", b"", 8, 8, 1, 0)),))
    assert result.results[3].unmet == Unmet(0, (), ())
    assert machine.get(b"other").mod_revision == 8


REFUSED = {
    "wrong type": (Update(b"b", (Action(ActionKind.ADD, 1),)), Reason.WRONG_TYPE),
    "overflow": (add(b"a", (1 << 63) - 1), Reason.INVARIANT),
    "no lease": (Put(b"x", b"", lease_id=404), Reason.LEASE_NOT_FOUND),
    "two leases": (Put(b"x", b"", lease_id=LEASE, ttl_ms=1_000), Reason.INVALID),
    "a ttl": (Put(b"x", b"", ttl_ms=1), Reason.TTL_OUT_OF_RANGE),
    "an invariant": (Put(b"low", b"-1"), Reason.INVARIANT),
    "a range": (DeleteRange(b"", None), Reason.TOO_MANY_ENTRIES),
    "a read": (GetRange(b"", None, 99), Reason.TOO_MANY_ENTRIES),
    "key twice": (Put(b"new", b"2"), Reason.INVALID),
    "in a range": (DeleteRange(b"m", b"o"), Reason.INVALID),
    "behind a range": (Put(b"e", b""), Reason.INVALID),
}


@pytest.mark.parametrize(("operation", "reason"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("nested", [False, True])
def test_a_refused_operation_leaves_no_trace(operation, reason, nested):
    machine, other = stored(touched_entries=8), stored(touched_entries=8)
    for each in (machine, other):
        apply(each, Put(b"b", b"text"), SetInvariant(b"low", False, minimum=0))
    before = (
        Put(b"new", b"1", ttl_ms=1_000),
        DeleteRange(b"d", b"f"),
        Put(b"c", b"", lease_id=LEASE),
    )
    last = Txn(None, (Get(b"a"), operation)) if nested else operation
    txn = then(*before, last, Put(b"after", b""))
    refused = apply(machine, txn)
    place = "then[3]: then[1]: " if nested else "then[3]: "
    assert (refused.reason, refused.message.startswith(place)) == (reason, True), refused
    apply(other)
    assert machine.revision == other.revision
    assert digest(machine) == digest(other)
    again = [each.apply(each.index + 1, Entry(9_000, (txn,))) for each in (machine, other)]
    assert again[0] == again[1]


def test_the_place_of_a_refusal_in_the_other_list():
    refused = apply(stored(), Txn(exists(b"no"), (), (Put(b"x", b"", lease_id=404),)))
    message = "orelse[0]: lease 404 does not exist"
    assert refused == Refused(Reason.LEASE_NOT_FOUND, message)


def test_the_limit_of_a_lease_holds_over_the_sum():
    machine = stored(keys_per_lease=3)
    puts = (Put(b"x", b"", lease_id=LEASE), Put(b"y", b"", lease_id=LEASE))
    refused = apply(machine, then(*puts))
    message = "then[1]: lease 5 has 3 keys, the limit keys_per_lease is 3"
    assert refused == Refused(Reason.LEASE_FULL, message)
    assert machine.describe_lease(LEASE).keys == (b"d", b"e")
    for leaving in (Delete(b"d"), Put(b"d", b""), DeleteRange(b"d", b"e")):
        machine = stored(keys_per_lease=3)
        apply(machine, then(leaving, *puts))
        assert machine.describe_lease(LEASE).keys == (b"e", b"x", b"y")


def test_the_limit_of_ttl_leases_holds_over_the_sum():
    machine = bootstrapped(ttl_leases=2)
    apply(machine, Put(b"k", b"", ttl_ms=1_000))
    puts = (Put(b"x", b"", ttl_ms=1_000), Put(b"y", b"", ttl_ms=1_000))
    refused = apply(machine, then(*puts))
    message = "then[1]: 2 keys have a ttl_ms, the limit ttl_leases is 2"
    assert refused == Refused(Reason.TOO_MANY_LEASES, message)
    apply(machine, then(Delete(b"k"), *puts))
    assert machine.key_count == 2
    apply(machine, then(Put(b"x", b"", ttl_ms=2_000), Put(b"y", b"", ttl_ms=2_000)))
    assert machine.smallest_ttl_ms() == 2_000
    apply(machine, LeaseGrant(9_000, 50))
    moved = then(Put(b"x", b"", lease_id=50), Put(b"z", b"", ttl_ms=3_000))
    assert isinstance(apply(machine, moved), TxnResult)


def test_ids_of_implicit_leases_are_told_before_they_begin():
    machine = stored()
    apply(machine, LeaseGrant(1_000, lease_id=2))
    result = apply(machine, then(Put(b"x", b"", ttl_ms=1_000), Put(b"y", b"", ttl_ms=2_000)))
    assert [one.entry.lease_id for one in result.results] == [1, 3]
    assert machine.describe_lease(3).keys == (b"y",)
    apply(machine, DeleteRange(b"x", None), LeaseRevoke(2))
    assert apply(machine, LeaseGrant(1_000)).lease_id == 4, "an id is never handed out twice"


def test_an_implicit_lease_of_the_transaction_is_no_lease_for_others():
    machine = bootstrapped()
    apply(machine, Put(b"k", b"", ttl_ms=1_000))
    begun = apply(machine, then(Put(b"x", b"", ttl_ms=1_000), Put(b"y", b"", lease_id=2)))
    assert begun.reason is Reason.LEASE_FULL
    ended = apply(machine, then(Delete(b"k"), Put(b"y", b"", lease_id=1)))
    assert ended.reason is Reason.LEASE_NOT_FOUND


def test_an_update_keeps_the_lease_unless_one_is_given():
    machine = stored()
    apply(machine, LeaseGrant(9_000, 50))
    apply(machine, then(add(b"d", 1), add(b"e", 1, lease_id=50), add(b"a", 1, ttl_ms=1_000)))
    assert machine.get(b"d").lease_id == LEASE
    assert machine.describe_lease(50).keys == (b"e",)
    assert machine.describe_lease(machine.get(b"a").lease_id).ttl_ms == 1_000
    assert apply(machine, LeaseRevoke(LEASE)).deleted == 1


def test_what_ranges_touch_is_counted_over_the_sum():
    machine = stored(touched_entries=6)
    read = GetRange(b"a", b"c", 9)
    assert isinstance(apply(machine, then(read, read, read)), TxnResult)
    message = "then[3]: the transaction touches more entries than the limit touched_entries, 6"
    assert apply(machine, then(read, read, read, Put(b"x", b""))) == Refused(
        Reason.TOO_MANY_ENTRIES, message
    )
    refused = apply(machine, then(read, DeleteRange(b"", None)))
    message = "then[1]: the range holds 5 entries after 2 that the transaction touched"
    assert refused.message == f"{message}, the limit touched_entries is 6"
    assert keys_of(apply(machine, then(read, GetRange(b"", None, 4))).results[1]) == [
        b"a",
        b"b",
        b"c",
        b"d",
    ]


def test_values_beyond_the_bytes_of_a_reply_are_left_out():
    machine = bootstrapped(reply_bytes=10)
    apply(machine, Put(b"a", bytes(4)), Put(b"b", bytes(7)), Put(b"c", bytes(2)))
    clause = Clause(b"c", Target.VALUE, Operator.EQ, (b"",))
    result = apply(machine, Txn(clause, (), (Get(b"a"), GetRange(b"b", None, 9), Get(b"a"))))
    c, b, a = (machine.get(key) for key in (b"c", b"b", b"a"))
    omitted = b._replace(value=b"", value_omitted=True)
    assert result.unmet.entries == (c,)
    assert result.results == (
        GetResult(a),
        Page((omitted, c), False),
        GetResult(a._replace(value=b"", value_omitted=True)),
    )
    missed = apply(machine, Request(Put(b"x", b""), All((clause, exists(b"b"), exists(b"a")))))
    assert missed.entries == (c, b, a._replace(value=b"", value_omitted=True))
    longer = Update(b"b", (Action(ActionKind.APPEND, b"x"),))
    updated = apply(machine, longer)
    assert updated.entry.value == bytes(7) + b"x"
    assert updated.previous == omitted
    assert apply(machine, Put(b"b", bytes(9), return_previous=True)).previous.value_omitted
    assert machine.get(b"b").value == bytes(9)


def test_a_page_in_a_transaction_ends_with_the_bytes_of_its_keys():
    machine = bootstrapped(reply_bytes=7)
    apply(machine, *(Put(b"%03d" % number, b"") for number in range(3)))
    whole = GetRange(b"", None, 9)
    first, second = apply(machine, then(whole, whole)).results
    assert (keys_of(first), first.more) == ([b"000", b"001"], True)
    assert (keys_of(second), second.more) == ([b"000"], True)


def test_events_are_in_the_order_of_the_actions():
    machine = stored()
    before = {key: machine._keyspace.get(key) for key in (b"a", b"b", b"c")}
    apply(machine, then(Put(b"z", b""), DeleteRange(b"b", b"d"), add(b"a", 1)), at=70)
    (revision,) = machine.changes
    assert (revision.revision, revision.time_ms) == (8, 70)
    assert revision.events == (
        Event(b"z", (b"", 8, 8, 1, 0), None, Cause.REQUEST),
        Event(b"b", None, before[b"b"], Cause.REQUEST),
        Event(b"c", None, before[b"c"], Cause.REQUEST),
        Event(b"a", (b"2", 2, 8, 2, 0), before[b"a"], Cause.REQUEST),
    )
    assert machine.history_after(7, 9) == [revision]
