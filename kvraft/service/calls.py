"""Calls of the node as awaitables: deadlines applied, refusals raised as CallError.

The node answers by callback, exactly once. A call that its client gave up is cancelled here, and
the callback that still comes finds its future done: `_resolver` is the one place that knows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

import grpc.aio

from kvraft.core.commands import Command
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import Refused, Result
from kvraft.replica.outcomes import Answer, Denied
from kvraft.replica.port import Node, StateHash
from kvraft.service.deadlines import answer_by
from kvraft.service.errors import CallError, abort, denied_error, refused_error
from kvraft.service.limits import ServiceLimits
from kvraft.v1 import kv_pb2

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")
R = TypeVar("R", bound=Result)


def _resolver(future: "asyncio.Future[T]") -> Callable[[T], None]:
    def done(outcome: T) -> None:
        if not future.done():
            future.set_result(outcome)

    return done


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


class Calls:
    """One node as every servicer sees it."""

    def __init__(self, node: Node, requests: RequestLimits, limits: ServiceLimits) -> None:
        self.node = node
        self.requests = requests
        self.limits = limits

    def deadline(self, context: Context) -> float:
        """Return by when the node must answer; CallError NOT_APPLIED where that has passed."""
        return answer_by(self.node.now(), context.time_remaining(), self.limits)

    def fill_header(self, header: kv_pb2.ResponseHeader, revision: int) -> None:
        """Say where an answer comes from, and the store's revision at it."""
        node = self.node
        header.cluster_id = node.machine.cluster_id
        header.node = node.name
        header.revision = revision
        header.raft_term = node.term

    def begin(self, command: Command, deadline: float) -> "asyncio.Future[Answer | Denied]":
        """Hand a command to the node; cancelling the future leaves the command alone."""
        future: asyncio.Future[Answer | Denied] = _future()
        self.node.submit(command, deadline, _resolver(future))
        return future

    async def apply(self, command: Command, kind: type[R], context: Context) -> tuple[R, int]:
        """Return the command's result and the revision after it; CallError for anything else."""
        answer = await self.begin(command, self.deadline(context))
        return expect_result(answer, kind)

    async def read(
        self,
        view: Callable[[StateMachine], T],
        context: Context,
        *,
        serializable: bool = False,
        min_revision: int = 0,
    ) -> T:
        """Return what `view` makes of the state; it runs in the turn in which the barrier was met.

        CallError where no quorum confirms the read, or the state is older than `min_revision`.
        """
        deadline = self.deadline(context)
        if serializable:
            self._require_member()
            return view(self._at_least(min_revision))
        future: asyncio.Future[T | CallError] = _future()

        def confirmed(denied: Denied | None) -> None:
            if future.done():
                return
            if denied is not None:
                future.set_result(denied_error(denied))
                return
            try:
                future.set_result(view(self._at_least(min_revision)))
            except CallError as error:
                future.set_result(error)

        self.node.read_barrier(deadline, confirmed)
        outcome = await future
        if isinstance(outcome, CallError):
            raise outcome
        return outcome

    async def transfer_leadership(self, to: str | None, context: Context) -> None:
        """Return once another node leads; CallError where none does."""
        future: asyncio.Future[Denied | None] = _future()
        self.node.transfer_leadership(to, self.deadline(context), _resolver(future))
        denied = await future
        if denied is not None:
            raise denied_error(denied)

    async def state_hash(self, context: Context) -> list[StateHash]:
        """Return the hashes that were reported in time; CallError where there is no marker."""
        future: asyncio.Future[list[StateHash] | Denied] = _future()
        self.node.state_hash(self.deadline(context), _resolver(future))
        outcome = await future
        if isinstance(outcome, Denied):
            raise denied_error(outcome)
        return outcome

    async def take_snapshot(self, deadline: float) -> int:
        """Return the index of a snapshot begun now, once it is durable; CallError if it fails."""
        future: asyncio.Future[int | Denied] = _future()
        self.node.take_snapshot(deadline, _resolver(future))
        outcome = await future
        if isinstance(outcome, Denied):
            raise denied_error(outcome)
        return outcome

    def _at_least(self, min_revision: int) -> StateMachine:
        machine = self.node.machine
        if machine.revision < min_revision:
            text = f"min_revision: this node is at {machine.revision}, asked for {min_revision}"
            raise CallError(Reason.FUTURE, Outcome.NOT_APPLIED, text, actual=machine.revision)
        return machine

    def _require_member(self) -> None:
        """An empty state that belongs to no cluster yet is nobody's old state (RULES B3)."""
        if not self.node.machine.cluster_id:
            text = f"{self.node.name} has not joined its cluster yet"
            raise CallError(Reason.NO_QUORUM, Outcome.NOT_APPLIED, text)


def expect_result(answer: Answer | Denied, kind: type[R]) -> tuple[R, int]:
    """Return the result and the revision after it; CallError where the command was not applied."""
    if isinstance(answer, Denied):
        raise denied_error(answer)
    result = answer.result
    if isinstance(result, Refused):
        raise refused_error(result)
    assert isinstance(result, kind), f"a command is answered by {kind.__name__}, got {result!r}"
    return result, answer.revision


class _Servicer(Protocol):
    calls: Calls


S = TypeVar("S", bound=_Servicer)
Request = TypeVar("Request")
Response = TypeVar("Response")
Unary = Callable[[S, Request, Context], Awaitable[Response]]


def unary(handle: Unary[S, Request, Response]) -> Unary[S, Request, Response]:
    """Turn the CallErrors of a unary handler into the call's status."""

    @wraps(handle)
    async def call(self: S, request: Request, context: Context) -> Response:
        try:
            return await handle(self, request, context)
        except CallError as error:
            await abort(context, error, self.calls.node.endpoints())

    return call
