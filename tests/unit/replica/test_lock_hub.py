"""Streams that follow acquisitions, by hand: who is told what, and what becomes of their places."""

from dataclasses import replace

import pytest
from lock_desk import LOST, REFUSED, SMALL, LockDesk, acquire, shown

from kvraft.core.commands import Attach, LeaseRevoke, Release
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import Ending, Refused
from kvraft.replica import lock_hub
from kvraft.replica.outcomes import Answer, Denied

GRANTED = ("granted", [(b"l", 1)])


def test_granted_at_once(desk: LockDesk) -> None:
    stream = desk.open(acquire(b"a"))
    assert stream.take() is None
    desk.log()
    assert desk.calls == [1]
    assert shown(stream.take()) == GRANTED
    assert stream.take() is None
    assert stream.revision == desk.machine.revision == 2


def test_queued_then_granted(held: LockDesk) -> None:
    stream = held.begin(acquire(b"a"))
    queued = stream.take()
    assert shown(queued) == ("queued", 0)
    assert queued is not None
    assert queued.holders == (1,)
    held.release_holder()
    assert held.calls == [2]
    assert shown(stream.take()) == ("granted", [(b"l", 2)])


def test_of_what_was_not_taken_only_the_newest_is_told(held: LockDesk) -> None:
    stream = held.begin(acquire(b"a"))
    held.release_holder()
    held.apply(Release(key=b"a"))
    held.tick()
    assert shown(stream.take()) == ("ended", Ending.RELEASED)
    assert stream.take() is None


def test_how_it_ended_is_told(held: LockDesk) -> None:
    short = held.begin(acquire(b"short", wait_ms=1_000))
    with_lease = held.begin(acquire(b"revoked"))
    queued = with_lease.take()
    assert queued is not None
    held.apply(LeaseRevoke(queued.lease_id))
    held.time += 1.0
    held.apply()
    held.tick()
    assert shown(short.take()) == ("ended", Ending.TIMED_OUT)
    assert shown(with_lease.take()) == ("ended", Ending.LEASE_REVOKED)


def test_a_refusal_ends_the_stream_and_nothing_is_released(desk: LockDesk) -> None:
    desk.apply(acquire(b"a"))
    stream = desk.begin(acquire(b"a", b"another"))
    assert isinstance(stream.ended, Answer)
    assert isinstance(stream.ended.result, Refused)
    assert stream.ended.result.reason is Reason.KEY_REUSED
    stream.close()
    desk.wait()
    assert (desk.submitted(), len(desk.hub), desk.hub.is_busy) == ([], 0, False)


@pytest.mark.parametrize("denied", [LOST, REFUSED])
def test_what_the_node_says_is_passed_on_and_the_place_is_left_alone(desk, denied) -> None:
    """An open stream that hears UNKNOWN is opened again elsewhere, with the same key."""
    stream = desk.open(acquire(b"a"))
    desk.deny(denied)
    assert stream.ended is denied
    assert desk.calls == [1]
    stream.close()
    desk.tick(2)
    assert (desk.submitted(), desk.hub.is_busy) == ([], False)


def test_a_denial_in_the_same_turn(desk: LockDesk) -> None:
    desk.hub._submit = lambda command, deadline, done: done(REFUSED)
    stream = desk.open(acquire(b"a"))
    assert stream.ended is REFUSED


# -- positions


def test_positions_are_told_once_a_second_at_most(held: LockDesk) -> None:
    ahead = [acquire(b"%d" % number) for number in range(4)]
    for command in ahead:
        held.apply(command)
    stream = held.begin(acquire(b"a"))
    assert shown(stream.take()) == ("queued", 4)
    held.apply(Release(key=b"0"))
    held.apply(Release(key=b"1"))
    held.tick(0.9)
    assert stream.take() is None
    held.tick(0.2)
    assert shown(stream.take()) == ("queued", 2)
    held.tick(1.1)
    assert stream.take() is None
    assert held.calls == [2]
    held.apply(Release(key=b"2"))
    held.tick(1.1)
    assert shown(stream.take()) == ("queued", 1)


def test_the_more_streams_the_rarer_their_positions() -> None:
    desk = LockDesk(replace(SMALL, lock_pause_ms=1_000.0))
    desk.apply(acquire(b"holder"))
    streams = [desk.begin(acquire(b"%d" % number)) for number in range(4)]
    for stream in streams:
        stream.take()
    desk.apply(Release(key=b"0"))
    desk.tick(1.1)
    assert streams[3].take() is None
    desk.tick(3.0)
    assert shown(streams[3].take()) == ("queued", 2)


def test_waking_is_spread_over_the_turns(held: LockDesk) -> None:
    for number in range(5):
        held.begin(acquire(b"%d" % number, b"l%d" % number, b"l"))
    held.tick()
    held.calls = [0] * 5
    held.woken = 0
    for number in range(5):
        held.apply(Release(key=b"%d" % number))
    assert sum(held.calls) == 2  # with the entries that did it
    assert held.woken
    held.tick()
    assert sum(held.calls) == 4
    held.tick()
    assert held.calls == [1] * 5


# -- a node that lags


def test_a_word_of_the_leader_that_is_newer_than_this_node(desk: LockDesk) -> None:
    desk.lag()
    desk.apply(acquire(b"holder"))
    stream = desk.begin(acquire(b"a"))
    assert desk.machine.index == 0
    assert shown(stream.take()) == ("queued", 0)
    desk.apply(Release(key=b"holder"))
    desk.catch_up()
    desk.tick()
    assert shown(stream.take()) == ("granted", [(b"l", 2)])


