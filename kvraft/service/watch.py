"""WatchService: one stream a watch. It translates; the node's hub decides what is sent when.

Responses leave as bytes that watches of the same events share, so the method is registered by hand:
the generated code would build and encode a message for each watch.
"""

import asyncio
from typing import Final

import grpc
import grpc.aio

from kvraft.core.errors import Outcome, Reason
from kvraft.core.machine import StateMachine
from kvraft.replica.outcomes import Denied
from kvraft.replica.watch_topics import WatchSpec
from kvraft.replica.watcher import Message, WatchEnd, Watcher
from kvraft.service.calls import Calls, Context
from kvraft.service.convert.watches import encoded, progress_ms, watch_spec, watch_start
from kvraft.service.errors import CallError, abort, denied_error
from kvraft.service.shutdown import shutting_down
from kvraft.service.unreadable import reading, require_readable
from kvraft.v1 import watch_pb2

SERVICE_NAME: Final = watch_pb2.DESCRIPTOR.services_by_name["WatchService"].full_name


class WatchService:
    """The servicer of `kvraft.v1.WatchService`."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._history = asyncio.Lock()
        """Of the watches that read history, one does a slice of work in a turn of the loop."""

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the service; its answers are bytes already."""
        method: grpc.RpcMethodHandler[watch_pb2.WatchRequest, bytes] = (
            grpc.unary_stream_rpc_method_handler(
                self.Watch, request_deserializer=reading(watch_pb2.WatchRequest.FromString)
            )
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE_NAME, {"Watch": method}),)
        )

    async def Watch(self, request: watch_pb2.WatchRequest, context: Context) -> None:
        """Send what happens to the watched keys, until the client or the node ends it."""
        try:
            require_readable(request)
            await self._serve(request, context)
        except CallError as error:
            await abort(context, error, self.calls.node.endpoints())

    def close(self) -> None:
        """End the open streams; their clients are told where to go, and from when."""
        node = self.calls.node
        node.watches.stop(shutting_down(node.name, node.leader).message)

    async def _serve(self, request: watch_pb2.WatchRequest, context: Context) -> None:
        calls = self.calls
        spec, start = watch_spec(request, calls.requests), watch_start(request)
        pause_ms = progress_ms(request, calls.limits)
        news = asyncio.Event()
        opened: list[Watcher] = []  # also where the call is cancelled before it hears of it

        def view(_machine: StateMachine) -> None:
            outcome = calls.node.watches.open(spec, start, pause_ms, news.set)
            if isinstance(outcome, Denied):
                raise denied_error(outcome)
            if isinstance(outcome, WatchEnd):
                raise self._ended(outcome)
            opened.append(outcome)

        try:
            if start is None:
                await calls.read(view, context)
            else:
                view(calls.member_state())
            await self._send(opened[0], spec, news, context)
        finally:
            for watcher in opened:
                watcher.close()

    async def _send(
        self, watcher: Watcher, spec: WatchSpec, news: asyncio.Event, context: Context
    ) -> None:
        while True:
            message = await self._take(watcher)
            if message is not None:
                await context.write(self._response(message, previous=spec.previous))
            elif watcher.ended is not None:
                raise self._ended(watcher.ended)
            elif not watcher.is_behind:
                await news.wait()
                news.clear()

    async def _take(self, watcher: Watcher) -> Message | None:
        if not watcher.is_behind:
            return watcher.take()
        async with self._history:
            message = watcher.take()
            await asyncio.sleep(0)
        return message

    def _response(self, message: Message, *, previous: bool) -> bytes:
        end = watch_pb2.WatchResponse(revision=message.revision)
        if message.is_mark:
            self.calls.fill_header(end.header, self.calls.node.machine.revision)
        events = [encoded(change, previous=previous) for change in message.changes]
        return b"".join((*events, end.SerializeToString()))

    def _ended(self, end: WatchEnd) -> CallError:
        more = {"resume_revision": str(end.resume_revision)}
        if end.oldest_revision is not None:
            more["oldest_revision"] = str(end.oldest_revision)
        leader = self.calls.node.leader if end.reason is Reason.SHUTTING_DOWN else None
        return CallError(end.reason, Outcome.NOT_APPLIED, end.message, leader=leader, more=more)
