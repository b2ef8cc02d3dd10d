"""One pipeline stream of a test, and calls to send on it."""

from typing import Any

import grpc
import grpc.aio
from service_wire import Failed, Wire, failing

from kvraft.v1 import kv_pb2

Call = kv_pb2.PipelineCall


class Pipe:
    """One stream; replies by id."""

    def __init__(self, wire: Wire) -> None:
        self.call: Any = wire.kv.Pipeline()
        self.batches: list[int] = []

    async def send(self, *calls: Call) -> None:
        await self.call.write(kv_pb2.PipelineRequest(calls=calls))

    async def receive(self, count: int) -> dict[int, kv_pb2.PipelineReply]:
        """Return the next replies; no id may come twice."""
        found: dict[int, kv_pb2.PipelineReply] = {}
        while len(found) < count:
            message = await self.call.read()
            assert message is not grpc.aio.EOF
            self.batches.append(len(message.replies))
            for reply in message.replies:
                assert reply.id not in found
                found[reply.id] = reply
        assert len(found) == count
        return found

    async def end(self) -> Failed:
        """Return what the stream failed with, after the last reply."""
        return await failing(self.call.read())


def put(call_id: int, value: bytes = b"v", key: bytes = b"k", timeout_ms: int = 5_000) -> Call:
    return Call(id=call_id, timeout_ms=timeout_ms, put=kv_pb2.PutRequest(key=key, value=value))


def get(call_id: int, key: bytes = b"k", **more: Any) -> Call:
    return Call(id=call_id, timeout_ms=5_000, get=kv_pb2.GetRequest(key=key, **more))
