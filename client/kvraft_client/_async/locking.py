"""Locks: take them, check a fence, see who holds and who waits; guards; contention."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from collections.abc import AsyncIterator, Sequence

from kvraft.v1 import cluster_pb2, kv_pb2, lock_pb2
from kvraft_client._async.acquiring import Wanted
from kvraft_client._async.caller import Caller
from kvraft_client._async.lease import AsyncLease
from kvraft_client._async.lock import AsyncLock
from kvraft_client._async.mutations import Mutations
from kvraft_client._async.releases import Releases
from kvraft_client.errors import InvalidRequest, LockTimeout
from kvraft_client.fences import FenceLike, as_lock_name, fence_of, fence_protos
from kvraft_client.lock_replies import contention_from, guard_from, guard_proto, lock_from
from kvraft_client.lock_values import Contention, Guard, LockDescription
from kvraft_client.requests import Data, as_bytes, as_ttl_ms, lock_mode
from kvraft_client.rpc import (
    CHECK_FENCE,
    CONTENTION,
    DESCRIBE_LOCK,
    GUARD_PREFIX,
    LIST_GUARDS,
    LIST_LOCKS,
    RELEASE,
)

Names = Data | Sequence[Data]
LOCK_TTL_S = 10.0
"""Of a lock's own lease: several elections; how long others wait for one that died."""


