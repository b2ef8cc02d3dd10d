# Generated from _async/caller.py by scripts/generate_sync_client.py: do not edit.
"""One call from the first endpoint to its answer: connect, ask who leads, send, try again.

All decisions are `policy`'s; this does what it says.
"""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import grpc
from google.protobuf.message import Message

from kvraft.v1 import cluster_pb2, kv_pb2
from kvraft_client._backends import threads as backend
from kvraft_client.answers import Metrics
from kvraft_client.clock import boot_time
from kvraft_client.config import MESSAGE_MAX_BYTES, ClientConfig, check_timeout
from kvraft_client.error_reasons import error_for
from kvraft_client.errors import ClientClosed, TooLarge
from kvraft_client.pipelining import CallFailed
from kvraft_client.policy.budget import RetryBudget
from kvraft_client.policy.endpoints import Endpoints
from kvraft_client.policy.failure import Effect, Failure, Outcome
from kvraft_client.policy.retry import Attempts, RetrySettings
from kvraft_client.rpc import STATUS, Method, Request, Response
from kvraft_client.wire import failure_from

Result = TypeVar("Result")

_NOT_HEARD = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})
"""Status codes of a probe that mean that nobody answered it."""


@dataclass(slots=True)
class Answered(Generic[Result]):
    """An answer, and the earliest time at which its effect may have been (`boot_time` seconds)."""

    result: Result
    sent_at: float


