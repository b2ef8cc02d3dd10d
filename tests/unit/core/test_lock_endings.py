"""How places end by time and with their leases, who is served then, and what is taken back."""

import pytest
from core_locks import ATTACH_MS, LEASE, SHARED, changed, fence, free, standings, tokens, wish
from core_locks import with_lease as with_long_lease
from core_states import apply, bootstrapped, encoding, loaded

from kvraft.core.commands import Attach, Confirm, LeaseGrant, LeaseKeepAlive, LeaseRevoke, Put
from kvraft.core.history import Cause
from kvraft.core.limits import REVISION_LEAP
from kvraft.core.results import AttachResult, Ending, ReleaseResult, RevokeResult, Standing


@pytest.fixture
def machine():
    return with_long_lease(bootstrapped())


def ending(machine, key):
    return machine.acquisition(key.encode()).ending


# -- waiting


def test_a_waiter_leaves_when_its_time_is_up(machine):
    apply(machine, wish("a", "x"), wish("b", "x", wait_ms=3_000), wish("c", "x"), at=0)
    apply(machine, Confirm(b"a"))
    apply(machine, at=2_999)
    assert standings(machine, "abc") == "gqq"
    revision = machine.revision
    apply(machine, at=3_000)
    assert ending(machine, "b") is Ending.TIMED_OUT
    assert (machine.revision, standings(machine, "ac")) == (revision + 1, "gq")


def test_a_waiter_that_nobody_attends_leaves(machine):
    apply(machine, wish("a", "x"), wish("b", "x"), Confirm(b"a"), at=0)
    assert machine.next_deadline_ms() == ATTACH_MS
    apply(machine, at=ATTACH_MS)
    assert ending(machine, "b") is Ending.UNATTENDED


def test_a_waiter_that_is_attended_stays(machine):
    apply(machine, wish("a", "x"), *(wish(key, "x") for key in "bcde"), Confirm(b"a"), at=0)
    revision = machine.revision
    apply(machine, Attach((2, 3, 77)), at=ATTACH_MS - 1)
    assert apply(machine, Attach((2, 3, 77))) == AttachResult(2)
    apply(machine, wish("d", "x"), Confirm(b"e"))
    assert machine.revision == revision
    apply(machine, at=2 * ATTACH_MS - 2)
    assert standings(machine, "bcde") == "qqqq"
    apply(machine, at=2 * ATTACH_MS - 1)
    assert standings(machine, "bcde") == "eeee"


def test_a_waiters_time_limit_counts_however_well_it_is_attended(machine):
    apply(machine, wish("a", "x"), wish("b", "x", wait_ms=ATTACH_MS + 1), Confirm(b"a"), at=0)
    apply(machine, Attach((2,)), at=9_000)
    apply(machine, at=ATTACH_MS + 1)
    assert ending(machine, "b") is Ending.TIMED_OUT


# -- confirming


def test_a_grant_that_nobody_confirms_is_taken_back_and_handed_on(machine):
    apply(machine, wish("a", "x"), wish("b", "x"), at=0)
    apply(machine, Attach((2,)), at=5_000)
    apply(machine, Attach((1,)), at=6_000)
    revision = machine.revision
    apply(machine, at=ATTACH_MS)
    assert changed(machine) == [("ENDED", "a", (1,), "UNATTENDED"), ("GRANTED", "b", (2,), None)]
    assert machine.revision == revision + 1
    assert machine.next_deadline_ms() == 2 * ATTACH_MS, "and this one has its own time"


def test_a_confirmed_grant_stays_as_long_as_its_lease(machine):
    apply(machine, wish("a", "x", wait_ms=5_000), at=0)
    confirmed = apply(machine, Confirm(b"a"), at=ATTACH_MS - 1)
    assert confirmed == machine.acquisition(b"a")
    assert confirmed.standing is Standing.GRANTED
    apply(machine, at=80_000_000)
    assert standings(machine, "a") == "g"
    assert machine.next_deadline_ms() == 86_400_000


# -- leases


def test_an_expired_lease_hands_its_locks_over_in_the_same_revision(machine):
    apply(machine, LeaseGrant(1_000, lease_id=5), Put(b"k", b"", lease_id=5), at=0)
    apply(machine, wish("a", "x", lease_id=5), wish("b", "x"), wish("c", "y", lease_id=5))
    revision = machine.revision
    apply(machine, at=1_000)
    assert changed(machine) == [
        ("ENDED", "a", (1,), "LEASE_EXPIRED"),
        ("ENDED", "c", (2,), "LEASE_EXPIRED"),
        ("GRANTED", "b", (3,), None),
    ]
    assert (machine.revision, machine.key_count) == (revision + 1, 0)
    assert {change.revision for change in machine.lock_changes} == {machine.revision}
    assert [event.cause for event in machine.changes[0].events] == [Cause.EXPIRED]


