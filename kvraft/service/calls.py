"""Calls of the node as awaitables: deadlines applied, refusals raised as CallError.

The node answers by callback, exactly once. A call that its client gave up is cancelled here, and
the callback that still comes finds its future done: `_resolver` is the one place that knows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from math import inf
from typing import Any, Never, Protocol, TypeVar

import grpc.aio

from kvraft.core.commands import Command
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import Result, Unmet
from kvraft.replica.outcomes import Answer, BarrierDone, Denied
from kvraft.replica.port import Node, StateHash
from kvraft.service.convert.reads import LINEARIZABLE, Demands
from kvraft.service.deadlines import answer_by
from kvraft.service.errors import CallError, abort, denied_error
from kvraft.service.limits import ServiceLimits
from kvraft.service.replies import Reply, expect_reply
from kvraft.service.unreadable import require_readable
from kvraft.service.work import Change, Into, Work
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
        self.unary = 0
        """Calls under way that are no streams, and whose request is here."""
        self._confirmed_at = -inf
        """All that was committed at this moment is applied here: a barrier begun then is met."""

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

    async def refuse(self, _request: object, context: Context) -> Never:
        """End a call that is one too many."""
        await abort(context, _crowded(self.limits.calls), self.node.endpoints())

    def begin(self, command: Command, deadline: float) -> "asyncio.Future[Answer | Denied]":
        """Hand a command to the node; cancelling the future leaves the command alone."""
        future: asyncio.Future[Answer | Denied] = _future()
        self.node.submit(command, deadline, _resolver(future))
        return future

    def fill_reply_header(self, header: kv_pb2.ResponseHeader, reply: Reply[R]) -> None:
        """... of a mutation, which may have been answered before."""
        self.fill_header(header, reply.revision)
        if reply.replayed:
            header.replayed = True
            header.reply_omitted = reply.omitted

    def told(
        self, header: kv_pb2.ResponseHeader, answer: Answer | Denied, kind: type[R]
    ) -> R | Unmet:
        """Return what a mutation was answered, with its header filled; CallError for no answer."""
        if isinstance(answer, Answer) and isinstance(answer.result, kind):  # by far the most
            self.fill_header(header, answer.revision)
            return answer.result
        reply = expect_reply(answer, kind)
        self.fill_reply_header(header, reply)
        told = reply.result if reply.unmet is None else reply.unmet
        assert told is not None, "an answer is a result, or says what was not met"
        return told

    async def apply(self, command: Command, kind: type[R], context: Context) -> Reply[R]:
        """Return what the command was answered; CallError for anything else."""
        answer = await self.begin(command, self.deadline(context))
        return expect_reply(answer, kind)

    async def answer(self, work: Work[Into], response: Into, context: Context) -> Into:
        """Return the response, written; CallError where there is nothing to write into it."""
        deadline = self.deadline(context)
        if isinstance(work, Change):
            work.write(response, await self.begin(work.command, deadline))
            return response
        demands = work.demands
        while True:
            done = await self._meet(
                lambda machine: work.write(response, machine), deadline, demands
            )
            if done is not False:
                return response
            await asyncio.sleep(0)  # others have their turn between two parts

    async def read(self, view: Callable[[StateMachine], T], context: Context) -> T:
        """Return what `view` makes of a linearizable state, in the turn in which it is one."""
        return await self._meet(view, self.deadline(context), LINEARIZABLE)

    async def _meet(
        self, view: Callable[[StateMachine], T], deadline: float, demands: Demands
    ) -> T:
        future: asyncio.Future[T] = _future()

        def confirmed(denied: Denied | None) -> None:
            if future.done():
                return
            try:
                future.set_result(view(self.meeting(demands, denied)))
            except Exception as error:  # noqa: BLE001 - this call's, not the node's
                future.set_exception(error)

        self.begin_read(demands, deadline, confirmed)
        return await future

    def begin_read(
        self, demands: Demands, deadline: float, done: BarrierDone, reads: int = 1
    ) -> None:
        """Call `done(None)` once `meeting` may be asked, in the same turn or a later one.

        What needs no quorum is answered from this node's state: serializable reads, and reads at a
        revision, which never change any more. CallError where this node has no state.
        """
        if self._knows(demands):
            self.member_state()
            done(None)
            return
        asked_at = self.node.now()

        def confirmed(denied: Denied | None) -> None:
            if denied is None:
                self._confirmed_at = max(self._confirmed_at, asked_at)
            done(denied)

        self.node.read_barrier(deadline, confirmed, reads)

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

    def age_ms(self) -> float:
        """Return how old this node's state can be at most, infinite where nothing is known.

        RULES I10 in a stronger form: the time since the newest barrier that was met was asked for,
        so that not only a leader, but a quorum behind it, stood for what is applied here.
        """
        return (self.node.now() - self._confirmed_at) * 1000

    def _knows(self, demands: Demands) -> bool:
        """Whether this node's own state meets the demands without asking anybody."""
        at = self.node.machine.revision
        if at < max(demands.min_revision, demands.revision or 0):
            return False  # it may only lag: the barrier decides whether that is the future
        if demands.revision is not None:
            return True
        is_fresh = demands.max_age_ms is None or self.age_ms() <= demands.max_age_ms
        return demands.serializable and is_fresh

    def meeting(self, demands: Demands, denied: Denied | None = None) -> StateMachine:
        """Return the state, which is as new as it gets; CallError where it does not meet them."""
        if denied is not None:
            raise denied_error(denied)
        machine = self.node.machine
        at = machine.revision
        for field, wanted in (
            ("min_revision", demands.min_revision),
            ("revision", demands.revision or 0),
        ):
            if at < wanted:
                text = f"{field}: the store is at {at}, asked for {wanted}"
                raise CallError(Reason.FUTURE, Outcome.NOT_APPLIED, text, actual=at)
        if demands.revision is not None and demands.revision < machine.compacted_revision:
            oldest = machine.compacted_revision
            text = f"revision: the oldest that is kept is {oldest}, asked for {demands.revision}"
            more = {"oldest_revision": str(oldest)}
            raise CallError(Reason.COMPACTED, Outcome.NOT_APPLIED, text, more=more)
        if demands.serializable and demands.max_age_ms is not None:
            self._require_age(demands.max_age_ms)
        return machine

    def _require_age(self, max_age_ms: int) -> None:
        age_ms = self.age_ms()
        if age_ms > max_age_ms:
            text = f"max_age_ms: the state may be {age_ms:.0f} ms old, asked for {max_age_ms}"
            raise CallError(
                Reason.NO_QUORUM, Outcome.NOT_APPLIED, text, limit=max_age_ms, actual=int(age_ms)
            )

    def member_state(self) -> StateMachine:
        """Return this node's own state; CallError where it is nobody's old state (RULES B3).

        That is an empty one, which belongs to no cluster yet.
        """
        machine = self.node.machine
        if not machine.cluster_id:
            text = f"{self.node.name} has not joined its cluster yet"
            raise CallError(Reason.NO_QUORUM, Outcome.NOT_APPLIED, text)
        return machine


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
        calls = self.calls
        calls.unary += 1
        try:
            if calls.unary > calls.limits.calls:
                raise _crowded(calls.limits.calls)
            require_readable(request)
            return await handle(self, request, context)
        except CallError as error:
            await abort(context, error, calls.node.endpoints())
        finally:
            calls.unary -= 1

    return call


def _crowded(limit: int) -> CallError:
    text = f"more than {limit} calls are under way on this node"
    return CallError(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, limit=limit)
