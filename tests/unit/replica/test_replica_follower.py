"""A follower's side: forwarding once, its certainty, reads, and messages nobody expects."""

import pytest

from kvraft.consensus.port import Failure
from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    Get,
    KeyIdentity,
    Put,
    Request,
    Resolve,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.core.errors import CodecError, Outcome, Reason
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    GetResult,
    PutResult,
    Refused,
    Replayed,
    Resolved,
    SessionResult,
    TxnResult,
    Unmet,
    UpdateResult,
)
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.messages import Forward, ForwardReply, HashReport, decode, encode
from kvraft.replica.outcomes import Answer, Denied

ABOVE = Clause(b"k", Target.NUMBER, Operator.GT, (500,))
MESSAGES = (
    Forward(3, 1500, Put(b"k", b"v")),
    Forward(3, 1500, Request(Update(b"k", (Action(ActionKind.ADD, 5),)), ABOVE, KeyIdentity(b"i"))),
    Forward(3, 1500, Request(Txn(ABOVE, (Get(b"k"),)), None, SessionIdentity(7, 3, 2))),
    Forward(3, 1500, SetInvariant(b"k", True, minimum=-1)),
    Forward(3, 1500, SessionOpen()),
    Forward(3, 1500, Resolve(KeyIdentity(b"i"))),
    ForwardReply(4, Answer(DeleteResult(2), 17, 19)),
    ForwardReply(4, Answer(Unmet(1, (0,), ()), 17, 19)),
    ForwardReply(4, Answer(Replayed(UpdateResult(None, None), 9), 17, 19)),
    ForwardReply(4, Answer(Replayed(CasResult(False, None), 9, True), 17, 19)),
    ForwardReply(4, Answer(TxnResult(None, (GetResult(None),)), 17, 19)),
    ForwardReply(4, Answer(Resolved(DeleteResult(2), 9), 17, 19)),
    ForwardReply(4, Answer(SessionResult(7), 17, 19)),
    ForwardReply(5, Answer(Refused(Reason.LEASE_NOT_FOUND, "no lease 7"), 17, 19)),
    ForwardReply(6, Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "späť", "n2", 100)),
    ForwardReply(7, Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, "gone")),
    HashReport(1 << 60, 99, 12, "ab" * 32),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_peer_messages_round_trip(message):
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_cut_or_foreign_peer_message_is_a_codec_error(message):
    data = encode(message)
    for size in range(min(len(data), 30)):
        with pytest.raises(CodecError):
            decode(data[:size])
    with pytest.raises(CodecError, match="version 9"):
        decode(data[:1] + b"\x09" + data[2:])
    with pytest.raises(CodecError):
        decode(b"\x63" + data[1:])


def forwarded(rig) -> Forward:
    message = decode(rig.consensus.sent[-1][1])
    assert isinstance(message, Forward)
    return message


def test_a_command_is_forwarded_to_the_leader_and_its_answer_passed_on(follower):
    outcome = follower.submit(Put(b"k", b"v"))
    forward = forwarded(follower)

    assert (forward.command, forward.left_ms) == (Put(b"k", b"v"), 5000)
    assert outcome == []

    answer = Answer(DeleteResult(1), 5, 6)
    follower.replica.on_peer_message("n2", encode(ForwardReply(forward.request_id, answer)))
    follower.replica.on_peer_message("n2", encode(ForwardReply(forward.request_id, answer)))

    assert outcome == [answer]


def test_an_answer_of_somebody_else_is_not_believed(follower):
    outcome = follower.submit(Put(b"k", b"v"))
    reply = ForwardReply(forwarded(follower).request_id, Answer(DeleteResult(1), 5, 6))
    follower.replica.on_peer_message("n3", encode(reply))

    assert outcome == []


def test_a_broken_link_after_forwarding_is_unknown(follower):
    outcome = follower.submit(Put(b"k", b"v"))
    follower.replica.on_peer_lost("n3")
    assert outcome == []

    follower.replica.on_peer_lost("n2")
    assert outcome[0].outcome is Outcome.UNKNOWN
    assert follower.replica.idle


def test_a_deadline_after_forwarding_is_unknown(follower):
    outcome = follower.submit(Put(b"k", b"v"))
    follower.tick(seconds=6.0)

    assert outcome[0].outcome is Outcome.UNKNOWN


def test_a_link_that_takes_nothing_is_not_applied(follower):
    follower.consensus.takes_messages = False
    outcome = follower.submit(Put(b"k", b"v"))

    assert (outcome[0].reason, outcome[0].leader) == (Reason.NOT_LEADER, "n2")
    assert outcome[0].outcome is Outcome.NOT_APPLIED