def test_a_revoked_lease_ends_its_places(machine):
    apply(machine, LeaseGrant(1_000, lease_id=5))
    apply(machine, wish("a", "x", lease_id=5), wish("b", "x"))
    assert apply(machine, LeaseRevoke(5)) == RevokeResult(5, 0)
    assert (ending(machine, "a"), standings(machine, "b")) == (Ending.LEASE_REVOKED, "g")


def test_what_ends_in_an_entry_is_not_granted_to_in_it(machine):
    apply(machine, *(LeaseGrant(1_000, lease_id=number) for number in (5, 6)), at=0)
    apply(machine, wish("a", "x", lease_id=5), wish("b", "x", lease_id=6))
    apply(machine, wish("c", "x", wait_ms=1_000), wish("d", "x"))
    apply(machine, at=1_000)
    assert changed(machine) == [
        ("ENDED", "a", (1,), "LEASE_EXPIRED"),
        ("ENDED", "b", (), "LEASE_EXPIRED"),
        ("ENDED", "c", (), "TIMED_OUT"),
        ("GRANTED", "d", (2,), None),
    ]
    assert [change.revision for change in machine.lock_changes] == [
        machine.revision - 2,
        machine.revision - 1,
        machine.revision,
        machine.revision,
    ]


def test_places_end_by_deadline_then_id_and_the_rest_in_the_next_entry():
    machine = with_long_lease(bootstrapped(expiries_per_entry=2))
    apply(machine, wish("a", "x"), Confirm(b"a"), at=0)
    apply(machine, wish("b", "x", wait_ms=9), wish("c", "x", wait_ms=8), wish("d", "x", wait_ms=8))
    apply(machine, at=9)
    assert [change[1] for change in changed(machine)] == ["c", "d"]
    assert machine.next_deadline_ms() == 9
    apply(machine)
    assert [change[1] for change in changed(machine)] == ["b"]


def test_leases_with_many_locks_share_the_bound_of_an_entry():
    machine = bootstrapped(touched_entries=3)
    apply(machine, *(LeaseGrant(1_000, lease_id=number) for number in (5, 6)), at=0)
    apply(machine, wish("a", "u", "v", lease_id=5), wish("b", "w", "x", lease_id=6))
    apply(machine, at=1_000)
    assert [change[1] for change in changed(machine)] == ["a"]
    apply(machine)
    assert [change[1] for change in changed(machine)] == ["b"]


# -- leases of their own


def test_an_acquisitions_own_lease_is_granted_with_it(machine):
    revision = machine.revision
    granted = apply(machine, wish("a", "x", ttl_ms=5_000), at=0)
    assert machine.describe_lease(granted.lease_id).ttl_ms == 5_000
    assert machine.revision == revision + 1


@pytest.mark.parametrize(
    ("at", "how"),
    [(None, [free("b")]), (1_000, []), (ATTACH_MS, [])],
    ids=["cancelled", "timed out", "unattended"],
)
def test_its_own_lease_ends_when_it_leaves_the_queue(machine, at, how):
    apply(machine, wish("a", "x"), Confirm(b"a"), at=0)
    wait_ms = 1_000 if at == 1_000 else None
    queued = apply(machine, wish("b", "x", ttl_ms=50_000, wait_ms=wait_ms))
    apply(machine, Put(b"k", b"", lease_id=queued.lease_id))
    revision = machine.revision
    apply(machine, *how, at=at)
    assert machine.describe_lease(queued.lease_id) is None
    assert (machine.revision, machine.key_count) == (revision + 1, 0)
    assert standings(machine, "b") == "e"


def test_its_own_lease_ends_when_the_grant_is_taken_back(machine):
    granted = apply(machine, wish("a", "x", ttl_ms=50_000), at=0)
    apply(machine, wish("b", "y", lease_id=granted.lease_id), Confirm(b"b"))
    apply(machine, at=ATTACH_MS)
    assert machine.describe_lease(granted.lease_id) is None
    assert ending(machine, "a") is Ending.UNATTENDED
    assert ending(machine, "b") is Ending.LEASE_EXPIRED


def test_its_own_lease_stays_when_it_is_released_unless_that_is_said(machine):
    granted = apply(machine, wish("a", "x", ttl_ms=50_000), wish("b", "y", ttl_ms=50_000))
    apply(machine, Put(b"k", b"", lease_id=granted[1].lease_id))
    revision = machine.revision
    apply(machine, free("a"), free("b", end_lease=True))
    assert machine.describe_lease(granted[0].lease_id) is not None
    assert machine.describe_lease(granted[1].lease_id) is None
    assert (machine.revision, machine.key_count) == (revision + 2, 0)
    assert [event.cause for event in machine.changes[0].events] == [Cause.REVOKED]


