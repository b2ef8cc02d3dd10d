"""The doors of the async client: channels, waiting, background tasks, on one asyncio loop."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Generic, TypeVar, cast

import grpc
import grpc.aio

from kvraft_client._backends.aio_pipeline import Pipeline
from kvraft_client._backends.aio_pipeline import Replies as Replies  # noqa: PLC0414 - others have it from here
from kvraft_client.config import CHANNEL_OPTIONS
from kvraft_client.pipelining import NoPipeline
from kvraft_client.rpc import Method, Request, Response, transmittable

Result = TypeVar("Result")

Event = asyncio.Event
Lock = threading.Lock
"""Never contended: one loop, and nothing awaits while it holds one. It costs a third of a
`nullcontext`, which is Python."""

QUIET_S = 2.0
"""How long an endpoint may be quiet before a mutation is preceded by a probe. The loss of a
connection is known at once here; this is for black holes."""
CHANGES_MAX = 64
"""Changes of one hot key under way at one time (`modify`): requests leave in the order in which
they are made, so each may build on the one before it."""


class Channel:
    """One connection to one endpoint, made at the first call. Belongs to the running loop."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        """Make the channel; nothing is dialled yet."""
        self.address = address
        self._closed = False
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, CHANNEL_OPTIONS)
        self._pipeline: Pipeline | None = Pipeline(self._channel)

    def is_ready(self) -> bool:
        """Whether the connection stands, as far as this process can know."""
        pipeline = self._pipeline
        if pipeline is not None and pipeline.current is not None and pipeline.current.is_up:
            return True
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    async def unary(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        """Call once, and return the response (the first, where responses are a stream).

        It shares a stream with the other calls where the server has that. Raises grpc.RpcError.
        """
        pipeline = self._pipeline
        if pipeline is None or not method.field:
            return await self._alone(method, request, timeout_s)
        stream = pipeline.stream()
        call, future = stream.begin(method.field, request, timeout_s)
        try:
            answer: Response | Exception = await future
        except BaseException:  # cancelled: whatever became of the call is given as an answer
            stream.leave(call)
            raise
        if not isinstance(answer, Exception):
            return answer
        if not isinstance(answer, NoPipeline):
            raise answer
        self._pipeline = None
        return await self._alone(method, request, call.deadline - monotonic())

    def replies(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Replies:
        """Call, and return the replies, the first of them within `timeout_s`.

        Raises NoPipeline where the server is known to have none, or `read` does.
        """
        if self._pipeline is None:
            raise NoPipeline
        return self._pipeline.stream().follow(method.field, request, timeout_s)

    async def _alone(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        try:
            if method.responses_stream and not method.requests_stream:
                raise NoPipeline  # to take one response would cancel the call, and what it asked
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

    def follow(
        self, method: Method[Request, Response], request: Request, timeout_s: float | None = None
    ) -> "Stream[Response]":
        """Call, without a time limit if none is given, and return the stream of responses."""
        multi = self._channel.unary_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        return Stream(multi(request, timeout=timeout_s), self._end)

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
        if self._pipeline is not None:
            await self._pipeline.close()
        await self._channel.close()


def _no_answer() -> grpc.RpcError:
    return grpc.aio.AioRpcError(
        grpc.StatusCode.UNKNOWN,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(),
        details="the stream ended without an answer",
    )


class Stream(Generic[Response]):
    """The responses of one call, one by one."""

    def __init__(self, call: Any, ended: Callable[[asyncio.CancelledError], BaseException]) -> None:
        """Take a call under way."""
        self._call, self._ended = call, ended
        self._cancelled = False

    async def read(self) -> Response | None:
        """Return the next; None: the stream ended, or was cancelled. Raises grpc.RpcError."""
        try:
            response = await self._call.read()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if self._cancelled and not (task is not None and task.cancelling()):
                return None
            raise self._ended(error) from error
        if response is grpc.aio.EOF:
            return None
        return cast("Response", response)

    def cancel(self) -> None:
        """End the call."""
        self._cancelled = True
        self._call.cancel()


class Gate:
    """A lock that may be held over a call, and is waited for only so long."""

    def __init__(self) -> None:
        """Start open."""
        self._lock = asyncio.Lock()

    async def acquire(self, timeout_s: float) -> bool:
        """Wait for it; False: not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._lock.acquire()
        except TimeoutError:
            return False

    def release(self) -> None:
        """Let the next one in."""
        self._lock.release()


class Task:
    """A function running in the background until it returns or is stopped."""

    def __init__(self, run: Callable[[], Awaitable[None]], name: str, after_s: float = 0.0) -> None:
        """Start it, `after_s` from now: what is stopped before then costs no task."""
        self._run, self._name = run, name
        self._task: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if after_s > 0:
            self._timer = asyncio.get_running_loop().call_later(after_s, self._start)
        else:
            self._start()

    def _start(self) -> None:
        self._task = asyncio.ensure_future(self._run())
        if isinstance(self._task, asyncio.Task):
            self._task.set_name(self._name)

    def forget(self) -> None:
        """Do not start it any more; where it runs, it must see by itself that it is to end."""
        if self._timer is not None:
            self._timer.cancel()

    async def stop(self) -> None:
        """Cancel it and wait for its end."""
        self.forget()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})


async def sleep(seconds: float) -> None:
    """Pause the caller."""
    await asyncio.sleep(seconds)


async def wait(event: Event, timeout_s: float) -> bool:
    """Wait for the event at most so long; return whether it is set."""
    if timeout_s > 0 and not event.is_set():
        try:
            async with asyncio.timeout(timeout_s):  # `wait_for` makes a task of it
                await event.wait()
        except TimeoutError:
            return False
    return event.is_set()


async def gather(functions: Sequence[Callable[[], Awaitable[Result]]]) -> list[Result]:
    """Run all at once; return their results in order."""
    return list(await asyncio.gather(*(function() for function in functions)))


async def run_blocking(function: Callable[[], Result]) -> Result:
    """Run what waits for the disk off the loop."""
    return await asyncio.to_thread(function)
