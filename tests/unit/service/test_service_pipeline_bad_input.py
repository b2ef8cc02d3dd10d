"""A stream that sends nonsense: it hears what is wrong, and nobody else notices."""

from typing import Any

import grpc
import grpc.aio
import pytest
from service_node import ScriptedNode
from service_pipe import Call, Pipe, get, put
from service_wire import Wire

from kvraft.v1 import kv_pb2

pytestmark = pytest.mark.asyncio


def message(*calls: Call) -> bytes:
    return kv_pb2.PipelineRequest(calls=calls).SerializeToString()


INVALID, EXHAUSTED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED
BAD = {
    "damaged": (b"\x0a\xff\xff\xff\xff\x0f", INVALID, "cannot be read"),
    "empty": (b"", INVALID, "calls: 1 to 1024, got 0"),
    "too many calls": (
        message(*(put(number) for number in range(1_025))),
        INVALID,
        "calls: 1 to 1024, got 1025",
    ),
    "one id twice": (message(put(1), put(2), put(1)), INVALID, "two with the id 1"),
    "too many bytes": (message(put(1, bytes(5 << 20))), EXHAUSTED, "larger than max"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_message_ends_its_stream_alone(
    case: str, node: ScriptedNode, wire: Wire
) -> None:
    data, code, text = BAD[case]
    other = Pipe(wire)
    node.hold = True
    await other.send(put(7))
    await node.until_held(1)
    bad: Any = wire.channel.stream_stream(
        "/kvraft.v1.KVService/Pipeline",
        request_serializer=bytes,
        response_deserializer=kv_pb2.PipelineResponse.FromString,
    )()
    await bad.write(data)
    if case == "one id twice":
        await node.until_held(3)
    node.hold = False
    node.release()
    assert set(await other.receive(1)) == {7}

    async def to_its_end() -> None:
        while await bad.read() is not grpc.aio.EOF:
            pass

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await to_its_end()
    assert caught.value.code() is code
    assert text in (caught.value.details() or "")
    await other.send(put(8), get(9))
    assert set(await other.receive(2)) == {8, 9}
    begun = 2 if case == "one id twice" else 0
    assert len(node.submitted) == 2 + begun, "nothing of it was begun but what was well before"


async def test_a_bad_call_harms_no_call_beside_it(node: ScriptedNode, wire: Wire) -> None:
    pipe = Pipe(wire)
    nothing, unknown = Call(id=2, timeout_ms=5_000), Call.FromString(b"\x08\x03\x9a\x06\x02ab")
    await pipe.send(put(1), nothing, unknown, put(4, key=b""), put(5))
    replies = await pipe.receive(5)
    assert [each for each in sorted(replies) if replies[each].HasField("error")] == [2, 3, 4]
    assert len(node.submitted) == 2
