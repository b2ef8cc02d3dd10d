"""Revisions, compare-and-set, ranges, members: what one entry does."""

import pytest
from core_states import MEMBERS, apply, bootstrapped

from kvraft.core.commands import (
    Bootstrap,
    CompareAndSet,
    Delete,
    DeleteRange,
    Entry,
    Expect,
    HashMarker,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Member,
    MemberDisk,
    Put,
)
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    KeyValue,
    MarkerResult,
    MemberResult,
    PutResult,
    Refused,
)

ABSENT = Expect(absent=True)


def test_an_empty_store_is_at_revision_one():
    machine = StateMachine()
    assert (machine.revision, machine.index, machine.cluster_time_ms) == (1, 0, 0)
    assert (machine.key_count, machine.lease_count, machine.state_bytes) == (0, 0, 0)
    assert machine.next_deadline_ms() is None
    assert machine.smallest_ttl_ms() is None
    assert machine.get(b"k") is None


def test_a_write_takes_a_revision_even_of_an_equal_value():
    machine = bootstrapped()
    assert apply(machine, Put(b"k", b"v")) == PutResult(KeyValue(b"k", b"v", 2, 2, 1, 0))
    assert apply(machine, Put(b"k", b"v")) == PutResult(KeyValue(b"k", b"v", 2, 3, 2, 0))


def test_previous_comes_only_where_it_is_asked_for_and_there_was_one():
    machine = bootstrapped()
    assert apply(machine, Put(b"k", b"1", return_previous=True)).previous is None
    first = machine.get(b"k")
    assert apply(machine, Put(b"k", b"2", return_previous=True)).previous == first
    second = machine.get(b"k")
    assert apply(machine, Put(b"k", b"3")).previous is None
    assert second != machine.get(b"k")
    third = machine.get(b"k")
    assert apply(machine, Delete(b"k", return_previous=True)) == DeleteResult(1, third)


def test_a_version_starts_again_after_a_delete_and_revisions_never_do():
    machine = bootstrapped()
    apply(machine, Put(b"k", b"1"), Put(b"k", b"2"), Delete(b"k"))
    assert apply(machine, Put(b"k", b"3")).entry == KeyValue(b"k", b"3", 5, 5, 1, 0)


def test_a_delete_of_an_absent_key_takes_no_revision():
    machine = bootstrapped()
    assert apply(machine, Delete(b"k")) == DeleteResult(0)
    assert apply(machine, DeleteRange(b"", None)) == DeleteResult(0)
    assert machine.revision == 1


def test_what_is_no_mutation_takes_an_index_but_no_revision():
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5))
    revision = machine.revision
    apply(machine, at=10)
    apply(machine, LeaseKeepAlive(5), HashMarker(1), MemberDisk(Member("n1", 99)))
    apply(machine, CompareAndSet(b"k", b"v", Expect(version=1)), LeaseRevoke(404))
    assert (machine.revision, machine.index) == (revision, 5)


def test_revisions_tell_the_store_revision_after_each_command():
    machine = bootstrapped()
    apply(machine, Put(b"a", b""), Delete(b"no"), Put(b"b", b""), HashMarker(1))
    assert machine.revisions == [2, 2, 3, 3]
    apply(machine)
    assert machine.revisions == []


@pytest.mark.parametrize(
    ("expect", "holds"),
    [
        (Expect(absent=True), False),
        (Expect(value=b"2"), True),
        (Expect(value=b"1"), False),
        (Expect(version=2), True),
        (Expect(version=1), False),
        (Expect(mod_revision=3), True),
        (Expect(mod_revision=2), False),
        (Expect(create_revision=2), True),
        (Expect(create_revision=3), False),
        (Expect(value=b"2", version=2, mod_revision=3, create_revision=2), True),
        (Expect(value=b"2", version=2, mod_revision=3, create_revision=9), False),
    ],
)
def test_a_compare_and_set_writes_only_where_all_of_it_holds(expect, holds):
    machine = bootstrapped()
    apply(machine, Put(b"k", b"1"), Put(b"k", b"2"))
    before = machine.get(b"k")
    result = apply(machine, CompareAndSet(b"k", b"new", expect))
    after = KeyValue(b"k", b"new", 2, 4, 3, 0) if holds else before
    assert result == CasResult(holds, after)
    assert machine.get(b"k") == after


@pytest.mark.parametrize(
    "expect",
    [Expect(value=b""), Expect(version=0), Expect(mod_revision=0), Expect(create_revision=0)],
)
def test_on_an_absent_key_only_absent_can_hold(expect):
    machine = bootstrapped()
    assert apply(machine, CompareAndSet(b"k", b"v", expect)) == CasResult(False, None)
    result = apply(machine, CompareAndSet(b"k", b"v", ABSENT))
    assert result == CasResult(True, KeyValue(b"k", b"v", 2, 2, 1, 0))


def test_commands_of_one_entry_see_each_other():
    machine = bootstrapped()
    first, second = apply(
        machine, CompareAndSet(b"k", b"a", ABSENT), CompareAndSet(b"k", b"b", ABSENT)
    )
    assert (first.succeeded, second.succeeded) == (True, False)
    assert second.entry.value == b"a"


