"""Every caller hears exactly once, at the latest at its deadline, and never NOT_APPLIED wrongly."""

import math
import random

import pytest

from kvraft.consensus.port import Failure, Role
from kvraft.core.commands import HashMarker, LeaseGrant, Put
from kvraft.core.errors import CodecError, Outcome, Reason
from kvraft.core.results import DeleteResult, PutResult
from kvraft.replica.deadlines import BUCKETS_PER_S, Caller, Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import Forward, ForwardReply, HashReport, decode, encode
from kvraft.replica.outcomes import Answer
from kvraft.replica.ticker import Ticker

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


# -- leadership handed over


def test_a_transfer_that_never_ends_is_answered_at_its_deadline(rig):
    outcomes: list = []
    rig.replica.transfer_leadership("n2", rig.doors.time + 0.5, outcomes.append)
    rig.tick(seconds=0.4)
    assert outcomes == []

    rig.tick(seconds=0.2)
    assert [(one.reason, one.outcome) for one in outcomes] == [(Reason.DEADLINE, Outcome.UNKNOWN)]

    rig.consensus.transfers[0][1](None)
    assert len(outcomes) == 1


def test_a_transfer_that_ended_is_not_watched_any_more(rig):
    outcomes: list = []
    rig.replica.transfer_leadership(None, rig.deadline, outcomes.append)
    rig.consensus.transfers[0][1]("nobody is caught up")
    rig.tick(seconds=6.0)

    assert [(one.outcome, one.message) for one in outcomes] == [
        (Outcome.NOT_APPLIED, "nobody is caught up")
    ]


# -- snapshots


def test_a_snapshot_that_is_not_durable_in_time_is_answered_at_its_deadline(rig):
    begun, asked = [], []
    rig.replica.take_snapshot(rig.deadline, begun.append)
    rig.tick()
    rig.replica.take_snapshot(rig.deadline, asked.append)
    rig.tick(seconds=6.0)

    for outcomes in (begun, asked):
        assert [(one.reason, one.outcome) for one in outcomes] == [
            (Reason.DEADLINE, Outcome.UNKNOWN)
        ]
    rig.consensus.sinks[0].committed()
    rig.tick()
    assert (len(begun), len(asked), len(rig.consensus.sinks)) == (1, 1, 1)


def test_a_snapshot_that_consensus_dropped_is_taken_again(rig):
    """`done` of a sink is also called where a newer one is on its way and not CURRENT yet."""
    outcomes: list = []
    rig.replica.take_snapshot(rig.deadline, outcomes.append)
    rig.tick()
    rig.consensus.sinks[0].dropped()
    assert outcomes == [], "nothing is CURRENT: a backup would be missing or old"
    assert rig.replica.counters()["snapshots"] == 0

    rig.tick()
    rig.consensus.sinks[1].committed()
    assert outcomes == [rig.consensus.applied_index]


def test_a_newer_snapshot_of_the_leader_serves_as_well(rig):
    outcomes: list = []
    rig.replica.take_snapshot(rig.deadline, outcomes.append)
    rig.tick()
    rig.consensus.snapshot_index = 77
    rig.consensus.sinks[0].dropped()

    assert outcomes == [77], "the index of what is CURRENT"
    assert rig.replica.counters()["snapshots"] == 0


def test_one_that_gave_up_does_not_begin_a_snapshot(rig):
    rig.replica.take_snapshot(rig.doors.time - 1, [].append)
    rig.replica.expire()
    rig.tick()

    assert rig.consensus.sinks == []


def test_those_who_gave_up_are_not_asked_for_again(rig):
    outcomes: list = []
    rig.replica.take_snapshot(rig.deadline, outcomes.append)
    rig.tick()
    rig.tick(seconds=6.0)
    rig.consensus.sinks[0].dropped()
    rig.tick()

    assert (len(rig.consensus.sinks), len(outcomes)) == (1, 1)


def test_too_many_who_wait_for_a_snapshot_are_overload(make_rig):
    rig = make_rig(limits=ReplicaLimits(snapshot_askers=1))
    rig.bootstrap()
    outcomes: list = []
    rig.replica.take_snapshot(rig.deadline, outcomes.append)
    rig.replica.take_snapshot(rig.deadline, outcomes.append)
    assert [one.reason for one in outcomes] == [Reason.OVERLOAD]

    rig.tick()
    rig.consensus.sinks[0].committed()
    rig.replica.take_snapshot(rig.deadline, outcomes.append)
    assert len(outcomes) == 2, "there is room again"


@pytest.mark.parametrize("why", ["no cluster", "stopping"])
def test_a_node_that_has_nothing_to_show_takes_no_snapshot(make_rig, why):
    rig = make_rig()
    if why == "stopping":
        rig.bootstrap()
        rig.replica.stop_accepting()
    outcomes: list = []
    rig.replica.take_snapshot(rig.deadline, outcomes.append)
    rig.tick()

    reason = Reason.SHUTTING_DOWN if why == "stopping" else Reason.NO_QUORUM
    assert [(one.reason, one.outcome) for one in outcomes] == [(reason, Outcome.NOT_APPLIED)]
    assert rig.consensus.sinks == []


