"""Where callers collide: what is counted, for whom, and what is not kept."""

import random
from collections import Counter

import pytest

from kvraft.core.commands import (
    Acquire,
    CompareAndSet,
    Confirm,
    Entry,
    Expect,
    Fence,
    KeyIdentity,
    LockMode,
    Put,
    Release,
    Request,
    Txn,
)
from kvraft.core.conditions import All, AnyOf, Clause, Operator, Target
from kvraft.core.machine import StateMachine
from kvraft.core.results import AcquireResult
from kvraft.replica.contention import BOUNDS_MS, Contention, Histogram, KeyRow
from kvraft.replica.space_saving import SpaceSaving

ABSENT = Expect(absent=True)


class Seen:
    """A state machine and what is seen of it."""

    def __init__(self, tracked: int = 10) -> None:
        self.machine = StateMachine()
        self.contention = Contention(tracked)
        self.now_ms = 1_000

    def do(self, *commands, at_ms: int | None = None) -> list:
        self.now_ms = self.now_ms if at_ms is None else at_ms
        machine = self.machine
        results = machine.apply(machine.index + 1, Entry(self.now_ms, commands))
        self.contention.observe(commands, results, machine.lock_changes)
        return results

    def keys(self) -> dict[bytes, tuple[int, int, int]]:
        rows = self.contention.keys
        return {key: (row.attempts, row.weight, row.error) for key, row in rows}

    def lock(self, name: bytes = b"l"):
        row = self.contention.locks.get(name)
        assert row is not None
        return row


@pytest.fixture
def seen() -> Seen:
    return Seen()


def acquire(key: bytes, name: bytes = b"l", **fields) -> Acquire:
    return Acquire(key, (name,), ttl_ms=60_000, **fields)


def test_what_meets_nobody_is_not_kept(seen: Seen) -> None:
    seen.do(Put(b"k", b"v"), CompareAndSet(b"k", b"w", Expect(value=b"v")))
    seen.do(Request(Put(b"k", b"v"), Clause(b"k", Target.EXISTS, Operator.EQ, (True,))))
    seen.do(Request(Put(b"k", b"v"), None, KeyIdentity(b"i")))
    seen.do(acquire(b"a"))
    seen.do(Release(key=b"a"))
    contention = seen.contention
    assert (len(contention.keys), len(contention.locks)) == (0, 0)
    assert (contention.decided, contention.conflicts) == (2, 0)
    assert (contention.grants, contention.waits) == (1, 0)


def test_conflicts_and_attempts_of_a_key_from_its_first_conflict_on(seen: Seen) -> None:
    seen.do(Put(b"k", b"v"))
    seen.do(CompareAndSet(b"k", b"1", Expect(value=b"v")))
    seen.do(CompareAndSet(b"k", b"2", Expect(value=b"v")))
    seen.do(Request(CompareAndSet(b"k", b"3", Expect(value=b"v")), None, KeyIdentity(b"i")))
    seen.do(CompareAndSet(b"k", b"4", Expect(value=b"1")))
    assert seen.keys() == {b"k": (3, 2, 0)}
    assert (seen.contention.decided, seen.contention.conflicts) == (4, 2)


def test_a_replay_and_a_refusal_are_no_attempts(seen: Seen) -> None:
    once = Request(CompareAndSet(b"k", b"3", Expect(value=b"v")), None, KeyIdentity(b"i"))
    seen.do(once)
    seen.do(once)
    seen.do(CompareAndSet(b"k", b"3", ABSENT, lease_id=5))
    assert seen.keys() == {b"k": (1, 1, 0)}


def test_the_clause_that_failed_is_the_conflict(seen: Seen) -> None:
    here = Clause(b"a", Target.EXISTS, Operator.EQ, (False,))
    missing = Clause(b"b", Target.EXISTS, Operator.EQ, (True,))
    condition = All((here, AnyOf((missing,))))
    seen.do(Request(Put(b"x", b""), condition))
    seen.do(Txn(condition, (Put(b"x", b""),)))
    assert seen.keys() == {b"b": (2, 2, 0)}
    seen.do(Put(b"b", b""))
    seen.do(Txn(condition, (Put(b"x", b""),)))
    assert seen.keys() == {b"b": (3, 2, 0)}


def test_a_fence_is_no_key(seen: Seen) -> None:
    seen.do(Request(Put(b"x", b""), Clause(b"l", Target.FENCE, Operator.EQ, (3,))))
    assert seen.keys() == {}
    assert seen.contention.conflicts == 1


def test_waits_and_holds_of_a_lock(seen: Seen) -> None:
    seen.do(acquire(b"a"))
    seen.do(acquire(b"b"), at_ms=1_100)
    seen.do(Release(key=b"a"), at_ms=1_103)
    seen.do(Release(key=b"b"), at_ms=1_200)
    row = seen.lock()
    assert (row.grants, row.waits, row.abandoned) == (1, 1, 0)
    assert (row.weight, row.wait_ms.sum, sum(row.wait_ms.counts)) == (3, 3, 1)
    assert row.wait_ms.counts[BOUNDS_MS.index(5)] == 1
    assert (row.hold_ms.sum, sum(row.hold_ms.counts)) == (103 + 97, 2)
    assert (seen.contention.grants, seen.contention.waits, seen.contention.waited_ms) == (2, 1, 3)


