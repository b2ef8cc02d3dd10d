"""The doors of the sync client: channels, waiting, background threads. Safe from any thread."""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import grpc

from kvraft_client.config import CHANNEL_OPTIONS
from kvraft_client.errors import ClientClosed
from kvraft_client.rpc import Method, Request, Response, transmittable

Result = TypeVar("Result")

Event = threading.Event
Lock = threading.Lock

QUIET_S = 0.02
"""How long an endpoint may be quiet before a mutation is preceded by a probe. Short, because the
loss of a connection is not known here: gRPC's sync API tells it only by a thread that polls, and
that dies with a traceback if its channel is closed in between (grpcio 1.85.1, `_channel.py`)."""


class Channel:
    """One connection to one endpoint, made at the first call."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        """Make the channel; nothing is dialled yet."""
        self._closed = False
        if credentials is None:
            self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(address, credentials, CHANNEL_OPTIONS)

    def is_ready(self) -> bool:
        """Whether the connection stands, as far as this process can know: see `QUIET_S`."""
        return not self._closed

    def unary(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        """Call, and return the response (the first, where responses are a stream).

        Raises grpc.RpcError.
        """
        self._check_open()
        if method.requests_stream:
            return self._first(method, request, timeout_s)
        call = self._channel.unary_unary(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        return call(request, timeout=transmittable(timeout_s))

    def _first(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Response:
        multi = self._channel.stream_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        call = multi(iter([request]), timeout=transmittable(timeout_s))
        try:
            for response in call:
                return response
        finally:
            call.cancel()
        raise _NoAnswer

    def stream(
        self, method: Method[Request, Response], request: Request, timeout_s: float
    ) -> Generator[Response]:
        """Call, and yield the responses. Raises grpc.RpcError."""
        self._check_open()
        multi = self._channel.unary_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        call = multi(request, timeout=transmittable(timeout_s))
        try:
            yield from call
        finally:
            call.cancel()

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


class Task:
    """A function running in the background until it returns."""

    def __init__(self, run: Callable[[], None], name: str) -> None:
        """Start it."""
        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._thread.start()

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
