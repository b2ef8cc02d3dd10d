"""What an entry had no room for has waited: it goes with the next, and waits for no company."""

import pytest
from lock_desk import acquire

from kvraft.core.commands import LeaseGrant, LeaseKeepAlive
from kvraft.replica.limits import ReplicaLimits

LIMITS = ReplicaLimits(batch_cost=2)
GATHER_S = LIMITS.gather_ms / 1000


def sizes(rig) -> list[int]:
    return [len(entry.commands) for entry in rig.consensus.entries()]


@pytest.mark.parametrize("kind", ["wish", "sign of life"])
def test_it_goes_with_the_next_entry(make_rig, kind):
    rig = make_rig(limits=LIMITS)
    rig.bootstrap()
    rig.lead()
    for command in (acquire(b"holder"), LeaseGrant(60_000, 7)):
        rig.submit(command)
        rig.tick()
        rig.consensus.commit()
    for number in range(6):
        rig.submit(acquire(b"w%d" % number) if kind == "wish" else LeaseKeepAlive(7))
    rig.tick()
    assert sizes(rig) == []
    rig.tick(GATHER_S)
    for _ in range(3):
        assert sizes(rig) == [2]
        rig.consensus.commit()
        rig.tick()
    assert sizes(rig) == []
