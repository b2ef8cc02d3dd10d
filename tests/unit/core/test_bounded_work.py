"""No entry may stall its node: what one apply touches is counted, in the worst cases allowed."""

import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from core_states import apply, bootstrapped

from kvraft.core.action_application import Changed, apply_actions
from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    Delete,
    DeleteRange,
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
from kvraft.core.history_chunks import Chunk
from kvraft.core.json_value import JsonBudget
from kvraft.core.keyspace import Keyspace
from kvraft.core.limits import DISCARDED_PER_APPLY, PAST_KEY_STEPS, ApplyLimits, RequestLimits
from kvraft.core.past_page import PastPage
from kvraft.core.results import DeleteResult, Refused, TxnResult
from kvraft.core.table import Table

LIMITS = ApplyLimits()
OPERATIONS = RequestLimits().txn_operations
CLAUSES = RequestLimits().clauses


@pytest.fixture
def touched(monkeypatch):
    """Counts what tables are asked to write and remove, and keys that scans return."""
    counter = Counter()

    def counted(owner, name):
        plain = getattr(owner, name)

        def method(self, *arguments):
            counter[name] += 1
            return plain(self, *arguments)

        monkeypatch.setattr(owner, name, method)

    def between(self, start, end, plain=Table.between):
        for key in plain(self, start, end):
            counter["between"] += 1
            yield key

    counted(Table, "put")
    counted(Keyspace, "put")  # in its own way
    counted(Table, "remove")
    monkeypatch.setattr(Table, "between", between)
    return counter


def fill(machine, keys, **attachment):
    for start in range(0, keys, 500):
        numbers = range(start, min(keys, start + 500))
        apply(machine, *(Put(b"k%06d" % number, b"v", **attachment) for number in numbers))


def test_a_range_at_the_limit_touches_each_key_once(touched):
    machine = bootstrapped()
    fill(machine, LIMITS.touched_entries)
    touched.clear()
    assert apply(machine, DeleteRange(b"", None)) == DeleteResult(10_000)
    assert touched == {"remove": 10_000, "between": 10_000}


def test_a_range_beyond_the_limit_touches_and_scans_nothing(touched):
    machine = bootstrapped()
    fill(machine, LIMITS.touched_entries + 1)
    touched.clear()
    assert apply(machine, DeleteRange(b"", None)).reason is Reason.TOO_MANY_ENTRIES
    assert touched == {}


def test_a_thousand_leases_with_keys_expire_in_one_entry_and_no_more(touched):
    machine = bootstrapped()
    apply(machine, *(LeaseGrant(1_000) for _ in range(1_500)), at=0)
    for lease_id in range(1, 1_501):
        apply(machine, *(Put(b"%d/%d" % (lease_id, n), b"", lease_id=lease_id) for n in range(10)))
    touched.clear()
    apply(machine, at=1_000)
    assert touched == {"remove": LIMITS.expiries_per_entry * 11}
    assert (machine.lease_count, machine.key_count) == (500, 5_000)


def test_leases_with_many_keys_share_the_bound_of_an_entry(touched):
    machine = bootstrapped()
    apply(machine, *(LeaseGrant(1_000, lease_id=lease_id) for lease_id in (1, 2, 3)), at=0)
    for lease_id, keys in ((1, 6_000), (2, 4_000), (3, 1)):
        for start in range(0, keys, 500):
            numbers = range(start, min(keys, start + 500))
            apply(
                machine, *(Put(b"%d/%d" % (lease_id, n), b"", lease_id=lease_id) for n in numbers)
            )
    touched.clear()
    apply(machine, at=1_000)
    assert touched == {"remove": 2 + LIMITS.touched_entries}
    assert [lease.lease_id for lease in machine.list_leases(0, 9)[0]] == [3]
    apply(machine)
    assert (machine.lease_count, machine.key_count) == (0, 0)


@pytest.fixture
def calls_of():
    """Counts the calls that work makes: a measure of its time that no other process disturbs."""

    def counted(work):
        count = 0

        def noted(_frame, event, _argument):
            nonlocal count
            count += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(noted)
        try:
            work()
        finally:
            sys.setprofile(before)
        return count

    return counted


