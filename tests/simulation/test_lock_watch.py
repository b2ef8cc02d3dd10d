"""The model of locks accepts what the state machine does, and convicts whatever differs."""

from dataclasses import replace

import pytest

from kvraft.core import lock_commands
from kvraft.core.codec import encode_entry
from kvraft.core.commands import (
    Acquire,
    Attach,
    Bootstrap,
    Confirm,
    Delete,
    Entry,
    Fence,
    GuardPrefix,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    LockMode,
    Put,
    Release,
    Request,
)
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import AcquireResult, Ending, Refused, ReleaseResult, Standing
from kvraft.replica.batcher import AppliedBatch
from kvraft_chaos.simulation.availability import Availability
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.fence_watch import COUNTER, COUNTER_LOCK
from kvraft_chaos.simulation.lease_watch import LeaseWatch
from kvraft_chaos.simulation.lock_watch import LockWatch
from kvraft_chaos.simulation.mutants import MUTANTS

LIMITS = ApplyLimits(attach_ms=1_000, ended_ms=5_000, released_ms=2_000, grants_per_entry=2)
LEASE, SHORT = 11, 12
SHARED, COUNTED = LockMode.SHARED, LockMode.COUNTED


class Log:
    """A chronicle that a real state machine writes, and whose results can be tampered with."""

    def __init__(self):
        self.reported = []
        self.now = 0.0
        self.chronicle = Chronicle(lambda kind, _: self.reported.append(kind), lambda: self.now, [])
        leases = LeaseWatch(self.chronicle, Availability({}))
        self.watch = LockWatch(self.chronicle, leases)
        self.chronicle.looks_back = leases.looks_back
        self.chronicle.listeners += [self.watch.on_chapter, leases.on_chapter]
        self.leases = leases
        self.machine = StateMachine()
        self.at(0, Bootstrap(1, (), LIMITS), LeaseGrant(60_000, LEASE), LeaseGrant(1_000, SHORT))

    def at(self, now_ms, *commands, told=None, tamper=None):
        self.now = now_ms / 1000
        entry = Entry(now_ms, commands)
        index = self.machine.index + 1
        before = self.chronicle.before(self.machine, entry)
        results = self.machine.apply(index, entry)
        if tamper is not None:
            self.machine.lock_changes = tamper(self.machine.lock_changes)
        batch = AppliedBatch(results if told is None else [told], self.machine.revisions)
        self.chronicle.write(index, encode_entry(entry), batch, before)
        return results


@pytest.fixture
def log():
    return Log()


def ask(key, *names, lease=LEASE, **more):
    if "ttl_ms" not in more:
        more["lease_id"] = lease
    return Acquire(key, names or (b"lock",), **more)


def test_what_the_state_machine_does_is_right(log):
    log.at(10, ask(b"one"), ask(b"two"), ask(b"three", mode=SHARED), ask(b"four", mode=SHARED))
    log.at(20, Confirm(b"one"), ask(b"try", wait_ms=0), ask(b"one"), Confirm(b"nobody"))
    log.at(30, ask(b"short", lease=SHORT), ask(b"own", ttl_ms=1_000, wait_ms=500))
    log.at(40, Release(b"one"), Release(b"one"), Release(b"early"), ask(b"early"))
    log.at(400, Attach((2, 3, 4, 99)))
    log.at(700, Release(fence=Fence(b"lock", 2)), Confirm(b"three"))
    log.at(1_500)
    log.at(2_000, ask(b"all", b"a", b"b", ttl_ms=2_000), ask(b"n", b"n", mode=COUNTED, capacity=2))
    log.at(2_100, Release(b"all", end_lease=True))
    log.at(2_200, LeaseRevoke(LEASE))
    log.at(9_000, LeaseGrant(60_000, LEASE), ask(b"one"))
    assert log.reported == []
    assert log.watch.grants == 7
    assert log.watch.waits == 5
    assert set(log.watch.book.by_key) == {b"one"}
    assert {each.lease_id for each in log.machine.list_leases(0, 99)[0]} == set(log.leases.live)


def test_a_keepalive_confirms_what_its_lease_was_granted_for(log):
    log.at(10, ask(b"one", ttl_ms=5_000))
    (lease_id,) = set(log.leases.live) - {LEASE, SHORT}
    log.at(900, LeaseKeepAlive(lease_id))
    log.at(1_500)
    assert log.reported == []
    assert b"one" in log.watch.book.by_key


def test_more_than_one_entry_grants_is_granted_later(log):
    log.at(10, ask(b"one"), *(ask(bytes([n]), mode=SHARED) for n in range(5)))
    log.at(20, Release(b"one"))
    log.at(30)
    log.at(40)
    assert log.reported == []
    assert log.watch.grants == 6


def test_a_true_deadlock_is_none_of_its_business(log):
    log.at(10, ask(b"1", b"a", owner=b"x"), ask(b"2", b"b", owner=b"y"))
    log.at(20, ask(b"3", b"b", owner=b"x"))
    (refused,) = log.at(30, ask(b"4", b"a", owner=b"y"))
    assert refused.reason is Reason.DEADLOCK
    assert log.reported == []
    assert log.watch.deadlocks == 1


