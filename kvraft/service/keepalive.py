"""One KeepAlive stream: requests reach the node as they come, answers leave in their order."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.calls import Calls, Context
from kvraft.service.deadlines import answer_by
from kvraft.service.errors import CallError
from kvraft.service.operations.lease import LeaseOperations
from kvraft.service.unreadable import require_readable
from kvraft.service.work import Change
from kvraft.v1 import lease_pb2


class _Asked(NamedTuple):
    work: Change[lease_pb2.KeepAliveResponse]
    answer: "asyncio.Future[Answer | Denied]"


class KeepAliveStream:
    """Reads ahead of the answers by at most `keepalives_in_flight` requests."""

    def __init__(self, calls: Calls, operations: LeaseOperations, context: Context) -> None:
        self._calls = calls
        self._operations = operations
        self._context = context
        self._slots = asyncio.Semaphore(calls.limits.keepalives_in_flight)
        # Bounded by the slots; besides, at most three items for how it ended.
        self._asked: asyncio.Queue[_Asked | CallError | None] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    async def run(self, requests: AsyncIterator[lease_pb2.KeepAliveRequest]) -> None:
        """Answer until the client ends the stream; CallError where no answer can be given."""
        self._reader = reader = asyncio.create_task(self._read(requests))
        try:
            while (item := await self._asked.get()) is not None:
                if isinstance(item, CallError):
                    raise item
                response = lease_pb2.KeepAliveResponse()
                item.work.write(response, await item.answer)
                await self._context.write(response)
                self._slots.release()
            await reader  # a request that cannot be parsed raises there
        finally:
            reader.cancel()  # of one that has ended: its exception is heard, here by nobody

    def stop(self, reason: CallError) -> None:
        """Read no more; end with `reason` once what was read is answered."""
        if self._reader is not None:
            self._reader.cancel()
        self._asked.put_nowait(reason)

    async def _read(self, requests: AsyncIterator[lease_pb2.KeepAliveRequest]) -> None:
        try:
            async for request in requests:
                require_readable(request)
                await self._slots.acquire()
                self._asked.put_nowait(self._ask(request))
        except CallError as error:
            self._asked.put_nowait(error)
        finally:
            self._asked.put_nowait(None)

    def _ask(self, request: lease_pb2.KeepAliveRequest) -> _Asked:
        """The stream may live for ever; each of its requests has a deadline of its own."""
        calls = self._calls
        work = self._operations.keep_alive(request)
        limits, left = calls.limits, self._context.time_remaining()
        deadline = answer_by(calls.node.now(), left, limits, longest_ms=limits.deadline_ms)
        return _Asked(work, calls.begin(work.command, deadline))
