# Generated from _async/lease.py by scripts/generate_sync_client.py: do not edit.
"""A lease held by this process: granted on entry, renewed in the background, revoked on exit."""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from kvraft.v1 import lease_pb2
from kvraft_client._sync.caller import Caller
from kvraft_client._sync.mutations import Mutations
from kvraft_client._backends import threads as backend
from kvraft_client.errors import ClientClosed, KvraftError, LeaseLost, LeaseNotFound
from kvraft_client.policy.lease_state import LeaseClock, LeaseState
from kvraft_client.requests import as_ttl_ms
from kvraft_client.rpc import GRANT, KEEP_ALIVE, REVOKE

_LOG = logging.getLogger("kvraft_client")
LOOK_S = 1.0
"""How often the clock is looked at while nothing is due: waiting does not count suspends."""


class Lease:
    """`with kv.lease(ttl=10.0) as lease:` holds while the body runs, unless it is lost.

    Being lost does not stop the body: watch `lost`, or call `check()` before what matters.
    """

    lost: backend.Event
    """Set once the lease is over: lost, or revoked on exit."""

    def __init__(self, caller: Caller, mutations: Mutations, ttl: float) -> None:
        """Prepare a lease of `ttl` seconds; it is granted on entry."""
        self.ttl = ttl
        self.lost = backend.Event()
        self._ttl_ms = as_ttl_ms(ttl)
        self._caller, self._mutations = caller, mutations
        self._lock = backend.Lock()
        self._id: int | None = None
        self._cluster_id = 0
        """Of the cluster that granted it."""
        self._clock: LeaseClock | None = None
        self._followers: list[Callable[[], None]] = []
        self._stopping = backend.Event()
        self._renewals: backend.Task | None = None

    @property
    def id(self) -> int:
        """The lease's id, for the use of others; it is known once the lease was granted."""
        if self._id is None:
            raise LeaseLost("the lease is not granted yet: use it as a context manager")
        return self._id

    @property
    def state(self) -> LeaseState:
        """SAFE, JEOPARDY (a renewal was missed) or LOST, which is final. Costs no call."""
        if self._clock is None:
            return LeaseState.LOST
        with self._lock:
            state = self._clock.state(self._caller.now())
        if state is LeaseState.LOST:
            self._over()
        return state

    @property
    def remaining_s(self) -> float:
        """Seconds this process may count on, if no renewal succeeds from now on."""
        if self._clock is None:
            return 0.0
        with self._lock:
            return self._clock.remaining_s(self._caller.now())

    def check(self) -> None:
        """Raise LeaseLost once the lease is over. Costs no call."""
        if self.state is LeaseState.LOST:
            raise LeaseLost(
                "the lease is not held" if self._id is None else f"lease {self._id} is lost"
            )

    def ended(self) -> None:
        """Take note that the store does not know the lease any more."""
        if self._clock is not None:
            with self._lock:
                self._clock.ended()
        self._over()

    def on_over(self, follower: Callable[[], None]) -> None:
        """Call `follower` once the lease is over; at once, if it is."""
        with self._lock:
            self._followers.append(follower)
        if self.lost.is_set():
            self._over()

    def off_over(self, follower: Callable[[], None]) -> None:
        """Do not call it any more."""
        with self._lock:
            if follower in self._followers:
                self._followers.remove(follower)

    def _over(self) -> None:
        self.lost.set()
        with self._lock:
            followers, self._followers = self._followers, []
        for each in followers:
            each()

    @property
    def renewed_at(self) -> float | None:
        """When the last renewal (or grant) that was acknowledged was sent; None: not granted."""
        if self._clock is None:
            return None
        with self._lock:
            return self._clock.renewed_at

    def adopt(self, lease_id: int, ttl_s: float, sent_at: float) -> None:
        """Keep a lease alive that was granted by a request sent at `sent_at`."""
        self._clock = LeaseClock(ttl_s, sent_at)
        self._cluster_id = self._caller.cluster_id
        self._id = lease_id
        with self._lock:
            wait_s = self._clock.next_renewal() - self._caller.now()
        name = f"kvraft-lease-{lease_id}"
        self._renewals = backend.Task(self._keep_alive, name, min(wait_s, LOOK_S))

    def abandon(self) -> None:
        """Renew it no more: it is over for this process, and ends by its TTL."""
        self._stopping.set()
        if self._renewals is not None:
            self._renewals.stop()
        self.ended()

    def __enter__(self) -> Self:
        if self._id is not None:
            raise LeaseLost(f"lease {self._id} was used before; ask for a new one")
        request = lease_pb2.GrantRequest(ttl_ms=self._ttl_ms)
        granted = self._mutations.send(GRANT, request, timeout=None)
        self.adopt(granted.result.lease_id, granted.result.ttl_ms / 1_000, granted.sent_at)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the renewals and revoke. A revoke that fails is logged: the TTL ends the lease."""
        self._stopping.set()
        if self._renewals is not None:
            self._renewals.stop()
        alive = self.state is not LeaseState.LOST
        remaining_s = self.remaining_s
        self.ended()
        if not alive:
            return
        try:
            request = lease_pb2.RevokeRequest(lease_id=self.id)
            timeout = min(self._caller.config.timeout_s, max(remaining_s, 0.05))
            self._mutations.send(REVOKE, request, timeout=timeout)
        except LeaseNotFound:
            pass
        except KvraftError as failed:
            _LOG.warning("lease %d was not revoked, it ends by its TTL: %s", self.id, failed)

    def _keep_alive(self) -> None:
        """Renew when it is due until stopped or lost."""
        clock, now = self._clock, self._caller.now
        if clock is None:
            return
        while self.state is not LeaseState.LOST:
            with self._lock:
                wait_s = clock.next_renewal() - now()
            if wait_s <= 0:
                self._renew(clock)
            if backend.wait(self._stopping, min(wait_s, LOOK_S)):
                return
        _LOG.warning("lease %d is lost", self.id)

    def _renew(self, clock: LeaseClock) -> None:
        """Try each endpoint for a short while; the caller tries again as long as there is time."""
        request = lease_pb2.KeepAliveRequest(lease_id=self.id)
        with self._lock:
            limit_s = max(0.01, min(clock.attempt_s, clock.remaining_s(self._caller.now())))
        try:
            answer = self._caller.call(
                KEEP_ALIVE, request, timeout=limit_s, attempt_s=limit_s
            )
        except LeaseNotFound:
            self.ended()
        except ClientClosed:
            self._stopping.set()
        except KvraftError as failed:
            _LOG.debug("lease %d was not renewed: %s", self.id, failed)
            with self._lock:
                clock.renewal_failed(self._caller.now())
        else:
            # After a restore the same number is another's lease, and locks did not come along.
            if answer.result.ttl_ms == 0 or answer.result.header.cluster_id != self._cluster_id:
                self.ended()
                return
            with self._lock:
                clock.renewed(answer.sent_at, answer.result.ttl_ms / 1_000, self._caller.now())
