"""Many calls on one stream: batches, windows, bytes, and clients that do not read, all bounded."""

import asyncio

import grpc
import grpc.aio
import pytest
from service_node import ScriptedNode
from service_pipe import Pipe, get, put
from service_wire import Wire, failing

from kvraft.service.limits import ServiceLimits
from kvraft.v1 import kv_pb2

pytestmark = pytest.mark.asyncio


@pytest.fixture
def pipe(wire: Wire) -> Pipe:
    return Pipe(wire)


@pytest.mark.parametrize("count", [0, 9])
class TestBatches:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(pipeline_batch=8)

    async def test_a_message_has_so_many_calls(
        self, count: int, node: ScriptedNode, pipe: Pipe
    ) -> None:
        await pipe.send(*(put(number) for number in range(8)))
        await pipe.receive(8)
        await pipe.send(*(put(number) for number in range(count)))
        failed = await pipe.end()
        assert failed.code is grpc.StatusCode.INVALID_ARGUMENT
        assert failed.message == f"calls: 1 to 8, got {count}"
        assert len(node.submitted) == 8


class TestWindows:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(pipeline_calls=4)

    async def test_beyond_its_window_a_stream_is_not_read(
        self, node: ScriptedNode, wire: Wire, pipe: Pipe
    ) -> None:
        node.hold = True
        for number in range(1, 11):
            await pipe.send(put(number))
        await node.until_held(4)
        await asyncio.sleep(0.05)
        assert len(node.held) == 4
        other = Pipe(wire)
        await other.send(put(1))
        await node.until_held(5)
        node.hold = False
        node.release()
        assert set(await pipe.receive(10)) == set(range(1, 11))
        await other.receive(1)


class TestBytes:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(pipeline_bytes=10_000)

    async def test_its_window_is_of_bytes_too(self, node: ScriptedNode, pipe: Pipe) -> None:
        node.hold = True
        for number in range(1, 6):
            await pipe.send(put(number, bytes(4_000)))
        await node.until_held(3)
        await asyncio.sleep(0.05)
        assert len(node.held) == 3
        node.hold = False
        node.release()
        await pipe.receive(5)


class TestSlowReaders:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(pipeline_calls=64, pipeline_stall_ms=300)

    async def test_a_client_that_reads_no_replies_is_cut_off(
        self, node: ScriptedNode, wire: Wire, pipe: Pipe
    ) -> None:
        await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=bytes(1 << 20)))

        for number in range(200):
            await pipe.send(get(number + 1))
        async with asyncio.timeout(20):
            while wire.server.pipelines:
                await asyncio.sleep(0.05)
                await wire.kv.Get(kv_pb2.GetRequest(key=b"other"))
        assert len(node.barriers) < 100

        async def read_all() -> None:
            while await pipe.call.read() is not grpc.aio.EOF:
                pass

        failed = await failing(read_all())
        assert failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert failed.metadata["outcome"] == "UNKNOWN"
        assert failed.message == "the client has read no reply for 300 ms"
