"""LockService: places in queues. It translates; the state decides, the node's hub tells."""

import asyncio

from kvraft.replica.outcomes import Denied
from kvraft.service.calls import Calls, Context, unary
from kvraft.service.errors import CallError, abort, denied_error
from kvraft.service.operations.lock import LockOperations
from kvraft.service.shutdown import shutting_down
from kvraft.service.unreadable import require_readable
from kvraft.v1 import lock_pb2, lock_pb2_grpc


class LockService(lock_pb2_grpc.LockServiceServicer):
    """The servicer of `kvraft.v1.LockService`."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._operations = LockOperations(calls)

    async def Acquire(self, request: lock_pb2.AcquireRequest, context: Context) -> None:
        """Take a place in each queue and follow it, until it is granted or has ended."""
        try:
            require_readable(request)
            await self._follow(request, context)
        except CallError as error:
            await abort(context, error, self.calls.node.endpoints())

    async def _follow(self, request: lock_pb2.AcquireRequest, context: Context) -> None:
        calls, news = self.calls, asyncio.Event()
        work = self._operations.acquire(request)
        waiter = calls.node.locks.acquire(work.command, calls.deadline(context), news.set)
        if isinstance(waiter, Denied):
            raise denied_error(waiter)
        try:
            while not waiter.is_finished:
                await news.wait()
                news.clear()
                if waiter.has_news:
                    response = lock_pb2.AcquireResponse()
                    work.write(response, waiter)
                    await context.write(response)
        finally:
            waiter.close()

    @unary
    async def Confirm(
        self, request: lock_pb2.ConfirmRequest, context: Context
    ) -> lock_pb2.ConfirmResponse:
        """Say that the caller knows that it holds."""
        work = self._operations.confirm(request)
        return await self.calls.answer(work, lock_pb2.ConfirmResponse(), context)

    @unary
    async def Release(
        self, request: lock_pb2.ReleaseRequest, context: Context
    ) -> lock_pb2.ReleaseResponse:
        """Give up a place, held or still queued."""
        work = self._operations.release(request)
        return await self.calls.answer(work, lock_pb2.ReleaseResponse(), context)

    @unary
    async def CheckFence(
        self, request: lock_pb2.CheckFenceRequest, context: Context
    ) -> lock_pb2.CheckFenceResponse:
        """Tell whether this is the token of a current holder."""
        work = self._operations.check_fence(request)
        return await self.calls.answer(work, lock_pb2.CheckFenceResponse(), context)

    @unary
    async def Describe(
        self, request: lock_pb2.LockServiceDescribeRequest, context: Context
    ) -> lock_pb2.LockServiceDescribeResponse:
        """Show one lock, with its first holders and waiters."""
        work = self._operations.describe(request)
        return await self.calls.answer(work, lock_pb2.LockServiceDescribeResponse(), context)

    @unary
    async def List(
        self, request: lock_pb2.LockServiceListRequest, context: Context
    ) -> lock_pb2.LockServiceListResponse:
        """List the locks in use by name, a page at a time."""
        work = self._operations.list(request)
        return await self.calls.answer(work, lock_pb2.LockServiceListResponse(), context)

    def close(self) -> None:
        """End the open streams; their places wait for their clients to ask elsewhere."""
        node = self.calls.node
        node.locks.stop(shutting_down(node.name, node.leader).message, node.leader)
