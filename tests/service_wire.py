"""What tests of the service share: stubs of one server, and how they read a failed call."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest
from service_node import ScriptedNode

from kvraft.service.server import ClientServer
from kvraft.v1 import (
    cluster_pb2_grpc,
    error_pb2,
    kv_pb2_grpc,
    lease_pb2_grpc,
    lock_pb2_grpc,
    session_pb2_grpc,
    watch_pb2_grpc,
)


@dataclass
class Wire:
    """A server, a channel to it, and its stubs."""

    node: ScriptedNode
    server: ClientServer
    channel: grpc.aio.Channel

    def __post_init__(self) -> None:
        self.kv = kv_pb2_grpc.KVServiceStub(self.channel)
        self.lease = lease_pb2_grpc.LeaseServiceStub(self.channel)
        self.lock = lock_pb2_grpc.LockServiceStub(self.channel)
        self.session = session_pb2_grpc.SessionServiceStub(self.channel)
        self.watch = watch_pb2_grpc.WatchServiceStub(self.channel)
        self.cluster = cluster_pb2_grpc.ClusterServiceStub(self.channel)


@dataclass
class Failed:
    """What a call that failed told its client."""

    code: grpc.StatusCode
    message: str
    info: error_pb2.ErrorInfo

    @property
    def metadata(self) -> dict[str, str]:
        return dict(self.info.metadata)


def failure_of(error: grpc.aio.AioRpcError) -> Failed:
    """Read the one ErrorInfo of a failed call."""
    trailer = error.trailing_metadata()
    (raw,) = [value for key, value in trailer if key == "grpc-status-details-bin"]
    status = error_pb2.ErrorStatus.FromString(raw)
    (packed,) = status.details
    assert packed.type_url == "type.googleapis.com/google.rpc.ErrorInfo"
    info = error_pb2.ErrorInfo.FromString(packed.value)
    assert info.domain == "kvraft"
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    return Failed(error.code(), error.details() or "", info)


async def failing(call: Awaitable[Any]) -> Failed:
    """Await a call that must fail with an ErrorInfo."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return failure_of(caught.value)