def readers(log):
    log.at(10, ask(b"1", mode=SHARED), ask(b"2"), ask(b"3", mode=SHARED))


def cycle(log):
    log.at(10, ask(b"1", b"a", owner=b"x"), ask(b"2", b"b", owner=b"y"))
    log.at(20, ask(b"3", b"b", owner=b"x"), ask(b"4", b"a", owner=b"y"))


def two_tasks(log):
    log.at(10, ask(b"1", b"a", owner=b"x"), ask(b"2", b"b", owner=b"y"))
    log.at(20, ask(b"4", b"a", owner=b"y"))


def hand_over(log):
    log.at(10, ask(b"1"), ask(b"2", mode=SHARED), ask(b"3", mode=SHARED))
    log.at(20, Release(b"1"))


def expiry(log):
    log.at(10, ask(b"1", lease=SHORT), ask(b"2", wait_ms=9_000))
    log.at(600, ask(b"2", wait_ms=9_000))
    log.at(1_100)


def both_expire(log):
    log.at(0, LeaseGrant(1_000, 13))
    log.at(10, ask(b"1", lease=SHORT), ask(b"2", lease=13))
    log.at(1_000)


def silence(log):
    log.at(10, ask(b"1"))
    log.at(1_100)


def waits(log):
    log.at(10, ask(b"1"), ask(b"2", wait_ms=300))
    log.at(500)


def overtaken_cancel(log):
    log.at(10, Release(b"1"))
    log.at(20, ask(b"1"))


def copy(log):
    log.at(10, ask(b"1"))
    log.at(20, Release(b"1"))
    log.at(30, ask(b"1"))


def in_part(log):
    log.at(10, ask(b"1", b"a"), ask(b"2", b"b"), ask(b"3", b"a", b"b"))
    log.at(20, Release(b"1"))


def stale(log):
    log.at(10, ask(b"1"))
    log.at(20, Release(b"1"))
    log.at(30, Request(Put(b"k", b"1"), fences=(Fence(b"lock", 1),)))


def other_lock(log):
    log.at(10, ask(b"1"), ask(b"2", b"other"))
    log.at(30, Request(Put(b"k", b"1"), fences=(Fence(b"lock", 2),)))


def reader_writes(log):
    log.at(10, GuardPrefix(b"g/", b"lock"), ask(b"1", mode=SHARED))
    log.at(30, Request(Put(b"g/k", b"1"), fences=(Fence(b"lock", 1),)))


@pytest.mark.parametrize(
    ("name", "play", "found"),
    [
        ("reader_passes_a_waiting_writer", readers, "overtaken"),
        ("deadlock_not_detected", cycle, "deadlock"),
        ("owner_is_the_lease", two_tasks, "false-deadlock"),
        ("token_is_the_revision", hand_over, "token-reused"),
        ("expiry_without_hand_over", expiry, "not-handed-over"),
        ("lock_granted_to_a_lease_that_ends", both_expire, "granted-to-the-ended"),
        ("unconfirmed_grant_kept", silence, "unconfirmed-grant-kept"),
        ("wait_without_end", waits, "waiter-outlived"),
        ("cancel_of_the_unknown_forgotten", overtaken_cancel, "ghost"),
        ("ended_place_forgotten_at_once", copy, "ghost"),
        ("several_locks_granted_for_the_first", in_part, "two-holders"),
        ("fence_not_checked", stale, "stale-fence-accepted"),
        ("fence_checked_against_any_lock", other_lock, "stale-fence-accepted"),
        ("shared_token_satisfies_a_guard", reader_writes, "guard-ignored"),
    ],
)
def test_a_mistake_is_convicted_by_the_log_alone(name, play, found):
    innocent = Log()
    play(innocent)
    assert innocent.reported == []
    guilty = Log()
    with MUTANTS[name].apply():
        play(guilty)
    assert found in guilty.reported


def first_as(**parts):
    return lambda changes: [changes[0]._replace(**parts), *changes[1:]]


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (first_as(tokens=(0,)), "token-reused"),
        (first_as(tokens=()), "granted-in-part"),
        (first_as(key=b"other"), "place-of-nobody"),
        (first_as(place_id=0), "place-reused"),
        (first_as(kind=Standing.QUEUED), "waits-for-nothing"),
    ],
)
def test_a_grant_that_is_not_as_it_should_be(log, tamper, found):
    log.at(10, ask(b"one"), tamper=tamper)
    assert found in log.reported


@pytest.mark.parametrize("ending", Ending)
def test_an_end_without_a_reason(log, ending):
    log.at(10, ask(b"one"))
    log.at(20, Confirm(b"one"))
    real = [Release(b"one")] if ending is not Ending.RELEASED else [LeaseRevoke(LEASE)]
    log.at(30, *real, tamper=first_as(ending=ending))
    assert "ended-for-no-reason" in log.reported