def test_without_a_leader_nothing_is_forwarded(follower):
    follower.replica.on_following(None, 2, "silence")
    outcome = follower.submit(Put(b"k", b"v"))

    assert (outcome[0].reason, outcome[0].outcome) == (Reason.NO_QUORUM, Outcome.NOT_APPLIED)
    assert follower.consensus.sent == []


@pytest.mark.parametrize(("after_s", "retry_ms"), [(0.0, 20), (0.25, 20), (0.35, 100)])
def test_who_asks_during_an_election_is_told_to_come_again_soon(follower, after_s, retry_ms):
    follower.replica.on_following(None, 2, "n2 refuses a new connection")
    follower.consensus.reachable = False
    follower.tick(seconds=after_s)
    told: list = []
    follower.replica.read_barrier(follower.deadline, told.append)
    told += follower.submit(Put(b"k", b"v"))

    assert [each.retry_after_ms for each in told] == [retry_ms, retry_ms]


def test_who_asks_where_nobody_has_led_is_told_to_take_time(make_rig):
    assert make_rig().submit(Put(b"k", b"v"))[0].retry_after_ms == 100


def test_too_many_unanswered_are_overload(make_rig):
    rig = make_rig(limits=ReplicaLimits(forwarded=1))
    rig.bootstrap()
    rig.replica.on_following("n2", 1, "heard n2")
    rig.submit(Put(b"k", b"v"))

    assert rig.submit(Put(b"k", b"v"))[0].reason is Reason.OVERLOAD


def test_a_forwarded_command_is_applied_and_answered(rig):
    rig.replica.on_peer_message("n3", encode(Forward(9, 1000, Put(b"k", b"v"))))
    rig.tick()
    rig.consensus.commit()
    peer, payload = rig.consensus.sent[-1]
    reply = decode(payload)

    assert (peer, reply.request_id) == ("n3", 9)
    assert isinstance(reply.outcome.result, PutResult)


def test_a_forwarded_command_is_never_forwarded_again(follower):
    follower.replica.on_peer_message("n3", encode(Forward(9, 1000, Put(b"k", b"v"))))
    reply = decode(follower.consensus.sent[-1][1])

    assert (reply.outcome.reason, reply.outcome.leader) == (Reason.NOT_LEADER, "n2")


def test_a_forwarded_command_is_checked_again(rig):
    rig.replica.on_peer_message("n3", encode(Forward(9, 1000, Put(b"k" * 9999, b"v"))))

    assert isinstance(decode(rig.consensus.sent[-1][1]).outcome.result, Refused)


def test_noise_from_a_peer_is_dropped_with_a_line(rig):
    rig.replica.on_peer_message("n3", b"noise")

    assert "n3" in rig.doors.events[0]


def test_reads_of_one_turn_share_a_barrier(follower):
    outcomes: list = []
    for _ in range(5):
        follower.replica.read_barrier(follower.deadline, outcomes.append)
    follower.tick()
    follower.replica.read_barrier(follower.deadline, outcomes.append)
    follower.tick()

    assert len(follower.consensus.barriers) == 2
    follower.consensus.barriers[0](None)
    assert outcomes == [None] * 5
    follower.consensus.barriers[1](Failure.NO_QUORUM)
    assert (outcomes[5].reason, outcomes[5].outcome) == (Reason.NO_QUORUM, Outcome.NOT_APPLIED)


def test_a_read_past_its_deadline_hears_once(follower):
    outcomes: list = []
    follower.replica.read_barrier(follower.deadline, outcomes.append)
    follower.tick()
    follower.tick(seconds=6.0)
    follower.consensus.barriers[0](None)

    assert [outcome.reason for outcome in outcomes] == [Reason.DEADLINE]


def test_a_read_without_a_quorum_is_refused_at_once(follower):
    follower.consensus.reachable = False
    outcomes: list = []
    follower.replica.read_barrier(follower.deadline, outcomes.append)

    assert outcomes[0].reason is Reason.NO_QUORUM


def test_too_many_readers_are_overload(make_rig):
    rig = make_rig(limits=ReplicaLimits(readers=1))
    rig.bootstrap()
    outcomes: list = []
    for _ in range(2):
        rig.replica.read_barrier(rig.deadline, outcomes.append)

    assert [outcome.reason for outcome in outcomes] == [Reason.OVERLOAD]