def test_a_word_of_the_leader_that_is_older_than_this_node(desk: LockDesk) -> None:
    desk.apply(acquire(b"holder"))
    stream = desk.open(acquire(b"a"))
    ((command, _, done),) = desk.waiting
    answer = desk.apply(command)
    desk.apply(Release(key=b"holder"))
    done(answer)
    assert shown(stream.take()) == ("granted", [(b"l", 2)])


def test_what_was_before_the_own_request_is_not_told(desk: LockDesk) -> None:
    """It waited here before, and only the leader knows that it is granted by now."""
    desk.lag()
    for command in (acquire(b"holder"), acquire(b"a"), Release(key=b"holder")):
        desk.apply(command)
    stream = desk.begin(acquire(b"a"))
    assert shown(stream.take()) == ("granted", [(b"l", 2)])
    desk.catch_up()
    desk.tick()
    assert stream.take() is None
    assert desk.calls == [1]


# -- signs of life


def test_one_attach_for_all_that_wait(held: LockDesk) -> None:
    waiting = [held.begin(acquire(b"%d" % number)) for number in range(3)]
    held.begin(acquire(b"free", b"other"))
    places = tuple(sorted(stream.standing.place for stream in waiting if stream.standing))
    held.tick(3.2)
    assert held.submitted() == []
    held.tick(0.2)
    assert held.submitted() == [Attach(places)]
    held.log()
    held.tick(3.2)
    assert held.submitted() == []
    held.tick(0.2)
    assert held.submitted() == [Attach(places)]


def test_waiting_goes_on_for_as_long_as_the_stream(held: LockDesk) -> None:
    stream = held.begin(acquire(b"a"))
    stream.take()
    for _ in range(200):
        held.tick(0.2)
        held.log()
        held.apply()
    assert stream.is_queued
    assert stream.take() is None
    assert held.time > 85


def test_without_the_stream_it_leaves(held: LockDesk) -> None:
    """The control of the test above."""
    held.apply(acquire(b"a"))
    held.time += 10.1
    held.apply()
    found = held.machine.acquisition(b"a")
    assert found is not None
    assert found.ending is Ending.UNATTENDED


def test_an_attach_that_was_lost_is_proposed_again_soon(held: LockDesk) -> None:
    held.begin(acquire(b"a"))
    held.tick(3.4)
    held.deny(REFUSED)
    held.tick(0.4)
    assert held.submitted() == []
    held.tick(0.2)
    assert [type(each) for each in held.submitted()] == [Attach]


def test_an_attach_is_no_larger_than_allowed(held: LockDesk, monkeypatch) -> None:
    assert RequestLimits().attached_places == lock_hub.ATTACHED_PLACES
    monkeypatch.setattr(lock_hub, "ATTACHED_PLACES", 2)
    for number in range(5):
        held.begin(acquire(b"%d" % number))
    held.tick(3.4)
    assert [len(each.places) for each in held.submitted() if isinstance(each, Attach)] == [2, 2, 1]


# -- a node that cannot go on


def test_without_a_leader_streams_end_and_their_places_stay(held: LockDesk) -> None:
    stream = held.begin(acquire(b"a"))
    held.tick()
    held.tick(2.9, is_led=False)
    assert stream.ended is None
    held.tick(0.2, is_led=False)
    assert isinstance(stream.ended, Denied)
    assert (stream.ended.reason, stream.ended.outcome) == (Reason.NO_QUORUM, Outcome.UNKNOWN)
    stream.close()
    held.waiting.clear()
    held.tick(2)
    assert (held.submitted(), held.ghosts(), len(held.hub)) == ([], 1, 0)


def test_an_installed_snapshot_ends_the_streams(held: LockDesk) -> None:
    stream = held.begin(acquire(b"a"))
    held.begin(acquire(b"b")).close()
    held.machine = StateMachine()
    held.hub.replaced()
    assert isinstance(stream.ended, Denied)
    assert (stream.ended.reason, stream.ended.outcome) == (Reason.UNKNOWN_RESULT, Outcome.UNKNOWN)
    stream.close()
    held.tick(2)
    assert (held.submitted(), held.hub.is_busy) == ([], False)


def test_a_node_that_stops(held: LockDesk) -> None:
    stream = held.begin(acquire(b"a"))
    held.hub.stop("n1 is shutting down", "n2")
    assert isinstance(stream.ended, Denied)
    assert (stream.ended.reason, stream.ended.outcome, stream.ended.leader) == (
        Reason.SHUTTING_DOWN,
        Outcome.UNKNOWN,
        "n2",
    )
    stream.close()
    held.tick(2)
    assert held.submitted() == []
    denied = held.hub.acquire(acquire(b"b"), held.time + 1, lambda: None)
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.outcome) == (Reason.SHUTTING_DOWN, Outcome.NOT_APPLIED)


def test_streams_of_a_node_are_bounded(held: LockDesk) -> None:
    streams = [held.begin(acquire(b"%d" % number)) for number in range(5)]
    denied = held.hub.acquire(acquire(b"x"), held.time + 1, lambda: None)
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.outcome) == (Reason.OVERLOAD, Outcome.NOT_APPLIED)
    assert "5 acquisitions" in denied.message
    free = held.begin(acquire(b"free", b"another"))
    assert shown(free.take()) == ("granted", [(b"another", 2)])
    free.finish()
    free.close()
    streams[0].close()
    assert held.begin(acquire(b"x")).is_queued
