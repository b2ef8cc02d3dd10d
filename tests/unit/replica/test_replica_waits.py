"""Handing over, snapshots and hashes: whoever waits hears once and in time."""

import pytest

from kvraft.consensus.port import Failure
from kvraft.core.commands import HashMarker
from kvraft.core.errors import CodecError, Outcome, Reason
from kvraft.core.frozen import FrozenState
from kvraft.core.machine import StateMachine
from kvraft.core.results import DeleteResult
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import ForwardReply, HashReport, decode, encode
from kvraft.replica.outcomes import Answer

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
    while rig.replica._hashes.hashing:
        rig.doors.woken = 0
        rig.replica.tick()
        turns += 1
        assert rig.doors.woken == (1 if rig.replica._hashes.hashing else 0)

    assert turns > 2
    assert len(decode(rig.consensus.sent[-1][1]).digest) == 64
    assert outcomes == []


def test_every_view_that_was_frozen_for_a_hash_is_given_back(rig, monkeypatch):
    """A view that is kept makes every later write keep what it replaces."""
    views: list = []
    freeze, release = StateMachine.freeze, FrozenState.release
    monkeypatch.setattr(StateMachine, "freeze", lambda self: views.append(1) or freeze(self))
    monkeypatch.setattr(FrozenState, "release", lambda self: views.pop() and release(self))
    for end in ("told", "replaced"):
        hash_outcomes(rig)
        rig.tick()
        rig.consensus.commit()
        assert len(views) == 1
        if end == "told":
            rig.tick()
        else:
            rig.replica._hashes.abort()
        assert views == []


def test_a_transfer_that_ended_is_forgotten(rig):
    rig.replica.transfer_leadership(None, rig.deadline, [].append)
    assert len(rig.replica._handover._deadlines) == 1
    rig.consensus.transfers[0][1](None)
    assert len(rig.replica._handover._deadlines) == 0


def test_the_view_of_a_snapshot_is_given_back(rig, monkeypatch):
    released: list = []
    release = FrozenState.release
    monkeypatch.setattr(FrozenState, "release", lambda self: released.append(1) or release(self))
    rig.replica.take_snapshot(rig.deadline, [].append)
    rig.tick()
    assert released == [1]
    rig.consensus.sinks[0].committed()
    rig.doors.step = 1.0
    rig.replica.take_snapshot(rig.doors.time + 1000, [].append)
    rig.replica.tick()
    rig.replica._snapshotter.abort()
    assert released == [1, 1]
