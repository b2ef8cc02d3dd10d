"""The doors of the sync client: channels, waiting, background threads. Safe from any thread."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar, cast

import grpc

from kvraft_client._backends.thread_pipeline import LOOK_UP_S, Pipeline
from kvraft_client._backends.thread_pipeline import Replies as Replies  # noqa: PLC0414 - others have it from here
from kvraft_client.config import CHANNEL_OPTIONS
from kvraft_client.errors import ClientClosed
from kvraft_client.pipelining import NoPipeline
from kvraft_client.rpc import Method, Request, Response, transmittable

Result = TypeVar("Result")

Event = threading.Event
Lock = threading.Lock

QUIET_S = 0.02
"""How long an endpoint may be quiet before a mutation is preceded by a probe. Short, because the
loss of a connection is not known here: gRPC's sync API tells it only by a thread that polls, and
that dies with a traceback if its channel is closed in between (grpcio 1.85.1, `_channel.py`)."""
CHANGES_MAX = 1
"""Changes of one hot key under way at one time (`modify`): threads do not send in the order in
which they had their turns, so building on one that is not answered yet would mostly be in vain."""


class Channel:
    """One connection to one endpoint, made at the first call."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        """Make the channel; nothing is dialled yet."""
        self.address = address
        self._closed = False
        if credentials is None:
            self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(address, credentials, CHANNEL_OPTIONS)
        self._pipeline: Pipeline | None = Pipeline(self._channel)

    def is_ready(self) -> bool:
        """Whether the connection stands, as far as this process can know: see `QUIET_S`."""
        return not self._closed

    def unary(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        """Call once, and return the response (the first, where responses are a stream).

        It shares a stream with the other calls where the server has that. Raises grpc.RpcError.
        """
        self._check_open()
        pipeline = self._pipeline
        if pipeline is None or not method.field:
            return self._alone(method, request, timeout_s)
        begun = time.monotonic()
        try:
            return cast("Response", pipeline.call(method.field, request, timeout_s))
        except NoPipeline:
            self._pipeline = None
        return self._alone(method, request, timeout_s - (time.monotonic() - begun))

    def replies(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Replies:
        """Call, and return the replies, the first of them within `timeout_s`.

        Raises NoPipeline where the server is known to have none, or `read` does.
        """
        self._check_open()
        if self._pipeline is None:
            raise NoPipeline
        return self._pipeline.follow(method.field, request, timeout_s)

    def _alone(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        if method.responses_stream and not method.requests_stream:
            raise NoPipeline  # to take one response would cancel the call, and what it asked
        limit_s = transmittable(timeout_s)
        codecs = method.request.SerializeToString, method.response.FromString
        if method.requests_stream:
            multi = self._channel.stream_stream(method.path, *codecs)
            stream: Stream[Response] = Stream(lambda: multi(iter([request]), timeout=limit_s))
        else:
            unary = self._channel.unary_unary(method.path, *codecs)
            stream = Stream(lambda: _Single(unary.future(request, timeout=limit_s)))
        try:
            response = stream.read()
        finally:
            stream.cancel()
        if response is None:
            raise _NoAnswer
        return response

    def stream(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Generator[Response]:
        """Call, and yield the responses. Raises grpc.RpcError."""
        stream = self._follow(method, request, transmittable(timeout_s))
        try:
            while (response := stream.read()) is not None:
                yield response
        finally:
            stream.cancel()

    def follow(
        self, method: Method[Request, Response], request: Request, timeout_s: float | None = None
    ) -> "Stream[Response]":
        """Call, without a time limit if none is given, and return the stream of responses."""
        return self._follow(method, request, timeout_s)

    def _follow(
        self, method: Method[Request, Response], request: Request, timeout_s: float | None
    ) -> "Stream[Response]":
        self._check_open()
        multi = self._channel.unary_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        return Stream(lambda: multi(request, timeout=timeout_s))

    def _check_open(self) -> None:
        if self._closed:  # gRPC's own word for it is a ValueError
            raise ClientClosed("the client is closed")

    def close(self) -> None:
        """End the connection; calls under way end with CANCELLED."""
        self._closed = True
        self._channel.close()


class _NoAnswer(grpc.RpcError):
    """A stream that ended in good order, but without an answer."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return "the stream ended without an answer"

    def trailing_metadata(self) -> tuple[()]:
        return ()


