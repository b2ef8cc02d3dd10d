# Generated from _async/lock.py by scripts/generate_sync_client.py: do not edit.
"""A lock held by this process: waited for on entry, kept in the background, released on exit."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

import logging
from types import TracebackType
from typing import Self

from kvraft.v1 import lock_pb2
from kvraft_client._sync.acquiring import Acquiring, Wanted
from kvraft_client._sync.caller import Caller
from kvraft_client._sync.lease import LOOK_S, Lease
from kvraft_client._sync.mutations import Mutations
from kvraft_client._sync.releases import Releases
from kvraft_client._backends import threads as backend
from kvraft_client._backends import thread_running as running
from kvraft_client.errors import ClientClosed, InvalidRequest, KvraftError, LockLost
from kvraft_client.fences import Fence, fence_protos
from kvraft_client.policy.lock import Phase
from kvraft_client.rpc import CHECK_FENCE, CONFIRM

_LOG = logging.getLogger("kvraft_client")
CONFIRM_S = 1.0
"""How long one attempt to confirm may take: giving the lock up may have to wait for its end."""
CONFIRM_PAUSE_S = 0.1
"""Between two of them: the call itself has tried every endpoint."""


class Lock:
    """`with kv.lock("jobs/nightly", wait=30.0) as lock:` runs its body with the lock held.

    It never runs it otherwise. Being lost does not stop the body, unless `cancel_on_loss` was
    given: pass `fence=lock` to every write, watch `lost`, or call `check()` before what matters
    elsewhere. Used once; ask for a new one each time.
    """

    lost: backend.Event
    """Set once it is not held any more: lost, or released."""

    def __init__(
        self,
        caller: Caller,
        mutations: Mutations,
        releases: Releases,
        wanted: Wanted,
        *,
        owner: bytes | None,
        cancel_on_loss: bool,
    ) -> None:
        """Prepare it; nothing is asked before it is entered."""
        self.names = wanted.names
        self.lost = backend.Event()
        self._caller, self._releases, self._wanted = caller, releases, wanted
        self._mutations = mutations
        self._owner, self._cancel_on_loss = owner, cancel_on_loss
        self._acquiring: Acquiring | None = None
        self._is_had = False
        self._fences: tuple[Fence, ...] = ()
        self._why = "it was not had yet"
        self._body: running.Body | None = None
        self._stopping = backend.Event()
        self._confirming: backend.Task | None = None
        self._releasing = False

    # -- what it is

    @property
    def phase(self) -> Phase:
        """Where it stands. Costs no call."""
        acquiring = self._acquiring
        if acquiring is None:
            return Phase.ASKING
        acquiring.policy.renewed(acquiring.renewed_at())
        return acquiring.policy.phase

    @property
    def held(self) -> bool:
        """Whether this process may count on it, by its own clock. Costs no call."""
        if not self._is_had or self._acquiring is None:
            return False
        self._look(self._acquiring)
        return self._acquiring.policy.is_held

    @property
    def fences(self) -> tuple[Fence, ...]:
        """One fence for each name, by name. LockLost: it is not held. Costs no call."""
        if not self.held:
            raise LockLost(f"{self._wanted.label} is not held: {self._why}")
        return self._fences

    @property
    def fence(self) -> Fence:
        """The fence of a lock of one name: a (name, token) pair for others to act under it."""
        found = self.fences
        if len(found) > 1:
            raise InvalidRequest(f"it has {len(found)} fences: use .fences")
        return found[0]

    @property
    def token(self) -> int:
        """The token of a lock of one name: larger than that of any holder before."""
        return self.fence.token

    @property
    def tokens(self) -> tuple[int, ...]:
        """All tokens, by name."""
        return tuple(each.token for each in self.fences)

    @property
    def lease(self) -> Lease | int:
        """The lease that carries it: keys attached to it go with the lock, if it is its own."""
        own = None if self._acquiring is None else self._acquiring.own_lease
        found = own if self._wanted.lease is None else self._wanted.lease
        if found is None:
            raise LockLost(f"{self._wanted.label} is not held: {self._why}")
        return found

    def check(self, *, timeout: float | None = None) -> None:
        """Ask the store, linearizably. LockLost: it is held no more."""
        request = lock_pb2.CheckFenceRequest(fence=fence_protos(self.fences)[0])
        answer = self._caller.call(CHECK_FENCE, request, timeout=timeout)
        if not answer.result.held:
            self.stale()
            raise LockLost(f"{self._wanted.label} is not held: {self._why}")

    def stale(self) -> None:
        """Take the store's word that it is held no more."""
        self._lose("the store says so")

    # -- taking it

    def acquire(self) -> Self:
        """Wait for it. LockTimeout, Deadlock, AlreadyHeld, NoQuorum ...: it is not had."""
        if self._acquiring is not None:
            raise InvalidRequest(f"{self._wanted.label} was used before; ask for a new lock")
        begun = self._caller.now()
        acquiring = Acquiring(self._caller, self._mutations, self._releases, self._wanted)
        self._acquiring = acquiring
        try:
            granted = acquiring.run(running.owner() if self._owner is None else self._owner)
        finally:
            with self._caller.lock:
                self._caller.metrics.lock_wait_s += self._caller.now() - begun
        with self._caller.lock:
            self._caller.metrics.locks += 1
        self._fences = tuple(Fence(*each) for each in granted.fences)
        self._is_had = True
        lease = self.lease
        if isinstance(lease, Lease):
            lease.on_over(self._lease_over)
        policy = acquiring.policy
        if policy.phase is Phase.GRANTED and policy.needs_confirm:
            after_s = policy.confirm_in_s(self._caller.now(), acquiring.renewed_at())
            self._confirming = backend.Task(
                self._confirm, "kvraft-lock-confirm", min(after_s, LOOK_S)
            )
        return self

    def __enter__(self) -> Self:
        body = running.Body() if self._cancel_on_loss else None
        if not self._is_had:
            self.acquire()
        if not self.held:  # between the grant and here
            self.release()
            raise LockLost(f"{self._wanted.label} is not held: {self._why}")
        self._body = body  # not before: what `held` finds out is no reason to cancel anybody
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release. LockLost where `cancel_on_loss` ended the body."""
        body, self._body = self._body, None
        was_cancelled = body is not None and body.absorb(error)
        self.release()
        if was_cancelled:
            raise LockLost(f"{self._wanted.label} is not held: {self._why}") from error

    def release(self) -> None:
        """Give it up; before it is had, again, or after it was lost, nothing happens.

        Survives cancellation. Without an answer it goes on in the background, and the lease ends
        it at the latest.
        """
        with self._caller.lock:
            first = self._is_had and not self._releasing
            self._releasing = self._is_had
        if first:
            running.shielded(self._release)

    def _release(self) -> None:
        acquiring = self._acquiring
        if acquiring is None:
            raise AssertionError("nothing was had")
        if acquiring.policy.released():
            self._why = "it was released"
        self._stopping.set()
        if self._confirming is not None:
            self._confirming.forget()
        self.lost.set()
        if acquiring.own_lease is not None:
            acquiring.own_lease.abandon()
        shared = self._wanted.shared_lease
        if shared is not None:
            shared.off_over(self._lease_over)
        self._releases.release(
            acquiring.key, owns_lease=self._wanted.lease is None, lease=shared
        )

    # -- keeping it

    def _confirm(self) -> None:
        """Tell the store that this side knows of the grant, unless it is given up soon.

        `policy.lock` says when; then until the store has heard.
        """
        acquiring = self._acquiring
        if acquiring is None:
            return
        request = lock_pb2.ConfirmRequest(key=acquiring.key)
        while self.phase is Phase.GRANTED and not self._stopping.is_set():
            self._look(acquiring)
            wait_s = acquiring.policy.confirm_in_s(self._caller.now(), acquiring.renewed_at())
            if wait_s > 0:
                backend.wait(self._stopping, min(wait_s, LOOK_S))
                continue
            try:
                answer = self._caller.call(CONFIRM, request, timeout=CONFIRM_S)
            except ClientClosed:
                return
            except KvraftError as failed:
                _LOG.debug("%s was not confirmed: %s", self._wanted.label, failed)
                backend.wait(self._stopping, CONFIRM_PAUSE_S)
            else:
                if answer.result.held:
                    acquiring.policy.confirmed()
                else:
                    self._lose("the store took the grant back")

    def _look(self, acquiring: Acquiring) -> None:
        """Look at the clocks."""
        lease = self.lease
        if isinstance(lease, Lease):
            _ = lease.state  # tells when it is lost
        acquiring.policy.renewed(acquiring.renewed_at())
        if acquiring.policy.phase is Phase.GRANTED:
            confirm_by = acquiring.policy.confirm_by(acquiring.renewed_at())
            if self._caller.now() >= confirm_by:
                self._lose("the grant was not confirmed in time")

    def _lease_over(self) -> None:
        self._lose("its lease is over")

    def _lose(self, why: str) -> None:
        with self._caller.lock:
            if self._acquiring is None or not self._acquiring.policy.lost():
                return
            self._why = why
            self._caller.metrics.locks_lost += 1
        self.lost.set()
        self._stopping.set()
        _LOG.warning("%s is lost: %s", self._wanted.label, why)
        if self._body is not None:
            self._body.cancel()