def test_a_place_that_outlives_its_lease(log):
    log.at(10, ask(b"one", lease=SHORT))
    log.at(1_000, tamper=lambda _: [])
    assert log.reported == ["place-outlives-its-lease"]


@pytest.mark.parametrize(
    ("command", "told", "found"),
    [
        (ask(b"one"), AcquireResult(1, Standing.QUEUED), "wrong-standing"),
        (
            ask(b"one"),
            AcquireResult(1, Standing.GRANTED, fences=(Fence(b"lock", 9),)),
            "wrong-standing",
        ),
        (Confirm(b"one"), Refused(Reason.LOCK_NOT_FOUND, ""), "wrong-standing"),
        (
            ask(b"new", b"other", wait_ms=0),
            AcquireResult(9, Standing.ENDED, ending=Ending.TIMED_OUT),
            "ended-for-no-reason",
        ),
        (ask(b"x", b"other"), Refused(Reason.ALREADY_HELD, ""), "not-held-already"),
        (ask(b"x", b"other"), Refused(Reason.DEADLOCK, "so it is"), "false-deadlock"),
        (
            Request(Put(b"k", b"1"), fences=(Fence(b"lock", 1),)),
            Refused(Reason.STALE_FENCE, ""),
            "good-fence-refused",
        ),
        (
            Request(Delete(b"g/k"), fences=(Fence(b"lock", 1),)),
            Refused(Reason.FENCE_REQUIRED, ""),
            "holder-refused",
        ),
    ],
)
def test_an_answer_that_the_log_does_not_bear_out(log, command, told, found):
    log.at(5, GuardPrefix(b"g/", b"lock"))
    log.at(10, ask(b"one"))
    log.at(20, command, told=told)
    assert found in log.reported


def test_a_client_that_was_told_of_another_token(log):
    log.at(10, ask(b"one"))
    log.watch.told(b"one", (1,))
    assert log.reported == []
    log.watch.told(b"one", (2,))
    assert log.reported == ["told-otherwise"]


def test_a_waiter_that_nobody_ends_in_time(log):
    log.at(10, ask(b"one"), ask(b"two", wait_ms=400))
    log.watch.judge(0.9)
    assert log.reported == []
    log.watch.judge(2.0)
    assert log.reported == ["waiter-late"]


def test_a_copy_says_nothing_of_its_fences(log):
    fenced = Request(Put(b"k", b"1"), identity=KeyIdentity(b"x"), fences=(Fence(b"lock", 1),))
    log.at(10, ask(b"one"), fenced, Release(b"one"), fenced)
    assert log.reported == []
    assert log.watch.fences.fenced == 1


def test_a_cycle_whose_steps_are_not_all_there(log, monkeypatch):
    log.at(10, ask(b"1", b"a", owner=b"x"), ask(b"2", b"b", owner=b"y"))
    log.at(20, ask(b"3", b"b", owner=b"x"))
    true = "b'y' waits for lock b'a' held by b'x'; b'x' waits for lock b'b' held by b'y'"
    for message, wrong in (
        (true, False),
        (true.replace("held by b'x'", "behind b'x'"), True),
        (true.split("; ", maxsplit=1)[0], True),
        (true.replace("lock b'b'", "lock b'a'"), True),
        (true.replace("; b'x'", "; b'z'"), True),
    ):
        log.reported.clear()
        refused = Refused(Reason.DEADLOCK, message)
        monkeypatch.setattr(lock_commands, "refuse_deadlock", lambda *_, told=refused: told)
        log.at(30, ask(b"4", b"a", owner=b"y"))
        assert log.reported == ["false-deadlock"] * wrong


# -- the counter


def increment(value, token):
    return Request(Put(COUNTER, b"%d" % value), fences=(Fence(COUNTER_LOCK, token),))


@pytest.fixture
def counting(log):
    log.at(5, GuardPrefix(b"f/", COUNTER_LOCK), ask(b"one", COUNTER_LOCK))
    return log


def test_a_counter_that_adds_up(counting):
    for value in (1, 2, 3):
        (told,) = counting.at(10 + value, increment(value, 1))
        counting.watch.fences.asked += 1
        counting.watch.fences.counted(told)
    counting.watch.fences.counted(ReleaseResult(True))
    counting.watch.judge(0.0)
    assert counting.reported == []
    assert counting.watch.fences.counter == 3


def test_an_increment_that_is_written_over(counting):
    counting.at(10, increment(1, 1))
    counting.at(20, increment(1, 1))
    assert counting.reported == ["increment-lost"]


def test_a_count_that_nobody_asked_for(counting):
    counting.at(10, increment(1, 1))
    counting.watch.judge(0.0)
    assert counting.reported == ["wrong-count"]


def test_an_acquisition_of_another_mode_is_another_one(log):
    one = ask(b"one")
    log.at(10, one)
    (refused,) = log.at(20, replace(one, mode=SHARED))
    assert refused.reason is Reason.KEY_REUSED
    assert log.reported == []
