"""What one message of a pipeline costs the loop, which every other caller waits for."""

import asyncio
import itertools
import time
from collections import Counter
from typing import Any

import grpc.aio
import pytest
from service_node import ScriptedNode
from service_wire import Wire

from kvraft.v1 import kv_pb2

pytestmark = pytest.mark.asyncio


async def test_costly_calls_of_one_message_begin_over_several_turns(
    node: ScriptedNode, wire: Wire
) -> None:
    """1,024 transactions in one message took 2.4 s in one turn: the node lost its leadership."""
    began_at, steps = time.monotonic(), itertools.count()
    node.clock = lambda: began_at + next(steps) * 0.002
    turn, turns = 0, Counter[int]()
    submit = node.submit

    def counted(*given: Any) -> None:
        turns[turn] += 1
        submit(*given)

    node.submit = counted  # type: ignore[method-assign]
    call = wire.kv.Pipeline()
    put = kv_pb2.PutRequest(key=b"k", value=b"v")
    calls = [kv_pb2.PipelineCall(id=each, timeout_ms=9_000, put=put) for each in range(64)]
    # Turns count from the first: the node may begin before the write has been told to be done.
    writing = asyncio.create_task(call.write(kv_pb2.PipelineRequest(calls=calls)))
    answered: list[int] = []
    reading = asyncio.create_task(call.read())
    while len(answered) < 64:
        turn += 1
        await asyncio.sleep(0)
        if reading.done():
            answered += [reply.id for reply in reading.result().replies]
            reading = asyncio.create_task(call.read())
    await writing
    reading.cancel()
    assert max(turns.values()) <= 4
    assert answered == list(range(64))
    assert [command.key for command, _ in node.submitted] == [b"k"] * 64


async def test_a_bug_in_one_call_ends_its_stream_at_once(node: ScriptedNode, wire: Wire) -> None:
    """It would be a stream that reads nothing more, and says so to nobody."""

    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    node.submit = broken  # type: ignore[method-assign]
    call = wire.kv.Pipeline()
    put = kv_pb2.PutRequest(key=b"k", value=b"v")
    await call.write(kv_pb2.PipelineRequest(calls=[kv_pb2.PipelineCall(id=1, put=put)]))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await asyncio.wait_for(call.read(), 5)
    assert failed.value.code() is grpc.StatusCode.UNKNOWN
