"""A proxy between clients and one node that loses replies and repeats requests, call by call.

TCP cannot repeat a request; retrying middleboxes, service meshes and impatient users do. It passes
bytes on as they are, whatever the service; of a lost reply the client hears UNAVAILABLE without a
word from the store, which is what a broken connection looks like.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Any, Self

import grpc.aio

HOST = "127.0.0.1"
STREAMING = frozenset({"KeepAlive", "Watch", "Snapshot", "Pipeline"})
"""Methods that are no unary calls: not offered."""


@dataclass(frozen=True, slots=True)
class CallFaults:
    """Shares of the calls, each drawn on its own."""

    lost_replies: float = 0.0
    repeated_requests: float = 0.0


class CallProxy(grpc.GenericRpcHandler):
    """Listens on a port of its own for one node."""

    def __init__(self, upstream: str, faults: CallFaults, seed: int) -> None:
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
        """Handle any unary method."""
        method = handler_call_details.method
        if method.rpartition("/")[2] in STREAMING:
            return None
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
                context.set_trailing_metadata(tuple(first.trailing_metadata()))
                await context.abort(first.code(), first.details())
            if isinstance(first, BaseException):
                raise first
            return bytes(first)

        return forward
