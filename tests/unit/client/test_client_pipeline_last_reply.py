"""Replies that come faster than they are read: the last one is not passed over."""

import asyncio

import grpc
from waiting import until

from kvraft.v1 import kv_pb2, lock_pb2
from kvraft_client._backends import aio_pipeline, thread_pipeline

MESSAGES = [
    kv_pb2.PipelineResponse(
        replies=[kv_pb2.PipelineReply(id=1, more=more, acquire=lock_pb2.AcquireResponse(ended=end))]
    )
    for more, end in ((True, 1), (False, 2))
]
REQUEST = lock_pb2.AcquireRequest()


def test_on_threads():
    class Channel:
        def stream_stream(self, *_):
            def begin(requests):
                next(requests)
                yield from MESSAGES

            return begin

    replies = thread_pipeline.Pipeline(Channel()).follow("acquire", REQUEST, 5.0)
    found = [replies.read()]
    until(lambda: not replies._call.goes_on)
    assert replies.goes_on
    found.append(replies.read())
    assert [each.ended for each in found] == [1, 2]


def test_on_a_loop():
    class Call:
        def __init__(self):
            self.left, self.asked = [*MESSAGES, grpc.aio.EOF], asyncio.Event()

        async def write(self, _):
            self.asked.set()

        async def read(self):
            await self.asked.wait()
            return self.left.pop(0)

        def cancel(self):
            pass

    class Channel:
        def stream_stream(self, *_):
            return Call

    async def run():
        replies = aio_pipeline.Pipeline(Channel()).stream().follow("acquire", REQUEST, 5.0)
        found = [await replies.read()]
        assert replies.goes_on
        found.append(await replies.read())
        assert [each.ended for each in found] == [1, 2]

    asyncio.run(run())