def test_a_hand_over_within_a_millisecond_waited(seen: Seen) -> None:
    seen.do(acquire(b"a"))
    seen.do(acquire(b"b"))
    seen.do(Release(key=b"a"))
    assert (seen.lock().waits, seen.lock().weight) == (1, 0)
    assert seen.lock().wait_ms.counts[0] == 1


def test_waits_without_a_grant_are_abandoned(seen: Seen) -> None:
    seen.do(acquire(b"a"))
    seen.do(Confirm(b"a"))
    seen.do(acquire(b"try", wait_ms=0))
    seen.do(acquire(b"short", wait_ms=500))
    seen.do(acquire(b"cancelled"))
    seen.do(Release(key=b"cancelled"), at_ms=1_200)
    seen.do(at_ms=1_600)
    assert (seen.lock().abandoned, seen.lock().weight) == (3, 800)
    assert seen.contention.abandoned == 3
    assert seen.lock().wait_ms.counts == Histogram().counts


def test_who_holds_for_too_long_is_counted_while_and_after(seen: Seen) -> None:
    seen.do(acquire(b"a", max_hold_ms=100), acquire(b"other", b"m", max_hold_ms=1_000))
    assert seen.contention.overheld(1_100) == {}
    assert seen.contention.overheld(1_101) == {b"l": 1}
    seen.do(Release(key=b"a"), Release(key=b"other"), at_ms=1_200)
    assert seen.contention.overheld(9_000) == {}
    assert seen.lock().overheld == 1
    assert seen.contention.locks.get(b"m") is None


def test_a_new_state_ends_what_was_known_of_its_places(seen: Seen) -> None:
    seen.do(acquire(b"a", max_hold_ms=1), acquire(b"b"))
    seen.contention.replaced()
    assert seen.contention.overheld(9_000) == {}
    assert seen.contention._queued == set()


def test_nothing_is_left_of_places_that_are_gone(seen: Seen) -> None:
    for number in range(20):
        seen.do(acquire(b"%d" % number, mode=LockMode.SHARED, max_hold_ms=50))
        seen.do(acquire(b"x%d" % number, wait_ms=10))
    for number in reversed(range(20)):
        seen.do(Release(key=b"x%d" % number), Release(key=b"%d" % number))
    assert seen.contention.abandoned
    assert seen.machine.place_count == 0
    assert (seen.contention._queued, seen.contention._holds) == (set(), {})


def test_a_granted_fence_is_read_from_the_answer(seen: Seen) -> None:
    """The tests above depend on the machine granting what they think it grants."""
    (granted,) = seen.do(acquire(b"a"))
    assert isinstance(granted, AcquireResult)
    assert granted.fences == (Fence(b"l", 1),)


@pytest.mark.parametrize(
    ("value", "bucket"), [(0, 0), (1, 0), (2, 1), (3, 2), (60_000, 14), (60_001, 15)]
)
def test_buckets(value, bucket) -> None:
    histogram = Histogram()
    histogram.add(value)
    assert histogram.counts.index(1) == bucket
    assert histogram.sum == value


def test_space_saving_never_counts_too_low_and_says_how_much_too_high() -> None:
    chance = random.Random(7)
    rows: SpaceSaving[KeyRow] = SpaceSaving(50, KeyRow)
    truth: Counter[bytes] = Counter()
    for _ in range(20_000):
        number = int(chance.paretovariate(0.7)) % 5_000
        key = b"%d" % number
        weight = chance.randrange(1, 4)
        truth[key] += weight
        assert rows.add(key, weight) is not None
    assert len(rows) == len(rows._heap) == 50
    for key, row in rows:
        assert row.weight - row.error <= truth[key] <= row.weight
    lightest = min(row.weight for _, row in rows)
    assert lightest <= sum(truth.values()) / 50
    kept = {key for key, _ in rows}
    assert all(count <= lightest for key, count in truth.items() if key not in kept)
    assert {key for key, _ in truth.most_common(5)} <= kept


def test_what_weighs_nothing_drives_nobody_out() -> None:
    rows: SpaceSaving[KeyRow] = SpaceSaving(2, KeyRow)
    assert rows.add(b"a", 0) is not None
    assert rows.add(b"b", 5) is not None
    assert rows.add(b"c", 0) is None
    row = rows.add(b"d", 1)
    assert row is not None
    assert (row.weight, row.error) == (1, 0)
    assert rows.get(b"a") is None


def test_a_grant_at_once_is_not_kept_though_other_locks_are(seen: Seen) -> None:
    seen.do(acquire(b"a"), acquire(b"b"), acquire(b"free", b"m"))
    assert [name for name, _ in seen.contention.locks] == [b"l"]
