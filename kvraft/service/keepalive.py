"""One KeepAlive stream: requests reach the node as they come, answers leave in their order."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from kvraft.core.commands import LeaseKeepAlive
from kvraft.core.errors import Outcome, Reason
from kvraft.core.results import LeaseResult, Refused, Result
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.calls import Calls, Context, expect_result
from kvraft.service.convert import checked_lease_id
from kvraft.service.deadlines import answer_by
from kvraft.service.errors import CallError
from kvraft.v1 import lease_pb2


class _Asked(NamedTuple):
    lease_id: int
    answer: "asyncio.Future[Answer | Denied]"


class KeepAliveStream:
    """Reads ahead of the answers by at most `keepalives_in_flight` requests."""

    def __init__(self, calls: Calls, context: Context) -> None:
        self._calls = calls
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
                await self._context.write(self._response(item.lease_id, await item.answer))
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
                await self._slots.acquire()
                self._asked.put_nowait(self._ask(request))
        except CallError as error:
            self._asked.put_nowait(error)
        finally:
            self._asked.put_nowait(None)

    def _ask(self, request: lease_pb2.KeepAliveRequest) -> _Asked:
        """The stream may live for ever; each of its requests has a deadline of its own."""
        calls = self._calls
        lease_id = checked_lease_id(request.lease_id, calls.requests)
        limits, left = calls.limits, self._context.time_remaining()
        deadline = answer_by(calls.node.now(), left, limits, longest_ms=limits.deadline_ms)
        return _Asked(lease_id, calls.begin(LeaseKeepAlive(lease_id), deadline))

    def _response(self, lease_id: int, answer: Answer | Denied) -> lease_pb2.KeepAliveResponse:
        """A lease that is gone is an answer; any other refusal ends the stream."""
        response = lease_pb2.KeepAliveResponse(lease_id=lease_id)
        if isinstance(answer, Answer) and _is_gone(answer.result):
            revision = answer.revision
        else:
            result, revision = expect_result(answer, LeaseResult)
            response.ttl_ms = result.ttl_ms
        self._calls.fill_header(response.header, revision)
        return response


def _is_gone(result: Result) -> bool:
    return isinstance(result, Refused) and result.reason is Reason.LEASE_NOT_FOUND


def shutting_down(name: str, leader: str | None) -> CallError:
    """Return the error that ends streams when their node stops: go elsewhere."""
    text = f"{name} is shutting down"
    return CallError(Reason.SHUTTING_DOWN, Outcome.NOT_APPLIED, text, leader=leader)
