"""The pipeline of one channel, for callers on threads."""

import threading
import time
from collections.abc import Callable
from math import inf
from queue import Empty, SimpleQueue
from typing import Any

import grpc

from kvraft.v1 import kv_pb2
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

LOOK_UP_S = 0.5
"""How often a wait without end looks up: it would not notice a Ctrl-C that came just before it
blocked (seen in one of ten tries)."""


class Pipeline:
    """Opens a stream at the first call, and another one after a break."""

    def __init__(self, channel: grpc.Channel) -> None:
        """Nothing is sent yet."""
        self._channel = channel
        self._lock = threading.Lock()
        self._stream: _Stream | None = None

    def call(self, field: str, request: Any, timeout_s: float) -> Any:
        """Send a request; return the reply. Raises CallFailed, NoPipeline."""
        return self._open().call(field, request, timeout_s)

    def follow(self, field: str, request: Any, timeout_s: float) -> "Replies":
        """Send a request that may be answered more than once: first in `timeout_s`."""
        return self._open().follow(field, request, timeout_s)

    def _open(self) -> "_Stream":
        with self._lock:
            stream = self._stream
            if stream is None or stream.is_over:
                stream = self._stream = _Stream(self._channel)
            return stream


class _Stream:
    """One stream. gRPC takes the messages to send on a thread of its own; another one begins the
    call and reads, so that Ctrl-C in a caller meets nothing of gRPC's (see `threads.Stream`).
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._end: CallFailed | None = None
        self._window = Window()
        self._news = threading.Condition()
        self._multi: Any = channel.stream_stream(
            PIPELINE.path, PIPELINE.request.SerializeToString, PIPELINE.response.FromString
        )
        threading.Thread(target=self._read, name="kvraft pipeline", daemon=True).start()

    @property
    def is_over(self) -> bool:
        return self._end is not None

    def call(self, field: str, request: Any, timeout_s: float) -> Any:
        settled = threading.Event()
        answers: list[Any] = []

        def settle(answer: Any) -> None:
            answers.append(answer)
            settled.set()

        call = self._enter(field, request, timeout_s, settle)
        try:
            settled.wait(timeout_s)
        finally:
            sent = self.leave(call)
        answer = answers[0] if answers else late(sent=sent)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def follow(self, field: str, request: Any, timeout_s: float) -> "Replies":
        came: SimpleQueue[Any] = SimpleQueue()
        return Replies(self, self._enter(field, request, timeout_s, came.put), came)

    def _enter(
        self, field: str, request: Any, timeout_s: float, settle: Callable[[Any], None]
    ) -> PipelinedCall:
        deadline = time.monotonic() + timeout_s
        call = PipelinedCall(field, request, request.ByteSize(), deadline, settle)
        with self._news:
            self._window.enter(call)
            if self._end is not None:  # since it was chosen
                settle_broken(self._window, self._end)
            self._news.notify()
        return call

    def leave(self, call: PipelinedCall) -> bool:
        """Let the caller of a call go; return whether it was sent."""
        with self._news:
            return self._window.leave(call)

    def goes_on(self, call: PipelinedCall) -> bool:
        """Whether more replies follow those that its caller was given."""
        with self._news:  # not between what a reply says of it, and the reply
            return call.goes_on

    def __iter__(self) -> "_Stream":
        return self

    def __next__(self) -> kv_pb2.PipelineRequest:
        """Return the next message to send, when there is one."""
        with self._news:
            while not (self.is_over or self._window.can_send):
                self._news.wait()
            if self.is_over:
                raise StopIteration
            # Under the lock: who leaves takes the request along.
            return request_of(self._window.take(), time.monotonic())

    def _read(self) -> None:
        error: Any = None
        try:
            for message in self._multi(self):
                with self._news:
                    settle_all(self._window, message)
                    if self._window.can_send:
                        self._news.notify()
        except grpc.RpcError as failed:
            error = failed
        except ValueError:  # gRPC's word for a channel that was closed before the call began
            error = CallFailed(grpc.StatusCode.CANCELLED, "the client was closed before the call")
        finally:
            with self._news:
                self._end = ended(error)
                settle_broken(self._window, self._end)
                self._news.notify()


class Replies:
    """All replies to one call."""

    def __init__(
        self,
        stream: _Stream,
        call: PipelinedCall,
        came: "SimpleQueue[Any]",
    ) -> None:
        """Take a call under way; the first of them comes within the call's deadline."""
        self._stream, self._call, self._came = stream, call, came
        self._until = call.deadline

    @property
    def goes_on(self) -> bool:
        """Whether there are more to read: to come, or here already."""
        return self._stream.goes_on(self._call) or not self._came.empty()

    def end_in(self, limit_s: float | None) -> None:
        """Wait so long, from now, for all that are still to come; None: no limit."""
        self._until = inf if limit_s is None else time.monotonic() + limit_s

    def read(self) -> Any:
        """Return the next. Raises CallFailed, also if cancelled, and NoPipeline."""
        answer = self._wait(self._until)
        if answer is None:
            raise late(sent=self._stream.leave(self._call))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _wait(self, until: float) -> Any:
        """... None: not in time."""
        while True:
            left_s = until - time.monotonic()
            try:
                return self._came.get(timeout=max(0.0, min(left_s, LOOK_UP_S)))
            except Empty:
                if left_s <= LOOK_UP_S:
                    return None

    def cancel(self) -> None:
        """Wait for no more of them."""
        self._stream.leave(self._call)
