"""Unary calls: how many are accepted at a time, and how many may be under way."""

import asyncio
import itertools
from collections import Counter
from typing import Any, Final

import grpc
import pytest
from service_wire import Wire, failing

from kvraft.service import accepting
from kvraft.service.limits import ServiceLimits
from kvraft.v1 import kv_pb2

PUT = kv_pb2.PutRequest(key=b"k", value=b"v")
CALLERS = 64
FEW = 4
"""More calls in one turn than gRPC accepts alone (one; requests of two may arrive together)."""
ADDED_IN: Final = (1, 84)
"""The gRPC whose asyncio server has what is used; older ones are served as ever."""

only_if_added = pytest.mark.skipif(
    tuple(map(int, grpc.__version__.split(".")[:2])) < ADDED_IN,
    reason="this gRPC has no such parts yet",
)


async def most_in_a_turn(wire: Wire) -> int:
    """Let 64 callers put at once; return how many commands reached the node in one turn."""
    wire.node.hold = True
    calling = [asyncio.ensure_future(wire.kv.Put(PUT)) for _ in range(CALLERS)]
    most = seen = 0
    async with asyncio.timeout(10):
        while seen < CALLERS:
            await asyncio.sleep(0)
            now = len(wire.node.submitted)
            most, seen = max(most, now - seen), now
    wire.node.release()
    assert {answer.entry.value for answer in await asyncio.gather(*calling)} == {b"v"}
    return most


@only_if_added
def test_the_installed_grpc_lets_us():
    """Where this fails, unary calls are three times slower: look at what became of its parts."""
    assert accepting.is_possible()


@only_if_added
@pytest.mark.asyncio
async def test_many_calls_are_accepted_in_one_turn(wire: Wire) -> None:
    assert await most_in_a_turn(wire) > FEW


class TestWithAGrpcThatChanged:
    @pytest.fixture
    def limits(self, monkeypatch) -> ServiceLimits:
        monkeypatch.setattr(accepting, "_TESTED", {"_schedule_rpc_coro": ("something", "else")})
        assert not accepting.is_possible()
        return ServiceLimits()

    @pytest.mark.asyncio
    async def test_calls_are_accepted_as_ever(self, wire: Wire) -> None:
        assert await most_in_a_turn(wire) <= FEW


def test_a_part_that_is_gone_is_not_there(monkeypatch):
    monkeypatch.setattr(accepting, "_TESTED", {"AioServer._no_such_part": ("self",)})
    assert not accepting.is_possible()


def test_an_exception_that_is_gone_is_not_there(monkeypatch):
    monkeypatch.setattr(accepting, "_TESTED", {})
    assert accepting.is_possible()
    monkeypatch.setattr(accepting, "_RAISED", ("_NoSuchError",))
    assert not accepting.is_possible()


@only_if_added
@pytest.mark.asyncio
async def test_a_stop_ends_all_asking_in_silence(wire: Wire, caplog) -> None:
    asking = {task for task in asyncio.all_tasks() if "Acceptors._accept" in repr(task)}
    assert len(asking) > CALLERS
    await wire.server.stop(0)
    async with asyncio.timeout(10):
        await asyncio.gather(*asking)
    assert caplog.records == []


@pytest.mark.asyncio
async def test_a_call_that_its_client_gave_up_ends_here(wire: Wire) -> None:
    wire.node.hold = True
    calling = [asyncio.ensure_future(wire.kv.Put(PUT)) for _ in range(CALLERS)]
    await wire.node.until_held(CALLERS)
    answering = {task for task in asyncio.all_tasks() if task.get_name().endswith("/Put]")}
    assert len(answering) == CALLERS
    for call in calling:
        call.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait(answering)


class TestWithRoomForFour:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(calls=4)

    @pytest.mark.asyncio
    async def test_more_are_refused_at_once_and_there_is_room_again(self, wire: Wire) -> None:
        wire.node.hold = True
        calling = [asyncio.ensure_future(wire.kv.Put(PUT)) for _ in range(12)]
        refused: Counter[grpc.StatusCode] = Counter()
        for done in asyncio.as_completed(calling, timeout=10):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await done
            refused[caught.value.code()] += 1
            if refused.total() == 8:
                break
        assert refused == {grpc.StatusCode.RESOURCE_EXHAUSTED: 8}
        assert len(wire.node.submitted) == 4
        wire.node.release()
        answers = await asyncio.gather(*calling, return_exceptions=True)
        assert sum(isinstance(answer, kv_pb2.PutResponse) for answer in answers) == 4
        wire.node.hold = False
        await has_room(wire)

    @only_if_added
    @pytest.mark.asyncio
    async def test_calls_whose_request_never_comes_count_too(self, wire: Wire) -> None:
        """gRPC accepts a call at its headers: uncounted, idle ones would take all memory."""
        begin = wire.channel.stream_unary("/kvraft.v1.KVService/Put")
        idle = [begin() for _ in range(CALLERS)]
        ending = [asyncio.ensure_future(call.code()) for call in idle]
        # gRPC's own bound is four more, of the calls that it accepts itself.
        for refused in itertools.islice(asyncio.as_completed(ending, timeout=10), CALLERS - 8):
            assert await refused is grpc.StatusCode.RESOURCE_EXHAUSTED
        told = [await failing(call) for call in idle if call.done() and await is_ours(call)]
        assert {failed.info.reason for failed in told} == {"OVERLOAD"}
        assert all(failed.metadata["outcome"] == "NOT_APPLIED" for failed in told)
        for call in idle:
            call.cancel()
        await asyncio.wait(ending)
        await has_room(wire)


async def is_ours(call: Any) -> bool:
    """Whether we refused the call, not gRPC."""
    return "more than 4 calls are under way" in await call.details()


async def has_room(wire: Wire) -> None:
    """Wait until four calls at once are answered."""
    async with asyncio.timeout(10):
        while True:
            puts = (wire.kv.Put(PUT) for _ in range(4))
            answers = await asyncio.gather(*puts, return_exceptions=True)
            if all(isinstance(answer, kv_pb2.PutResponse) for answer in answers):
                return
            await asyncio.sleep(0.01)