class AttemptError(Exception):
    """One attempt gave no answer."""

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
        self.uniform = uniform
        self.metrics = Metrics()
        self.lock = backend.Lock()
        """Guards what the callers share: here, and in the parts of the client that use this."""
        self.cluster_id = 0
        """Of the cluster that answered last; a restored one is another."""
        self._endpoints = Endpoints(config.endpoints, backend.QUIET_S)
        self._budget = RetryBudget()
        self._channels: dict[str, backend.Channel] = {}
        self._closed = False

    def call(
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
        check_size(request)
        limit_s = self.limit_s(timeout)
        return self.exchange(method, request, method.effect, limit_s, attempt_s=attempt_s)

    def exchange(
        self,
        method: Method[Request, Response],
        request: Request,
        effect: Effect,
        limit_s: float,
        *,
        attempt_s: float | None = None,
    ) -> Answered[Response]:
        """Like `call`, for a request whose size was checked; the effect is as it says who it is."""

        def send(channel: backend.Channel, left_s: float) -> Response:
            return channel.unary(method, request, left_s)

        settings = self.config.retry if attempt_s is None else self._settings(attempt_s)
        begun = self.now()
        with self.lock:
            self.metrics.calls += 1
            ready = self._ready(effect, begun) if limit_s > 0 else None
            self.metrics.attempts += ready is not None
        if ready is None:
            return self._until_answered(send, self._begun(effect, begun, limit_s, settings))
        address, channel = ready
        # Nearly always this is the only attempt: what attempts share is made when it has failed.
        try:
            limit = settings.attempt_limit(effect, limit_s)
            result = channel.unary(method, request, limit)
        except grpc.RpcError as error:
            failed = _attempt_failed(error, address)
        else:
            self.learn(address, result.header)  # type: ignore[attr-defined]  # all methods' have one
            return Answered(result, begun)
        attempts = self._begun(effect, begun, limit_s, settings)
        attempts.limit(begun)
        wait_s = self.after(failed, attempts)
        if wait_s > 0:
            backend.sleep(wait_s)
        return self._until_answered(send, attempts)

    def run(
        self,
        effect: Effect,
        send: Callable[[backend.Channel, float], Result],
        *,
        timeout: float | None = None,
        attempt_s: float | None = None,
    ) -> Answered[Result]:
        """Like `call`, for anything that can be done on a channel within some seconds."""
        limit_s = self.limit_s(timeout)
        with self.lock:
            self.metrics.calls += 1
        attempts = self.attempts(effect, limit_s, self._settings(attempt_s))
        return self._until_answered(send, attempts)

    def _until_answered(
        self,
        send: Callable[[backend.Channel, float], Result],
        attempts: Attempts,
    ) -> Answered[Result]:
        while True:
            try:
                return self._send(send, self.reach(attempts), attempts)
            except AttemptError as failed:
                wait_s = self.after(failed, attempts)
            if wait_s > 0:
                backend.sleep(wait_s)

    def _settings(self, attempt_s: float | None) -> RetrySettings:
        settings = self.config.retry
        return settings if attempt_s is None else replace(settings, attempt_s=attempt_s)

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._closed

    def limit_s(self, timeout: float | None) -> float:
        """Return the seconds that a call may take, given its `timeout=`."""
        if timeout is None:
            return self.config.timeout_s
        check_timeout(timeout)
        return timeout

    def attempts(self, effect: Effect, limit_s: float, settings: RetrySettings) -> Attempts:
        """Begin a call; its retries share the client's budget."""
        return self._begun(effect, self.now(), limit_s, settings)

    def _begun(
        self, effect: Effect, now: float, limit_s: float, settings: RetrySettings
    ) -> Attempts:
        return Attempts(effect, now, limit_s, settings, shared=self._budget)

    def after(self, failed: AttemptError, attempts: Attempts) -> float:
        """Return how long to wait before the next attempt, or raise the call's error."""
        with self.lock:
            wait_s = attempts.failed(failed.failure, self._endpoints, self.now(), self.uniform)
            if wait_s is not None and not self._closed:
                unknown = failed.failure.outcome_of(attempts.effect) is Outcome.UNKNOWN
                if attempts.effect is Effect.IDENTIFIED and unknown:
                    self.metrics.retried_unknown += 1
                self.metrics.waited_s += wait_s
                return wait_s
            if attempts.outcome is Outcome.UNKNOWN:
                self.metrics.unknown += 1
        raise error_for(attempts.last or failed.failure, attempts.outcome) from failed.__cause__

    def _ready(self, effect: Effect, now: float) -> tuple[str, backend.Channel] | None:
        """Return whom to send to where nothing needs to be asked first. The lock is held."""
        address = self._endpoints.choose(now)
        channel = None if address is None else self._channels.get(address)
        if address is None or channel is None:
            return None
        asks_first = self._endpoints.wants_probe(
            address, now, ready=channel.is_ready(), mutation=effect is not Effect.READ
        )
        return None if asks_first else (address, channel)

    def reach(self, attempts: Attempts) -> str:
        """Choose an endpoint; where it is not known to be there and to lead, ask it first.

        So nothing that must not be repeated is sent into a connection that never stood.
        """
        asked: set[str] = set()
        while True:
            now = self.now()
            with self.lock:
                address = attempts.endpoint(self._endpoints, now)
            ready = self.channel(address).is_ready()
            with self.lock:
                if address in asked or not self._endpoints.wants_probe(
                    address, now, ready=ready, mutation=attempts.effect is not Effect.READ
                ):
                    return address
                self._endpoints.probing(address, now)
            asked.add(address)
            self._probe(address, attempts.probe_limit(now))

    def _probe(self, address: str, limit_s: float) -> None:
        """Ask an endpoint for its name and the leader's; it needs no quorum to answer."""
        try:
            status = self.channel(address).unary(STATUS, cluster_pb2.StatusRequest(), limit_s)
        except grpc.RpcError as error:
            failure = failure_from(error, address, sent=False)
            if failure.code in _NOT_HEARD:
                raise AttemptError(failure) from error
            self.learn(address, kv_pb2.ResponseHeader())  # it is there, but gives no status
            return
        self.learn(address, status.header)
        with self.lock:
            leader = status.leader if status.HasField("leader") else None
            self._endpoints.leader_is(leader or None, status.header.raft_term)

    def _send(
        self,
        send: Callable[[backend.Channel, float], Result],
        address: str,
        attempts: Attempts,
    ) -> Answered[Result]:
        sent_at = self.now()
        limit_s = attempts.limit(sent_at)
        if limit_s <= 0:
            text = "the deadline passed before the request was sent"
            late = Failure("DEADLINE_EXCEEDED", text, address, sent=False, reason="DEADLINE")
            raise AttemptError(attempts.last or late)
        with self.lock:
            self.metrics.attempts += 1
        try:
            result = send(self.channel(address), limit_s)
        except grpc.RpcError as error:
            raise _attempt_failed(error, address) from error
        self._learn_from(result, address)
        if attempts.effect is Effect.IDENTIFIED and attempts.maybe_applied_at is not None:
            sent_at = attempts.maybe_applied_at  # this may be the answer to that one
        return Answered(result, sent_at)

    def _learn_from(self, result: object, address: str) -> None:
        header = getattr(result, "header", None)
        if isinstance(header, kv_pb2.ResponseHeader):
            self.learn(address, header)

    def learn(self, address: str, header: kv_pb2.ResponseHeader) -> None:
        with self.lock:
            self._endpoints.answered(address, header.node, header.raft_term, self.now())
            self.metrics.replayed += header.replayed
            self.cluster_id = header.cluster_id or self.cluster_id

    def channel(self, address: str) -> backend.Channel:
        with self.lock:
            if self._closed:
                raise ClientClosed("the client is closed")
            channel = self._channels.get(address)
            if channel is None:
                channel = backend.Channel(address, self.config.credentials)
                self._channels[address] = channel
            return channel

    def ask(
        self,
        address: str,
        method: Method[Request, Response],
        request: Request,
        timeout_s: float,
    ) -> Response | Failure:
        """Ask one particular endpoint, once."""
        try:
            return self.channel(address).unary(method, request, timeout_s)
        except grpc.RpcError as error:
            return failure_from(error, address, sent=True)

    def close(self) -> None:
        """End every connection; calls under way fail, later ones raise ClientClosed."""
        with self.lock:
            self._closed = True
            channels = list(self._channels.values())
            self._channels.clear()
        for channel in channels:
            channel.close()


def _attempt_failed(error: grpc.RpcError, address: str) -> AttemptError:
    sent = not isinstance(error, CallFailed) or error.sent
    failed = AttemptError(failure_from(error, address, sent=sent))
    failed.__cause__ = error
    return failed


def check_size(request: Message) -> None:
    """Raise TooLarge for what the transport would refuse, without a word on the outcome."""
    size = request.ByteSize()
    if size > MESSAGE_MAX_BYTES - 1_024:  # room for an identity, and the call's own frame
        error = TooLarge(f"the request of {size} bytes exceeds {MESSAGE_MAX_BYTES} bytes")
        error.limit, error.actual = str(MESSAGE_MAX_BYTES), str(size)
        raise error