class _Single:
    """The one response of a unary call."""

    def __init__(self, future: Any) -> None:
        self._future = future
        self._is_read = False

    def __next__(self) -> Any:
        if self._is_read:
            raise StopIteration
        self._is_read = True
        return self._future.result()

    def cancel(self) -> None:
        self._future.cancel()


class Stream(Generic[Response]):
    """The responses of one call, one by one; a thread of its own talks to gRPC.

    Ctrl-C raises in the main thread wherever that is. Inside of gRPC's bookkeeping it would leave a
    lock that nobody gives back, or a call that nothing follows: then every other call on the
    channel waits for ever, and so does closing it (gRPC 1.85).
    """

    def __init__(self, begin: Callable[[], Any]) -> None:
        """Begin a call."""
        self._reading = _Reading(begin)
        threading.Thread(target=self._reading.run, name="kvraft stream", daemon=True).start()

    def read(self) -> Response | None:
        """Return the next; None: the stream ended. Raises grpc.RpcError, also if cancelled."""
        return cast("Response | None", self._reading.next())

    def cancel(self) -> None:
        """End the call, from any thread."""
        self._reading.cancel()

    def __del__(self) -> None:
        self.cancel()


class _Reading:
    """What a stream and its thread share, so that a stream which nobody has any more can go."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._call: Any = None
        self._cancelled = False
        # Both are C, whole before or after Ctrl-C: no response is lost in between.
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._came: SimpleQueue[Any] = SimpleQueue()

    def next(self) -> Any:
        self._wanted.put(None)
        came = self._wait()
        if came is None or isinstance(came, Exception):
            self._came.put(came)  # it stays so
        if isinstance(came, Exception):
            raise came
        return came

    def _wait(self) -> Any:
        while True:
            try:
                return self._came.get(timeout=LOOK_UP_S)
            except Empty:
                continue

    def run(self) -> None:
        end: Exception | None = None
        try:
            call = self._begin()
            with self._lock:
                self._call = call
            if self._cancelled:
                call.cancel()
            while True:
                self._wanted.get()  # one ahead of the reader would be one more in memory
                if (response := next(call, None)) is None:
                    break
                self._came.put(response)
        except grpc.RpcError as error:
            end = error
        except ValueError:  # gRPC's word for a channel that was closed before the call began
            end = ClientClosed("the client is closed")
        self._came.put(end)

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            call = self._call
        if call is not None:
            call.cancel()
        self._wanted.put(None)  # so that the thread sees it


class Gate:
    """A lock that may be held over a call, and is waited for only so long."""

    def __init__(self) -> None:
        """Start open."""
        self._lock = threading.Lock()

    def acquire(self, timeout_s: float) -> bool:
        """Wait for it; False: not in time."""
        return self._lock.acquire(timeout=max(0.0, timeout_s))

    def release(self) -> None:
        """Let the next one in."""
        self._lock.release()


class Task:
    """A function running in the background until it returns."""

    def __init__(
        self,
        run: Callable[[], None],
        name: str,
        after_s: float = 0.0,  # noqa: ARG002 - a thread to wait in is needed here anyway
    ) -> None:
        """Start it; it may run before `after_s`, and waits for its time by itself."""
        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Nothing to do: it must see by itself that it is to end."""

    def stop(self) -> None:
        """Wait for its end: it must see by itself that it is to stop."""
        self._thread.join()


def sleep(seconds: float) -> None:
    """Pause the caller."""
    time.sleep(seconds)


def wait(event: Event, timeout_s: float) -> bool:
    """Wait for the event at most so long; return whether it is set."""
    return event.wait(max(0.0, timeout_s))


def gather(functions: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run all at once; return their results in order."""
    with ThreadPoolExecutor(max_workers=len(functions)) as pool:
        return list(pool.map(lambda function: function(), functions))


def run_blocking(function: Callable[[], Result]) -> Result:
    """Run what waits for the disk: here the caller's thread is as good as any."""
    return function()
