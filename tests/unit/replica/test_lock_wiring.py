"""One replica and its locks: what is applied, installed and led reaches streams and figures."""

from lock_desk import acquire, shown
from unit.replica.test_watch_wiring import load

from kvraft.core.codec import encode_entry
from kvraft.core.commands import Attach, Confirm, Entry, Release
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.lock_waiter import Waiter
from kvraft.replica.messages import Forward, decode
from kvraft.replica.outcomes import Denied


def opened(rig, command) -> Waiter:
    stream = rig.replica.locks.acquire(command, rig.deadline, lambda: None)
    assert isinstance(stream, Waiter)
    return stream


def applied(rig, *commands) -> None:
    """Apply what another node's client asked."""
    rig.consensus.applied_index += 1
    stamp_ms = rig.replica.machine.cluster_time_ms
    entry = encode_entry(Entry(stamp_ms, commands))
    rig.replica.apply(rig.consensus.applied_index, entry)


def test_a_leader_grants_queues_and_hands_over(rig) -> None:
    first, second = opened(rig, acquire(b"1")), opened(rig, acquire(b"2"))
    rig.tick()
    rig.consensus.commit()
    assert shown(first.take()) == ("granted", [(b"l", 1)])
    assert shown(second.take()) == ("queued", 0)
    rig.submit(Release(key=b"1"))
    rig.tick()
    rig.consensus.commit()
    assert shown(second.take()) == ("granted", [(b"l", 2)])  # with the answer to the release
    counters = rig.replica.counters()
    assert {name: counters[name] for name in counters if name.startswith("lock_")} == {
        "lock_streams": 2,
        "lock_grants": 2,
        "lock_waits": 1,
        "lock_waits_abandoned": 0,
        "lock_wait_ms": 0,
    }
    assert (counters["conditions"], counters["conflicts"]) == (0, 0)


def test_a_follower_forwards_and_attaches_through_the_leader(follower) -> None:
    applied(follower, acquire(b"holder"), Confirm(b"holder"), acquire(b"a"))
    opened(follower, acquire(b"a"))
    ((peer, payload),) = follower.consensus.sent
    forward = decode(payload)
    assert isinstance(forward, Forward)
    assert (peer, forward.command) == ("n2", acquire(b"a"))


def test_who_waits_at_the_leader_stays(rig) -> None:
    opened(rig, acquire(b"1"))
    waiting = opened(rig, acquire(b"2"))
    rig.submit(Confirm(b"1"))
    rig.tick()
    rig.consensus.commit()
    attached = 0
    for _ in range(300):
        rig.tick(0.1)
        entries = rig.consensus.entries()
        attached += sum(type(each) is Attach for entry in entries for each in entry.commands)
        rig.consensus.commit()
    assert waiting.is_queued
    assert 8 <= attached <= 9


def test_an_unattended_wait_ends_by_the_leaders_ticks(rig) -> None:
    """The control: nobody says anything, and the leader ticks for the deadline."""
    for key in (b"1", b"2"):
        rig.submit(acquire(key))
    rig.submit(Confirm(b"1"))
    rig.tick()
    rig.consensus.commit()
    assert rig.replica.machine.place_count == 2
    for _ in range(101):
        rig.tick(0.1)
        rig.consensus.commit()
    assert rig.replica.machine.place_count == 1


def test_an_installed_snapshot_ends_the_streams(follower, rig) -> None:
    applied(rig, acquire(b"holder"), acquire(b"a"))
    stream = opened(follower, acquire(b"a"))
    load(follower, rig)
    assert isinstance(stream.ended, Denied)
    assert (stream.ended.reason, stream.ended.outcome) == (Reason.UNKNOWN_RESULT, Outcome.UNKNOWN)
    assert follower.replica.machine.place_count == 2


def test_a_follower_without_a_leader_ends_its_streams(follower) -> None:
    stream = opened(follower, acquire(b"a"))
    follower.tick(1.0)
    assert stream.ended is None
    follower.replica.on_following(None, 2, "lost n2")
    follower.tick(2.9)
    assert stream.ended is None
    follower.tick(0.2)
    assert isinstance(stream.ended, Denied)
    assert (stream.ended.reason, stream.ended.outcome) == (Reason.NO_QUORUM, Outcome.UNKNOWN)
