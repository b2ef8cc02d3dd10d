"""Waits that would never end: who is refused, and what the refusal says."""

import pytest
from core_locks import COUNTED, LEASE, SHARED, free, standings, wish, with_lease
from core_states import apply, bootstrapped, encoding, loaded

from kvraft.core.errors import Reason
from kvraft.core.results import Refused, Standing


@pytest.fixture
def machine():
    return with_lease(bootstrapped())


def chain(machine, parties):
    """Let each of so many owners hold a lock and wait for the next one's, but for the last."""
    apply(machine, *(wish(f"h{n}", f"l{n}", owner=b"o%d" % n) for n in range(parties)))
    waits = [wish(f"w{n}", f"l{n + 1}", owner=b"o%d" % n) for n in range(parties - 1)]
    for waiting in waits:
        assert apply(machine, waiting).standing is Standing.QUEUED


@pytest.mark.parametrize("parties", [2, 3, 10])
def test_exactly_the_wait_that_closes_a_cycle_is_refused(machine, parties):
    chain(machine, parties)
    other = loaded(encoding(machine))
    revision = machine.revision
    last = wish("w", "l0", owner=b"o%d" % (parties - 1))
    refused = apply(machine, last)
    assert refused.reason is Reason.DEADLOCK
    assert refused.message.count("waits for lock") == parties
    assert machine.revision == revision
    assert machine.acquisition(b"w") is None
    assert apply(other, last) == refused
    apply(machine, free(f"h{parties - 1}"))
    waiting = [f"w{n}" for n in range(parties - 1)]
    assert standings(machine, waiting) == "q" * (parties - 2) + "g"


def test_the_message_names_the_cycle(machine):
    apply(machine, wish("1", "x", owner=b"a"), wish("2", "y", owner=b"b"))
    apply(machine, wish("3", "y"), wish("4", "y", owner=b"a"))
    assert apply(machine, wish("5", "x", owner=b"b")) == Refused(
        Reason.DEADLOCK,
        "b'b' waits for lock b'x' held by b'a'; b'a' waits for lock b'y' held by b'b'",
    )


def test_two_tasks_with_one_lease_are_no_cycle(machine):
    apply(machine, wish("1", "x", owner=b"a"), wish("2", "y", owner=b"b"))
    assert apply(machine, wish("3", "x", owner=b"b")).standing is Standing.QUEUED


def test_one_task_with_a_lease_for_each_lock_is_a_cycle(machine):
    apply(machine, wish("1", "x", owner=b"a", ttl_ms=5_000))
    apply(machine, wish("2", "y", owner=b"b", ttl_ms=5_000))
    apply(machine, wish("3", "y", owner=b"a", ttl_ms=5_000))
    leases = machine.lease_count
    assert apply(machine, wish("4", "x", owner=b"b", ttl_ms=5_000)).reason is Reason.DEADLOCK
    assert machine.lease_count == leases


def test_a_reader_waits_for_the_writer_ahead_of_it(machine):
    apply(machine, wish("1", "x", mode=SHARED), wish("2", "y", owner=b"b"))
    apply(machine, wish("3", "x", owner=b"a"), wish("4", "z", owner=b"a"))
    apply(machine, wish("5", "y", owner=b"a"))
    refused = apply(machine, wish("6", "x", mode=SHARED, owner=b"b"))
    assert refused == Refused(
        Reason.DEADLOCK,
        "b'b' waits for lock b'x' behind b'a'; b'a' waits for lock b'y' held by b'b'",
    )


def test_a_reader_does_not_wait_for_the_readers_ahead_of_it(machine):
    apply(machine, wish("1", "x"), wish("2", "y", owner=b"b"))
    apply(machine, wish("3", "x", mode=SHARED, owner=b"a"), wish("5", "y", owner=b"a"))
    assert apply(machine, wish("6", "x", mode=SHARED, owner=b"b")).standing is Standing.QUEUED


def test_the_cycle_is_found_through_a_place_of_nobody(machine):
    apply(machine, wish("1", "x", owner=b"a"), wish("2", "y", owner=b"b"))
    apply(machine, wish("3", "x", "z"), wish("4", "z", owner=b"b"))
    refused = apply(machine, wish("5", "y", owner=b"a"))
    assert refused.message == (
        "b'a' waits for lock b'y' held by b'b'; b'b' waits for lock b'z' behind acquisition b'3';"
        " acquisition b'3' waits for lock b'x' held by b'a'"
    )


def test_one_of_several_permits_comes_from_anybody(machine):
    apply(machine, *(wish(k, "x", mode=COUNTED, capacity=2, owner=k.encode()) for k in "ab"))
    apply(machine, wish("c", "y", owner=b"c"), wish("d", "y", owner=b"a"))
    queued = apply(machine, wish("e", "x", mode=COUNTED, capacity=2, owner=b"c"))
    assert queued.standing is Standing.QUEUED


def test_a_single_permit_is_like_an_exclusive_lock(machine):
    apply(machine, wish("a", "x", mode=COUNTED, owner=b"a"), wish("c", "y", owner=b"c"))
    apply(machine, wish("d", "y", owner=b"a"))
    assert apply(machine, wish("e", "x", mode=COUNTED, owner=b"c")).reason is Reason.DEADLOCK


def test_a_try_never_waits_and_is_never_a_deadlock(machine):
    chain(machine, 2)
    assert apply(machine, wish("w", "l0", owner=b"o1", wait_ms=0)).standing is Standing.ENDED


def test_a_wait_that_ended_is_no_edge_any_more(machine):
    chain(machine, 2)
    apply(machine, free("w0"))
    assert apply(machine, wish("w", "l0", owner=b"o1")).standing is Standing.QUEUED


def test_the_search_is_bounded_and_refuses_beyond():
    machine = with_lease(bootstrapped(deadlock_steps=5))
    chain(machine, 4)
    refused = apply(machine, wish("w", "l0", owner=b"o3", lease_id=LEASE))
    assert refused.reason is Reason.OVERLOAD
    assert "deadlock_steps, 5" in refused.message
    assert apply(machine, wish("v", "l0", owner=b"new")).standing is Standing.QUEUED


def test_a_queue_is_looked_at_once_however_many_wait_in_it():
    machine = with_lease(bootstrapped(deadlock_steps=700))
    apply(machine, wish("h", "x", owner=b"h"), wish("i", "i", owner=b"me"))
    apply(machine, *(wish(f"{n}", "x", owner=b"%d" % n) for n in range(300)))
    assert apply(machine, wish("w", "x", owner=b"me")).standing is Standing.QUEUED
