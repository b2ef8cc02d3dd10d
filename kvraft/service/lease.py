"""LeaseService: grant, keep alive, revoke, look at. It translates; the node decides."""

from collections.abc import AsyncIterator

from kvraft.service.calls import Calls, Context, unary
from kvraft.service.errors import CallError, abort
from kvraft.service.keepalive import KeepAliveStream
from kvraft.service.operations.lease import LeaseOperations
from kvraft.service.shutdown import shutting_down
from kvraft.v1 import lease_pb2, lease_pb2_grpc


class LeaseService(lease_pb2_grpc.LeaseServiceServicer):
    """The servicer of `kvraft.v1.LeaseService`."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._operations = LeaseOperations(calls)
        self._streams: set[KeepAliveStream] = set()
        self._stopping: CallError | None = None

    @unary
    async def Grant(
        self, request: lease_pb2.GrantRequest, context: Context
    ) -> lease_pb2.GrantResponse:
        """Grant a lease."""
        work = self._operations.grant(request)
        return await self.calls.answer(work, lease_pb2.GrantResponse(), context)

    async def KeepAlive(
        self, requests: AsyncIterator[lease_pb2.KeepAliveRequest], context: Context
    ) -> None:
        """Answer each request in order, until the client ends the stream or no quorum is left."""
        stream = KeepAliveStream(self.calls, self._operations, context)
        self._streams.add(stream)
        try:
            if self._stopping is not None:
                raise self._stopping
            await stream.run(requests)
        except CallError as error:
            await abort(context, error, self.calls.node.endpoints())
        finally:
            self._streams.discard(stream)

    @unary
    async def Revoke(
        self, request: lease_pb2.RevokeRequest, context: Context
    ) -> lease_pb2.RevokeResponse:
        """End a lease and delete its keys."""
        work = self._operations.revoke(request)
        return await self.calls.answer(work, lease_pb2.RevokeResponse(), context)

    @unary
    async def Describe(
        self, request: lease_pb2.DescribeRequest, context: Context
    ) -> lease_pb2.DescribeResponse:
        """Show one lease, with as many of its keys as a reply holds."""
        work = self._operations.describe(request)
        return await self.calls.answer(work, lease_pb2.DescribeResponse(), context)

    @unary
    async def List(
        self, request: lease_pb2.LeaseServiceListRequest, context: Context
    ) -> lease_pb2.LeaseServiceListResponse:
        """List leases by id, a page at a time."""
        work = self._operations.list(request)
        return await self.calls.answer(work, lease_pb2.LeaseServiceListResponse(), context)

    def close(self) -> None:
        """End the open streams; their clients are told where to go."""
        node = self.calls.node
        self._stopping = reason = shutting_down(node.name, node.leader)
        for stream in self._streams:
            stream.stop(reason)
