"""Every row of the table of errors, as a client sees it."""

import pytest
from grpc import StatusCode
from service_wire import Wire, failing

from kvraft.core.errors import Outcome, Reason
from kvraft.core.results import Refused
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.errors import STATUS
from kvraft.v1 import kv_pb2

pytestmark = pytest.mark.asyncio

REFUSALS = [
    (Reason.INVALID, StatusCode.INVALID_ARGUMENT),
    (Reason.TOO_LARGE, StatusCode.INVALID_ARGUMENT),
    (Reason.TTL_OUT_OF_RANGE, StatusCode.INVALID_ARGUMENT),
    (Reason.TOO_MANY_ENTRIES, StatusCode.INVALID_ARGUMENT),
    (Reason.LEASE_NOT_FOUND, StatusCode.NOT_FOUND),
    (Reason.MEMBER_UNKNOWN, StatusCode.NOT_FOUND),
    (Reason.LEASE_EXISTS, StatusCode.ALREADY_EXISTS),
    (Reason.LEASE_FULL, StatusCode.RESOURCE_EXHAUSTED),
    (Reason.TOO_MANY_LEASES, StatusCode.RESOURCE_EXHAUSTED),
    (Reason.NO_SPACE, StatusCode.RESOURCE_EXHAUSTED),
    (Reason.OVERLOAD, StatusCode.RESOURCE_EXHAUSTED),
    (Reason.TOO_MANY_INVARIANTS, StatusCode.RESOURCE_EXHAUSTED),
    (Reason.INVARIANT, StatusCode.FAILED_PRECONDITION),
    (Reason.WRONG_TYPE, StatusCode.FAILED_PRECONDITION),
    (Reason.ABANDONED, StatusCode.FAILED_PRECONDITION),
    (Reason.KEY_REUSED, StatusCode.INVALID_ARGUMENT),
    (Reason.STALE_FENCE, StatusCode.FAILED_PRECONDITION),
    (Reason.FENCE_REQUIRED, StatusCode.FAILED_PRECONDITION),
    (Reason.ALREADY_HELD, StatusCode.FAILED_PRECONDITION),
    (Reason.LOCK_MODE, StatusCode.FAILED_PRECONDITION),
    (Reason.DEADLOCK, StatusCode.ABORTED),
    (Reason.LOCK_NOT_FOUND, StatusCode.NOT_FOUND),
    (Reason.TOO_MANY_WAITERS, StatusCode.RESOURCE_EXHAUSTED),
    (Reason.TOO_MANY_LOCKS, StatusCode.RESOURCE_EXHAUSTED),
    (Reason.TOO_MANY_GUARDS, StatusCode.RESOURCE_EXHAUSTED),
]
ENDED = Reason.SESSION_EXPIRED
NOT_APPLIED, UNKNOWN = Outcome.NOT_APPLIED, Outcome.UNKNOWN
DENIALS = [
    # reason and outcome of the node; status and reason that the client must see
    (Reason.NO_QUORUM, NOT_APPLIED, StatusCode.UNAVAILABLE, "NO_QUORUM"),
    (Reason.NOT_LEADER, NOT_APPLIED, StatusCode.UNAVAILABLE, "NOT_LEADER"),
    (Reason.SHUTTING_DOWN, NOT_APPLIED, StatusCode.UNAVAILABLE, "SHUTTING_DOWN"),
    (Reason.UNKNOWN_RESULT, UNKNOWN, StatusCode.UNAVAILABLE, "UNKNOWN_RESULT"),
    (Reason.DEADLINE, UNKNOWN, StatusCode.DEADLINE_EXCEEDED, "UNKNOWN_RESULT"),
    (Reason.DEADLINE, NOT_APPLIED, StatusCode.DEADLINE_EXCEEDED, "DEADLINE"),
    (Reason.OVERLOAD, NOT_APPLIED, StatusCode.RESOURCE_EXHAUSTED, "OVERLOAD"),
    (Reason.NO_SPACE, NOT_APPLIED, StatusCode.RESOURCE_EXHAUSTED, "NO_SPACE"),
    (Reason.COMPACTED, NOT_APPLIED, StatusCode.OUT_OF_RANGE, "COMPACTED"),
    (Reason.FUTURE, NOT_APPLIED, StatusCode.OUT_OF_RANGE, "FUTURE"),
    (Reason.CORRUPT, NOT_APPLIED, StatusCode.DATA_LOSS, "CORRUPT"),
]


