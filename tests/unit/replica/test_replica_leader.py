"""A leader's side: batches, certainty, time, space."""

from kvraft.consensus.port import Failure
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    Put,
    Request,
)
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.results import CasResult, PutResult, Refused, Replayed
from kvraft.replica.admission import Admission
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import Answer, Denied


def test_commands_of_one_turn_share_one_entry(rig):
    outcomes = [rig.submit(Put(b"k%d" % number, b"v")) for number in range(10)]
    rig.tick()

    assert [len(entry.commands) for entry in rig.consensus.entries()] == [10]
    assert outcomes == [[]] * 10

    rig.consensus.commit()

    assert all(isinstance(outcome[0].result, PutResult) for outcome in outcomes)
    assert [outcome[0].result.entry.mod_revision for outcome in outcomes] == list(range(2, 12))
    assert [outcome[0].revision for outcome in outcomes] == list(range(2, 12))


def test_what_arrives_while_entries_are_in_flight_waits_for_the_next(rig):
    rig.submit(Put(b"a", b"v"))
    for number in range(3):
        rig.submit(Put(b"a%d" % number, b"v"))
        rig.tick()

    assert [len(entry.commands) for entry in rig.consensus.entries()] == [2]

    rig.submit(Put(b"b", b"v"))
    rig.consensus.commit(1)
    rig.tick()

    assert [len(entry.commands) for entry in rig.consensus.entries()] == [3]


def test_one_entry_more_flies_beside_a_command_alone(rig):
    for number in range(4):
        rig.submit(Put(b"a%d" % number, b"v"))
        if number != 1:
            rig.tick()

    assert [len(entry.commands) for entry in rig.consensus.entries()] == [1, 2]

    rig.consensus.commit(2)
    rig.tick()

    assert [len(entry.commands) for entry in rig.consensus.entries()] == [1]


def granted(rig):
    rig.submit(LeaseGrant(60_000, 7))
    rig.tick()
    rig.consensus.commit()
    return LeaseKeepAlive(7)


def test_renewals_alone_wait_for_others(rig):
    renewal = granted(rig)
    rig.submit(renewal)
    rig.tick()
    assert not rig.consensus.entries()

    rig.submit(renewal)
    rig.tick(ReplicaLimits().gather_ms / 1000)
    assert [len(entry.commands) for entry in rig.consensus.entries()] == [2]


def test_renewals_go_with_what_is_proposed_anyhow(rig):
    rig.submit(granted(rig))
    rig.submit(Put(b"a", b"v"))
    rig.tick()
    assert [len(entry.commands) for entry in rig.consensus.entries()] == [2]


def test_an_entry_full_of_renewals_waits_for_nobody(make_rig):
    rig = make_rig(limits=ReplicaLimits(batch_commands=3))
    rig.bootstrap()
    rig.lead()
    renewal = granted(rig)
    for _ in range(3):
        rig.submit(renewal)
    rig.tick()
    assert [len(entry.commands) for entry in rig.consensus.entries()] == [3]


def test_an_entry_is_bounded_in_commands_bytes_and_cost(make_rig):
    rig = make_rig(limits=ReplicaLimits(batch_commands=4, batch_bytes=1000, entries_in_flight=9))
    rig.bootstrap()
    rig.lead()
    for _ in range(5):
        rig.submit(Put(b"k", b"v"))
    for _ in range(3):
        rig.submit(Put(b"k", b"v" * 400))
    for _ in range(3):
        rig.submit(DeleteRange(b"a", b"b"))
    rig.tick()

    assert [len(entry.commands) for entry in rig.consensus.entries()] == [4, 3, 1, 1, 1, 1]


def test_a_command_larger_than_a_batch_goes_alone(make_rig):
    rig = make_rig(limits=ReplicaLimits(batch_bytes=10, entries_in_flight=9))
    rig.bootstrap()
    rig.lead()
    rig.submit(Put(b"k", b"v" * 100))
    rig.tick()

    assert len(rig.consensus.proposed) == 1


def test_a_failed_condition_is_an_answer(rig):
    outcome = rig.submit(CompareAndSet(b"k", b"v", Expect(value=b"other")))
    rig.tick()
    rig.consensus.commit()

    assert outcome[0].result == CasResult(succeeded=False, entry=None)


