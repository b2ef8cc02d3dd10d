"""KVService: keys and values. It translates; the node decides."""

from kvraft.core.machine import StateMachine
from kvraft.core.results import CasResult, DeleteResult, PutResult
from kvraft.service import convert
from kvraft.service.calls import Calls, Context, unary
from kvraft.v1 import kv_pb2, kv_pb2_grpc


class KeyValueService(kv_pb2_grpc.KVServiceServicer):
    """The servicer of `kvraft.v1.KVService`."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    @unary
    async def Get(self, request: kv_pb2.GetRequest, context: Context) -> kv_pb2.GetResponse:
        """Read one key."""
        key = convert.checked_key(request.key, "key", self.calls.requests)

        def view(machine: StateMachine) -> kv_pb2.GetResponse:
            response = kv_pb2.GetResponse()
            self.calls.fill_header(response.header, machine.revision)
            found = machine.get(key)
            if found is not None:
                convert.fill_entry(response.entry, found)
            return response

        return await self.calls.read(
            view,
            context,
            serializable=convert.is_serializable(request.consistency),
            min_revision=convert.min_revision(request),
        )

    @unary
    async def List(self, request: kv_pb2.ListRequest, context: Context) -> kv_pb2.ListResponse:
        """Read one page of a prefix or a range."""
        limits = self.calls.requests
        span = convert.list_span(request, limits)
        limit = convert.checked_limit(request.limit, limits.page_entries)
        keys_only = request.keys_only

        def view(machine: StateMachine) -> kv_pb2.ListResponse:
            response = kv_pb2.ListResponse()
            self.calls.fill_header(response.header, machine.revision)
            page = machine.page(
                span.start, span.end, limit=limit, max_bytes=limits.page_bytes, keys_only=keys_only
            )
            add = response.entries.add
            for found in page.entries:
                convert.fill_entry(add(), found)
            response.more = page.more
            return response

        return await self.calls.read(
            view,
            context,
            serializable=convert.is_serializable(request.consistency),
            min_revision=convert.min_revision(request),
        )

    @unary
    async def Put(self, request: kv_pb2.PutRequest, context: Context) -> kv_pb2.PutResponse:
        """Write one key."""
        command = convert.put_command(request, self.calls.requests)
        result, revision = await self.calls.apply(command, PutResult, context)
        response = kv_pb2.PutResponse()
        self.calls.fill_header(response.header, revision)
        convert.fill_entry(response.entry, result.entry)
        previous = result.previous
        if previous is not None:
            size = len(result.entry.value) + len(previous.value)
            fits = size <= self.calls.limits.reply_bytes
            convert.fill_entry(response.previous, previous, with_value=fits)
        return response

    @unary
    async def Delete(
        self, request: kv_pb2.DeleteRequest, context: Context
    ) -> kv_pb2.DeleteResponse:
        """Delete a key, a prefix or a range."""
        command = convert.delete_command(request, self.calls.requests)
        result, revision = await self.calls.apply(command, DeleteResult, context)
        response = kv_pb2.DeleteResponse(deleted=result.deleted)
        self.calls.fill_header(response.header, revision)
        if result.previous is not None:
            convert.fill_entry(response.previous, result.previous)
        return response

    @unary
    async def CompareAndSet(
        self, request: kv_pb2.CompareAndSetRequest, context: Context
    ) -> kv_pb2.CompareAndSetResponse:
        """Write one key if its entry is as expected; a condition that fails is an answer."""
        command = convert.cas_command(request, self.calls.requests)
        result, revision = await self.calls.apply(command, CasResult, context)
        response = kv_pb2.CompareAndSetResponse(succeeded=result.succeeded)
        self.calls.fill_header(response.header, revision)
        if result.entry is not None:
            convert.fill_entry(response.entry, result.entry)
        return response