def test_release_can_end_the_lease_with_all_that_hangs_on_it(machine):
    apply(machine, LeaseGrant(1_000, lease_id=5))
    apply(machine, wish("a", "x", lease_id=5), wish("b", "y", lease_id=5), wish("c", "y"))
    revision = machine.revision
    assert apply(machine, free("a", end_lease=True)) == ReleaseResult(True)
    assert [ending(machine, key) for key in "ab"] == [Ending.RELEASED, Ending.LEASE_REVOKED]
    assert (machine.revision, standings(machine, "c")) == (revision + 1, "g")


def test_a_keepalive_of_its_own_lease_attends_and_confirms_it(machine):
    apply(machine, wish("a", "x"), Confirm(b"a"), at=0)
    queued = apply(machine, wish("b", "x", ttl_ms=50_000))
    apply(machine, LeaseKeepAlive(queued.lease_id), at=9_000)
    apply(machine, at=18_999)
    assert standings(machine, "b") == "q"
    apply(machine, free("a"))
    apply(machine, LeaseKeepAlive(queued.lease_id))
    apply(machine, at=50_000)
    assert standings(machine, "b") == "g"


def test_a_keepalive_of_another_lease_confirms_nothing(machine):
    apply(machine, wish("a", "x"), at=0)
    apply(machine, LeaseKeepAlive(LEASE))
    apply(machine, at=ATTACH_MS)
    assert ending(machine, "a") is Ending.UNATTENDED


# -- all of it, elsewhere


def test_a_loaded_state_goes_on_like_the_one_it_is_of(machine):
    apply(machine, *(wish(key, "x", mode=SHARED) for key in "ab"), at=5)
    apply(machine, wish("c", "x", "y", owner=b"o"), wish("d", "y", ttl_ms=5_000, wait_ms=100))
    apply(machine, wish("e", "z"), free("e"), wish("f", "y"))
    other = loaded(encoding(machine))
    for step in ([free("a")], [free("b")], [free("d")], [free("c"), wish("g", "y")]):
        assert apply(other, *step, at=90) == apply(machine, *step, at=90)
        assert other.lock_changes == machine.lock_changes
        assert encoding(other) == encoding(machine)
    assert apply(other, at=20_000) == apply(machine, at=20_000)
    assert other.lock_changes == machine.lock_changes


def test_grants_that_are_left_over_are_made_by_a_loaded_state_too():
    machine = with_long_lease(bootstrapped(grants_per_entry=2))
    apply(machine, LeaseGrant(1_000, lease_id=5), wish("w", "b", "c", "d", lease_id=5), at=0)
    apply(machine, *(wish(f"{name}{n}", name) for name in "dcb" for n in (1, 2)))
    apply(machine, wish("z", "a", "e"), wish("y", "a"), wish("x", "e"))
    apply(machine, LeaseRevoke(5))
    other = loaded(encoding(machine))
    assert other.next_deadline_ms() == machine.next_deadline_ms() == machine.cluster_time_ms
    while machine.next_deadline_ms() == machine.cluster_time_ms:
        apply(machine)
        apply(other)
        assert other.lock_changes == machine.lock_changes
    assert other.next_deadline_ms() == machine.next_deadline_ms()
    assert tokens(machine, "d") != ()


def test_what_is_left_over_is_granted_in_one_order_however_a_node_came_to_it():
    machine = with_long_lease(bootstrapped(grants_per_entry=1))
    apply(machine, LeaseGrant(1_000, lease_id=5), wish("h", "0", "b", "c", lease_id=5))
    apply(machine, wish("e", "0"), wish("q", "b"), wish("p", "a", "c"), LeaseRevoke(5))
    assert standings(machine, "eqp") == "gqq"
    other = loaded(encoding(machine))
    for node in (machine, other):
        apply(node)
        assert standings(node, "eqp") == "gqg", "by the first name of each place"


def test_a_restored_cluster_has_no_places_and_higher_tokens(machine):
    apply(machine, wish("a", "x", ttl_ms=5_000), wish("b", "x"), wish("e", "z"), free("e"), at=0)
    revived = machine.successor(index=1, leap=REVISION_LEAP)
    assert (revived.place_count, revived.lease_count) == (0, 2)
    assert revived.acquisition(b"a") is None
    assert ending(revived, "e") is Ending.RELEASED
    apply(revived, wish("c", "x"))
    assert fence(revived, "x").token == 3 + REVISION_LEAP
    assert revived.acquisition(b"c").place == 4 + REVISION_LEAP


@pytest.mark.parametrize(("wait_ms", "kept_ms"), [(0, 60_000), (1, 600_000)])
def test_a_try_is_forgotten_sooner_than_a_wait(machine, wait_ms, kept_ms):
    """There are thousands of tries a second, and their callers know how they ended."""
    apply(machine, wish("a", "x"), wish("b", "x", wait_ms=wait_ms))
    apply(machine, Confirm(b"a"), at=wait_ms)
    apply(machine, at=wait_ms + kept_ms - 1)
    assert ending(machine, "b") is Ending.TIMED_OUT
    apply(machine, at=wait_ms + kept_ms)
    assert machine.acquisition(b"b") is None
