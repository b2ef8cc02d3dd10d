"""Many calls on one stream: replies out of order, in batches, bounded, and as the unary ones."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from service_node import ScriptedNode
from service_pipe import REQUESTS, Call, Pipe, get, put
from service_wire import Wire, failing

from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import BarrierDone, Denied
from kvraft.service.limits import ServiceLimits
from kvraft.service.server import build_server
from kvraft.v1 import error_pb2, kv_pb2, lease_pb2, lock_pb2, session_pb2

pytestmark = pytest.mark.asyncio

UNREADABLE = b"\x0a\xff\xff\xff\xff\x0f"


@pytest.fixture
def pipe(wire: Wire) -> Pipe:
    return Pipe(wire)


def info_of(status: error_pb2.ErrorStatus) -> error_pb2.ErrorInfo:
    (packed,) = status.details
    return error_pb2.ErrorInfo.FromString(packed.value)


async def stub_answer(wire: Wire, kind: str) -> Any:
    request = REQUESTS[kind]
    name = "".join(part.capitalize() for part in kind.split("_"))
    if kind == "keep_alive":
        call: Any = wire.lease.KeepAlive(iter([request]))
        return await call.read()
    stub: Any = wire.kv
    if kind in ("grant", "revoke"):
        stub = wire.lease
    if kind in ("confirm", "release", "check_fence"):
        stub = wire.lock
    if kind == "acquire":
        return await wire.lock.Acquire(request).read()
    if kind in ("open", "close", "resolve"):
        stub = wire.session
    return await getattr(stub, name)(request)


async def prepare(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"1"))
    await wire.lease.Grant(lease_pb2.GrantRequest(ttl_ms=9_000, lease_id=5))
    await wire.session.Open(session_pb2.OpenRequest())
    held = lock_pb2.AcquireRequest(key=b"held", names=[b"l"], lease_id=5)
    assert (await wire.lock.Acquire(held).read()).HasField("granted")


@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_call_is_answered_as_on_its_own(
    kind: str, wire: Wire, limits: ServiceLimits
) -> None:
    other_node = ScriptedNode()
    other_node.form()
    server = build_server(other_node, "127.0.0.1:0", limits=limits)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            other = Wire(other_node, server, channel)
            await prepare(wire)
            await prepare(other)
            alone = await stub_answer(other, kind)
        pipe = Pipe(wire)
        await pipe.send(Call(id=9, timeout_ms=2_000, **{kind: REQUESTS[kind]}))
        reply = (await pipe.receive(1))[9]
    finally:
        await server.stop(0)

    assert reply.WhichOneof("reply") == kind, reply.error
    assert getattr(reply, kind) == alone
    assert alone.header.node == "n1"


async def test_what_waits_does_not_hold_up_the_rest(node: ScriptedNode, pipe: Pipe) -> None:
    node.hold = True
    await pipe.send(put(1, b"first"))
    await node.until_held(1)
    node.hold = False
    await pipe.send(put(2, b"second"))
    assert (await pipe.receive(1))[2].put.entry.value == b"second"
    node.release()
    assert (await pipe.receive(1))[1].put.entry.value == b"first"


async def test_calls_begin_in_the_order_of_their_message(node: ScriptedNode, pipe: Pipe) -> None:
    await pipe.send(*(put(number, b"%d" % number) for number in range(1, 65)))
    replies = await pipe.receive(64)
    revisions = [replies[number].put.header.revision for number in range(1, 65)]
    assert revisions == sorted(set(revisions))
    assert len(node.submitted) == 64


async def test_what_is_answered_at_once_shares_a_message(node: ScriptedNode, pipe: Pipe) -> None:
    node.hold = True
    await pipe.send(*(put(number) for number in range(1, 33)), get(40))
    await node.until_held(33)
    node.release()
    await pipe.receive(33)
    assert pipe.batches == [33]


async def test_reads_of_one_message_that_ask_for_the_same_wait_together(
    node: ScriptedNode, pipe: Pipe
) -> None:
    asked: list[int] = []
    barrier = node.read_barrier

    def counted(deadline: float, done: BarrierDone, reads: int = 1) -> None:
        asked.append(reads)
        barrier(deadline, done, reads)

    node.read_barrier = counted  # type: ignore[method-assign]
    other = Call(id=4, timeout_ms=4_000, get=kv_pb2.GetRequest(key=b"k"))
    stale = get(5, consistency=kv_pb2.CONSISTENCY_SERIALIZABLE)
    await pipe.send(get(1), put(2), get(3), other, stale)
    replies = await pipe.receive(5)
    assert asked == [2, 1]
    assert [key for key, each in sorted(replies.items()) if each.HasField("get")] == [1, 3, 4, 5]

    node.script = [Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "nobody answers")]
    await pipe.send(get(6), get(7))
    replies = await pipe.receive(2)
    assert {info_of(each.error).reason for each in replies.values()} == {"NO_QUORUM"}
    assert asked == [2, 1, 2]


async def test_a_failed_call_says_what_a_unary_one_does(
    node: ScriptedNode, wire: Wire, pipe: Pipe
) -> None:
    text = "n2 leads"
    denied = Denied(Reason.NOT_LEADER, Outcome.NOT_APPLIED, text, "n2", retry_after_ms=7)
    node.script = [denied, denied]
    alone = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"v")))
    await pipe.send(put(1))
    status = (await pipe.receive(1))[1].error
    assert (status.code, status.message) == (alone.code.value[0], alone.message)
    assert info_of(status) == alone.info


async def test_a_bad_call_is_refused_alone(node: ScriptedNode, pipe: Pipe) -> None:
    bad = put(1, key=b"")
    await pipe.send(bad, put(2), Call(id=3, timeout_ms=5_000), get(4, min_revision=10**9))
    replies = await pipe.receive(4)
    assert replies[2].HasField("put")
    for call_id, reason, text in (
        (1, "INVALID", "key: 1 to"),
        (3, "INVALID", "request: one of get, list, put"),
        (4, "FUTURE", "min_revision"),
    ):
        info = info_of(replies[call_id].error)
        assert (info.reason, info.metadata["outcome"]) == (reason, "NOT_APPLIED")
        assert text in replies[call_id].error.message


async def test_an_operation_of_a_later_version_is_refused_alone(wire: Wire) -> None:
    """Field 99 of the call is none that this server knows."""
    raw: Any = wire.channel.stream_stream(
        "/kvraft.v1.KVService/Pipeline",
        request_serializer=bytes,
        response_deserializer=kv_pb2.PipelineResponse.FromString,
    )()
    unknown = b"\x08\x05" + b"\x9a\x06\x02ab"
    await raw.write(b"\x0a" + bytes([len(unknown)]) + unknown)
    (reply,) = (await raw.read()).replies
    assert reply.id == 5
    assert "none that is known here" in reply.error.message


async def test_the_deadline_of_a_call_is_its_own(node: ScriptedNode, pipe: Pipe) -> None:
    node.clock = lambda: 100.0
    await pipe.send(put(1, timeout_ms=1_000), put(2, timeout_ms=0), put(3, timeout_ms=-5))
    replies = await pipe.receive(3)
    deadlines = [deadline for _, deadline in node.submitted]
    assert 100.9 < deadlines[0] < 101.0
    assert 104.9 < deadlines[1] <= 105.0
    assert len(deadlines) == 2
    assert info_of(replies[3].error).reason == "DEADLINE"


async def test_two_calls_with_one_id_end_the_stream(node: ScriptedNode, pipe: Pipe) -> None:
    node.hold = True
    await pipe.send(put(1), put(2), put(1, b"again"), put(3))
    await node.until_held(2)
    await asyncio.sleep(0.05)
    node.release()
    assert set(await pipe.receive(2)) == {1, 2}, "what was begun is answered"
    failed = await pipe.end()
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failed.metadata["outcome"] == "NOT_APPLIED"
    assert "two with the id 1" in failed.message
    assert len(node.submitted) == 2


async def test_an_id_is_free_once_it_is_answered(pipe: Pipe) -> None:
    for _ in range(3):
        await pipe.send(put(1))
        await pipe.receive(1)


async def test_a_malformed_message_ends_the_stream(node: ScriptedNode, wire: Wire) -> None:
    raw: Any = wire.channel.stream_stream(
        "/kvraft.v1.KVService/Pipeline",
        request_serializer=bytes,
        response_deserializer=kv_pb2.PipelineResponse.FromString,
    )()
    node.hold = True
    await raw.write(kv_pb2.PipelineRequest(calls=[put(1)]).SerializeToString())
    await node.until_held(1)
    await raw.write(UNREADABLE)
    await asyncio.sleep(0.05)
    node.release()
    (reply,) = (await raw.read()).replies
    assert reply.id == 1
    failed = await failing(raw.read())
    assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be read" in failed.message


async def test_a_node_that_stops_answers_what_it_has_read(
    node: ScriptedNode, wire: Wire, pipe: Pipe
) -> None:
    node.hold = True
    await pipe.send(put(1))
    await node.until_held(1)
    stopping = asyncio.create_task(wire.server.stop(5))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    node.release()
    assert set(await pipe.receive(1)) == {1}
    failed = await pipe.end()
    assert failed.code is grpc.StatusCode.UNAVAILABLE
    assert (failed.info.reason, failed.metadata["outcome"]) == ("SHUTTING_DOWN", "NOT_APPLIED")
    await stopping


async def test_a_client_that_goes_leaves_nothing_behind(
    node: ScriptedNode, wire: Wire, pipe: Pipe
) -> None:
    node.hold = True
    await pipe.send(put(1))
    await node.until_held(1)
    assert wire.server.pipelines == 1
    pipe.call.cancel()
    while wire.server.pipelines:
        await asyncio.sleep(0.01)
    node.release()


async def test_a_client_that_has_sent_all_is_answered_to_the_end(
    node: ScriptedNode, pipe: Pipe
) -> None:
    node.hold = True
    await pipe.send(put(1), put(2))
    await pipe.call.done_writing()
    await node.until_held(2)
    node.release()
    await pipe.receive(2)
    assert await pipe.call.read() is grpc.aio.EOF
    assert await pipe.call.code() is grpc.StatusCode.OK