def test_leadership_lost_after_proposing_is_unknown(rig):
    outcome = rig.submit(Put(b"k", b"v"))
    rig.tick()
    rig.consensus.fail(Failure.LEADERSHIP_LOST)

    assert outcome[0].outcome is Outcome.UNKNOWN
    assert outcome[0].reason is Reason.UNKNOWN_RESULT


def test_refused_by_consensus_before_proposing_is_not_applied(rig):
    for failure, reason in (
        (Failure.NOT_LEADER, Reason.NOT_LEADER),
        (Failure.NO_QUORUM, Reason.NO_QUORUM),
    ):
        outcome = rig.submit(Put(b"k", b"v"))
        rig.tick()
        rig.consensus.fail(failure)

        assert (outcome[0].reason, outcome[0].outcome) == (reason, Outcome.NOT_APPLIED)


def test_the_queue_of_a_deposed_leader_is_not_applied(rig):
    for _ in range(2):
        rig.submit(Put(b"k", b"v"))
        rig.tick()
    waiting = rig.submit(Put(b"k", b"v"))
    rig.replica.on_following("n3", 2, "a higher term")

    assert (waiting[0].outcome, waiting[0].leader) == (Outcome.NOT_APPLIED, "n3")


def test_a_deadline_is_not_applied_in_the_queue_and_unknown_in_flight(rig):
    in_flight = rig.submit(Put(b"k", b"v"))
    rig.tick()
    queued = rig.submit(Put(b"k", b"v"))
    rig.tick(seconds=10.0)

    assert in_flight[0].outcome is Outcome.UNKNOWN
    assert (queued[0].outcome, queued[0].reason) == (Outcome.NOT_APPLIED, Reason.DEADLINE)

    rig.consensus.commit()

    assert len(in_flight) == 1, "every caller hears exactly once"


def test_a_command_past_its_deadline_is_dropped_before_proposing(rig):
    outcomes: list = []
    rig.replica.submit(Put(b"k", b"v"), rig.doors.time - 1, outcomes.append)
    rig.replica.tick()

    assert rig.consensus.proposed == []
    assert outcomes[0].outcome is Outcome.NOT_APPLIED


def test_a_full_queue_is_overload_at_once(make_rig):
    rig = make_rig(limits=ReplicaLimits(queue_commands=2))
    rig.bootstrap()
    rig.lead()
    outcomes = [rig.submit(Put(b"k", b"v")) for _ in range(3)]

    assert outcomes[:2] == [[], []]
    assert (outcomes[2][0].reason, outcomes[2][0].outcome) == (
        Reason.OVERLOAD,
        Outcome.NOT_APPLIED,
    )
    assert outcomes[2][0].retry_after_ms


def test_a_bad_command_is_refused_before_it_is_proposed(rig):
    outcome = rig.submit(Put(b"k" * 3000, b"v"))
    rig.tick()

    assert rig.consensus.proposed == []
    assert isinstance(outcome[0], Answer)
    assert isinstance(outcome[0].result, Refused)


def test_before_its_own_entry_is_applied_a_leader_proposes_nothing(make_rig):
    rig = make_rig()
    rig.bootstrap()
    rig.consensus.role = rig.consensus.role.LEADER
    outcome = rig.submit(Put(b"k", b"v"))
    rig.tick()

    assert rig.consensus.proposed == []

    rig.replica.on_leading(1)
    rig.tick()
    rig.consensus.commit()

    assert isinstance(outcome[0].result, PutResult)


def test_stamps_advance_with_the_clock_but_not_by_a_stall(rig):
    rig.submit(Put(b"k", b"v"))
    rig.tick(seconds=0.2)
    first = rig.consensus.entries()[0].stamp_ms
    rig.consensus.commit()
    rig.tick(seconds=60.0)
    rig.submit(Put(b"k", b"v"))
    rig.tick()
    second = rig.consensus.entries()[0].stamp_ms

    assert first in (199, 200)
    assert second - first in (499, 500, 501), "a stall counts for one election timeout"


