"""Calls as generated code makes them: no session, no identity, just a deadline."""

import contextlib
from collections.abc import Iterator

import grpc

from kvraft.v1 import kv_pb2, kv_pb2_grpc
from kvraft_chaos.node_client import CHANNEL_OPTIONS


class PlainCalls:
    """A connection to one node. May be shared by threads."""

    def __init__(self, channel: grpc.Channel) -> None:
        """Use a channel of its own."""
        self._store = kv_pb2_grpc.KVServiceStub(channel)

    def add(self, key: str, amount: int, timeout_s: float) -> bool:
        """Add to a number; False: no answer within the time."""
        request = kv_pb2.UpdateRequest(key=key.encode(), actions=[kv_pb2.Action(add=amount)])
        try:
            self._store.Update(request, timeout=timeout_s)
        except grpc.RpcError:
            return False
        return True


@contextlib.contextmanager
def plain_calls(endpoint: str) -> Iterator[PlainCalls]:
    """Connect to one node, and wait until that stands."""
    with grpc.insecure_channel(endpoint, options=CHANNEL_OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(timeout=5.0)
        yield PlainCalls(channel)
