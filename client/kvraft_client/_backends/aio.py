"""The doors of the async client: channels, waiting, background tasks, on one asyncio loop."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import TypeVar

import grpc
import grpc.aio

from kvraft_client.config import CHANNEL_OPTIONS
from kvraft_client.rpc import Method, Request, Response, transmittable

Result = TypeVar("Result")

Event = asyncio.Event
Lock = nullcontext[None]  # one loop, and nothing awaits while it holds one

QUIET_S = 2.0
"""How long an endpoint may be quiet before a mutation is preceded by a probe. The loss of a
connection is known at once here; this is for black holes."""


class Channel:
    """One connection to one endpoint, made at the first call. Belongs to the running loop."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        """Make the channel; nothing is dialled yet."""
        self._closed = False
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, CHANNEL_OPTIONS)

    def is_ready(self) -> bool:
        """Whether the connection stands, as far as this process can know."""
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    async def unary(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        """Call, and return the response (the first, where responses are a stream).

        Raises grpc.RpcError.
        """
        try:
            if method.requests_stream:
                return await self._first(method, request, timeout_s)
            call = self._channel.unary_unary(
                method.path, method.request.SerializeToString, method.response.FromString
            )
            return await call(request, timeout=transmittable(timeout_s))
        except asyncio.CancelledError as error:
            raise self._end(error) from error

    async def _first(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        multi = self._channel.stream_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        call = multi(iter([request]), timeout=transmittable(timeout_s))
        try:
            async for response in call:
                return response
        finally:
            call.cancel()
        raise _no_answer()

    async def stream(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> AsyncGenerator[Response]:
        """Call, and yield the responses. Raises grpc.RpcError."""
        multi = self._channel.unary_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        call = multi(request, timeout=transmittable(timeout_s))
        try:
            async for response in call:
                yield response
        except asyncio.CancelledError as error:
            raise self._end(error) from error
        finally:
            call.cancel()

    def _end(self, error: asyncio.CancelledError) -> BaseException:
        """Tell the caller's own cancellation from that of its call when the channel is closed."""
        task = asyncio.current_task()
        if not self._closed or (task is not None and task.cancelling()):
            return error
        return grpc.aio.AioRpcError(
            grpc.StatusCode.CANCELLED,
            grpc.aio.Metadata(),
            grpc.aio.Metadata(),
            details="the client was closed during the call",
        )

    async def close(self) -> None:
        """End the connection; calls under way end with CANCELLED."""
        self._closed = True
        await self._channel.close()


def _no_answer() -> grpc.RpcError:
    return grpc.aio.AioRpcError(
        grpc.StatusCode.UNKNOWN,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(),
        details="the stream ended without an answer",
    )


class Task:
    """A function running in the background until it returns or is stopped."""

    def __init__(self, run: Callable[[], Awaitable[None]], name: str) -> None:
        """Start it."""
        self._task = asyncio.ensure_future(run())
        if isinstance(self._task, asyncio.Task):
            self._task.set_name(name)

    async def stop(self) -> None:
        """Cancel it and wait for its end."""
        self._task.cancel()
        await asyncio.wait({self._task})


async def sleep(seconds: float) -> None:
    """Pause the caller."""
    await asyncio.sleep(seconds)


async def wait(event: Event, timeout_s: float) -> bool:
    """Wait for the event at most so long; return whether it is set."""
    if timeout_s > 0 and not event.is_set():
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            return False
    return event.is_set()


async def gather(functions: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
    """Run all at once; return their results in order."""
    return list(await asyncio.gather(*(function() for function in functions)))


async def run_blocking(function: Callable[[], Result]) -> Result:
    """Run what waits for the disk off the loop."""
    return await asyncio.to_thread(function)
