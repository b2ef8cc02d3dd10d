"""Patience ends with what it waited for: a lock that an entry in flight has freed."""

from lock_desk import acquire

from kvraft.core.commands import Release


def commands(rig) -> list[int]:
    return [len(entry.commands) for entry in rig.consensus.entries()]


def hold(rig) -> None:
    rig.submit(acquire(b"holder"))
    rig.tick()
    rig.consensus.commit()


def test_a_wish_for_a_lock_that_was_just_given_back_waits_for_nobody(rig):
    hold(rig)
    rig.submit(Release(key=b"holder"))
    rig.tick()
    (outcome,) = (rig.submit(acquire(b"next")),)
    rig.tick()
    rig.consensus.commit(1)  # the release: the lock is free
    rig.tick()

    assert commands(rig) == [1]
    rig.consensus.commit()
    assert outcome[0].result.standing.name == "GRANTED"


def test_a_wish_for_a_lock_that_is_still_taken_goes_on_waiting_for_company(rig):
    hold(rig)
    rig.submit(acquire(b"other", b"m"))
    rig.tick()
    rig.submit(acquire(b"next"))
    rig.consensus.commit(1)
    rig.tick()

    assert commands(rig) == []
    rig.submit(Release(key=b"holder"))
    rig.tick()
    assert commands(rig) == [2]
