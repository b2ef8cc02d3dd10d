"""Locks: who holds, who waits, in which order, and how an acquisition begins and ends."""

import pytest
from core_locks import (
    COUNTED,
    LEASE,
    SHARED,
    changed,
    fence,
    free,
    standings,
    tokens,
    wish,
    with_lease,
)
from core_states import apply, bootstrapped

from kvraft.core.commands import Confirm, Fence, KeyIdentity, LeaseGrant, Put, Release, Request
from kvraft.core.errors import Reason
from kvraft.core.results import (
    AcquireResult,
    Ending,
    LockDescription,
    PlaceDescription,
    Refused,
    ReleaseResult,
    Replayed,
    Standing,
)


@pytest.fixture
def machine():
    return with_lease(bootstrapped())


def test_a_free_lock_is_granted_at_once_with_a_token(machine):
    revision = machine.revision
    granted = apply(machine, wish("a", "x"), at=40)
    assert granted == AcquireResult(1, Standing.GRANTED, LEASE, (Fence(b"x", 1),))
    assert machine.revision == revision + 1
    assert changed(machine) == [("GRANTED", "a", (1,), None)]
    assert machine.lock_changes[0].revision == machine.revision
    assert machine.holds(b"x", 1)
    assert not machine.holds(b"x", 2)


def test_waiters_are_served_first_in_first_out_in_the_revision_of_the_release(machine):
    apply(machine, *(wish(key, "x") for key in "abcd"))
    assert standings(machine, "abcd") == "gqqq"
    revision = machine.revision
    assert apply(machine, free("a")) == ReleaseResult(True)
    assert changed(machine) == [("ENDED", "a", (1,), "RELEASED"), ("GRANTED", "b", (2,), None)]
    assert {change.revision for change in machine.lock_changes} == {revision + 1}
    assert machine.revision == revision + 1
    apply(machine, free("c"), free("b"))
    assert standings(machine, "abcd") == "eeeg"
    assert tokens(machine, "x") == (3,)


def test_a_waiter_learns_its_position_and_who_is_in_its_way(machine):
    apply(machine, wish("a", "x"), wish("b", "x"), wish("y", "y"))
    assert apply(machine, wish("c", "x", "y")) == AcquireResult(
        4, Standing.QUEUED, LEASE, position=1, holders=(1, 2)
    )
    assert machine.acquisition(b"b").position == 0
    apply(machine, *(wish(f"r{number}", "z", mode=SHARED) for number in range(20)))
    assert len(apply(machine, wish("w", "z")).holders) == 16


def test_readers_share_and_no_reader_overtakes_a_waiting_writer(machine):
    apply(machine, *(wish(key, "x", mode=SHARED) for key in "ab"), wish("w", "x"))
    apply(machine, *(wish(key, "x", mode=SHARED) for key in "cd"), wish("v", "x"))
    assert standings(machine, "abwcdv") == "ggqqqq"
    apply(machine, free("a"))
    assert standings(machine, "bwcdv") == "gqqqq"
    apply(machine, free("b"))
    assert standings(machine, "wcdv") == "gqqq"
    apply(machine, free("w"))
    assert standings(machine, "cdv") == "ggq"
    assert changed(machine)[1:] == [("GRANTED", "c", (4,), None), ("GRANTED", "d", (5,), None)]
    assert tokens(machine, "x") == (4, 5)


def test_a_reader_behind_a_writer_that_leaves_the_queue_is_served(machine):
    apply(machine, wish("a", "x", mode=SHARED), wish("w", "x"), wish("b", "x", mode=SHARED))
    apply(machine, free("w"))
    assert standings(machine, "ab") == "gg"


def test_shared_holders_are_bounded_and_the_next_one_waits():
    machine = with_lease(bootstrapped(holders_per_lock=2))
    apply(machine, *(wish(key, "x", mode=SHARED) for key in "abc"))
    assert standings(machine, "abc") == "ggq"
    apply(machine, free("a"))
    assert standings(machine, "bc") == "gg"


