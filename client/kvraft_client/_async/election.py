"""Leader election: whoever holds the lock leads, and says so in a key that goes with its lease."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

import json
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from kvraft_client._async.lock import AsyncLock
from kvraft_client._async.locking import LOCK_TTL_S, Locking
from kvraft_client._async.watching import Watching
from kvraft_client._async.writing import Writing
from kvraft_client._backends import aio as backend
from kvraft_client._backends import aio_running as running
from kvraft_client.errors import InvalidRequest, LockLost
from kvraft_client.fences import Fence, as_lock_name
from kvraft_client.lock_values import Leader
from kvraft_client.requests import Data
from kvraft_client.values import Entry

LEADER_PREFIX = b"kvraft/leader/"
"""The key of an election's leader is this and the election's name."""


class AsyncElection:
    """`async with kv.election("scheduler") as election:` runs its body as the leader.

    It gives `fence=election` to its writes, so that the store refuses those of a leader that was
    replaced; `lost` is set once it leads no more. Or `campaign()` and `resign()`, again and again.
    """

    def __init__(
        self,
        client: "Electing",
        name: bytes,
        candidate: str,
        *,
        ttl: float,
        wait: float | None,
        cancel_on_loss: bool,
    ) -> None:
        """Prepare it; nothing is asked yet."""
        self.name, self.candidate = name, candidate
        self.key = LEADER_PREFIX + name
        self._client = client
        self._ttl, self._wait, self._cancel_on_loss = ttl, wait, cancel_on_loss
        self._lock: AsyncLock | None = None

    # -- leading

    async def campaign(self, *, wait: float | None = None) -> Self:
        """Wait until this one leads. LockTimeout: not within `wait` seconds; NoQuorum ..."""
        if self._lock is not None and self._lock.held:
            raise InvalidRequest(f"{self.candidate} leads already: resign first")
        lock = self._client.lock(
            self.name, ttl=self._ttl, wait=wait, cancel_on_loss=self._cancel_on_loss
        )
        await lock.acquire()
        self._lock = lock
        try:
            value = json.dumps({"leader": self.candidate, "token": lock.token})
            await self._client.put(self.key, value, lease=lock.lease, fence=lock)
        except BaseException:
            await lock.release()
            raise
        return self

    @property
    def is_leader(self) -> bool:
        """Whether this one leads, by its own clock. Costs no call."""
        return self._lock is not None and self._lock.held

    @property
    def lock(self) -> AsyncLock:
        """The lock of the present term, or of the last one. LockLost: there was none."""
        if self._lock is None:
            raise LockLost(f"{self.candidate} does not lead: it has not campaigned")
        return self._lock

    @property
    def lost(self) -> backend.Event:
        """Set once the present term is over, be it by `resign`."""
        return self.lock.lost

    @property
    def fences(self) -> tuple[Fence, ...]:
        """For `fence=election`. LockLost: this one does not lead."""
        return self.lock.fences

    def stale(self) -> None:
        """Take the store's word that this one leads no more."""
        self.lock.stale()

    async def resign(self) -> None:
        """Lead no more; the next in line does at once. Again, nothing happens."""
        if self._lock is not None:
            await self._lock.release()

    async def __aenter__(self) -> Self:
        await self.campaign(wait=self._wait)
        await self.lock.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.lock.__aexit__(kind, error, trace)

    # -- looking

    async def leader(self, *, timeout: float | None = None) -> Leader | None:
        """Return who leads; None: nobody, or it has not said so yet."""
        return _leader(await self._client.get(self.key, timeout=timeout))

    async def observe(self) -> AsyncIterator[Leader | None]:
        """Yield who leads, now and at each change, for as long as it is asked."""
        watch = self._client.watch(self.key)
        async with watch:  # before the read, so that nothing falls in between
            entry = await self._client.get(self.key)
            seen = 0 if entry is None else entry.mod_revision
            yield _leader(entry)
            async for event in watch:
                if event.revision > seen:
                    yield _leader(event.entry if event.type == "put" else None)


class Electing(Locking, Writing, Watching):
    """Leaders."""

    def election(
        self,
        name: Data,
        *,
        candidate: str | None = None,
        ttl: float = LOCK_TTL_S,
        wait: float | None = None,
        cancel_on_loss: bool = False,
    ) -> AsyncElection:
        """Make a candidate for the leadership of `name`, or an observer of it.

        `candidate`: what others see of the leader, by default host, process and task. `wait`: for
        `with`, as of a lock. A leader that dies is replaced `ttl` seconds later.
        """
        shown = running.owner().decode() if candidate is None else candidate
        return AsyncElection(
            self, as_lock_name(name), shown, ttl=ttl, wait=wait, cancel_on_loss=cancel_on_loss
        )


def _leader(entry: Entry | None) -> Leader | None:
    if entry is None:
        return None
    try:
        found = json.loads(entry.value)
        return Leader(str(found["leader"]), int(found["token"]), entry.mod_revision)
    except (ValueError, TypeError, LookupError) as error:
        raise InvalidRequest(f"{entry.key!r} was not written by an election: {error}") from error
