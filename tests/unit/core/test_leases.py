"""Leases: ids, deadlines in cluster time, what is attached to what, and the ends of both."""

import pytest
from core_states import apply, bootstrapped, encoding, loaded

from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
)
from kvraft.core.errors import Reason
from kvraft.core.results import LeaseDescription, LeaseResult, Refused, RevokeResult


def lease_of(machine, key):
    return machine.get(key).lease_id


def keys_of(machine, lease_id):
    described = machine.describe_lease(lease_id)
    return None if described is None else described.keys


def test_ids_are_counted_chosen_and_never_handed_out_twice():
    machine = bootstrapped()
    granted = apply(
        machine,
        LeaseGrant(1_000),
        LeaseGrant(2_000, lease_id=2),
        LeaseGrant(3_000),
        LeaseRevoke(1),
        LeaseGrant(4_000),
    )
    assert [result.lease_id for result in granted] == [1, 2, 3, 1, 4]
    assert machine.lease_count == 3
    assert machine.revision == 6


def test_a_taken_id_is_refused():
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5))
    refused = apply(machine, LeaseGrant(9_000, lease_id=5))
    assert refused == Refused(Reason.LEASE_EXISTS, "lease 5 exists")
    assert machine.smallest_ttl_ms() == 1_000


@pytest.mark.parametrize("ttl_ms", [-1, 999, 86_400_001])
def test_a_ttl_out_of_range_is_refused_everywhere(ttl_ms):
    machine = bootstrapped()
    message = f"ttl_ms is {ttl_ms}, it must be 1000 to 86400000"
    for command in (LeaseGrant(ttl_ms), Put(b"k", b"v", ttl_ms=ttl_ms)):
        assert apply(machine, command) == Refused(Reason.TTL_OUT_OF_RANGE, message)
    assert apply(machine, LeaseGrant(86_400_000)).ttl_ms == 86_400_000


def test_a_deadline_counts_from_the_last_keepalive():
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5), at=100)
    assert machine.next_deadline_ms() == 1_100
    assert apply(machine, LeaseKeepAlive(5), at=1_099) == LeaseResult(5, 1_000, 1_000)
    assert machine.next_deadline_ms() == 2_099
    assert machine.describe_lease(5) == LeaseDescription(5, 1_000, 1_000, (), 0)
    apply(machine, at=2_098)
    assert machine.describe_lease(5).remaining_ms == 1
    apply(machine, at=2_099)
    assert machine.describe_lease(5) is None
    assert machine.next_deadline_ms() is None


def test_a_keepalive_in_the_entry_in_which_the_lease_falls_due_is_too_late():
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5), at=0)
    assert apply(machine, LeaseKeepAlive(5), at=1_000).reason is Reason.LEASE_NOT_FOUND


def test_the_keys_of_an_expired_lease_go_in_one_revision():
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5), Put(b"a", b"", lease_id=5), at=0)
    apply(machine, Put(b"b", b"", lease_id=5), Put(b"c", b""))
    assert keys_of(machine, 5) == (b"a", b"b")
    revision = machine.revision
    apply(machine, at=1_000)
    assert (machine.revision, machine.key_count) == (revision + 1, 1)


def test_due_leases_end_by_deadline_then_id_and_the_rest_waits_for_the_next_entry():
    machine = bootstrapped(expiries_per_entry=2)
    apply(machine, *(LeaseGrant(1_000, lease_id=lease_id) for lease_id in (9, 4, 6)), at=5)
    apply(machine, LeaseGrant(1_003, lease_id=1), at=0)
    alive = apply(machine, *(LeaseKeepAlive(lease_id) for lease_id in (4, 6, 9)), at=1_005)
    assert [isinstance(result, LeaseResult) for result in alive] == [False, False, True]
    assert machine.next_deadline_ms() == 1_008
    apply(machine)
    assert machine.describe_lease(1) is not None
    apply(machine, at=1_008)
    assert [lease.lease_id for lease in machine.list_leases(0, 9)[0]] == [9]