def test_a_counted_lock_has_as_many_holders_as_its_capacity(machine):
    apply(machine, *(wish(key, "x", mode=COUNTED, capacity=2) for key in "abcd"))
    assert standings(machine, "abcd") == "ggqq"
    apply(machine, free("b"))
    assert standings(machine, "acd") == "ggq"
    assert machine.describe_lock(b"x", 1) == LockDescription(
        b"x",
        2,
        (PlaceDescription(1, b"", LEASE, COUNTED, 1, 0),),
        (PlaceDescription(4, b"", LEASE, COUNTED, 0, 0),),
        2,
        1,
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"mode": COUNTED, "capacity": 2}, {"mode": COUNTED, "capacity": 3}),
        ({"mode": COUNTED, "capacity": 1}, {}),
        ({"mode": SHARED}, {"mode": COUNTED, "capacity": 1}),
    ],
)
def test_kinds_do_not_mix_while_the_lock_is_in_use(machine, first, second):
    apply(machine, wish("a", "x", **first))
    assert apply(machine, wish("b", "x", **second)).reason is Reason.LOCK_MODE
    apply(machine, free("a"))
    assert apply(machine, wish("b", "x", **second)).standing is Standing.GRANTED


def test_several_locks_are_granted_together_once_their_place_heads_all_queues(machine):
    apply(machine, wish("a", "x"), wish("b", "y"), wish("all", "x", "y", "z"))
    apply(machine, wish("c", "z"))
    assert standings(machine, "c") == "q", "a lock that somebody waits for first stays free"
    apply(machine, free("a"))
    assert standings(machine, ["all", "c"]) == "qq"
    apply(machine, free("b"))
    assert changed(machine)[1] == ("GRANTED", "all", (3, 4, 5), None)
    fences = (Fence(b"x", 3), Fence(b"y", 4), Fence(b"z", 5))
    assert machine.acquisition(b"all").fences == fences
    apply(machine, free("all"))
    assert tokens(machine, "z") == (6,)


def test_a_place_with_several_locks_overtakes_nobody_on_any_of_them(machine):
    apply(machine, wish("a", "x"), wish("b", "z"), wish("c", "y", "z"), wish("d", "x", "y"))
    apply(machine, free("a"))
    assert standings(machine, "cd") == "qq", "x and y are free, but c waits for y first"
    apply(machine, free("b"), free("c"))
    assert standings(machine, "d") == "g"


def test_a_try_is_granted_or_ends_at_once_and_leaves_nothing_but_its_ending(machine):
    assert apply(machine, wish("a", "x", wait_ms=0)).standing is Standing.GRANTED
    revision, leases = machine.revision, machine.lease_count
    tried = apply(machine, wish("b", "x", wait_ms=0, ttl_ms=5_000))
    assert tried == AcquireResult(2, Standing.ENDED, ending=Ending.TIMED_OUT)
    assert (machine.revision, machine.lease_count) == (revision, leases)
    assert machine.lock_changes == []
    apply(machine, free("a"))
    assert apply(machine, wish("b", "x", wait_ms=0, ttl_ms=5_000)) == tried


def test_a_repeated_acquire_is_told_how_its_place_stands_now(machine):
    granted = apply(machine, wish("a", "x"))
    queued = apply(machine, wish("b", "x"))
    revision = machine.revision
    assert apply(machine, wish("a", "x"), wish("b", "x")) == [granted, queued]
    assert machine.revision == revision
    apply(machine, free("a"))
    assert apply(machine, wish("b", "x")).fences == (Fence(b"x", 2),)
    assert apply(machine, wish("a", "x")) == AcquireResult(
        1, Standing.ENDED, ending=Ending.RELEASED
    )


def test_a_repeated_acquire_with_its_own_lease_makes_no_second_lease(machine):
    granted = apply(machine, wish("a", "x", ttl_ms=5_000))
    leases = machine.lease_count
    assert apply(machine, wish("a", "x", ttl_ms=5_000)) == granted
    assert machine.lease_count == leases


@pytest.mark.parametrize(
    "other",
    [
        wish("a", "y"),
        wish("a", "x", mode=SHARED),
        wish("a", "x", owner=b"o"),
        wish("a", "x", lease_id=901),
        wish("a", "x", ttl_ms=5_000),
    ],
    ids=repr,
)
def test_a_key_is_of_one_acquisition_only(machine, other):
    apply(machine, wish("a", "x"))
    assert apply(machine, other) == Refused(
        Reason.KEY_REUSED, "key b'a' was used for another acquisition"
    )


