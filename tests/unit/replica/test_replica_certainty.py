"""Every caller hears exactly once, at the latest at its deadline, and never NOT_APPLIED wrongly."""

import math
import random

import pytest

from kvraft.consensus.port import Failure, Role
from kvraft.core.commands import LeaseGrant, Put
from kvraft.core.errors import Outcome, Reason
from kvraft.core.results import DeleteResult, PutResult
from kvraft.replica.deadlines import BUCKETS_PER_S, Caller, Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import Forward, ForwardReply, decode, encode
from kvraft.replica.outcomes import Answer

# -- deadlines


def test_nobody_is_due_early_and_everybody_within_one_bucket():
    rng = random.Random(5)
    deadlines: Deadlines[Caller] = Deadlines()
    told: list = []
    callers = [Caller(rng.uniform(10, 20), told.append) for _ in range(500)]
    for caller in callers:
        deadlines.add(caller)
    for caller in callers[:100]:
        deadlines.discard(caller)
    due: set = set()
    now = 9.0
    while len(deadlines):
        now += 0.013
        for caller in deadlines.take_due(now):
            assert now - 0.013 - 1 / BUCKETS_PER_S <= caller.deadline <= now
            due.add(caller)

    assert due == set(callers[100:])
    assert deadlines.take_due(math.inf) == []


def test_an_infinite_deadline_never_comes():
    deadlines: Deadlines[Caller] = Deadlines()
    caller = Caller(math.inf, print)
    deadlines.add(caller)
    assert deadlines.take_due(1e12) == []
    deadlines.discard(caller)
    deadlines.discard(Caller(7.0, print))
    deadlines.add(Caller(7.0, print))
    deadlines.discard(Caller(7.0, print))
    assert len(deadlines) == 1


def test_a_poll_looks_at_nobody_who_is_not_due(rig):
    looked = 0

    class Counting(float):
        def __le__(self, other):
            nonlocal looked
            looked += 1
            return float.__le__(self, other)

    rig.replica.on_following(None, 1, "")
    rig.consensus.role = Role.LEADER  # leads, and may not propose yet: everything waits
    outcomes: list = []
    for _ in range(1000):
        rig.replica.submit(Put(b"k", b"v"), Counting(rig.deadline), outcomes.append)
    for _ in range(50):
        rig.doors.time += 0.02
        rig.replica.expire()

    assert (outcomes, looked) == ([], 0)
    rig.doors.time += 6.0
    rig.replica.expire()
    assert {outcome.outcome for outcome in outcomes} == {Outcome.NOT_APPLIED}
    assert len(outcomes) == 1000
    assert rig.replica.idle


def test_one_that_hears_may_ask_again_at_once(rig):
    """A callback that submits is neither lost nor does it disturb the others."""
    rig.replica.on_following(None, 1, "")
    rig.consensus.role = Role.LEADER
    second: list = []

    def again(_):
        rig.replica.submit(Put(b"k", b"v"), rig.deadline, second.append)

    for _ in range(3):
        rig.replica.submit(Put(b"k", b"v"), rig.deadline, again)
    rig.tick(seconds=6.0)
    assert second == []
    rig.tick(seconds=6.0)
    assert len(second) == 3


# -- the queue


def test_an_entry_that_commits_makes_room_at_once(make_rig):
    rig = make_rig(limits=ReplicaLimits(entries_in_flight=1))
    rig.bootstrap()
    rig.lead()
    rig.submit(Put(b"k", b"v"))
    for _ in range(2):
        rig.submit(Put(b"k", b"v"))
        rig.tick()
    for woken in (1, 0):
        rig.doors.woken = 0
        rig.consensus.commit(1)
        assert rig.doors.woken == woken, "what waits need not wait for the next poll"
        rig.tick()


