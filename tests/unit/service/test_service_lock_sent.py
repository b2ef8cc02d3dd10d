"""The last word of an Acquire: once it is on its way it may arrive."""

import asyncio

import pytest
from service_node import ScriptedNode

from kvraft.core.limits import RequestLimits
from kvraft.service.calls import Calls
from kvraft.service.limits import ServiceLimits
from kvraft.service.lock import LockService
from kvraft.v1 import lock_pb2

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


class LastContext:
    """A call that is cancelled while its last word is on the way, which arrives."""

    def __init__(self) -> None:
        self.written: list[lock_pb2.AcquireResponse] = []

    def time_remaining(self) -> float | None:
        return None

    async def write(self, response: lock_pb2.AcquireResponse) -> None:
        self.written.append(response)
        if response.HasField("granted"):
            raise asyncio.CancelledError


async def test_a_grant_that_may_have_arrived_is_not_given_back(node: ScriptedNode) -> None:
    service = LockService(Calls(node, RequestLimits(), ServiceLimits()))
    context = LastContext()
    request = lock_pb2.AcquireRequest(key=b"a", names=[b"l"], ttl_ms=60_000)
    with pytest.raises(asyncio.CancelledError):
        await service.Acquire(request, context)  # type: ignore[arg-type] - as much as it needs
    assert [each.HasField("granted") for each in context.written] == [True]
    assert not node.locks.is_busy  # with giving it back
    assert node.machine.holds(b"l", 1)