def test_an_ending_is_remembered_for_its_time(machine):
    apply(machine, wish("a", "x"), wish("b", "x"), at=0)
    apply(machine, free("b"), free("a"))
    apply(machine, at=59_999)
    assert standings(machine, "ab") == "ee"
    apply(machine, at=60_000)
    assert machine.acquisition(b"a") is None
    apply(machine, at=599_999)
    assert standings(machine, "b") == "e"
    apply(machine, at=600_000)
    assert machine.acquisition(b"b") is None


def test_a_release_that_overtakes_its_acquire_wins(machine):
    revision = machine.revision
    assert apply(machine, free("a")) == ReleaseResult(False)
    assert apply(machine, wish("a", "x")).ending is Ending.RELEASED
    assert apply(machine, free("a")) == ReleaseResult(False)
    assert (machine.revision, machine.describe_lock(b"x", 9)) == (revision, None)


def test_a_release_of_what_is_not_held_changes_nothing(machine):
    apply(machine, wish("a", "x"))
    revision = machine.revision
    assert apply(machine, Release(fence=Fence(b"x", 2))) == ReleaseResult(False)
    assert apply(machine, Release(fence=Fence(b"y", 1))) == ReleaseResult(False)
    assert (machine.revision, tokens(machine, "x")) == (revision, (1,))


def test_a_release_by_the_fence_of_one_lock_ends_the_whole_acquisition(machine):
    apply(machine, wish("a", "x", "y"))
    assert apply(machine, Release(fence=Fence(b"y", 2))) == ReleaseResult(True)
    assert machine.describe_lock(b"x", 9) is None


def test_a_release_can_carry_an_identity_and_a_fence(machine):
    apply(machine, wish("a", "x"))
    request = Request(free("a"), identity=KeyIdentity(b"i"), fences=(Fence(b"x", 1),))
    assert apply(machine, request) == ReleaseResult(True)
    assert apply(machine, request) == Replayed(ReleaseResult(True), machine.revision)


def test_a_full_memory_of_endings_refuses_new_acquisitions():
    machine = with_lease(bootstrapped(ended_places=2))
    apply(machine, wish("a", "x"), free("a"), wish("b", "x"), Confirm(b"b"), at=0)
    full = Refused(Reason.OVERLOAD, "2 acquisitions are remembered, the limit ended_places is 2")
    assert apply(machine, wish("c", "y"), free("d")) == [full, full]
    assert apply(machine, free("b"), at=60_000) == ReleaseResult(True)
    assert apply(machine, wish("c", "y")).standing is Standing.GRANTED


def test_endings_are_forgotten_in_order_and_a_bounded_number_an_entry():
    machine = with_lease(bootstrapped(expiries_per_entry=1))
    apply(machine, *(wish(key, "x", wait_ms=0) for key in "abcd"), at=0)
    apply(machine, at=600_000)
    assert [machine.acquisition(key) is None for key in (b"b", b"c", b"d")] == [True, False, False]
    apply(machine, Put(b"k", b""))
    assert machine.acquisition(b"d") is None, "two more for each command"


def test_an_owner_cannot_wait_for_itself(machine):
    apply(machine, wish("a", "x", owner=b"o"), wish("b", "x"), wish("c", "x", owner=b"p"))
    again = apply(machine, wish("d", "w", "x", owner=b"o"), wish("e", "x", owner=b"p", wait_ms=0))
    assert again == [
        Refused(Reason.ALREADY_HELD, "owner b'o' holds lock b'x' already"),
        Refused(Reason.ALREADY_HELD, "owner b'p' waits for lock b'x' already"),
    ]
    assert machine.acquisition(b"d") is None


def test_nobody_is_not_the_same_as_nobody(machine):
    apply(machine, wish("a", "x"), wish("b", "x"))
    assert standings(machine, "ab") == "gq"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (wish("a", "x", lease_id=5), Reason.LEASE_NOT_FOUND),
        (wish("a", "x", lease_id=1), Reason.LEASE_FULL),
        (wish("a", "x", ttl_ms=1), Reason.TTL_OUT_OF_RANGE),
        (wish("a", "x", lease_id=None), Reason.INVALID),
        (wish("a", "x", lease_id=5, ttl_ms=5_000), Reason.INVALID),
    ],
    ids=repr,
)
def test_a_place_needs_a_lease_that_can_carry_it(machine, command, reason):
    apply(machine, Put(b"k", b"", ttl_ms=5_000))
    assert apply(machine, command).reason is reason
    assert machine.place_count == 0


