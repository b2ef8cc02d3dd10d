"""One pipeline stream of a test, and calls to send on it."""

from typing import Any

import grpc
import grpc.aio
from service_wire import Failed, Wire, failing

from kvraft.v1 import kv_pb2, lease_pb2, lock_pb2, session_pb2

Call = kv_pb2.PipelineCall
REQUESTS: dict[str, Any] = {
    "get": kv_pb2.GetRequest(key=b"a"),
    "list": kv_pb2.ListRequest(prefix=b""),
    "put": kv_pb2.PutRequest(key=b"a", value=b"2", return_previous=True),
    "delete": kv_pb2.DeleteRequest(key=b"a", return_previous=True),
    "compare_and_set": kv_pb2.CompareAndSetRequest(
        key=b"a", value=b"3", expect=kv_pb2.Expect(value=b"1")
    ),
    "update": kv_pb2.UpdateRequest(key=b"a", actions=[kv_pb2.Action(add=4)]),
    "txn": kv_pb2.TxnRequest(
        then=[kv_pb2.Operation(get=kv_pb2.OperationGet(key=b"a"))],
        otherwise=[],
    ),
    "grant": lease_pb2.GrantRequest(ttl_ms=5_000, lease_id=77),
    "keep_alive": lease_pb2.KeepAliveRequest(lease_id=5),
    "revoke": lease_pb2.RevokeRequest(lease_id=5),
    "acquire": lock_pb2.AcquireRequest(key=b"a", names=[b"l"], lease_id=5),
    "confirm": lock_pb2.ConfirmRequest(key=b"held"),
    "release": lock_pb2.ReleaseRequest(key=b"held"),
    "check_fence": lock_pb2.CheckFenceRequest(fence=kv_pb2.Fence(lock=b"l", token=1)),
    "open": session_pb2.OpenRequest(),
    "close": session_pb2.CloseRequest(session_id=1),
    "resolve": session_pb2.ResolveRequest(identity=kv_pb2.Identity(idempotency_key=b"never")),
}
"""One of each kind."""


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
