"""Who asks again for what has been granted, or has ended, waits for nothing: nor for company."""

import pytest
from lock_desk import acquire

from kvraft.core.commands import Acquire, Release


@pytest.fixture
def leader(rig):
    """A leader with a lock that is held, one that waits for it, and one that has left."""
    for command in (acquire(b"holder"), acquire(b"waits"), acquire(b"left"), Release(key=b"left")):
        rig.submit(command)
    rig.tick()
    rig.consensus.commit()
    rig.tick()
    return rig


@pytest.mark.parametrize(("key", "count"), [(b"holder", 1), (b"left", 1), (b"waits", 0)])
def test_asked_again(leader, key, count):
    leader.submit(acquire(key))
    leader.tick()
    proposed = leader.consensus.entries()
    assert [[type(each) for each in entry.commands] for entry in proposed] == [[Acquire]] * count