def test_bytes_of_whoever_left_the_queue_are_given_back(make_rig):
    rig = make_rig(limits=ReplicaLimits(queue_bytes=1000))
    rig.bootstrap()
    rig.consensus.role = Role.LEADER
    big = Put(b"k", b"v" * 800)
    for end in ("deadline", "deposed", "proposed"):
        waiting = rig.submit(big)
        assert waiting == [], end
        assert rig.submit(big)[0].reason is Reason.OVERLOAD
        if end == "deadline":
            rig.tick(seconds=6.0)
        elif end == "deposed":
            rig.replica.on_following("n2", 1, "")
        else:
            rig.replica.on_leading(1)
            rig.tick()
            rig.consensus.commit()
        assert len(waiting) == 1
    assert rig.submit(big) == []


def test_nobody_is_watched_after_hearing(rig):
    rig.submit(Put(b"k", b"v"))
    rig.tick()
    assert len(rig.replica._batcher._deadlines) == 1
    rig.consensus.commit()
    assert len(rig.replica._batcher._deadlines) == 0


def test_an_entry_under_way_carries_the_time_for_a_tick(rig):
    rig.submit(LeaseGrant(1000))
    rig.tick()
    rig.consensus.commit()
    rig.submit(Put(b"k", b"v"))
    rig.tick()
    for _ in range(10):
        rig.tick(seconds=0.2)

    assert len(rig.consensus.proposed) == 1


def test_a_failed_entry_that_was_also_late_is_told_once(rig):
    outcome = rig.submit(Put(b"k", b"v"))
    rig.tick()
    rig.tick(seconds=6.0)
    rig.consensus.fail(Failure.LEADERSHIP_LOST)

    assert [one.outcome for one in outcome] == [Outcome.UNKNOWN]


def test_deposed_first_and_told_by_consensus_later_is_unknown(rig):
    outcome = rig.submit(Put(b"k", b"v"))
    rig.tick()
    rig.replica.on_following("n2", 2, "a higher term")
    assert outcome == [], "it was proposed: nobody knows yet"

    rig.consensus.fail(Failure.LEADERSHIP_LOST)
    assert [one.outcome for one in outcome] == [Outcome.UNKNOWN]


def test_a_late_commit_after_the_deposition_is_an_answer(rig):
    outcome = rig.submit(Put(b"k", b"v"))
    rig.tick()
    rig.replica.on_following("n2", 2, "a higher term")
    rig.consensus.commit()

    assert isinstance(outcome[0].result, PutResult)


# -- forwarding


def test_an_answer_to_an_earlier_start_of_this_node_fits_no_request(make_rig):
    """The leader may hold a killed process' command, and answer it to the next one."""
    before, after = make_rig("n1"), make_rig("n1")
    after.doors.random = lambda: 0.75
    after.replica.connect(after.consensus)
    ids = []
    for rig in (before, after):
        rig.bootstrap()
        rig.replica.on_following("n2", 1, "heard n2")
        outcome = rig.submit(Put(b"k", b"v"))
        ids.append(decode(rig.consensus.sent[-1][1]).request_id)
    old = ForwardReply(ids[0], Answer(DeleteResult(1), 5, 6))
    after.replica.on_peer_message("n2", encode(old))

    assert outcome == [], "that was the answer to another command"


def test_a_deadline_beyond_the_wire_is_cut(follower):
    outcomes: list = []
    for deadline in (float("inf"), follower.doors.time + (1 << 40), follower.doors.time - 1):
        follower.replica.submit(Put(b"k", b"v"), deadline, outcomes.append)
    lefts = [decode(payload).left_ms for _, payload in follower.consensus.sent]

    assert lefts == [(1 << 32) - 1, (1 << 32) - 1, 0]


def test_a_link_lost_and_a_deadline_together_tell_once(follower):
    outcome = follower.submit(Put(b"k", b"v"))
    follower.replica.on_peer_lost("n2")
    follower.tick(seconds=6.0)
    request_id = decode(follower.consensus.sent[-1][1]).request_id
    late = ForwardReply(request_id, Answer(DeleteResult(1), 5, 6))
    follower.replica.on_peer_message("n2", encode(late))

    assert [one.outcome for one in outcome] == [Outcome.UNKNOWN]


def test_answered_requests_are_not_watched_any_more(follower):
    outcome = follower.submit(Put(b"k", b"v"))
    request_id = decode(follower.consensus.sent[-1][1]).request_id
    reply = ForwardReply(request_id, Answer(DeleteResult(1), 5, 6))
    follower.replica.on_peer_message("n2", encode(reply))
    follower.tick(seconds=6.0)

    assert len(outcome) == 1
    assert follower.replica.idle


