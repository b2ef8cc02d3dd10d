"""The flood of `benchmarks overload`: as many calls as were asked for, and an end."""

import asyncio
import time

import grpc.aio
import pytest

from benchmarks import flood
from kvraft.v1 import kv_pb2

CALLERS = 5


class Answering:
    """A stream of gRPC whose other side answers each message at once."""

    def __init__(self):
        self.sizes = []
        self._replies = asyncio.Queue()

    async def write(self, message):
        calls = kv_pb2.PipelineRequest.FromString(message).calls
        self.sizes.append(len(calls))
        replies = [kv_pb2.PipelineReply(id=each.id, put=kv_pb2.PutResponse()) for each in calls]
        self._replies.put_nowait(kv_pb2.PipelineResponse(replies=replies).SerializeToString())

    async def done_writing(self):
        self._replies.put_nowait(grpc.aio.EOF)

    async def read(self):
        await asyncio.sleep(0.001)
        return await self._replies.get()


@pytest.fixture
def flooding(monkeypatch):
    """Run something on a stream from now on for 0.2 s; returns its call and what it came to."""
    monkeypatch.setattr(flood, "IDS", 8)

    def run(work):
        async def main():
            call, into = Answering(), flood.Flooded(0.2)
            begin = time.monotonic()
            stream = flood._Stream(call, flood._encoded(), begin, into)
            async with asyncio.timeout(5):
                await work(stream, begin + 0.2)
            return call, into

        return asyncio.run(main())

    return run


def test_as_many_callers_as_there_are_ids_for_stay_under_way(flooding):
    async def saturate(stream, end):
        await stream.send(CALLERS, time.monotonic())
        await stream.read(end, again=True)

    call, into = flooding(saturate)

    assert len(call.sizes) * CALLERS > flood.IDS, "its ids began anew"
    assert set(call.sizes) == {CALLERS}
    assert into.outcomes["unsent"] == 0


def test_it_ends_where_the_last_call_was_answered_before_the_time(flooding):
    async def overload(stream, end):
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.offer(50.0, end))
            group.create_task(stream.read(end, again=False))

    call, into = flooding(overload)

    assert sum(call.sizes) == into.offered > 0