@pytest.mark.parametrize("kind", ["range", "lease", "ttl"])
def test_the_largest_deletes_take_few_calls_a_key(calls_of, kind):
    """10,000 keys at 16 calls are 20 ms."""
    keys = 2_000
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=1))
    fill(machine, keys, **{"range": {}, "lease": {"lease_id": 1}, "ttl": {"ttl_ms": 9_000}}[kind])
    command = LeaseRevoke(1) if kind == "lease" else DeleteRange(b"", None)
    most = {"range": 18, "lease": 16, "ttl": 48}[kind]
    assert calls_of(lambda: apply(machine, command)) <= most * keys
    assert machine.key_count == 0


def test_forgetting_takes_few_calls_an_event(calls_of):
    machine = bootstrapped()
    fill(machine, 4_000)
    machine.limits = replace(LIMITS, history_bytes=1, history_removals=4_000)
    assert calls_of(lambda: apply(machine)) <= 14 * 4_000
    assert len(machine._history) == 0


def test_one_lease_above_the_bound_of_an_entry_still_ends():
    machine = bootstrapped(touched_entries=2)
    apply(machine, LeaseGrant(1_000), at=0)
    fill(machine, 5, lease_id=1)
    apply(machine, at=1_000)
    assert (machine.lease_count, machine.key_count) == (0, 0)


def test_a_revoke_is_bounded_by_what_a_lease_may_carry(touched):
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=1))
    fill(machine, LIMITS.keys_per_lease, lease_id=1)
    assert apply(machine, Put(b"more", b"", lease_id=1)).reason is Reason.LEASE_FULL
    touched.clear()
    assert apply(machine, LeaseRevoke(1)).deleted == 10_000
    assert touched == {"remove": 10_001}


def test_a_released_view_is_freed_a_bounded_piece_an_entry():
    machine = bootstrapped()
    fill(machine, 5_000)
    frozen = machine.freeze()
    fill(machine, 5_000)
    frozen.release()
    left = []
    while machine._keyspace.discarded:
        left.append(len(machine._keyspace.discarded[0]))
        apply(machine)
    steps = [before - after for before, after in pairwise(left)]
    assert set(steps) == {DISCARDED_PER_APPLY}


# -- transactions: the sum of one is bounded like a single command


def count_of(prefix, number):
    return Clause(prefix, Target.COUNT, Operator.EQ, (number,))


def test_a_transaction_of_many_writes_touches_each_key_once(touched):
    machine = bootstrapped()
    fill(machine, 2 * OPERATIONS)
    touched.clear()
    writes = [Put(b"k%06d" % number, b"w") for number in range(0, OPERATIONS, 2)]
    add = (Action(ActionKind.APPEND, b"w"),)
    writes += [Update(b"k%06d" % number, add) for number in range(1, OPERATIONS, 2)]
    assert len(apply(machine, Txn(None, tuple(writes))).results) == OPERATIONS
    assert touched == {"put": OPERATIONS}
    assert len(machine.changes[0].events) == OPERATIONS


def test_a_transaction_deletes_no_more_than_a_range_may(touched):
    machine = bootstrapped()
    fill(machine, LIMITS.touched_entries)
    whole = DeleteRange(b"", None)
    touched.clear()
    refused = apply(machine, Txn(None, (Put(b"more", b""), whole)))
    assert refused.reason is Reason.TOO_MANY_ENTRIES
    assert touched == {}
    rest = tuple(Get(b"k%06d" % number) for number in range(OPERATIONS - 1))
    assert isinstance(apply(machine, Txn(None, (whole, *rest))), TxnResult)
    assert touched == {"remove": LIMITS.touched_entries, "between": LIMITS.touched_entries}