class Locking:
    """Locks that the store itself enforces."""

    _caller: Caller
    _mutations: Mutations
    _releases: Releases

    def lock(
        self,
        name: Names,
        *,
        ttl: float = LOCK_TTL_S,
        wait: float | None = None,
        shared: bool = False,
        capacity: int | None = None,
        lease: AsyncLease | int | None = None,
        owner: Data | None = None,
        max_hold: float | None = None,
        cancel_on_loss: bool = False,
        timeout: float | None = None,
    ) -> AsyncLock:
        """Make a lock, to be used once with `with`: first come, first served, not reentrant.

        Several names are had at once or not at all. `shared`: with other shared holders;
        `capacity`: with so many holders in all. `wait`: at most so many seconds (None: as long as
        it takes, 0: not at all), else LockTimeout; without an answer of the store, `timeout`. It
        is carried by a lease of its own of `ttl` seconds, or by `lease`. `owner`: who would wait
        for itself, by default the running task. After `max_hold` seconds the store reports it.
        Raises on entry, with the lock not had: LockTimeout, Deadlock, AlreadyHeld,
        LockModeConflict, LeaseNotFound, Exhausted, NoQuorum, Unreachable.
        """
        names = _names(name)
        mode, places = lock_mode(shared=shared, capacity=capacity, names=len(names))
        if wait is not None and not wait >= 0:
            raise InvalidRequest(f"wait must be a number of seconds, or None, not {wait!r}")
        wanted = Wanted(
            names=names,
            mode=mode,
            capacity=places,
            ttl_s=as_ttl_ms(ttl) / 1_000,
            lease=lease,
            wait_s=wait,
            max_hold_ms=None if max_hold is None else as_ttl_ms(max_hold),
            patience_s=self._caller.limit_s(timeout),
        )
        return AsyncLock(
            self._caller,
            self._mutations,
            self._releases,
            wanted,
            owner=None if owner is None else as_bytes("owner", owner),
            cancel_on_loss=cancel_on_loss,
        )

    async def try_lock(
        self,
        name: Names,
        *,
        ttl: float = LOCK_TTL_S,
        shared: bool = False,
        capacity: int | None = None,
        lease: AsyncLease | int | None = None,
        owner: Data | None = None,
        max_hold: float | None = None,
        cancel_on_loss: bool = False,
        timeout: float | None = None,
    ) -> AsyncLock | None:
        """Take a lock that is free now; None: it is not. Use it with `with`, or `release()` it."""
        lock = self.lock(
            name,
            ttl=ttl,
            wait=0,
            shared=shared,
            capacity=capacity,
            lease=lease,
            owner=owner,
            max_hold=max_hold,
            cancel_on_loss=cancel_on_loss,
            timeout=timeout,
        )
        try:
            return await lock.acquire()
        except LockTimeout:
            return None

    async def release_lock(
        self,
        name: Data,
        token: int,
        *,
        end_lease: bool = False,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> bool:
        """Release what holds by this token, whoever asked for it; return whether it was held.

        All names of one acquisition go together. `end_lease`: and all that hangs on its lease.
        """
        held = fence_protos([fence_of(name, token)])[0]
        request = lock_pb2.ReleaseRequest(fence=held, end_lease=end_lease)
        answer = await self._mutations.send(
            RELEASE, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
        )
        return answer.result.released

    async def check_fence(self, name: Data, token: int, *, timeout: float | None = None) -> bool:
        """Return whether a current holder of the lock has this token. Linearizable.

        For resources outside of the store, which are asked with the fence of a holder elsewhere.
        """
        fence = kv_pb2.Fence(**fence_of(name, token)._asdict())
        request = lock_pb2.CheckFenceRequest(fence=fence)
        return (await self._caller.call(CHECK_FENCE, request, timeout=timeout)).result.held

    async def describe_lock(
        self, name: Data, *, timeout: float | None = None
    ) -> LockDescription | None:
        """Return who holds a lock and who waits for it; None: nobody does."""
        request = lock_pb2.LockServiceDescribeRequest(name=as_lock_name(name))
        found = (await self._caller.call(DESCRIBE_LOCK, request, timeout=timeout)).result
        return lock_from(found.lock) if found.HasField("lock") else None

    async def list_locks(
        self, prefix: Data = b"", *, timeout: float | None = None
    ) -> AsyncIterator[LockDescription]:
        """Yield the locks in use whose names begin so, by name; `timeout` is for each page."""
        request = lock_pb2.LockServiceListRequest(prefix=as_bytes("prefix", prefix))
        while True:
            page = (await self._caller.call(LIST_LOCKS, request, timeout=timeout)).result
            for lock in page.locks:
                yield lock_from(lock)
            if not page.more or not page.locks:
                return
            request.after = page.locks[-1].name

    # -- guards

    async def guard(
        self,
        prefix: Data,
        *,
        lock: Data | None = None,
        per_key: bool = False,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> None:
        """Refuse writes under a prefix (FenceRequired) without the fence of a lock.

        That of the exclusive holder of `lock`, or (`per_key`) of the lock named like the key. Of
        several prefixes of a key the longest decides; the end of a lease needs no fence.
        """
        if (lock is None) != per_key:
            raise InvalidRequest("give lock= or per_key=True")
        name = None if lock is None else as_lock_name(lock)
        guard = guard_proto(as_bytes("prefix", prefix), name, per_key=per_key)
        request = cluster_pb2.GuardPrefixRequest(guard=guard)
        await self._mutations.send(
            GUARD_PREFIX, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
        )

    async def unguard(
        self,
        prefix: Data,
        *,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> None:
        """Demand no fence any more under exactly this prefix."""
        guard = guard_proto(as_bytes("prefix", prefix), None, per_key=False)
        request = cluster_pb2.GuardPrefixRequest(guard=guard)
        await self._mutations.send(
            GUARD_PREFIX, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
        )

    async def guards(self, *, timeout: float | None = None) -> list[Guard]:
        """Return all guards."""
        request = cluster_pb2.ListGuardsRequest()
        answer = await self._caller.call(LIST_GUARDS, request, timeout=timeout)
        return [guard_from(each) for each in answer.result.guards]

    async def contention(self, *, limit: int = 0, timeout: float | None = None) -> Contention:
        """Return where callers collide, the top `limit` keys and locks (0: 20), as one node saw."""
        request = cluster_pb2.ContentionRequest(limit=limit)
        return contention_from(
            (await self._caller.call(CONTENTION, request, timeout=timeout)).result
        )


def _names(given: Names) -> tuple[bytes, ...]:
    names = [given] if isinstance(given, str | bytes) else list(given)
    encoded = sorted(as_lock_name(each) for each in names)
    if not encoded:
        raise InvalidRequest("give the name of a lock, or several")
    if len(set(encoded)) < len(encoded):
        raise InvalidRequest("a name of a lock is given twice")
    return tuple(encoded)