def test_a_lease_left_due_ends_in_the_next_entry_even_without_a_stamp():
    machine = bootstrapped(expiries_per_entry=1)
    apply(machine, LeaseGrant(1_000), LeaseGrant(1_000), at=0)
    apply(machine, at=1_000)
    assert (machine.lease_count, machine.next_deadline_ms()) == (1, 1_000)
    apply(machine)
    assert machine.lease_count == 0


def test_revoking_takes_the_keys_along_in_one_revision():
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5))
    apply(machine, Put(b"b", b"", lease_id=5), Put(b"a", b"", lease_id=5))
    revision = machine.revision
    assert apply(machine, LeaseRevoke(5)) == RevokeResult(5, 2)
    assert (machine.revision, machine.key_count) == (revision + 1, 0)
    missing = Refused(Reason.LEASE_NOT_FOUND, "lease 5 does not exist")
    assert apply(machine, LeaseRevoke(5), LeaseKeepAlive(5)) == [missing, missing]


@pytest.mark.parametrize(
    "command",
    [
        Put(b"k", b"2"),
        Put(b"k", b"2", lease_id=6),
        Put(b"k", b"2", ttl_ms=1_000),
        CompareAndSet(b"k", b"2", Expect(value=b"1")),
        Delete(b"k"),
        DeleteRange(b"", None),
    ],
    ids=repr,
)
def test_a_key_leaves_its_lease_when_it_is_moved_detached_or_deleted(command):
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5), LeaseGrant(1_000, lease_id=6))
    apply(machine, Put(b"k", b"1", lease_id=5))
    apply(machine, command)
    assert keys_of(machine, 5) == ()
    assert apply(machine, LeaseRevoke(5)) == RevokeResult(5, 0)


@pytest.mark.parametrize("again", [{"lease_id": 5}, {"keep_lease": True}])
def test_a_key_stays_with_its_lease_where_that_is_said(again):
    machine = bootstrapped(keys_per_lease=1)
    apply(machine, LeaseGrant(1_000, lease_id=5), Put(b"k", b"1", lease_id=5))
    assert apply(machine, Put(b"k", b"2", **again)).entry.lease_id == 5
    swap = CompareAndSet(b"k", b"3", Expect(value=b"2"), **again)
    assert apply(machine, swap).entry.lease_id == 5
    assert keys_of(machine, 5) == (b"k",)


def test_keeping_the_lease_of_a_key_without_one_is_no_error():
    machine = bootstrapped()
    assert apply(machine, Put(b"k", b"1", keep_lease=True)).entry.lease_id == 0
    assert apply(machine, Put(b"k", b"1", keep_lease=True)).entry.lease_id == 0


def test_more_than_one_word_about_the_lease_is_refused():
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5))
    refused = apply(machine, Put(b"k", b"", lease_id=5, ttl_ms=1_000))
    assert refused.reason is Reason.INVALID


def test_a_lease_carries_a_bounded_number_of_keys():
    machine = bootstrapped(keys_per_lease=2)
    apply(machine, LeaseGrant(1_000, lease_id=5))
    apply(machine, Put(b"a", b"", lease_id=5), Put(b"b", b"", lease_id=5))
    message = "lease 5 has 2 keys, the limit keys_per_lease is 2"
    refused = apply(machine, Put(b"c", b"", lease_id=5))
    assert refused == Refused(Reason.LEASE_FULL, message)
    assert machine.get(b"c") is None


def test_granted_leases_are_bounded_and_implicit_ones_do_not_count():
    machine = bootstrapped(leases=1)
    apply(machine, Put(b"k", b"", ttl_ms=1_000), LeaseGrant(1_000))
    refused = apply(machine, LeaseGrant(1_000))
    message = "1 leases are alive, the limit leases is 1"
    assert refused == Refused(Reason.TOO_MANY_LEASES, message)


def test_a_ttl_gives_the_key_a_lease_of_its_own():
    machine = bootstrapped()
    apply(machine, Put(b"k", b"v", ttl_ms=1_500), at=100)
    lease_id = lease_of(machine, b"k")
    assert machine.describe_lease(lease_id) == LeaseDescription(lease_id, 1_500, 1_500, (b"k",), 1)
    assert (machine.lease_count, machine.smallest_ttl_ms()) == (0, 1_500)
    revision = machine.revision
    apply(machine, at=1_600)
    assert (machine.get(b"k"), machine.revision) == (None, revision + 1)


