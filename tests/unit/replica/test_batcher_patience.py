"""A wish for a lock that is taken waits for company: it waits anyhow. Nothing else does."""

from dataclasses import replace

import pytest
from lock_desk import acquire

from kvraft.core.commands import (
    Acquire,
    Confirm,
    LeaseGrant,
    LeaseKeepAlive,
    LockMode,
    Put,
    Release,
)
from kvraft.core.errors import Reason
from kvraft.replica.limits import ReplicaLimits

GATHER_S = ReplicaLimits().gather_ms / 1000
HOLDER = acquire(b"holder", owner=b"me")


@pytest.fixture
def held(rig):
    """A leader, whose lock `l` is held."""
    rig.submit(HOLDER)
    rig.tick()
    rig.consensus.commit()
    rig.tick()
    return rig


def proposed(rig):
    return [[type(each) for each in entry.commands] for entry in rig.consensus.entries()]


def sizes(rig):
    return [len(commands) for commands in proposed(rig)]


def test_a_wish_for_a_free_lock_goes_at_once(held):
    held.submit(acquire(b"a", b"free"))
    held.tick()
    assert proposed(held) == [[Acquire]]


def test_a_wish_for_a_taken_lock_waits_for_company(held):
    held.submit(acquire(b"a"))
    held.tick()
    assert proposed(held) == []
    held.submit(acquire(b"b"))
    held.tick(GATHER_S)
    assert proposed(held) == [[Acquire, Acquire]]


@pytest.mark.parametrize("company", [Release(key=b"holder"), Put(b"k", b"v"), Confirm(b"holder")])
def test_it_goes_with_what_does_not_wait_in_the_order_of_both(held, company):
    held.submit(acquire(b"a"))
    held.tick()
    held.submit(company)
    held.tick()
    assert proposed(held) == [[Acquire, type(company)]]


def test_what_does_not_wait_does_not_wait_longer_for_what_comes_behind_it(held):
    held.submit(Put(b"k", b"v"))
    held.submit(acquire(b"a"))
    held.tick()
    assert proposed(held) == [[Put, Acquire]]


def test_patience_begins_anew_with_each_entry(held):
    held.submit(acquire(b"a"))
    held.submit(Put(b"k", b"v"))
    held.tick()
    held.consensus.commit()
    held.submit(acquire(b"b"))
    held.tick()
    assert proposed(held) == []
    held.tick(GATHER_S)
    assert proposed(held) == [[Acquire]]


def test_it_costs_no_turn_of_the_loop(held):
    """Neither as it comes nor as an entry ends that leaves the lock taken."""
    held.submit(Put(b"k", b"v"))
    held.tick()
    woken = held.doors.woken
    held.submit(acquire(b"a"))
    held.consensus.commit()
    assert held.doors.woken == woken
    held.submit(Release(key=b"holder"))
    assert held.doors.woken == woken + 1


def test_it_has_its_turn_where_the_lock_was_given_back_meanwhile(held):
    held.submit(Release(key=b"holder"))
    held.tick()
    held.submit(acquire(b"a"))
    woken = held.doors.woken
    held.consensus.commit()
    assert held.doors.woken == woken + 1


def test_a_full_entry_of_wishes_has_its_turn(make_rig):
    rig = make_rig(limits=replace(ReplicaLimits(), batch_commands=2))
    rig.bootstrap()
    rig.lead()
    rig.submit(HOLDER)
    rig.tick()
    rig.consensus.commit()
    rig.tick()
    woken = rig.doors.woken
    rig.submit(acquire(b"a"))
    assert rig.doors.woken == woken
    rig.submit(acquire(b"b"))
    assert rig.doors.woken == woken + 1


def test_a_try_does_not_wait(held):
    held.submit(acquire(b"a", wait_ms=0))
    held.tick()
    assert proposed(held) == [[Acquire]]


def test_who_may_share_does_not_wait(rig):
    for key in (b"holder", b"another"):
        rig.submit(acquire(key, mode=LockMode.SHARED))
        rig.tick()
        assert proposed(rig) == [[Acquire]]
        rig.consensus.commit()
        rig.tick()
    rig.submit(acquire(b"writer"))
    rig.tick()
    assert proposed(rig) == []


def test_both_kinds_of_patience_share_an_entry(held):
    lease_id = held.replica.machine.acquisition(b"holder").lease_id
    held.submit(LeaseKeepAlive(lease_id))
    held.submit(acquire(b"a"))
    held.tick()
    assert proposed(held) == []
    held.tick(GATHER_S)
    assert proposed(held) == [[LeaseKeepAlive, Acquire]]


def test_a_deadline_is_kept_while_it_waits(held):
    outcomes: list = []
    held.replica.submit(acquire(b"a"), held.doors.time + GATHER_S / 2, outcomes.append)
    held.tick()
    assert outcomes == []
    held.tick(GATHER_S)
    assert proposed(held) == []
    assert [each.reason for each in outcomes] == [Reason.DEADLINE]


# -- what ends it


def test_a_wish_for_a_lock_that_was_just_given_back_waits_for_nobody(held):
    held.submit(Release(key=b"holder"))
    held.tick()
    outcome = held.submit(acquire(b"next"))
    held.tick()
    held.consensus.commit(1)  # the release: the lock is free
    held.tick()

    assert sizes(held) == [1]
    held.consensus.commit()
    assert outcome[0].result.standing.name == "GRANTED"


def test_a_wish_for_a_lock_that_is_still_taken_goes_on_waiting_for_company(held):
    held.submit(acquire(b"other", b"m"))
    held.tick()
    held.submit(acquire(b"next"))
    held.consensus.commit(1)
    held.tick()

    assert sizes(held) == []
    held.submit(Release(key=b"holder"))
    held.tick()
    assert sizes(held) == [2]


@pytest.mark.parametrize("kind", ["wish", "sign of life"])
def test_it_goes_with_the_next_entry(make_rig, kind):
    rig = make_rig(limits=replace(ReplicaLimits(), batch_cost=2))
    rig.bootstrap()
    rig.lead()
    for command in (acquire(b"holder"), LeaseGrant(60_000, 7)):
        rig.submit(command)
        rig.tick()
        rig.consensus.commit()
    for number in range(6):
        rig.submit(acquire(b"w%d" % number) if kind == "wish" else LeaseKeepAlive(7))
    rig.tick()
    assert sizes(rig) == []
    rig.tick(GATHER_S)
    for _ in range(3):
        assert sizes(rig) == [2]
        rig.consensus.commit()
        rig.tick()
    assert sizes(rig) == []


@pytest.fixture
def leader(rig):
    """A leader with a lock that is held, one that waits for it, and one that has left."""
    for command in (acquire(b"holder"), acquire(b"waits"), acquire(b"left"), Release(key=b"left")):
        rig.submit(command)
    rig.tick()
    rig.consensus.commit()
    rig.tick()
    return rig


@pytest.mark.parametrize(("key", "count"), [(b"holder", 1), (b"left", 1), (b"waits", 0)])
def test_asked_again(leader, key, count):
    leader.submit(acquire(key))
    leader.tick()
    assert proposed(leader) == [[Acquire]] * count