def test_time_goes_on_from_the_state_after_a_change_of_leader(rig):
    rig.submit(Put(b"k", b"v"))
    rig.tick(seconds=0.3)
    rig.consensus.commit()
    rig.replica.on_following("n2", 2, "deposed")
    rig.doors.time += 30.0
    rig.lead()
    rig.submit(Put(b"k", b"v"))
    rig.tick()

    assert rig.consensus.entries()[0].stamp_ms == rig.replica.machine.cluster_time_ms


def test_nothing_timed_no_ticks(rig):
    for _ in range(100):
        rig.tick(seconds=1.0)

    assert rig.consensus.proposed == []


def test_a_lease_is_ticked_for_and_ends(rig):
    grant = rig.submit(LeaseGrant(2000))
    rig.tick()
    rig.consensus.commit()
    put = rig.submit(Put(b"k", b"v", lease_id=grant[0].result.lease_id))
    rig.tick()
    rig.consensus.commit()
    begun = rig.replica.machine.cluster_time_ms
    ticks = 0
    while rig.replica.machine.get(b"k") is not None:
        rig.tick(seconds=0.02)
        ticks += len(rig.consensus.proposed)
        rig.consensus.commit()
    ended = rig.replica.machine.cluster_time_ms

    assert isinstance(put[0].result, PutResult)
    assert 2000 <= ended - begun <= 2100
    assert 4 <= ticks <= 6, "every quarter of the smallest TTL, and at the deadline"


def test_no_space_refuses_writes_and_lets_pass_what_frees_it():
    admission = Admission(RequestLimits(state_bytes=10), ReplicaLimits())
    machine = type("Full", (), {"state_bytes": 10})()

    for command in (Put(b"k", b"v"), CompareAndSet(b"k", b"v", Expect()), LeaseGrant(1000)):
        denied = admission.check(command, machine)
        assert (denied.reason, denied.outcome) == (Reason.NO_SPACE, Outcome.NOT_APPLIED)
    for command in (Delete(b"k"), DeleteRange(b"", None), LeaseKeepAlive(1)):
        assert admission.check(command, machine) is None


def test_little_free_disk_is_no_space(rig):
    rig.replica.admission.free_disk_bytes = 1 << 20
    outcome = rig.submit(Put(b"k", b"v"))

    assert outcome[0].reason is Reason.NO_SPACE

    rig.replica.admission.free_disk_bytes = 1 << 40
    assert rig.submit(Put(b"k", b"v")) == []


def test_no_quorum_and_shutting_down_are_refused_at_once(rig):
    rig.consensus.reachable = False
    assert rig.submit(Put(b"k", b"v"))[0].reason is Reason.NO_QUORUM

    rig.consensus.reachable = True
    rig.replica.stop_accepting()
    assert rig.submit(Put(b"k", b"v"))[0].reason is Reason.SHUTTING_DOWN
    assert rig.replica.idle


def test_transfer_tells_how_it_ended(rig):
    outcomes: list = []
    rig.replica.transfer_leadership("n2", rig.deadline, outcomes.append)
    rig.replica.transfer_leadership(None, rig.deadline, outcomes.append)
    rig.consensus.transfers[0][1](None)
    rig.consensus.transfers[1][1]("nobody is caught up")

    assert outcomes[0] is None
    assert isinstance(outcomes[1], Denied)


def test_a_leader_does_not_decode_what_it_has_just_encoded(rig, monkeypatch):
    decoded = []
    plain = rig.replica._decode
    monkeypatch.setattr(rig.replica, "_decode", lambda raw: decoded.append(raw) or plain(raw))
    outcome = rig.submit(Request(Put(b"k", b"v"), None, KeyIdentity(b"id")))
    rig.tick()
    rig.consensus.commit(1)
    assert (decoded, outcome[0].revision) == ([], 2)

    rig.bootstrap()  # of somebody else
    assert len(decoded) == 1
    again = rig.submit(Request(Put(b"k", b"v"), None, KeyIdentity(b"id")))
    rig.tick()
    rig.consensus.commit(1)
    assert isinstance(again[0].result, Replayed), "its hash was computed once, and is the same"


def test_what_was_proposed_in_vain_is_forgotten(rig):
    rig.submit(Put(b"k", b"v"))
    rig.tick()
    payload = rig.consensus.proposed[0][0]
    assert rig.replica._batcher.known(payload)
    rig.consensus.fail(Failure.LEADERSHIP_LOST)
    assert rig.replica._batcher.known(payload) is None