def test_a_new_leader_queues_what_is_forwarded_before_its_own_entry_is_applied(make_rig):
    """Followers hear it lead before it may propose; refusing them would cost a round trip."""
    rig = make_rig()
    rig.bootstrap()
    rig.consensus.role = Role.LEADER
    rig.replica.on_peer_message("n3", encode(Forward(9, 1000, Put(b"k", b"v"))))
    assert rig.consensus.sent == []

    rig.replica.on_leading(1)
    rig.tick()
    rig.consensus.commit()
    assert isinstance(decode(rig.consensus.sent[-1][1]).outcome.result, PutResult)


def test_forwarded_to_one_without_a_quorum_is_not_applied(rig):
    rig.consensus.reachable = False
    rig.replica.on_peer_message("n3", encode(Forward(9, 1000, Put(b"k", b"v"))))
    outcome = decode(rig.consensus.sent[-1][1]).outcome

    assert (outcome.reason, outcome.outcome) == (Reason.NO_QUORUM, Outcome.NOT_APPLIED)


# -- reads


def test_a_confirmed_reader_is_not_watched_any_more(follower):
    outcomes: list = []
    follower.replica.read_barrier(follower.deadline, outcomes.append)
    follower.tick()
    follower.consensus.barriers[0](None)
    follower.tick(seconds=6.0)

    assert outcomes == [None]


def test_room_for_readers_comes_back(make_rig):
    rig = make_rig(limits=ReplicaLimits(readers=1))
    rig.bootstrap()
    outcomes: list = []
    for _ in range(3):
        rig.replica.read_barrier(rig.deadline, outcomes.append)
        rig.tick()
        rig.consensus.barriers.pop()(None)

    assert outcomes == [None] * 3


def test_confirmed_readers_are_forgotten(follower):
    follower.replica.read_barrier(follower.deadline, [].append)
    follower.tick()
    assert len(follower.replica._readers._deadlines) == 1
    follower.consensus.barriers[0](None)
    assert len(follower.replica._readers._deadlines) == 0


def test_what_comes_before_the_next_tick_is_let_in_by_the_first(rig):
    """The quorum is asked about once a turn of the loop, not once a command."""
    first = rig.submit(Put(b"a", b"v"))
    woken = rig.doors.woken
    rig.consensus.reachable = False
    second = rig.submit(Put(b"b", b"v"))
    reads = []
    rig.replica.read_barrier(rig.deadline, reads.append)
    assert (first, second, reads, rig.doors.woken) == ([], [], [], woken)

    rig.tick()
    third = rig.submit(Put(b"c", b"v"))
    assert third[0].reason is Reason.NO_QUORUM


@pytest.mark.parametrize("end", ["follows", "stops"])
def test_nobody_is_let_in_by_who_came_before_a_change(rig, end):
    rig.submit(Put(b"a", b"v"))
    rig.consensus.reachable = False
    if end == "follows":
        rig.consensus.role = Role.FOLLOWER
        rig.replica.on_following("n2", 2, "heard n2")
    else:
        rig.replica.stop_accepting()
    outcome = rig.submit(Put(b"b", b"v"))
    assert outcome[0].reason is (Reason.NO_QUORUM if end == "follows" else Reason.SHUTTING_DOWN)


def test_reads_that_wait_together_count_each(make_rig):
    rig = make_rig(limits=ReplicaLimits(readers=3))
    rig.bootstrap()
    rig.lead()
    outcomes = []
    rig.replica.read_barrier(rig.deadline, outcomes.append, 2)
    rig.replica.read_barrier(rig.deadline, outcomes.append, 2)
    assert outcomes[0].reason is Reason.OVERLOAD
    rig.replica.read_barrier(rig.deadline, outcomes.append)
    rig.tick()
    rig.consensus.barriers[0](None)
    assert outcomes[1:] == [None, None]
    rig.replica.read_barrier(rig.deadline, outcomes.append, 3)
    assert len(outcomes) == 3