def test_an_acquisition_cannot_make_more_leases_than_there_may_be():
    machine = with_lease(bootstrapped(leases=1))
    assert apply(machine, wish("a", "x", ttl_ms=5_000)).reason is Reason.TOO_MANY_LEASES


def test_a_lease_carries_so_many_locks_and_a_lock_so_many_waiters():
    machine = with_lease(bootstrapped(locks_per_lease=3, waiters_per_lock=1))
    apply(machine, wish("a", "x", "y"))
    assert apply(machine, wish("b", "v", "w")).message == (
        "lease 900 has 2 locks, the limit locks_per_lease is 3"
    )
    apply(machine, wish("b", "x"), LeaseGrant(5_000, lease_id=7))
    assert apply(machine, wish("c", "w", lease_id=LEASE)).reason is Reason.TOO_MANY_LOCKS
    full = apply(machine, wish("c", "x", lease_id=7))
    message = "1 wait for lock b'x', the limit waiters_per_lock is 1"
    assert full == Refused(Reason.TOO_MANY_WAITERS, message)
    assert apply(machine, wish("d", "x", lease_id=7, wait_ms=0)).ending is Ending.TIMED_OUT


def test_tokens_are_counted_over_all_locks_and_never_given_again(machine):
    apply(machine, wish("a", "x"), wish("b", "y", "z"), free("a"), free("b"))
    apply(machine, wish("c", "x"))
    assert fence(machine, "x").token == 4


def test_grants_beyond_the_bound_of_an_entry_follow_in_the_next():
    machine = with_lease(bootstrapped(grants_per_entry=2))
    apply(machine, wish("w", "x"), *(wish(key, "x", mode=SHARED) for key in "abcde"), at=7)
    assert machine.next_deadline_ms() == 7 + 10_000
    apply(machine, free("w"))
    assert standings(machine, "abcde") == "ggqqq"
    assert machine.next_deadline_ms() == 7, "there is something to do at once"
    revision = machine.revision
    apply(machine)
    assert standings(machine, "abcde") == "ggggq"
    assert machine.revision == revision + 1
    assert {change.revision for change in machine.lock_changes} == {machine.revision}
    assert apply(machine, wish("f", "y")).standing is Standing.GRANTED
    assert standings(machine, "abcde") == "ggggg"
    assert machine.next_deadline_ms() == 7 + 10_000
    revision = machine.revision
    apply(machine)
    assert machine.revision == revision


def test_an_immediate_grant_is_not_of_the_entrys_bound():
    machine = with_lease(bootstrapped(grants_per_entry=1))
    apply(machine, *(wish(f"{number}", f"l{number}") for number in range(9)))
    assert machine.place_count == 9
    assert standings(machine, (f"{number}" for number in range(9))) == "g" * 9


def test_locks_are_listed_in_the_order_of_their_names(machine):
    apply(machine, *(wish(name, name) for name in ("b2", "a", "b1", "b3", "c")), wish("w", "b1"))
    found, more = machine.list_locks(None, b"b", 2)
    assert [lock.name for lock in found] == [b"b1", b"b2"]
    assert (more, found[0].waiter_count) == (True, 1)
    found, more = machine.list_locks(b"b2", b"b", 2)
    assert ([lock.name for lock in found], more) == ([b"b3"], False)


def test_an_idle_lock_leaves_nothing_behind(machine):
    apply(machine, wish("a", "x"), wish("b", "x"), free("b"), free("a"))
    assert machine.describe_lock(b"x", 9) is None
    assert machine.list_locks(None, b"", 9) == ([], False)
    assert machine.place_count == 0


def test_confirming_what_is_not_there_says_so(machine):
    assert apply(machine, Confirm(b"a")) == Refused(
        Reason.LOCK_NOT_FOUND, "no acquisition has the key b'a'"
    )
    apply(machine, wish("a", "x"), free("a"))
    assert apply(machine, Confirm(b"a")).ending is Ending.RELEASED
