"""One acquisition: ask, wait for the place, over any number of broken streams, until it is had.

All decisions are `policy.lock`'s; this does what it says.
"""

from dataclasses import dataclass
from secrets import token_bytes
from typing import Any

import grpc

from kvraft.v1 import lock_pb2
from kvraft_client._async.caller import AttemptError, Caller
from kvraft_client._async.lease import AsyncLease
from kvraft_client._async.mutations import Mutations
from kvraft_client._async.releases import Releases
from kvraft_client._backends import aio as backend
from kvraft_client.error_reasons import not_had
from kvraft_client.errors import (
    AlreadyHeld,
    ClientClosed,
    LeaseNotFound,
    LockTimeout,
    NotApplied,
    OutcomeUnknown,
)
from kvraft_client.lock_replies import standing_from
from kvraft_client.pipelining import CallFailed, NoPipeline
from kvraft_client.policy.failure import Effect, Failure, Outcome
from kvraft_client.policy.lease_state import LeaseState
from kvraft_client.policy.lock import Acquisition, Granted, Phase, Queued, Standing, Step
from kvraft_client.policy.retry import Attempts, conflict_pause
from kvraft_client.policy.watch import OUTAGE_S, WATCH_RETRY
from kvraft_client.requests import as_int64
from kvraft_client.rpc import ACQUIRE, CONFIRM
from kvraft_client.wire import failure_from

