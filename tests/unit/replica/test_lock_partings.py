"""Streams that are given up: their places are released, unless somebody goes on with them."""

from dataclasses import replace

from lock_desk import LOST, REFUSED, LockDesk, acquire, shown

from kvraft.core.commands import Confirm, Release

RELEASE = Release(key=b"a", end_lease=True, unless_confirmed=True)
GRANTED = ("granted", [(b"l", 1)])


def test_a_stream_that_is_given_up_leaves_no_ghost(held: LockDesk) -> None:
    stream = held.begin(acquire(b"a"))
    stream.take()
    stream.close()
    stream.close()
    held.tick(0.9)
    assert held.submitted() == []
    held.tick(0.2)
    assert held.submitted() == [RELEASE]
    held.log()
    held.tick(5)
    assert (held.ghosts(), held.submitted(), held.hub.is_busy) == (0, [], False)
    assert held.machine.lease_count == 1


def test_a_lease_of_others_is_not_ended(held: LockDesk) -> None:
    lease = held.machine.acquisition(b"holder")
    assert lease is not None
    command = replace(acquire(b"a"), ttl_ms=None, lease_id=lease.lease_id)
    held.begin(command).close()
    held.tick(1.1)
    assert held.submitted() == [Release(key=b"a", unless_confirmed=True)]


def test_a_stream_given_up_before_its_answer(held: LockDesk) -> None:
    stream = held.open(acquire(b"a"))
    stream.close()
    held.tick(2)
    assert len(held.waiting) == 1
    held.log()
    held.tick(1.1)
    assert held.submitted() == [RELEASE]


def test_a_stream_given_up_whose_answer_is_lost(held: LockDesk) -> None:
    stream = held.open(acquire(b"a"))
    stream.close()
    held.deny(LOST)
    held.tick(1.1)
    assert held.submitted() == [RELEASE]


def test_a_stream_given_up_that_was_never_proposed(held: LockDesk) -> None:
    held.open(acquire(b"a")).close()
    held.deny(REFUSED)
    held.wait()
    assert (held.submitted(), held.hub.is_busy) == ([], False)


def test_a_grant_that_nobody_was_told_of_is_given_back(desk: LockDesk) -> None:
    stream = desk.begin(acquire(b"a"))
    assert shown(stream.take()) == GRANTED
    stream.close()
    desk.tick(1.1)
    assert desk.submitted() == [RELEASE]


def test_a_grant_that_was_told_is_kept(desk: LockDesk) -> None:
    stream = desk.begin(acquire(b"a"))
    stream.take()
    stream.finish()
    stream.close()
    desk.wait()
    assert desk.submitted() == []
    assert desk.machine.holds(b"l", 1)


def test_a_lock_that_is_held_is_not_lost_by_asking_again(held: LockDesk) -> None:
    held.begin(acquire(b"holder")).close()
    held.wait()
    assert (held.submitted(), held.hub.is_busy) == ([], False)


def test_a_stream_that_is_opened_again_here_keeps_its_place(held: LockDesk) -> None:
    held.begin(acquire(b"a")).close()
    held.tick(0.5)
    again = held.begin(acquire(b"a"))
    held.tick(0.6)
    assert held.submitted() == []
    held.release_holder()
    assert shown(again.take()) == ("granted", [(b"l", 2)])


def test_a_stream_that_is_opened_again_elsewhere_keeps_its_place(held: LockDesk) -> None:
    held.begin(acquire(b"a")).close()
    held.tick(0.5)
    held.apply(acquire(b"a"))
    held.wait()
    assert (held.submitted(), held.hub.is_busy) == ([], False)


def test_a_stream_that_breaks_long_after_its_client_went_elsewhere(held: LockDesk) -> None:
    stream = held.begin(acquire(b"a"))
    held.apply(acquire(b"a"))
    held.tick(1)
    stream.close()
    held.tick(2)
    assert held.submitted() == []


def test_of_two_streams_here_the_last_one_decides(held: LockDesk) -> None:
    first = held.begin(acquire(b"a"))
    last = held.begin(acquire(b"a"))
    first.close()
    held.tick(2)
    assert held.submitted() == []
    last.close()
    held.tick(1.1)
    assert held.submitted() == [RELEASE]


def test_a_release_is_proposed_until_it_is_applied(held: LockDesk) -> None:
    held.begin(acquire(b"a")).close()
    held.tick(1.1)
    for denied in (REFUSED, LOST, REFUSED):
        assert [type(each) for each in held.submitted()] == [Release]
        held.deny(denied)
        held.tick(0.3)
        assert held.submitted() == []
        held.tick(0.3)
    held.log()
    held.tick(5)
    assert (held.submitted(), held.hub.is_busy) == ([], False)


def test_a_release_is_given_up_when_the_place_leaves_by_itself(held: LockDesk) -> None:
    held.begin(acquire(b"a")).close()
    for _ in range(100):
        held.tick(0.12)
        held.deny(REFUSED)
    assert not held.hub.is_busy


def test_a_place_that_has_left_needs_no_release(held: LockDesk) -> None:
    held.begin(acquire(b"a", wait_ms=500)).close()
    held.time += 0.6
    held.apply()
    held.tick(0.6)
    assert (held.submitted(), held.hub.is_busy) == ([], False)


def test_nothing_is_left_of_streams_that_are_over(held: LockDesk) -> None:
    for number in range(4):
        held.begin(acquire(b"%d" % number)).close()
    held.tick(1.1)
    held.log()
    hub = held.hub
    assert (hub._by_key, hub._waiters, len(hub._looks), len(hub._partings.by_key)) == ({}, {}, 0, 0)
    assert held.machine.place_count == 1


def test_the_own_request_that_this_node_applies_late_is_nobody_elses(desk: LockDesk) -> None:
    desk.lag()
    desk.apply(acquire(b"holder"))
    desk.begin(acquire(b"a")).close()
    desk.catch_up()
    desk.tick(1.1)
    assert desk.submitted() == [RELEASE]


def test_a_place_that_was_confirmed_meanwhile_is_not_released_by_a_node_behind(
    desk: LockDesk,
) -> None:
    desk.lag()
    stream = desk.begin(acquire(b"a"))
    desk.catch_up()
    stream.close()
    desk.apply(acquire(b"a"))  # its client went to another node,
    desk.apply(Confirm(b"a"))  # and holds
    desk.tick(1.1)
    assert [type(each) for each in desk.submitted()] == [Release]
    desk.log()
    assert desk.elsewhere.holds(b"l", 1)
    desk.tick(5)
    assert (desk.submitted(), desk.hub.is_busy) == ([], False)


def test_a_grant_whose_last_word_arrived_though_its_stream_broke(desk: LockDesk) -> None:
    stream = desk.begin(acquire(b"a"))
    stream.take()
    stream.close()
    desk.apply(Confirm(b"a"))
    desk.tick(1.1)
    desk.log()
    assert desk.machine.holds(b"l", 1)
