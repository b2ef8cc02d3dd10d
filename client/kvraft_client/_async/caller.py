"""One call from the first endpoint to its answer: connect, ask who leads, send, try again.

All decisions are `policy`'s; this does what it says.
"""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import grpc

from kvraft.v1 import cluster_pb2, kv_pb2
from kvraft_client._backends import aio as backend
from kvraft_client.clock import boot_time
from kvraft_client.config import MESSAGE_MAX_BYTES, ClientConfig
from kvraft_client.errors import ClientClosed, InvalidRequest, TooLarge, error_for
from kvraft_client.policy.endpoints import Endpoints
from kvraft_client.policy.failure import Effect, Failure
from kvraft_client.policy.retry import Attempts
from kvraft_client.rpc import STATUS, Method, Request, Response
from kvraft_client.wire import failure_from

Result = TypeVar("Result")

_NOT_HEARD = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})
"""Status codes of a probe that mean that nobody answered it."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[Result]):
    """An answer, and when the attempt that got it was sent (`boot_time` seconds)."""

    result: Result
    sent_at: float


class _AttemptError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Caller:
    """The connections of one client, and what it knows of the cluster."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        now: Callable[[], float] = boot_time,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        """Start with no connection; `uniform` gives random numbers of [0, 1)."""
        self.config = config
        self.now = now
        self._uniform = uniform
        self._endpoints = Endpoints(config.endpoints, backend.QUIET_S)
        self._channels: dict[str, backend.Channel] = {}
        self._lock = backend.Lock()
        self._closed = False

    async def call(
        self,
        method: Method[Request, Response],
        request: Request,
        *,
        timeout: float | None = None,
        attempt_s: float | None = None,
    ) -> Answered[Response]:
        """Send a request until it is answered, may not be repeated, or time is up.

        `attempt_s` bounds one attempt, where it may be repeated. Raises a KvraftError.
        """
        size = request.ByteSize()
        if size > MESSAGE_MAX_BYTES - 1_024:  # room for the call's own frame
            error = TooLarge(f"the request of {size} bytes exceeds {MESSAGE_MAX_BYTES} bytes")
            error.limit, error.actual = str(MESSAGE_MAX_BYTES), str(size)
            raise error

        async def send(channel: backend.Channel, limit_s: float) -> Response:
            return await channel.unary(method, request, limit_s)

        return await self.run(method.effect, send, timeout=timeout, attempt_s=attempt_s)

    async def run(
        self,
        effect: Effect,
        send: Callable[[backend.Channel, float], Awaitable[Result]],
        *,
        timeout: float | None = None,
        attempt_s: float | None = None,
    ) -> Answered[Result]:
        """Like `call`, for anything that can be done on a channel within some seconds."""
        if timeout is not None and not timeout > 0:
            raise InvalidRequest(f"timeout must be a positive number of seconds, not {timeout!r}")
        settings = self.config.retry
        if attempt_s is not None:
            settings = replace(settings, attempt_s=attempt_s)
        attempts = Attempts(effect, self.now(), timeout or self.config.timeout_s, settings)
        while True:
            try:
                address = await self._reach(attempts)
                return await self._send(send, address, attempts)
            except _AttemptError as failed:
                wait_s = self._after(failed, attempts)
            if wait_s > 0:
                await backend.sleep(wait_s)

    def _after(self, failed: _AttemptError, attempts: Attempts) -> float:
        """Return how long to wait before the next attempt, or raise the call's error."""
        with self._lock:
            wait_s = attempts.failed(failed.failure, self._endpoints, self.now(), self._uniform)
        if wait_s is not None and not self._closed:
            return wait_s
        raise error_for(attempts.last or failed.failure, attempts.outcome) from failed.__cause__

    async def _reach(self, attempts: Attempts) -> str:
        """Choose an endpoint; where it is not known to be there and to lead, ask it first.

        So nothing that must not be repeated is sent into a connection that never stood.
        """
        asked: set[str] = set()
        while True:
            now = self.now()
            with self._lock:
                address = attempts.endpoint(self._endpoints, now)
            ready = self._channel(address).is_ready()
            with self._lock:
                if address in asked or not self._endpoints.wants_probe(
                    address, now, ready=ready, mutation=attempts.effect is not Effect.READ
                ):
                    return address
                self._endpoints.probing(address, now)
            asked.add(address)
            await self._probe(address, attempts.probe_limit(now))

    async def _probe(self, address: str, limit_s: float) -> None:
        """Ask an endpoint for its name and the leader's; it needs no quorum to answer."""
        try:
            status = await self._channel(address).unary(
                STATUS, cluster_pb2.StatusRequest(), limit_s
            )
        except grpc.RpcError as error:
            failure = failure_from(error, address, sent=False)
            if failure.code in _NOT_HEARD:
                raise _AttemptError(failure) from error
            self._learn(address, kv_pb2.ResponseHeader())  # it is there, but gives no status
            return
        self._learn(address, status.header)
        with self._lock:
            leader = status.leader if status.HasField("leader") else None
            self._endpoints.leader_is(leader or None, status.header.raft_term)

    async def _send(
        self,
        send: Callable[[backend.Channel, float], Awaitable[Result]],
        address: str,
        attempts: Attempts,
    ) -> Answered[Result]:
        sent_at = self.now()
        limit_s = attempts.limit(sent_at)
        if limit_s <= 0:
            text = "the deadline passed before the request was sent"
            late = Failure("DEADLINE_EXCEEDED", text, address, sent=False, reason="DEADLINE")
            raise _AttemptError(attempts.last or late)
        try:
            result = await send(self._channel(address), limit_s)
        except grpc.RpcError as error:
            raise _AttemptError(failure_from(error, address, sent=True)) from error
        header = getattr(result, "header", None)
        if isinstance(header, kv_pb2.ResponseHeader):
            self._learn(address, header)
        return Answered(result, sent_at)

    def _learn(self, address: str, header: kv_pb2.ResponseHeader) -> None:
        with self._lock:
            self._endpoints.answered(address, header.node, header.raft_term, self.now())

    def _channel(self, address: str) -> backend.Channel:
        with self._lock:
            if self._closed:
                raise ClientClosed("the client is closed")
            channel = self._channels.get(address)
            if channel is None:
                channel = backend.Channel(address, self.config.credentials)
                self._channels[address] = channel
            return channel

    async def ask(
        self,
        address: str,
        method: Method[Request, Response],
        request: Request,
        timeout_s: float,
    ) -> Response | Failure:
        """Ask one particular endpoint, once."""
        try:
            return await self._channel(address).unary(method, request, timeout_s)
        except grpc.RpcError as error:
            return failure_from(error, address, sent=True)

    async def close(self) -> None:
        """End every connection; calls under way fail, later ones raise ClientClosed."""
        with self._lock:
            self._closed = True
            channels = list(self._channels.values())
            self._channels.clear()
        for channel in channels:
            await channel.close()
