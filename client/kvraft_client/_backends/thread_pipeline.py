"""The pipeline of one channel, for callers on threads."""

import threading
import time
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


class Pipeline:
    """Opens a stream at the first call, and another one after a break."""

    def __init__(self, channel: grpc.Channel) -> None:
        """Nothing is sent yet."""
        self._channel = channel
        self._lock = threading.Lock()
        self._stream: _Stream | None = None

    def call(self, field: str, request: Any, timeout_s: float) -> Any:
        """Send a request; return the reply. Raises CallFailed, NoPipeline."""
        with self._lock:
            stream = self._stream
            if stream is None or stream.is_over:
                stream = self._stream = _Stream(self._channel)
        return stream.call(field, request, timeout_s)


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

        deadline = time.monotonic() + timeout_s
        call = PipelinedCall(field, request, request.ByteSize(), deadline, settle)
        with self._news:
            self._window.enter(call)
            if self._end is not None:  # since it was chosen
                settle_broken(self._window, self._end)
            self._news.notify()
        try:
            settled.wait(timeout_s)
        finally:
            with self._news:
                sent = self._window.leave(call)
        answer = answers[0] if answers else late(sent=sent)
        if isinstance(answer, Exception):
            raise answer
        return answer

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
