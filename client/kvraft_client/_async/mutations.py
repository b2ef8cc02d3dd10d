"""Exactly once: every mutation says who it is, so that it can be sent again until it is answered.

All decisions are `policy.session`'s; this opens the sessions and puts the identities on.
"""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from typing import Any, cast
from uuid import uuid4

from kvraft.v1 import session_pb2
from kvraft_client._async.caller import Answered, Caller, check_size
from kvraft_client._backends import aio as backend
from kvraft_client.config import CLOSE_TIMEOUT_S
from kvraft_client.encoding import identity_proto, key_identity, put_ticket
from kvraft_client.errors import (
    DeadlineExceeded,
    KvraftError,
    NotApplied,
    OutcomeUnknown,
    SessionExpired,
    StaleFence,
)
from kvraft_client.fences import FenceLike, fence_protos, fences_of, tell_stale
from kvraft_client.policy.failure import Effect
from kvraft_client.policy.identity import Identity
from kvraft_client.policy.session import REOPENINGS, Sessions, Ticket
from kvraft_client.requests import Data
from kvraft_client.rpc import CLOSE_SESSION, OPEN_SESSION, Method, Request, Response


class Mutations:
    """The sessions of one client."""

    def __init__(self, caller: Caller) -> None:
        """Start with none; the first mutation opens one."""
        self.caller = caller
        self._sessions = Sessions()
        self._opening = backend.Gate()

    async def send(
        self,
        method: Method[Request, Response],
        request: Request,
        *,
        timeout: float | None,
        idempotency_key: Data | None = None,
        fence: FenceLike | None = None,
    ) -> Answered[Response]:
        """Send a mutation until it is answered, once, or time is up.

        OutcomeUnknown carries the identity. A reply that the store had given before may lack what
        was too large to keep (`header.reply_omitted`): values, and what is many. LockLost: a lock
        given as `fence` is held no more; its subclass StaleFence: by the store's word.
        """
        caller = self.caller
        limit_s = caller.limit_s(timeout)
        if fence is not None:
            cast("Any", request).fences.extend(fence_protos(fences_of(fence)))
        check_size(request)
        config = caller.config
        try:
            if idempotency_key is not None:
                return await self._by_key(method, request, limit_s, idempotency_key)
            if not config.exactly_once:
                return await caller.exchange(method, request, method.effect, limit_s)
            if not config.sessions:
                return await self._by_key(method, request, limit_s, uuid4().hex)
            return await self._in_session(method, request, limit_s)
        except StaleFence:
            tell_stale(fence)
            raise

    async def _by_key(
        self, method: Method[Request, Response], request: Request, limit_s: float, key: Data
    ) -> Answered[Response]:
        identity = key_identity(key)
        cast("Any", request).identity.CopyFrom(identity_proto(identity))
        try:
            return await self.caller.exchange(method, request, Effect.IDENTIFIED, limit_s)
        except OutcomeUnknown as error:
            error.identity = identity
            raise

    async def _in_session(
        self, method: Method[Request, Response], request: Request, limit_s: float
    ) -> Answered[Response]:
        """Send as the next of the session; where that has ended before it came, of a new one."""
        caller, sessions = self.caller, self._sessions
        mutation: Any = request
        deadline = caller.now() + limit_s
        reopenings = 0
        while True:
            with caller.lock:
                ticket = sessions.take()
            if ticket is None:
                ticket = await self._ticket(deadline)
                limit_s = self._left(deadline)
            put_ticket(mutation.identity.session, ticket)
            try:
                answer = await caller.exchange(method, request, Effect.IDENTIFIED, limit_s)
            except SessionExpired:
                with caller.lock:
                    sessions.expired(ticket.session_id)
                reopenings += 1
                if reopenings > REOPENINGS:
                    raise
                limit_s = self._left(deadline)
                continue
            except NotApplied:
                self.settled(ticket)
                raise
            except BaseException as error:  # a cancelled call too: nobody has its answer
                with caller.lock:
                    sessions.unresolved(ticket)
                if isinstance(error, OutcomeUnknown):
                    error.identity = ticket.identity
                raise
            with caller.lock:
                sessions.settled(ticket)
            return answer

    async def _ticket(self, deadline: float) -> Ticket:
        """Return an identity; one caller opens a session for all that wait for it."""
        if not await self._opening.acquire(self._left(deadline)):
            raise DeadlineExceeded("the deadline passed while a session was being opened")
        try:
            with self.caller.lock:
                ticket = self._sessions.take()
            return ticket or await self._open(deadline)
        finally:
            self._opening.release()

    async def _open(self, deadline: float) -> Ticket:
        request = session_pb2.OpenRequest()
        answer = await self.caller.call(OPEN_SESSION, request, timeout=self._left(deadline))
        with self.caller.lock:
            self.caller.metrics.sessions += 1
            self._sessions.opened(answer.result.session_id, answer.result.window)
            ticket = self._sessions.take()
        if ticket is None:
            raise AssertionError("a new session has room")
        return ticket

    def _left(self, deadline: float) -> float:
        left_s = deadline - self.caller.now()
        if left_s <= 0:
            raise DeadlineExceeded("the deadline passed while a session was being opened")
        return left_s

    def settled(self, identity: Identity | Ticket) -> None:
        """Note that an outcome is known, so that the store may forget it."""
        with self.caller.lock:
            self._sessions.settled(identity)

    async def close(self) -> None:
        """End the sessions in which nothing is open, as far as that takes no time."""
        with self.caller.lock:
            finished = self._sessions.finished()
        for session_id in finished:
            request = session_pb2.CloseRequest(session_id=session_id)
            try:
                await self.caller.call(CLOSE_SESSION, request, timeout=CLOSE_TIMEOUT_S)
            except KvraftError:
                return  # it ends when it was idle for long enough