# -- hashes


def hash_outcomes(rig, seconds: float = 5.0) -> list:
    outcomes: list = []
    rig.replica.state_hash(rig.doors.time + seconds, outcomes.append)
    return outcomes


def test_a_marker_that_is_denied_after_the_wait_is_told_once(rig):
    outcomes = hash_outcomes(rig, seconds=60.0)
    rig.tick()
    rig.tick(seconds=11.0)
    assert [(one.reason, one.outcome) for one in outcomes] == [(Reason.DEADLINE, Outcome.UNKNOWN)]

    rig.consensus.fail(Failure.LEADERSHIP_LOST)
    assert len(outcomes) == 1


def test_a_marker_in_the_log_and_nobody_who_told_is_an_empty_list(follower):
    outcomes = hash_outcomes(follower)
    request_id = decode(follower.consensus.sent[-1][1]).request_id
    answer = Answer(DeleteResult(1), 5, 6)
    follower.replica.on_peer_message("n2", encode(ForwardReply(request_id, answer)))
    follower.tick(seconds=6.0)

    assert outcomes == [[]]


def test_a_node_with_too_many_views_says_so_and_is_missing(make_rig):
    rig = make_rig(limits=ReplicaLimits(hash_views=1))
    rig.bootstrap()
    rig.lead()
    machine = rig.replica.machine
    _, refused = outcomes = [[], []]
    for nonce in (1, 2):
        rig.doors.random = lambda nonce=nonce: (nonce - 1) / (1 << 53)
        rig.replica.state_hash(rig.deadline, outcomes[nonce - 1].append)
    rig.tick()
    rig.consensus.commit()
    reports = [decode(payload) for _, payload in rig.consensus.sent]
    assert [(report.nonce, report.digest) for report in reports] == [(2, "")] * 2

    for name in ("n2", "n3"):
        report = HashReport(2, 5, machine.revision, "ab" * 32)
        rig.replica.on_peer_message(name, encode(report))
    assert [found.node for found in refused[0]] == ["n2", "n3"], "told at once, n1 is missing"


def test_hashes_in_progress_end_with_the_state_they_are_of(rig, make_rig):
    outcomes = hash_outcomes(rig)
    rig.tick()
    rig.consensus.commit()
    frozen = rig.replica.machine.freeze()
    data = b"".join(frozen.blocks())
    frozen.release()

    class Source:
        index, term = 60, 3

        def read(self, offset, size):
            return data[offset : offset + size]

    loading = rig.replica.begin_load(Source())
    while not loading.step():
        pass
    rig.replica.adopt(loading, 60)
    report = decode(rig.consensus.sent[-1][1])
    assert report.digest == ""
    for name in ("n2", "n3"):
        rig.replica.on_peer_message(name, encode(HashReport(report.nonce, 3, 1, "cd" * 32)))

    assert [found.node for found in outcomes[0]] == ["n2", "n3"]


def test_too_many_hashes_are_overload_and_propose_nothing(make_rig):
    rig = make_rig(limits=ReplicaLimits(hash_requests=1))
    rig.bootstrap()
    rig.lead()
    hash_outcomes(rig)
    refused = hash_outcomes(rig)
    rig.tick()

    assert refused[0].reason is Reason.OVERLOAD
    assert [entry.commands for entry in rig.consensus.entries()] == [
        (HashMarker(int(0.25 * (1 << 53)) + 1),)
    ]


# -- cluster time


def test_what_is_left_over_by_one_entry_is_ended_by_the_next_at_once(make_rig):
    """At most 1,000 leases end in one entry; the rest may not wait for the next poll."""
    rig = make_rig(limits=ReplicaLimits(batch_cost=4000, batch_commands=4000))
    rig.bootstrap()
    rig.lead()
    for _ in range(2500):
        rig.submit(LeaseGrant(1000))
    rig.tick()
    rig.consensus.commit()
    lefts = []
    while left := rig.replica.machine.lease_count:
        rig.doors.woken = 0
        rig.doors.time += 0.02 if left == 2500 else 0.0
        rig.replica.tick()
        rig.consensus.commit()
        left = rig.replica.machine.lease_count
        if left < 2500:
            lefts.append(left)
            assert rig.doors.woken == (1 if left else 0)

    assert lefts == [1500, 500, 0]


