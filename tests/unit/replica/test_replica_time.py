"""Cluster time on the leader: stamps, ticks, and how late an ending may be (RULES I1, I2)."""

import random

from kvraft.consensus.port import Role
from kvraft.core.commands import LeaseGrant, Put
from kvraft.core.limits import ApplyLimits
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.ticker import Ticker

# -- cluster time


def test_what_is_left_over_by_one_entry_is_ended_by_the_next_at_once(make_rig):
    """At most 1,000 leases end in one entry; the rest may not wait for the next poll."""
    rig = make_rig(limits=ReplicaLimits(batch_cost=4000, batch_commands=4000))
    rig.bootstrap()
    rig.lead()
    for _ in range(2500):
        rig.submit(LeaseGrant(1000))
    rig.tick()
    rig.consensus.commit()
    lefts = []
    while left := rig.replica.machine.lease_count:
        rig.doors.woken = 0
        rig.doors.time += 0.02 if left == 2500 else 0.0
        rig.replica.tick()
        rig.consensus.commit()
        left = rig.replica.machine.lease_count
        if left < 2500:
            lefts.append(left)
            assert rig.doors.woken == (1 if left else 0)

    assert lefts == [1500, 500, 0]


def test_an_ending_is_late_by_at_most_the_period_after_a_change_of_leader(make_rig):
    """RULES I1: the state's time is never behind the leader's by more than the tick period."""
    rng = random.Random(3)
    for ttl_ms in (1000, 5000, 60_000):
        rig = make_rig()
        rig.bootstrap()
        rig.lead()
        rig.submit(LeaseGrant(ttl_ms))
        rig.tick()
        rig.consensus.commit()
        led_s, granted_ms = 0.0, rig.replica.machine.cluster_time_ms
        while rig.replica.machine.lease_count:
            step = rng.uniform(0.001, 0.02)
            led_s += step
            rig.tick(seconds=step)
            rig.consensus.commit()
            behind_ms = led_s * 1000 - (rig.replica.machine.cluster_time_ms - granted_ms)
            assert behind_ms <= min(ttl_ms // 4, 10_000) + 21
        assert 0 <= led_s * 1000 - ttl_ms <= 21 + 1


def test_a_deposed_leader_stamps_and_ticks_nothing(rig):
    rig.submit(LeaseGrant(1000))
    rig.tick()
    rig.consensus.commit()
    rig.replica.on_following("n2", 2, "deposed")
    for _ in range(100):
        rig.tick(seconds=0.1)

    assert rig.consensus.proposed == []


def test_an_entry_without_a_stamp_leaves_the_time_alone(rig):
    before = rig.replica.machine.cluster_time_ms
    rig.tick(seconds=0.4)
    rig.bootstrap()

    assert rig.replica.machine.cluster_time_ms == before


def test_a_clock_that_jumps_back_does_not_take_time_back(rig):
    rig.tick(seconds=0.3)
    rig.tick(seconds=-0.2)
    rig.submit(Put(b"k", b"v"))
    rig.tick()

    assert rig.consensus.entries()[0].stamp_ms in (299, 300)


def test_the_term_is_that_of_the_role(rig):
    """A status that said 'leader' with the term before accused two leaders of one term."""
    rig.replica.on_following("n2", 9, "heard n2")
    rig.consensus.term = 10  # elected, and no entry of its own term applied yet

    assert (rig.replica.term, rig.replica.status().consensus.term) == (10, 10)


def test_the_ticker_without_a_stamp_or_a_deadline_has_nothing_to_do(rig):
    ticker = Ticker(10_000)
    assert not ticker.due(rig.replica.machine, None)
    assert not ticker.due(rig.replica.machine, 10**9)
    assert not ticker.overdue(rig.replica.machine)
    keyless = type("Machine", (), {"cluster_time_ms": 5, "place_count": 0, "index": 1})()
    keyless.next_deadline_ms = lambda: 90_000
    keyless.smallest_ttl_ms = lambda: None
    assert not ticker.due(keyless, 10_004)
    assert ticker.due(keyless, 10_005)
    keyless.place_count, keyless.limits = 1, ApplyLimits(attach_ms=8_000)
    assert not ticker.due(keyless, 2_005), "nothing changes but with an entry"
    keyless.index += 1
    assert not ticker.due(keyless, 2_004)
    assert ticker.due(keyless, 2_005)
    keyless.smallest_ttl_ms = lambda: 1000
    keyless.index += 1
    assert not ticker.due(keyless, 254)
    assert ticker.due(keyless, 255)


def test_the_ticker_looks_again_at_a_state_that_was_replaced(rig):
    ticker = Ticker(10_000)
    assert not ticker.due(rig.replica.machine, 10**9)
    timed = type("Machine", (), {"cluster_time_ms": 5, "place_count": 0})()
    timed.index = rig.replica.machine.index
    timed.next_deadline_ms, timed.smallest_ttl_ms = (lambda: 5), (lambda: None)
    assert ticker.overdue(timed)


def test_who_leads_again_stamps_nothing_before_its_own_entry_is_applied(rig):
    rig.replica.on_following("n2", 2, "deposed")
    rig.consensus.role = Role.LEADER
    outcome = rig.submit(Put(b"k", b"v"))
    rig.tick()
    assert (rig.consensus.proposed, outcome) == ([], [])