def put() -> kv_pb2.PutRequest:
    return kv_pb2.PutRequest(key=b"k", value=b"v")


async def test_each_reason_is_in_the_table() -> None:
    assert set(STATUS) == set(Reason)
    assert {row[0] for row in REFUSALS} | {row[0] for row in DENIALS} | {ENDED} == set(Reason)


@pytest.mark.parametrize(("reason", "code"), REFUSALS)
async def test_a_refusal_of_the_state_machine(wire: Wire, reason, code) -> None:
    wire.node.script = [Answer(Refused(reason, "because of it"), 1, 1)]
    failed = await failing(wire.kv.Put(put()))
    assert (failed.code, failed.info.reason) == (code, reason.value)
    assert failed.metadata["outcome"] == "NOT_APPLIED"
    assert failed.message == "because of it"


async def test_an_ended_session_knows_nothing_of_its_mutations(wire: Wire) -> None:
    wire.node.script = [Answer(Refused(ENDED, "session 5 has ended"), 1, 1)]
    failed = await failing(wire.kv.Put(put()))
    assert (failed.code, failed.info.reason) == (StatusCode.FAILED_PRECONDITION, ENDED.value)
    assert failed.metadata["outcome"] == "UNKNOWN"


@pytest.mark.parametrize(("reason", "outcome", "code", "seen"), DENIALS)
async def test_what_the_node_could_not_answer(wire: Wire, reason, outcome, code, seen) -> None:
    wire.node.script = [Denied(reason, outcome, "lost it")]
    failed = await failing(wire.kv.Put(put()))
    assert (failed.code, failed.info.reason) == (code, seen)
    assert failed.metadata["outcome"] == outcome.value


async def test_the_leader_and_its_endpoint_are_told(wire: Wire) -> None:
    wire.node.script = [Denied(Reason.NOT_LEADER, NOT_APPLIED, "n1 does not lead", leader="n2")]
    failed = await failing(wire.kv.Put(put()))
    assert failed.metadata["leader"] == "n2"
    assert failed.metadata["leader_endpoint"] == "127.0.0.1:4389"


async def test_a_leader_without_known_endpoint_is_told_by_name(wire: Wire) -> None:
    wire.node.script = [Denied(Reason.NOT_LEADER, NOT_APPLIED, "n1 does not lead", leader="n3")]
    failed = await failing(wire.kv.Put(put()))
    assert failed.metadata["leader"] == "n3"
    assert "leader_endpoint" not in failed.metadata


@pytest.mark.parametrize(
    ("reason", "given", "told"),
    [
        (Reason.OVERLOAD, 70, "70"),
        (Reason.OVERLOAD, None, "100"),
        (Reason.NO_SPACE, None, "1000"),
        (Reason.NO_QUORUM, 100, "100"),
        (Reason.NO_QUORUM, None, None),
    ],
)
async def test_when_to_try_again(wire: Wire, reason, given, told) -> None:
    wire.node.script = [Denied(reason, NOT_APPLIED, "later", retry_after_ms=given)]
    failed = await failing(wire.kv.Put(put()))
    assert failed.metadata.get("retry_after_ms") == told


async def test_a_condition_that_fails_is_an_answer(wire: Wire) -> None:
    await wire.kv.Put(put())
    answer = await wire.kv.CompareAndSet(
        kv_pb2.CompareAndSetRequest(key=b"k", value=b"w", expect=kv_pb2.Expect(absent=True))
    )
    assert not answer.succeeded
    assert answer.entry.value == b"v"


async def test_a_read_that_no_quorum_confirms(wire: Wire) -> None:
    wire.node.script = [Denied(Reason.NO_QUORUM, NOT_APPLIED, "cut off", retry_after_ms=100)]
    failed = await failing(wire.kv.Get(kv_pb2.GetRequest(key=b"k")))
    assert (failed.code, failed.info.reason) == (StatusCode.UNAVAILABLE, "NO_QUORUM")
    assert failed.metadata == {"outcome": "NOT_APPLIED", "retry_after_ms": "100"}


async def test_a_long_message_of_odd_characters_still_arrives(wire: Wire) -> None:
    wire.node.script = [Denied(Reason.NO_QUORUM, NOT_APPLIED, "\u00e4\n\x00" * 3_000)]
    failed = await failing(wire.kv.Put(put()))
    assert failed.info.reason == "NO_QUORUM"
    assert len(failed.message) == 1_000