KEY_BYTES = 16
"""Of the random key that an acquisition is known by."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    names: tuple[bytes, ...]
    mode: lock_pb2.LockMode
    capacity: int
    ttl_s: float
    lease: AsyncLease | int | None
    """None: one of its own, of `ttl_s`."""
    wait_s: float | None
    max_hold_ms: int | None
    patience_s: float

    @property
    def shared_lease(self) -> AsyncLease | None:
        """The lease that others use too, where this process keeps it."""
        return self.lease if isinstance(self.lease, AsyncLease) else None

    @property
    def label(self) -> str:
        """What errors call it."""
        return ", ".join(repr(name.decode(errors="backslashreplace")) for name in self.names)


class Acquiring:
    """One acquisition on its way; `run` ends with it had, or with an error."""

    def __init__(
        self,
        caller: Caller,
        mutations: Mutations,
        releases: Releases,
        wanted: Wanted,
    ) -> None:
        """Prepare it; the wait counts from here."""
        self._caller, self._mutations, self._releases = caller, mutations, releases
        self._wanted = wanted
        self.policy = Acquisition(
            caller.now(),
            wait_s=wanted.wait_s,
            patience_s=wanted.patience_s,
            own_ttl_s=wanted.ttl_s if wanted.lease is None else None,
        )
        self.key = b""
        self.granted: Granted | None = None
        self.own_lease: AsyncLease | None = None
        self._request = lock_pb2.AcquireRequest()
        self._sends = self._streams = 0
        self._asked_at = 0.0
        self._sent_at = 0.0
        self._address = ""
        self._heard = False
        self._replies: backend.Replies | None = None
        self._stream: Any = None

    async def run(self, owner: bytes) -> Granted:
        """Return what was granted. LockTimeout, Deadlock, NoQuorum ...: it is not had."""
        runs = 0
        while True:
            releasing = runs == 0 and self._releases.are_open
            try:
                step = await self._one_place(owner)
            except AlreadyHeld:
                # By what this client is still giving up, after an answer that was lost?
                if not releasing or not await self._releases.settled(self._wanted.patience_s):
                    raise
                step = Step.ASK_AGAIN
            if step is Step.HOLD and self.granted is not None:
                return self.granted
            now = self._caller.now()
            if step is Step.TIMED_OUT or not self.policy.may_ask_again(now):
                raise self._timeout()
            runs += 1
            await backend.sleep(conflict_pause(runs, self._caller.uniform()))
            self.policy.asks_again(self._caller.now())

    def renewed_at(self) -> float | None:
        """When its own lease was renewed, as far as that was acknowledged."""
        return None if self.own_lease is None else self.own_lease.renewed_at

    async def _one_place(self, owner: bytes) -> Step:
        self.key, self._sends, self._streams = token_bytes(KEY_BYTES), 0, 0
        self.own_lease, self._asked_at = None, self._caller.now()
        self._replies = None
        self._request = self._made(owner)
        try:
            step = await self._ask()
            if step is Step.FOLLOW:
                step = await self._follow()
            if step is Step.HOLD and not await self._stands():
                step = Step.ASK_AGAIN
            if step is Step.ASK_AGAIN:  # what is left of it would be its owner's already
                await self._give_up()
        except BaseException as error:
            asked_once = self._sends == 1 and self.policy.phase is Phase.ASKING
            if not (isinstance(error, NotApplied) and asked_once):
                self._withdraw()  # it has a place, or a copy of the request is still on its way
            await self._abandon()
            raise
        if step is not Step.HOLD:
            await self._abandon()
        if step is Step.LEASE_OVER:
            if self._wanted.shared_lease is not None:
                self._wanted.shared_lease.ended()
            raise LeaseNotFound(f"the lease that was to carry {self._wanted.label} is over")
        return step

    def _made(self, owner: bytes) -> lock_pb2.AcquireRequest:
        wanted = self._wanted
        request = lock_pb2.AcquireRequest(
            key=self.key,
            names=wanted.names,
            mode=wanted.mode,
            capacity=wanted.capacity,
            owner=owner,
            max_hold_ms=wanted.max_hold_ms,
        )
        if wanted.lease is None:
            request.ttl_ms = round(wanted.ttl_s * 1_000)
        elif isinstance(wanted.lease, int):
            request.lease_id = as_int64("lease", wanted.lease)
        else:
            wanted.lease.check()
            request.lease_id = wanted.lease.id
        return request

    # -- asking

    async def _ask(self) -> Step:
        """Ask, as far as one answer goes: most locks are free."""

        async def send(channel: backend.Channel, left_s: float) -> lock_pb2.AcquireResponse | None:
            self._update_wait()
            self._sends += 1
            try:
                replies = channel.replies(ACQUIRE, self._request, left_s)
            except NoPipeline:
                return None
            try:
                response: lock_pb2.AcquireResponse = await replies.read()
            except NoPipeline:
                return None
            except BaseException as error:
                replies.cancel()
                if not (isinstance(error, CallFailed) and _is_unasked(error, channel.address)):
                    self._streams += 1
                raise
            self._streams += 1
            self._replies = replies if replies.goes_on else None
            self._address = channel.address
            return response

        try:
            answer = await self._caller.run(Effect.IDENTIFIED, send, timeout=self._limit_s())
        except OutcomeUnknown as error:
            raise not_had(error) from error
        except LeaseNotFound:
            if self._wanted.shared_lease is not None:
                self._wanted.shared_lease.ended()
            raise
        self._sent_at = answer.sent_at
        if answer.result is None:
            return Step.FOLLOW
        return self._take(standing_from(answer.result), answer.sent_at)

    def _update_wait(self) -> None:
        wait_ms = self.policy.wait_ms(self._caller.now())
        if wait_ms is not None:
            self._request.wait_ms = wait_ms

    def _take(self, standing: Standing, sent_at: float) -> Step:
        if isinstance(standing, Queued | Granted) and not self._adopt(standing.lease_id, sent_at):
            return Step.ASK_AGAIN
        if isinstance(standing, Granted):
            self.granted = standing
        return self.policy.answered(standing, sent_at, self._caller.now())

    def _adopt(self, lease_id: int, sent_at: float) -> bool:
        """Keep its own lease alive from the first word of it on, while it waits too.

        False: it is another one. The store was restored, or has forgotten the place, and took the
        same request for a new one.
        """
        if self._wanted.lease is not None:
            return True
        if self.own_lease is None:
            self.own_lease = AsyncLease(self._caller, self._mutations, self._wanted.ttl_s)
            self.own_lease.adopt(lease_id, self._wanted.ttl_s, sent_at)
        return self.own_lease.id == lease_id

    # -- waiting

    async def _follow(self) -> Step:
        """Wait for news of the place, at whichever node has them."""
        attempts: Attempts | None = None
        while True:
            if attempts is None:
                limit_s = self._limit_s()
                attempts = self._caller.attempts(
                    Effect.READ, OUTAGE_S if limit_s is None else limit_s, WATCH_RETRY
                )
            try:
                return await self._listen(attempts)
            except AttemptError as failed:
                if self._caller.is_closed:
                    raise ClientClosed("the client was closed while it waited") from failed
                if failed.failure.code == "DEADLINE_EXCEEDED" and failed.failure.reason is None:
                    raise self._timeout() from failed  # this side's own: the stream has no other
                if self._heard:
                    self._heard, attempts = False, None  # what comes next is another outage
                    continue
                await backend.sleep(self._caller.after(failed, attempts))

    async def _listen(self, attempts: Attempts) -> Step:
        stream: backend.Replies | backend.Stream[lock_pb2.AcquireResponse]
        replies, self._replies = self._replies, None
        if replies is None:
            stream = await self._open(attempts)
        else:
            replies.end_in(self._limit_s())
            stream = replies
        step = Step.FOLLOW
        try:
            while step is Step.FOLLOW:
                step = self._take(standing_from(await self._read(stream)), self._sent_at)
        finally:
            if step is Step.FOLLOW:  # not the stream of a grant: that would give it up
                stream.cancel()
        return step

    async def _open(self, attempts: Attempts) -> backend.Stream[lock_pb2.AcquireResponse]:
        """Ask on a stream of its own, anywhere: the one that had the first answer is no more."""
        self._address = await self._caller.reach(attempts)
        channel = self._caller.channel(self._address)
        self._update_wait()
        self._sends += 1
        self._streams += 1
        is_queued = self.policy.phase is Phase.QUEUED
        self._sent_at = self._caller.now() if is_queued else self._asked_at  # a copy may have been
        self._stream = stream = channel.follow(ACQUIRE, self._request, self._limit_s())
        return stream

    async def _read(
        self, stream: backend.Replies | backend.Stream[lock_pb2.AcquireResponse]
    ) -> lock_pb2.AcquireResponse:
        address = self._address
        try:
            response: lock_pb2.AcquireResponse | None = await stream.read()
        except grpc.RpcError as error:
            raise AttemptError(failure_from(error, address, sent=True)) from error
        if response is None:
            text = "the stream ended in good order"
            raise AttemptError(Failure("UNAVAILABLE", text, address, sent=True))
        self._heard = True
        self._caller.learn(address, response.header)
        return response

    def _limit_s(self) -> float | None:
        """Return the seconds that are left; None: no limit."""
        limit_s = self.policy.limit_s(self._caller.now())
        if limit_s is not None and limit_s <= 0:
            raise self._timeout()
        return limit_s

    def _timeout(self) -> LockTimeout:
        wait_s = self._wanted.wait_s
        if wait_s == 0:
            return LockTimeout(f"{self._wanted.label} was not free")
        limit_s = self._wanted.patience_s if wait_s is None else wait_s
        return LockTimeout(f"{self._wanted.label} was not had within {limit_s:g} s")

    # -- had, or not

    async def _stands(self) -> bool:
        """Whether the grant stands for sure.

        One that came late may have been taken back. And while it is not confirmed, a node that saw
        a stream of it break may give it up.
        """
        lease = self.own_lease or self._wanted.shared_lease
        if lease is not None and lease.state is LeaseState.LOST:
            return False
        if self._streams < 2 and self._caller.now() < self.policy.confirm_by(self.renewed_at()):
            return True
        request = lock_pb2.ConfirmRequest(key=self.key)
        if not (await self._caller.call(CONFIRM, request)).result.held:
            return False
        self.policy.confirmed()
        return True

    async def _give_up(self) -> None:
        """Give up a place before another one is asked for."""
        await self._releases.release(
            self.key, owns_lease=self._wanted.lease is None, lease=self._wanted.shared_lease
        )

    def _withdraw(self) -> None:
        """Give up a place that nobody is going to use, in the background."""
        self._releases.later(
            self.key, owns_lease=self._wanted.lease is None, lease=self._wanted.shared_lease
        )

    async def _abandon(self) -> None:
        """Renew no lease for it any more."""
        if self.own_lease is not None:
            await self.own_lease.abandon()


def _is_unasked(error: CallFailed, address: str) -> bool:
    """Whether it came to nothing, so that nobody follows a place for it."""
    failure = failure_from(error, address, sent=error.sent)
    return failure.outcome_of(Effect.IDENTIFIED) is Outcome.NOT_APPLIED