def test_an_ending_is_late_by_at_most_the_period_after_a_change_of_leader(make_rig):
    """RULES I1: the state's time is never behind the leader's by more than the tick period."""
    rng = random.Random(3)
    for ttl_ms in (1000, 5000, 60_000):
        rig = make_rig()
        rig.bootstrap()
        rig.lead()
        rig.submit(LeaseGrant(ttl_ms))
        rig.tick()
        rig.consensus.commit()
        led_s, granted_ms = 0.0, rig.replica.machine.cluster_time_ms
        while rig.replica.machine.lease_count:
            step = rng.uniform(0.001, 0.02)
            led_s += step
            rig.tick(seconds=step)
            rig.consensus.commit()
            behind_ms = led_s * 1000 - (rig.replica.machine.cluster_time_ms - granted_ms)
            assert behind_ms <= min(ttl_ms // 4, 10_000) + 21
        assert 0 <= led_s * 1000 - ttl_ms <= 21 + 1


def test_a_deposed_leader_stamps_and_ticks_nothing(rig):
    rig.submit(LeaseGrant(1000))
    rig.tick()
    rig.consensus.commit()
    rig.replica.on_following("n2", 2, "deposed")
    for _ in range(100):
        rig.tick(seconds=0.1)

    assert rig.consensus.proposed == []


def test_an_entry_without_a_stamp_leaves_the_time_alone(rig):
    before = rig.replica.machine.cluster_time_ms
    rig.tick(seconds=0.4)
    rig.bootstrap()

    assert rig.replica.machine.cluster_time_ms == before


def test_a_clock_that_jumps_back_does_not_take_time_back(rig):
    rig.tick(seconds=0.3)
    rig.tick(seconds=-0.2)
    rig.submit(Put(b"k", b"v"))
    rig.tick()

    assert rig.consensus.entries()[0].stamp_ms in (299, 300)


def test_the_term_is_that_of_the_leader_known_last(rig):
    rig.replica.on_following("n2", 9, "")
    assert rig.replica.term == 9
    rig.replica.on_leading(11)
    assert rig.replica.term == 11


def test_a_state_is_only_handed_out_whole(rig):
    loading = rig.replica.begin_load(Empty())
    with pytest.raises(CodecError, match="snapshot at 60 is not loaded yet"):
        loading.machine()


class Empty:
    """A snapshot of nothing."""

    index, term = 60, 3

    def read(self, offset: int, size: int) -> bytes:
        return b""


def test_backups_are_opened_by_the_door(rig):
    opened = object()
    rig.doors.open_backup = lambda: opened
    assert rig.replica.open_backup() is opened


def test_the_ticker_without_a_stamp_or_a_deadline_has_nothing_to_do(rig):
    ticker = Ticker(10_000)
    assert not ticker.due(rig.replica.machine, None)
    assert not ticker.due(rig.replica.machine, 10**9)
    assert not ticker.overdue(rig.replica.machine)
    keyless = type("Machine", (), {"cluster_time_ms": 5})()
    keyless.next_deadline_ms = lambda: 90_000
    keyless.smallest_ttl_ms = lambda: None
    assert not ticker.due(keyless, 10_004)
    assert ticker.due(keyless, 10_005)
    keyless.smallest_ttl_ms = lambda: 1000
    assert not ticker.due(keyless, 254)
    assert ticker.due(keyless, 255)


def test_an_encoder_behind_a_full_disk_goes_on_when_it_has_room(rig):
    outcomes: list = []
    rig.consensus.backlog = 1 << 30
    rig.replica.take_snapshot(rig.deadline, outcomes.append)
    rig.tick()
    (sink,) = rig.consensus.sinks
    assert sink.blocks == []

    sink.backlog = 0
    rig.tick()
    assert sink.blocks
    rig.tick()
    assert len(rig.consensus.sinks) == 1, "one at a time, until it is durable"
    sink.committed()
    assert len(outcomes) == 1


def test_a_snapshot_in_progress_ends_with_the_state_it_is_of(rig):
    """It is dropped, and whoever asked gets one of the new state."""
    frozen = rig.replica.machine.freeze()
    data = b"".join(frozen.blocks())
    frozen.release()
    source = Empty()
    source.read = lambda offset, size: data[offset : offset + size]
    loading = rig.replica.begin_load(source)
    while not loading.step():
        pass
    outcomes: list = []
    rig.doors.step = 1.0
    rig.replica.take_snapshot(rig.doors.time + 1000, outcomes.append)
    rig.replica.tick()
    (first,) = rig.consensus.sinks
    assert first.committed is None

    rig.replica.adopt(loading, 60)
    assert first.aborted
    rig.doors.step = 0.0
    rig.consensus.applied_index = 60
    rig.tick()
    _, second = rig.consensus.sinks
    rig.replica.adopt(loading, 60)
    assert not second.aborted, "what is only made durable now, is left to finish"
    second.committed()
    assert outcomes == [60]


def test_a_hash_takes_several_turns_and_lets_time_pass(rig):
    outcomes = hash_outcomes(rig)
    rig.tick()
    rig.consensus.commit()
    rig.doors.step = 1.0
    rig.doors.woken = 0
    turns = 0
    while rig.replica._hashes._hashing:
        rig.doors.woken = 0
        rig.replica.tick()
        turns += 1
        assert rig.doors.woken == (1 if rig.replica._hashes._hashing else 0)

    assert turns > 2
    assert len(decode(rig.consensus.sent[-1][1]).digest) == 64
    assert outcomes == []
