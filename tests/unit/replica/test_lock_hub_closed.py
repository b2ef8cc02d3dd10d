"""Streams that were closed before their turn to be told: they take nobody else's, and leave."""

from lock_desk import SMALL, LockDesk, acquire

from kvraft.core.commands import Release


def due(desk: LockDesk, count: int) -> list:
    """Open streams that wait in their turns to hear that their places have ended."""
    opened = [desk.begin(acquire(b"w%d" % number)) for number in range(count)]
    desk.tick()
    assert SMALL.lock_wakes == 2
    desk.log(*(Release(key=b"w%d" % number) for number in range(count)))
    return opened


def test_they_take_no_turn_of_those_that_wait(held):
    first = due(held, 4)
    late = held.begin(acquire(b"late"))
    held.log(Release(key=b"late"))
    number = len(held.calls) - 1
    for each in first:
        each.close()
    told = held.calls[number]
    held.tick()
    assert held.calls[number] == told + 1
    late.close()


def test_nothing_of_them_stays_when_the_last_has_gone(held):
    opened = due(held, 4)
    for each in opened:
        each.close()
    held.tick()
    assert not held.hub._to_wake