@pytest.mark.parametrize(
    "command",
    [Put(b"k", b"2"), Put(b"k", b"2", lease_id=50), Delete(b"k"), DeleteRange(b"k", None)],
    ids=repr,
)
def test_an_implicit_lease_ends_with_its_key(command):
    machine = bootstrapped()
    apply(machine, LeaseGrant(9_000, lease_id=50), Put(b"k", b"v", ttl_ms=1_000))
    implicit = lease_of(machine, b"k")
    apply(machine, command)
    assert machine.describe_lease(implicit) is None
    assert machine.smallest_ttl_ms() == 9_000


def test_a_new_ttl_replaces_the_implicit_lease_and_keep_lease_keeps_it():
    machine = bootstrapped(ttl_leases=1)
    apply(machine, Put(b"k", b"1", ttl_ms=1_000), at=0)
    first = lease_of(machine, b"k")
    apply(machine, Put(b"k", b"2", keep_lease=True), at=500)
    assert machine.next_deadline_ms() == 1_000
    apply(machine, Put(b"k", b"3", ttl_ms=1_000))
    second = lease_of(machine, b"k")
    assert (machine.describe_lease(first), machine.next_deadline_ms()) == (None, 1_500)
    assert second > first
    refused = apply(machine, Put(b"other", b"", ttl_ms=1_000))
    message = "1 keys have a ttl_ms, the limit ttl_leases is 1"
    assert refused == Refused(Reason.TOO_MANY_LEASES, message)


def test_an_implicit_lease_is_renewed_and_revoked_like_any_other():
    machine = bootstrapped()
    apply(machine, Put(b"k", b"1", ttl_ms=1_000), at=0)
    lease_id = lease_of(machine, b"k")
    assert apply(machine, LeaseKeepAlive(lease_id), at=900) == LeaseResult(lease_id, 1_000, 1_000)
    assert machine.next_deadline_ms() == 1_900
    assert apply(machine, LeaseRevoke(lease_id)) == RevokeResult(lease_id, 1)
    assert machine.get(b"k") is None


def test_no_second_key_joins_an_implicit_lease():
    machine = bootstrapped()
    apply(machine, Put(b"k", b"1", ttl_ms=1_000))
    lease_id = lease_of(machine, b"k")
    refused = apply(machine, Put(b"other", b"", lease_id=lease_id))
    assert refused.reason is Reason.LEASE_FULL
    assert apply(machine, Put(b"k", b"2", lease_id=lease_id)).entry.lease_id == lease_id


def test_leases_are_listed_in_pages_without_their_keys():
    machine = bootstrapped()
    apply(machine, *(LeaseGrant(1_000, lease_id=lease_id) for lease_id in (7, 3, 5)))
    apply(machine, Put(b"a", b"", lease_id=5), Put(b"b", b"", lease_id=5))
    first, more = machine.list_leases(0, 2)
    assert first == [
        LeaseDescription(3, 1_000, 1_000, ()),
        LeaseDescription(5, 1_000, 1_000, (), 2),
    ]
    assert more
    assert machine.list_leases(5, 2) == ([LeaseDescription(7, 1_000, 1_000, ())], False)


@pytest.mark.parametrize("end", [LeaseRevoke(5), None])
def test_an_id_granted_anew_carries_nothing_of_the_lease_before(end):
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, lease_id=5), Put(b"k", b"", lease_id=5), at=0)
    apply(machine, *([end] if end else []), at=1_000)
    apply(machine, LeaseGrant(1_000, lease_id=5), Put(b"k", b""))
    assert keys_of(machine, 5) == ()
    apply(machine, at=9_000)
    assert machine.get(b"k") is not None


def test_the_remaining_time_is_the_same_after_a_reload():
    machine = bootstrapped()
    apply(machine, LeaseGrant(5_000, lease_id=5), Put(b"k", b"", ttl_ms=3_000), at=100)
    apply(machine, at=1_100)
    again = loaded(encoding(machine))
    assert again.list_leases(0, 9) == machine.list_leases(0, 9)
    assert again.next_deadline_ms() == 3_100
    apply(again, at=3_100)
    assert (again.get(b"k"), again.lease_count) == (None, 1)
