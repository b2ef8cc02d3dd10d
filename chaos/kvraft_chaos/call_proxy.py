"""A proxy between clients and one node that loses replies and repeats requests, call by call.

TCP cannot repeat a request; retrying middleboxes, service meshes and impatient users do. It passes
bytes on as they are, whatever the service; of a lost reply the client hears UNAVAILABLE without a
word from the store, which is what a broken connection looks like.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Any, Self

import grpc.aio

HOST = "127.0.0.1"
NOT_OFFERED = frozenset({"Pipeline"})
"""Many operations in one call: without it a client makes a call of each."""
STREAMING = frozenset({"Acquire", "KeepAlive", "Snapshot", "Watch"})
"""Methods that are no unary calls: passed on as they are."""


@dataclass(frozen=True, slots=True)
class CallFaults:
    """Shares of the calls, each drawn on its own."""

    lost_replies: float = 0.0
    repeated_requests: float = 0.0


class CallProxy(grpc.GenericRpcHandler):
    """Listens on a port of its own for one node."""

    def __init__(self, upstream: str, faults: CallFaults, seed: int | str) -> None:
        self._upstream = upstream
        self._faults = faults
        self._random = Random(seed)
        self.endpoint = ""
        self.lost = 0
        """Replies that the client never got."""
        self.repeated = 0
        """Requests that reached the node twice."""

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._upstream)
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self,))
        self.endpoint = f"{HOST}:{self._server.add_insecure_port(f'{HOST}:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._server.stop(None)
        await self._channel.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Handle any method but those not offered."""
        method = handler_call_details.method
        name = method.rpartition("/")[2]
        if name in NOT_OFFERED:
            return None
        if name in STREAMING:
            return grpc.stream_stream_rpc_method_handler(self._streaming(method))
        return grpc.unary_unary_rpc_method_handler(self._passing(method))

    def _passing(self, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        call: Any = self._channel.unary_unary(method)

        async def forward(request: bytes, context: Any) -> bytes:
            timeout = context.time_remaining()
            copies = [call(request, timeout=timeout)]
            if self._random.random() < self._faults.repeated_requests:
                self.repeated += 1
                copies.append(call(request, timeout=timeout))
            first, *_ = await asyncio.gather(*copies, return_exceptions=True)
            if self._random.random() < self._faults.lost_replies:
                self.lost += 1
                await context.abort(grpc.StatusCode.UNAVAILABLE, "connection reset by peer")
            if isinstance(first, grpc.aio.AioRpcError):
                await _pass_on(first, context)
            if isinstance(first, BaseException):
                raise first
            return bytes(first)

        return forward

    def _streaming(
        self, method: str
    ) -> Callable[[AsyncIterator[bytes], Any], AsyncIterator[bytes]]:
        call: Any = self._channel.stream_stream(method)

        async def forward(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            stream = call(requests, timeout=context.time_remaining())
            try:
                async for response in stream:
                    yield response
            except grpc.aio.AioRpcError as error:
                await _pass_on(error, context)
            finally:
                stream.cancel()

        return forward


async def _pass_on(error: grpc.aio.AioRpcError, context: Any) -> None:
    """End the call as the node ended it."""
    context.set_trailing_metadata(tuple(error.trailing_metadata()))
    await context.abort(error.code(), error.details())
