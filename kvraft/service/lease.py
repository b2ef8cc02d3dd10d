"""LeaseService: grant, keep alive, revoke, look at. It translates; the node decides."""

from collections.abc import AsyncIterator

from kvraft.core.commands import LeaseRevoke
from kvraft.core.errors import Outcome, Reason
from kvraft.core.machine import StateMachine
from kvraft.core.results import LeaseResult, RevokeResult
from kvraft.service import convert
from kvraft.service.calls import Calls, Context, unary
from kvraft.service.errors import CallError, abort
from kvraft.service.keepalive import KeepAliveStream, shutting_down
from kvraft.v1 import lease_pb2, lease_pb2_grpc


class LeaseService(lease_pb2_grpc.LeaseServiceServicer):
    """The servicer of `kvraft.v1.LeaseService`."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._streams: set[KeepAliveStream] = set()
        self._stopping: CallError | None = None

    @unary
    async def Grant(
        self, request: lease_pb2.GrantRequest, context: Context
    ) -> lease_pb2.GrantResponse:
        """Grant a lease."""
        command = convert.grant_command(request, self.calls.requests)
        result, revision = await self.calls.apply(command, LeaseResult, context)
        response = lease_pb2.GrantResponse(lease_id=result.lease_id, ttl_ms=result.ttl_ms)
        self.calls.fill_header(response.header, revision)
        return response

    async def KeepAlive(
        self, requests: AsyncIterator[lease_pb2.KeepAliveRequest], context: Context
    ) -> None:
        """Answer each request in order, until the client ends the stream or no quorum is left."""
        stream = KeepAliveStream(self.calls, context)
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
        lease_id = convert.checked_lease_id(request.lease_id, self.calls.requests)
        result, revision = await self.calls.apply(LeaseRevoke(lease_id), RevokeResult, context)
        response = lease_pb2.RevokeResponse(deleted=result.deleted)
        self.calls.fill_header(response.header, revision)
        return response

    @unary
    async def Describe(
        self, request: lease_pb2.DescribeRequest, context: Context
    ) -> lease_pb2.DescribeResponse:
        """Show one lease, with as many of its keys as a reply holds."""
        lease_id = convert.checked_lease_id(request.lease_id, self.calls.requests)

        def view(machine: StateMachine) -> lease_pb2.DescribeResponse:
            lease = machine.describe_lease(lease_id)
            if lease is None:
                text = f"there is no lease {lease_id}: it expired, was revoked, or never was"
                raise CallError(Reason.LEASE_NOT_FOUND, Outcome.NOT_APPLIED, text)
            response = lease_pb2.DescribeResponse(
                lease_id=lease.lease_id,
                ttl_ms=lease.ttl_ms,
                remaining_ms=lease.remaining_ms,
                keys=convert.keys_within(lease.keys, self.calls.limits.reply_bytes),
                key_count=len(lease.keys),
            )
            self.calls.fill_header(response.header, machine.revision)
            return response

        return await self.calls.read(view, context)

    @unary
    async def List(
        self, request: lease_pb2.LeaseServiceListRequest, context: Context
    ) -> lease_pb2.LeaseServiceListResponse:
        """List leases by id, a page at a time."""
        if request.after < 0:
            raise convert.invalid(f"after: 0 or more, got {request.after}")
        limit = convert.checked_limit(request.limit, self.calls.limits.lease_page)

        def view(machine: StateMachine) -> lease_pb2.LeaseServiceListResponse:
            leases, more = machine.list_leases(request.after, limit)
            response = lease_pb2.LeaseServiceListResponse(more=more)
            self.calls.fill_header(response.header, machine.revision)
            for lease in leases:
                response.leases.add(
                    lease_id=lease.lease_id,
                    ttl_ms=lease.ttl_ms,
                    remaining_ms=lease.remaining_ms,
                    keys=lease.key_count,
                )
            return response

        return await self.calls.read(view, context)

    def close(self) -> None:
        """End the open streams; their clients are told where to go."""
        node = self.calls.node
        self._stopping = reason = shutting_down(node.name, node.leader)
        for stream in self._streams:
            stream.stop(reason)
