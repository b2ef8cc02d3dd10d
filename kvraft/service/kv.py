"""KVService: keys and values. It translates; the node decides."""

from collections.abc import AsyncIterator

from kvraft.service.calls import Calls, Context, unary
from kvraft.service.operations.kv import KeyValueOperations
from kvraft.service.pipeline import Pipelines
from kvraft.v1 import kv_pb2, kv_pb2_grpc


class KeyValueService(kv_pb2_grpc.KVServiceServicer):
    """The servicer of `kvraft.v1.KVService`."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._operations = KeyValueOperations(calls)
        self._pipelines = Pipelines(calls)

    @unary
    async def Get(self, request: kv_pb2.GetRequest, context: Context) -> kv_pb2.GetResponse:
        """Read one key."""
        work = self._operations.get(request)
        return await self.calls.answer(work, kv_pb2.GetResponse(), context)

    @unary
    async def List(self, request: kv_pb2.ListRequest, context: Context) -> kv_pb2.ListResponse:
        """Read one page of a prefix or a range."""
        work = self._operations.list(request)
        return await self.calls.answer(work, kv_pb2.ListResponse(), context)

    @unary
    async def Put(self, request: kv_pb2.PutRequest, context: Context) -> kv_pb2.PutResponse:
        """Write one key."""
        work = self._operations.put(request)
        return await self.calls.answer(work, kv_pb2.PutResponse(), context)

    @unary
    async def Delete(
        self, request: kv_pb2.DeleteRequest, context: Context
    ) -> kv_pb2.DeleteResponse:
        """Delete a key, a prefix or a range."""
        work = self._operations.delete(request)
        return await self.calls.answer(work, kv_pb2.DeleteResponse(), context)

    @unary
    async def CompareAndSet(
        self, request: kv_pb2.CompareAndSetRequest, context: Context
    ) -> kv_pb2.CompareAndSetResponse:
        """Write one key if its entry is as expected; a condition that fails is an answer."""
        work = self._operations.compare_and_set(request)
        return await self.calls.answer(work, kv_pb2.CompareAndSetResponse(), context)

    @unary
    async def Update(
        self, request: kv_pb2.UpdateRequest, context: Context
    ) -> kv_pb2.UpdateResponse:
        """Apply actions to one key, in order, in one step."""
        work = self._operations.update(request)
        return await self.calls.answer(work, kv_pb2.UpdateResponse(), context)

    @unary
    async def Txn(self, request: kv_pb2.TxnRequest, context: Context) -> kv_pb2.TxnResponse:
        """Decide, then read and write several keys at one revision, all of it or nothing."""
        work = self._operations.txn(request)
        return await self.calls.answer(work, kv_pb2.TxnResponse(), context)

    async def Pipeline(
        self, requests: AsyncIterator[kv_pb2.PipelineRequest], context: Context
    ) -> None:
        """Begin calls as they come, answer them as they are done."""
        await self._pipelines.serve(requests, context)

    @property
    def pipelines(self) -> int:
        """How many streams are open."""
        return len(self._pipelines)

    def close(self) -> None:
        """End the open streams; their clients are told where to go."""
        self._pipelines.close()
