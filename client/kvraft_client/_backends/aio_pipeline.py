"""The pipeline of one channel on one asyncio loop."""

import asyncio
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

import grpc
import grpc.aio

from kvraft_client.pipelining import (
    CallFailed,
    ended,
    late,
    request_of,
    settle_all,
    settle_broken,
)
from kvraft_client.policy.pipeline import PipelinedCall, Window
from kvraft_client.rpc import PIPELINE


class Pipeline:
    """Opens a stream at the first call, and another one after a break."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Nothing is sent yet."""
        self._channel = channel
        self.current: Stream | None = None
        """The stream that was opened last."""

    def stream(self) -> "Stream":
        """Return a stream that has not ended."""
        stream = self.current
        if stream is None or stream.is_over:
            stream = self.current = Stream(self._channel)
        return stream

    async def close(self) -> None:
        """End the stream; its calls fail."""
        if self.current is not None:
            await self.current.close()


class Stream:
    """One stream, with a task for each direction."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Begin the call, and both tasks."""
        self.is_over = False
        self.is_up = False
        """Whether it has been answered, and has not ended: its connection stands."""
        self._window = Window()
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] | None = None
        """What the sender waits for, when nothing is left to send."""
        multi: Any = channel.stream_stream(
            PIPELINE.path, PIPELINE.request.SerializeToString, PIPELINE.response.FromString
        )
        self._call = multi()
        self._error: grpc.RpcError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = inf
        self._reader = asyncio.create_task(self._read(), name="kvraft pipeline")
        self._reader.add_done_callback(self._ended)
        self._sender = asyncio.create_task(self._send(), name="kvraft pipeline, sending")

    def begin(
        self, field: str, request: Any, timeout_s: float
    ) -> "tuple[PipelinedCall, asyncio.Future[Any]]":
        """Queue a request; the future has the reply, or why there is none."""
        future = self._loop.create_future()

        def settle(answer: Any) -> None:
            if not future.done():  # cancelled in this very turn of the loop
                future.set_result(answer)

        return self._enter(field, request, timeout_s, settle), future

    def follow(self, field: str, request: Any, timeout_s: float) -> "Replies":
        """Queue a request that may be answered more than once: first in `timeout_s`."""
        came: asyncio.Queue[Any] = asyncio.Queue()
        return Replies(self, self._enter(field, request, timeout_s, came.put_nowait), came)

    def _enter(
        self, field: str, request: Any, timeout_s: float, settle: Callable[[Any], None]
    ) -> PipelinedCall:
        deadline = monotonic() + timeout_s
        call = PipelinedCall(field, request, request.ByteSize(), deadline, settle)
        if self._window.enter(call):
            self._tell_sender()
        if deadline < self._looks_at:
            self._look_at(deadline)
        return call

    def leave(self, call: PipelinedCall) -> None:
        """Let the caller of a call that was not answered go."""
        self._window.leave(call)

    def _look_at(self, deadline: float) -> None:
        """Look for late calls then: one timer for all of them, for most are answered in time."""
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = deadline
        self._timer = self._loop.call_later(deadline - monotonic(), self._expire)

    def _expire(self) -> None:
        self._timer, self._looks_at = None, inf
        for call in self._window.late(monotonic()):
            settle = call.settle
            if settle is not None:
                settle(late(sent=self._window.leave(call)))
        if self._window.next_deadline < inf:
            self._look_at(self._window.next_deadline)

    def _tell_sender(self) -> None:
        news = self._news
        if news is not None and not news.done():
            news.set_result(None)

    async def _send(self) -> None:
        try:
            while True:
                while batch := self._window.take():
                    await self._call.write(request_of(batch, monotonic()))
                self._news = self._loop.create_future()  # cheaper than an Event
                await self._news
        except (grpc.RpcError, asyncio.InvalidStateError):
            return  # it has ended: the reader hears how
        except BaseException:
            self._call.cancel()
            raise

    async def _read(self) -> None:
        try:
            while (message := await self._call.read()) is not grpc.aio.EOF:
                self.is_up = True
                settle_all(self._window, message)
                if self._window.can_send:
                    self._tell_sender()
        except grpc.RpcError as error:
            self._error = error

    def _ended(self, reader: "asyncio.Task[None]") -> None:
        """A task that is cancelled before it began runs none of its own code: hence from here."""
        self.is_over, self.is_up = True, False
        self._sender.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if reader.cancelled():
            text = "the client was closed during the call"
            self._error = CallFailed(grpc.StatusCode.CANCELLED, text)
        settle_broken(self._window, ended(self._error))

    async def close(self) -> None:
        """End it; its calls fail."""
        self._reader.cancel()
        await asyncio.wait({self._reader, self._sender})


class Replies:
    """All replies to one call."""

    def __init__(
        self,
        stream: Stream,
        call: PipelinedCall,
        came: "asyncio.Queue[Any]",
    ) -> None:
        """Take a call under way; the first of them comes within the call's deadline."""
        self._stream, self._call, self._came = stream, call, came
        self._until: float | None = None

    @property
    def goes_on(self) -> bool:
        """Whether there are more to read: to come, or here already."""
        return self._call.goes_on or not self._came.empty()

    def end_in(self, limit_s: float | None) -> None:
        """Wait so long, from now, for all that are still to come; None: no limit."""
        self._until = None if limit_s is None else asyncio.get_running_loop().time() + limit_s

    async def read(self) -> Any:
        """Return the next. Raises CallFailed, also if cancelled, and NoPipeline."""
        try:
            async with asyncio.timeout_at(self._until):
                answer = await self._came.get()
        except TimeoutError:
            raise late(sent=True) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self) -> None:
        """Wait for no more of them."""
        self._stream.leave(self._call)
