"""No lock may stall a node: what one apply touches in the worst cases that the limits allow."""

from collections import Counter

import pytest
from core_locks import SHARED, free, standings, tokens, wish, with_lease
from core_states import apply, bootstrapped

from kvraft.core import table
from kvraft.core.commands import Confirm, LeaseGrant, LeaseRevoke
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.table import Table

LIMITS = ApplyLimits()


@pytest.fixture
def touched(monkeypatch):
    """Counts what tables are asked to read, write and remove."""
    counter = Counter()

    def counted(name):
        plain = getattr(Table, name)

        def method(self, *arguments):
            counter[name] += 1
            return plain(self, *arguments)

        monkeypatch.setattr(Table, name, method)

    class Records(table._Records):
        def get(self, *arguments):
            counter["get"] += 1
            return super().get(*arguments)

    monkeypatch.setattr(table, "_Records", Records)  # a table's `get` is that of its records
    for name in ("put", "remove"):
        counted(name)
    return counter


def crowd(machine, count, *names, lease_ids=range(1, 11), **how):
    """Let so many wait for (or hold) locks, each with the lease whose turn it is."""
    per_lease = count // len(lease_ids)
    for lease_id in lease_ids:
        first = (lease_id - lease_ids[0]) * per_lease
        for start in range(first, first + per_lease, 250):
            apply(
                machine,
                *(
                    wish(f"w{n}", *names, lease_id=lease_id, owner=b"%d" % n, **how)
                    for n in range(start, min(start + 250, first + per_lease))
                ),
            )


def many_leases(count=11):
    machine = bootstrapped()
    apply(machine, *(LeaseGrant(86_400_000) for _ in range(count)), at=0)
    return machine


def test_a_full_queue_costs_its_head_only(touched):
    machine = many_leases()
    apply(machine, wish("h", "x", lease_id=11), Confirm(b"h"))
    crowd(machine, LIMITS.waiters_per_lock, "x")
    assert machine.describe_lock(b"x", 1).waiter_count == LIMITS.waiters_per_lock
    touched.clear()
    apply(machine, free("h"))
    assert touched.total() < 20
    assert len(tokens(machine, "x")) == 1
    touched.clear()
    apply(machine, free("w9000"), wish("z", "x", lease_id=11, owner=b"z"))
    assert touched.total() < 20
    touched.clear()
    apply(machine, at=LIMITS.attach_ms)
    assert len(machine.lock_changes) <= 2 * LIMITS.expiries_per_entry
    assert touched.total() < 10 * LIMITS.expiries_per_entry


def test_the_waiter_behind_a_full_queue_is_refused():
    machine = many_leases()
    apply(machine, wish("h", "x", lease_id=11), Confirm(b"h"))
    crowd(machine, LIMITS.waiters_per_lock, "x")
    revision = machine.revision

    refused = apply(machine, wish("one more", "x", lease_id=11))

    assert refused.reason is Reason.TOO_MANY_WAITERS
    assert "10000 wait for lock b'x', the limit waiters_per_lock is 10000" in refused.message
    assert machine.revision == revision
    assert machine.describe_lock(b"x", 1).waiter_count == 10_000


def test_a_search_for_a_cycle_in_a_full_queue_is_bounded(touched):
    machine = many_leases()
    apply(machine, wish("h", "x", lease_id=11), wish("m", "m", lease_id=11, owner=b"me"))
    crowd(machine, LIMITS.waiters_per_lock - 10, "x")
    touched.clear()
    apply(machine, wish("z", "x", lease_id=11, owner=b"me"))
    assert standings(machine, "z") == "q"
    assert touched["get"] < LIMITS.deadlock_steps


def test_a_release_admits_a_thousand_readers_and_no_more_in_one_entry(touched):
    machine = many_leases()
    apply(machine, wish("h", "x", lease_id=11))
    crowd(machine, 2_000, "x", mode=SHARED)
    touched.clear()
    apply(machine, free("h"))
    assert len(machine.lock_changes) == 1 + LIMITS.grants_per_entry
    assert touched["put"] == 1 + LIMITS.grants_per_entry


def test_a_lease_with_a_thousand_locks_ends_and_hands_over_each_once(touched):
    machine = many_leases()
    for start in range(0, LIMITS.locks_per_lease, 250):
        numbers = range(start, start + 250)
        apply(machine, *(wish(f"h{n}", f"l{n}", lease_id=1) for n in numbers))
        apply(machine, *(wish(f"w{n}", f"l{n}", lease_id=2) for n in numbers))
    touched.clear()
    apply(machine, LeaseRevoke(1))
    assert len(machine.lock_changes) == 2 * LIMITS.locks_per_lease
    assert touched["put"] == touched["remove"] - 1 + LIMITS.locks_per_lease


def test_leases_with_many_places_share_the_bound_of_an_entry():
    machine = bootstrapped()
    apply(machine, *(LeaseGrant(1_000) for _ in range(100)), at=0)
    for lease_id in range(1, 101):
        names = (f"{lease_id}.{n}" for n in range(50))
        apply(machine, *(wish(name, name, lease_id=lease_id) for name in names))
    apply(machine, at=1_000)
    assert len(machine.lock_changes) == 2_000, "each counts for five of touched_entries"
    apply(machine)
    apply(machine)
    assert (machine.place_count, machine.lease_count) == (0, 0)


def test_grants_of_many_locks_at_once_share_the_bound_of_an_entry():
    machine = with_lease(bootstrapped(grants_per_entry=5))
    apply(machine, LeaseGrant(1_000, lease_id=5))
    apply(machine, wish("h", *"abcdefghi", lease_id=5))
    apply(machine, wish("1", *"abc"), wish("2", *"def"), wish("3", *"ghi"), LeaseRevoke(5))
    assert standings(machine, "123") == "ggq"
    apply(machine)
    assert standings(machine, "123") == "ggg"
