"""No entry may stall its node: what one apply touches is counted, in the worst cases allowed."""

from collections import Counter
from itertools import pairwise

import pytest
from core_states import apply, bootstrapped

from kvraft.core.commands import DeleteRange, LeaseGrant, LeaseRevoke, Put
from kvraft.core.errors import Reason
from kvraft.core.limits import DISCARDED_PER_APPLY, ApplyLimits
from kvraft.core.results import DeleteResult
from kvraft.core.table import Table

LIMITS = ApplyLimits()


@pytest.fixture
def touched(monkeypatch):
    """Counts what tables are asked to write and remove, and keys that scans return."""
    counter = Counter()

    def counted(name):
        plain = getattr(Table, name)

        def method(self, *arguments):
            counter[name] += 1
            return plain(self, *arguments)

        monkeypatch.setattr(Table, name, method)

    def between(self, start, end, plain=Table.between):
        for key in plain(self, start, end):
            counter["between"] += 1
            yield key

    counted("put")
    counted("remove")
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
    while machine._keyspace._discarded:
        left.append(len(machine._keyspace._discarded[0]))
        apply(machine)
    steps = [before - after for before, after in pairwise(left)]
    assert set(steps) == {DISCARDED_PER_APPLY}
