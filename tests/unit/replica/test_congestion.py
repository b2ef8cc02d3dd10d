"""Overload at the leader: who may queue, by how long it would wait, and who always may."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from kvraft.core.commands import (
    Attach,
    Confirm,
    Delete,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    MemberDisk,
    Put,
    Release,
    Request,
    SessionClose,
    SessionOpen,
)
from kvraft.core.errors import Outcome, Reason
from kvraft.core.results import Refused
from kvraft.replica.congestion import Congestion
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import Forward, ForwardReply, decode, encode
from kvraft.replica.outcomes import Answer, Denied

LIMITS = ReplicaLimits(batch_commands=64, queue_burst=512, command_ms=0.8)
"""A quarter of everything: it takes a quarter of the time."""
ENTRY_S = 0.05
CAPACITY = LIMITS.batch_commands / ENTRY_S
"""Puts a second of a cluster that needs `ENTRY_S` an entry."""
PUT = Put(b"k", b"v")
URGENT = (LeaseKeepAlive(9), Attach((1,)))
ENDING = (
    Confirm(b"a"),
    Release(b"a"),
    LeaseRevoke(9),
    SessionClose(3),
    Request(Release(b"b"), None, KeyIdentity(b"i")),
)


@dataclass
class Load:
    """What a rig makes of a load, where every entry takes so long."""

    rig: Any
    entry_s: float = ENTRY_S
    took_s: list[float] = field(default_factory=list)
    refused: list[Denied] = field(default_factory=list)

    def submit(self, command=PUT, patience_s: float = 5.0) -> None:
        begun = self.rig.doors.time

        def done(outcome: Answer | Denied) -> None:
            if isinstance(outcome, Denied):
                assert outcome.outcome is Outcome.NOT_APPLIED
                self.refused.append(outcome)
            else:
                self.took_s.append(self.rig.doors.time - begun)

        self.rig.replica.submit(command, begun + patience_s, done)

    def run(self, rate: float, seconds: float, patience_s: float = 5.0) -> None:
        """Offer `rate` puts a second, in steps of 10 ms."""
        step_s, owed, spent = 0.01, 0.0, 0.0
        for _ in range(round(seconds / step_s)):
            owed += rate * step_s
            while owed >= 1:
                owed -= 1
                self.submit(patience_s=patience_s)
            self.rig.tick(step_s)
            spent += step_s
            if spent >= self.entry_s - 1e-9 and self.rig.consensus.proposed:
                spent = 0.0
                self.rig.consensus.commit(1)
                self.rig.tick()

    def proposes(self, commands) -> list:
        """Submit them in one turn, and return them as they come."""
        proposed: list = []
        for command in commands:
            self.submit(command)
        for _ in range(len(commands)):
            self.rig.tick()
            for entry in self.rig.consensus.entries():
                proposed += entry.commands
            self.rig.consensus.commit()
        return proposed

    def reset(self) -> None:
        self.took_s.clear()
        self.refused.clear()


@pytest.fixture
def load(make_rig) -> Load:
    rig = make_rig(limits=LIMITS)
    rig.bootstrap()
    rig.lead()
    return Load(rig)


@pytest.mark.parametrize("times", [2, 4, 10])
def test_what_is_accepted_is_answered_soon_and_nothing_is_lost_of_the_capacity(load, times):
    load.run(CAPACITY * times, seconds=1.5)  # a burst came before it stood for long
    load.reset()
    load.run(CAPACITY * times, seconds=2.0)

    assert len(load.took_s) == pytest.approx(CAPACITY * 2.0, rel=0.05)
    assert max(load.took_s) <= LIMITS.queue_wait_ms / 1000 + 3 * ENTRY_S
    assert len(load.refused) == pytest.approx(CAPACITY * 2.0 * (times - 1), rel=0.05)
    for denied in load.refused:
        assert denied.reason is Reason.OVERLOAD
        assert 200 <= denied.retry_after_ms <= 400


def test_a_cluster_that_becomes_slow_lets_fewer_wait(load):
    load.run(CAPACITY * 2, seconds=1.0)
    load.entry_s = 4 * ENTRY_S
    load.run(CAPACITY * 2, seconds=4.0)
    load.reset()
    load.run(CAPACITY * 2, seconds=2.0)

    assert load.took_s
    assert max(load.took_s) <= LIMITS.queue_wait_ms / 1000 + 3 * load.entry_s


def test_below_its_capacity_nobody_is_refused(load):
    load.run(CAPACITY * 0.9, seconds=3.0)

    assert load.refused == []


def test_a_burst_is_not_congestion(load):
    for _ in range(2):
        for _ in range(LIMITS.queue_burst):
            load.submit()
        assert load.refused == []
        load.run(0, seconds=1.5)
        assert len(load.took_s) == LIMITS.queue_burst
        load.reset()
    for _ in range(LIMITS.queue_burst + 1):
        load.submit()
    assert len(load.refused) == 1


def test_a_second_burst_behind_one_that_stands_is(load):
    for _ in range(LIMITS.queue_burst):
        load.submit()
    load.entry_s = 3 * ENTRY_S
    load.run(0, seconds=0.55)
    load.submit()

    assert [denied.reason for denied in load.refused] == [Reason.OVERLOAD]


def test_who_would_wait_beyond_the_deadline_is_told_at_once(load):
    load.run(CAPACITY * 4, seconds=2.0)
    load.rig.consensus.commit(1)
    load.rig.tick()
    load.reset()
    load.submit(patience_s=0.1)
    assert [denied.reason for denied in load.refused] == [Reason.OVERLOAD]
    assert load.rig.replica.crowded is None, "others have more time"
    load.submit(patience_s=1.0)
    assert len(load.refused) == 1


def test_a_stall_is_not_taken_for_the_pace(load):
    load.run(CAPACITY * 2, seconds=1.0)
    congestion = load.rig.replica._batcher._congestion
    room = congestion.room
    load.rig.tick(3.0)
    load.rig.consensus.commit(1)
    load.rig.tick()

    assert room / 2 < congestion.room < room


def crowd(load: Load) -> None:
    """Fill the queue as far as new work may."""
    load.reset()
    while not load.refused:
        load.submit()
    load.reset()


@pytest.mark.parametrize("command", URGENT + ENDING, ids=lambda command: type(command).__name__)
def test_signs_of_life_and_what_gives_back_are_let_in(load, command):
    crowd(load)
    load.submit(command)
    assert load.refused == []
    for new in (
        PUT,
        Delete(b"k"),
        Request(PUT, None, KeyIdentity(b"i")),
        LeaseGrant(5_000),
        SessionOpen(),
    ):
        load.submit(new)
        assert load.refused.pop().reason is Reason.OVERLOAD


def test_signs_of_life_go_first_and_what_ends_something_keeps_its_place(load):
    grant = LeaseGrant(5_000, 9)
    commands = (grant, LeaseKeepAlive(9))
    assert load.proposes(commands) == list(commands), "a grant goes before its keepalive"
    commands = (PUT, *ENDING, *URGENT)
    assert load.proposes(commands) == [*URGENT, PUT, *ENDING]


def test_a_disk_may_join_in_a_crowd(load):
    crowd(load)
    load.rig.replica.on_join_request("n3", 77, 1)
    load.rig.tick()
    (entry, *_) = load.rig.consensus.entries()
    assert type(entry.commands[0]) is MemberDisk


def test_even_they_are_bounded(make_rig):
    limits = ReplicaLimits(queue_commands=2, queue_spare_commands=3)
    rig = make_rig(limits=limits)
    rig.bootstrap()
    rig.lead()
    assert [rig.submit(PUT) for _ in range(2)] == [[], []]
    kept = [rig.submit(LeaseKeepAlive(each)) for each in range(1, 4)]
    assert kept == [[], [], []]
    (denied,) = rig.submit(LeaseKeepAlive(4))
    assert (denied.reason, denied.outcome) == (Reason.OVERLOAD, Outcome.NOT_APPLIED)


def test_their_bytes_have_room_of_their_own(make_rig):
    rig = make_rig(limits=ReplicaLimits(queue_bytes=1_000, queue_spare_bytes=100))
    rig.bootstrap()
    rig.lead()
    assert rig.submit(Put(b"k", b"v" * 850)) == []
    assert rig.submit(Put(b"k", b"v" * 100))[0].reason is Reason.OVERLOAD
    assert rig.submit(LeaseKeepAlive(1)) == []
    assert rig.submit(LeaseKeepAlive(1)) == []
    assert rig.submit(LeaseKeepAlive(1))[0].reason is Reason.OVERLOAD


def test_a_keepalive_in_a_crowd_keeps_its_lease(load):
    outcomes: list = []
    load.rig.replica.submit(LeaseGrant(1_000), load.rig.deadline, outcomes.append)
    load.run(0, seconds=0.2)
    lease_id = outcomes.pop().result.lease_id
    for _ in range(10):
        load.run(CAPACITY * 4, seconds=0.5)
        load.rig.replica.submit(LeaseKeepAlive(lease_id), load.rig.deadline, outcomes.append)
    load.run(0, seconds=1.0)

    assert len(outcomes) == 10
    assert not [each for each in outcomes if isinstance(each.result, Refused)]


def test_forwarded_commands_obey_the_same(load):
    crowd(load)
    consensus = load.rig.consensus
    for number, command in enumerate((PUT, *URGENT, *ENDING)):
        load.rig.replica.on_peer_message("n2", encode(Forward(number, 5_000, command)))
    ((peer, payload),) = consensus.sent
    reply = decode(payload)
    assert isinstance(reply, ForwardReply)
    assert (peer, reply.request_id, reply.outcome.reason) == ("n2", 0, Reason.OVERLOAD)


def test_a_follower_lets_them_pass_too(make_rig):
    rig = make_rig(limits=ReplicaLimits(forwarded=1, queue_spare_commands=1))
    rig.bootstrap()
    rig.replica.on_following("n2", 1, "heard n2")
    assert rig.submit(PUT) == []
    assert rig.submit(PUT)[0].reason is Reason.OVERLOAD
    assert rig.submit(LeaseKeepAlive(1)) == []
    assert rig.submit(LeaseKeepAlive(1))[0].reason is Reason.OVERLOAD


def test_the_crowd_is_told_of_until_there_is_room(load):
    replica = load.rig.replica
    load.rig.tick()
    assert replica.crowded is None
    for _ in range(LIMITS.queue_burst + 1):
        load.submit()
    assert replica.crowded is load.refused[0]
    replica.tick()
    assert replica.crowded is None, "an entry has made room"

    crowd(load)
    assert replica.crowded is not None
    load.rig.consensus.reachable = False
    assert replica.crowded is None, "there is a better reason to refuse"


def test_a_new_leader_without_its_own_entry_queues_no_more_than_a_burst(make_rig):
    rig = make_rig(limits=LIMITS)
    rig.bootstrap()
    rig.consensus.role = rig.consensus.role.LEADER
    load = Load(rig)
    crowd(load)
    assert len(rig.replica._batcher._queue) == LIMITS.queue_burst


def test_a_deposed_leader_forgets_its_queue(load):
    load.run(CAPACITY * 2, seconds=1.5)
    crowd(load)
    assert load.rig.replica.crowded is not None
    load.rig.replica.on_following("n2", 2, "heard n2")
    assert {denied.reason for denied in load.refused} == {Reason.NOT_LEADER}
    assert load.rig.replica.crowded is None
    load.rig.lead()
    load.reset()
    for _ in range(LIMITS.queue_burst):
        load.submit()
    assert load.refused == []


def test_the_pace_is_that_of_the_last_entries():
    congestion = Congestion(LIMITS)
    now = 100.0
    for _ in range(50):
        congestion.proposed(now, range(100), more=True)
        now += 0.1
    assert congestion.command_s == pytest.approx(0.001, rel=0.01)
    assert congestion.room == pytest.approx(300, rel=0.01)
    congestion.proposed(now, range(100), more=False)
    assert congestion.room == LIMITS.queue_burst
    before = congestion.command_s
    for _ in range(50):  # nothing waits: how long an entry takes says nothing of the pace
        now += 1.0
        congestion.proposed(now, range(1), more=False)
    assert congestion.command_s == before