def test_ranges_of_one_transaction_look_at_a_bounded_number_of_keys(touched):
    """Reading again and again over what was deleted must not cost it again and again."""
    machine = bootstrapped()
    fill(machine, 5_000)
    gone = DeleteRange(b"", b"k004990")
    read = (GetRange(b"", None, 10),) * (OPERATIONS - 1)
    for operations in ((gone, *read), (gone,) * OPERATIONS, (GetRange(b"", None, 9_999),) * 256):
        touched.clear()
        refused = apply(machine, Txn(None, operations))
        assert refused.reason is Reason.TOO_MANY_ENTRIES
        assert touched["between"] <= LIMITS.touched_entries + 2, operations[0]
        assert touched["put"] + touched["remove"] == 0


def test_counting_in_a_condition_scans_nothing(touched):
    machine = bootstrapped()
    fill(machine, LIMITS.touched_entries)
    clauses = All(tuple(count_of(b"k", 10_001 - number) for number in range(CLAUSES)))
    touched.clear()
    assert apply(machine, Request(Put(b"k", b""), clauses)).clause == 0
    assert touched == {}
    inside = Txn(All(tuple(count_of(b"k00", 5_000) for _ in range(CLAUSES))), (Put(b"x", b""),))
    result = apply(machine, Txn(None, (DeleteRange(b"k005000", b"k010000"), inside)))
    assert result.results[1].unmet is None
    assert touched == {"remove": 5_000, "put": 1, "between": 5_000}


def test_immutable_prefixes_are_looked_at_instead_of_the_keys_of_a_range(monkeypatch):
    machine = bootstrapped()
    fill(machine, LIMITS.touched_entries)
    looked_at = []
    plain = Table.count
    monkeypatch.setattr(Table, "count", lambda *range_: looked_at.append(1) or plain(*range_))
    many = LIMITS.invariants
    apply(machine, *(SetInvariant(b"k%06d/" % n, True, immutable=True) for n in range(many)))
    looked_at.clear()
    assert apply(machine, DeleteRange(b"", None)) == DeleteResult(LIMITS.touched_entries)
    assert len(looked_at) <= many + 2


def test_the_lengths_of_prefixes_that_a_write_looks_at_are_bounded():
    machine = bootstrapped()
    most = LIMITS.prefix_lengths
    for size in range(most):
        apply(machine, SetInvariant(b"p" * size, True, immutable=True))
    one_more = SetInvariant(b"p" * most, True, immutable=True)
    refused = apply(machine, one_more)
    assert refused.reason is Reason.TOO_MANY_INVARIANTS
    assert (
        refused.message == "prefixes of 32 lengths have invariants, the limit prefix_lengths is 32"
    )
    assert not isinstance(apply(machine, SetInvariant(b"q", True, minimum=1)), Refused), "a length"
    assert not isinstance(apply(machine, replace(one_more, is_prefix=False)), Refused), "no prefix"
    apply(machine, SetInvariant(b"", True))
    assert not isinstance(apply(machine, one_more), Refused), "in place of another length"


# -- bytes


class Costly(bytes):
    """Counts what is copied by adding to it."""

    copied = 0

    def __add__(self, more):
        Costly.copied += len(self)
        return Costly(bytes(self) + more)


def test_appends_of_one_update_copy_the_value_once(monkeypatch):
    monkeypatch.setattr(Costly, "copied", 0)
    tails = [Action(ActionKind.APPEND, b"%d," % number) for number in range(64)]
    actions = [*tails, Action(ActionKind.SET_IF_ABSENT, b""), *tails]
    changed = apply_actions(actions, Costly(b"x" * 1_000), JsonBudget(99), 1 << 20)
    joined = b"".join(b"%d," % number for number in range(64))
    assert changed == Changed(b"x" * 1_000 + joined + joined, written=True)
    assert Costly.copied == 0


def test_what_is_appended_is_there_for_the_next_action():
    first = Action(ActionKind.APPEND, b"12")
    if_absent = Action(ActionKind.SET_IF_ABSENT, b"x")
    assert apply_actions([first, if_absent], None, JsonBudget(99), 9) == Changed(b"12", True)
    looking = Action(ActionKind.JSON_REMOVE, pointer="/x")
    adding = Action(ActionKind.JSON_ADD, 1, pointer="")
    changed = apply_actions([looking, first, adding], b"1", JsonBudget(99), 9)
    assert changed == Changed(b"113", True), "not what was parsed before"