def test_a_condition_comes_before_the_lease_it_would_attach():
    machine = bootstrapped()
    absent = apply(machine, CompareAndSet(b"k", b"v", Expect(version=1), lease_id=404))
    assert absent == CasResult(False, None)
    refused = apply(machine, CompareAndSet(b"k", b"v", ABSENT, lease_id=404))
    assert refused == Refused(Reason.LEASE_NOT_FOUND, "lease 404 does not exist")


def test_a_range_goes_in_one_revision():
    machine = bootstrapped()
    apply(machine, *(Put(key, b"v") for key in (b"a", b"b", b"ba", b"c")))
    assert apply(machine, DeleteRange(b"b", b"c")) == DeleteResult(2)
    assert machine.revision == 6
    page = machine.page(b"", None, limit=9, max_bytes=99)
    assert [entry.key for entry in page.entries] == [b"a", b"c"]
    assert apply(machine, DeleteRange(b"c", b"a")) == DeleteResult(0)
    assert apply(machine, DeleteRange(b"", None)) == DeleteResult(2)


def test_a_range_beyond_the_limit_is_refused_with_its_count():
    machine = bootstrapped(touched_entries=3)
    apply(machine, *(Put(b"%d" % number, b"v") for number in range(4)))
    refused = apply(machine, DeleteRange(b"", None))
    message = "the range holds 4 entries, the limit touched_entries is 3"
    assert refused == Refused(Reason.TOO_MANY_ENTRIES, message)
    assert (machine.key_count, machine.revision) == (4, 5)
    assert apply(machine, DeleteRange(b"1", None)) == DeleteResult(3)


def test_a_page_ends_at_its_bounds_but_holds_one_entry():
    machine = bootstrapped()
    apply(machine, *(Put(key, b"12345") for key in (b"a", b"b", b"c")))

    def keys(**bounds):
        page = machine.page(b"", None, **bounds)
        return [entry.key for entry in page.entries], page.more

    assert keys(limit=3, max_bytes=18) == ([b"a", b"b", b"c"], False)
    assert keys(limit=2, max_bytes=18) == ([b"a", b"b"], True)
    assert keys(limit=3, max_bytes=17) == ([b"a", b"b"], True)
    assert keys(limit=3, max_bytes=0) == ([b"a"], True)
    assert keys(limit=3, max_bytes=3, keys_only=True) == ([b"a", b"b", b"c"], False)
    only = machine.page(b"b", b"c", limit=3, max_bytes=99, keys_only=True)
    assert only.entries == (KeyValue(b"b", b"", 3, 3, 1, 0),)


def test_state_bytes_follow_every_change():
    machine = bootstrapped()
    apply(machine, Put(b"key", b"12345"))
    assert machine.state_bytes == 8
    apply(machine, Put(b"key", b"1"), Put(b"k", b""))
    assert machine.state_bytes == 5
    apply(machine, Delete(b"key"))
    assert machine.state_bytes == 1


def test_an_index_must_grow_and_may_jump():
    machine = bootstrapped()
    machine.apply(9, Entry(None, ()))
    with pytest.raises(AssertionError, match="index 9 after 9"):
        machine.apply(9, Entry(None, ()))


def test_time_never_turns_back_and_stands_without_a_stamp():
    machine = bootstrapped()
    times = []
    for stamp in (5, 3, None, 6):
        apply(machine, at=stamp)
        times.append(machine.cluster_time_ms)
    assert times == [5, 5, 5, 6]


def test_the_first_bootstrap_wins():
    machine = StateMachine()
    limits = ApplyLimits(leases=1)
    assert apply(machine, Bootstrap(7, MEMBERS, limits)) == MemberResult(7, "", 0)
    assert apply(machine, Bootstrap(8, (), ApplyLimits())) == MemberResult(7, "", 0)
    assert (machine.cluster_id, machine.limits, machine.revision) == (7, limits, 1)
    assert dict(machine.members) == {member.name: member for member in MEMBERS}


def test_a_member_gets_another_disk_and_a_stranger_none():
    machine = bootstrapped()
    seen = machine.members
    assert apply(machine, MemberDisk(Member("n2", 99))) == MemberResult(7, "n2", 99)
    assert machine.members["n2"] == Member("n2", 99)
    assert seen["n2"].disk_id == 12, "who holds the table keeps what it saw"
    message = "'n9' is no member; the members are: n1, n2, n3"
    assert apply(machine, MemberDisk(Member("n9", 1))) == Refused(Reason.MEMBER_UNKNOWN, message)
    nobody = apply(StateMachine(), MemberDisk(Member("n1", 1)))
    assert nobody.message.endswith("the members are: none")


def test_a_command_of_no_known_type_is_a_bug_and_raises():
    with pytest.raises(AssertionError):
        apply(bootstrapped(), "put")


def test_a_marker_says_where_it_stands():
    machine = bootstrapped()
    assert apply(machine, HashMarker(5)) == MarkerResult(2, 5)