def test_the_updates_of_one_command_write_a_bounded_number_of_bytes():
    machine = bootstrapped(written_bytes=100)
    for name in (b"a", b"b", b"c"):
        apply(machine, Put(name, b"v" * 40))
    more = {name: Update(name, (Action(ActionKind.APPEND, b"w" * 10),)) for name in (b"a", b"b")}
    idle = Update(b"c", (Action(ActionKind.SET_IF_ABSENT, b""),))
    gone = Update(b"c", (Action(ActionKind.APPEND, b"w"), Action(ActionKind.DELETE)))
    put = Put(b"d", b"v" * 99)
    assert isinstance(apply(machine, Txn(None, (more[b"a"], more[b"b"], gone, put))), TxnResult)
    machine = bootstrapped(written_bytes=100)
    for name in (b"a", b"b", b"c"):
        apply(machine, Put(name, b"v" * 40))
    beyond = Txn(None, (more[b"a"], idle, Update(b"b", (Action(ActionKind.APPEND, b"w" * 11),))))
    refused = apply(machine, Txn(None, (put, beyond)))
    assert refused.reason is Reason.TOO_LARGE
    assert refused.message == (
        "then[1]: then[2]: the updates write 101 bytes, the limit written_bytes is 100"
    )
    assert machine.get(b"a").value == b"v" * 40
    one = Update(b"a", (Action(ActionKind.APPEND, b"w" * 61),))
    assert apply(machine, one).reason is Reason.TOO_LARGE, "no transaction: the same bound"


# -- reads of the past


def test_a_page_of_the_past_looks_at_a_bounded_number_of_keys_a_call(touched):
    machine = bootstrapped()
    fill(machine, 1_000)
    apply(machine, DeleteRange(b"k000500", None))
    at = machine.revision - 1
    apply(machine, *(Put(b"j%06d" % number, b"v") for number in range(1_000)))
    whole = machine.page_at(b"", None, at, limit=999, max_bytes=1 << 20)
    assert [entry.key for entry in whole.entries] == [b"k%06d" % number for number in range(999)]
    assert whole.more
    part = PastPage(b"", None, at, limit=999, max_bytes=1 << 20)
    touched.clear()
    sizes = []
    while not machine.read_past(part, 100 * (PAST_KEY_STEPS + 1)):
        assert touched["between"] <= 102 * (len(sizes) + 1)
        sizes.append(len(part.entries))
    assert sizes[:12] == [0] * 10 + [100, 200]
    assert part.page() == whole


def test_indexing_for_a_read_of_the_past_is_bounded_too(monkeypatch):
    monkeypatch.setattr("kvraft.core.history.HISTORY_CHUNK_BYTES", 1)
    machine = bootstrapped()
    fill(machine, 1_000)
    indexed = []
    plain = Chunk.index
    monkeypatch.setattr(Chunk, "index", lambda self: indexed.append(self.unindexed) or plain(self))
    part = PastPage(b"", None, 1, limit=1, max_bytes=1)
    calls = 0
    while not machine.read_past(part, 100):
        calls += 1
        assert sum(indexed) <= 100 * calls
        assert part.entries == []
    assert sum(indexed) == 1_000
    assert machine.get_at(b"k000000", 2).value == b"v"


def test_a_page_of_the_past_in_parts_is_the_same_whatever_is_written_meanwhile():
    machine = bootstrapped()
    fill(machine, 20)
    at = machine.revision
    whole = machine.page_at(b"", None, at, limit=15, max_bytes=1 << 20)
    part = PastPage(b"", None, at, limit=15, max_bytes=1 << 20)
    for number in range(20):
        apply(machine, Delete(b"k%06d" % (19 - number)), Put(b"k%06d/" % number, b""))
        apply(machine, Put(b"k%06d" % number, b"other"))
        machine.read_past(part, 1)
    while not machine.read_past(part, 1):
        pass
    assert part.page() == whole
