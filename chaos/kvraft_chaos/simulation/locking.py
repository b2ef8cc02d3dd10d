"""What simulated clients do with locks: a mix of all kinds, of good manners and of bad ones."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from kvraft.core.commands import Acquire, Delete, LockMode, Put, Txn
from kvraft.core.results import GuardResult
from kvraft_chaos.simulation.client_process import Answered, view
from kvraft_chaos.simulation.fence_watch import COUNTER, COUNTER_LOCK, GUARDS, FenceWatch
from kvraft_chaos.simulation.lock_holder import Held, LockHolder
from kvraft_client.policy.failure import Effect

LOCKS = (b"lock/0", b"lock/1", b"lock/2")
COUNTED, CAPACITY = b"lock/n", 2
GUARDED = (b"p/0", b"p/1")
"""Keys with a lock of their own each."""
TASKS = 2
"""At a time in one client; each is an owner."""
PAUSE = (0.2, 1.5)
"""Seconds between two undertakings of a task."""
TTL_MS = (1_000, 3_000)
WAIT_MS = (200, 2_500)
PATIENCE = (0.5, 4.0)
"""Seconds that a client waits, whatever it told the store."""
HOLD = (0.0, 0.6)
"""Seconds."""
MIX: dict[str, int] = {
    "count": 7,
    "exclusive": 3,
    "shared": 4,
    "counted": 3,
    "all": 2,
    "nested": 4,
    "cancelled": 2,
    "per_key": 2,
    "unfenced": 1,
    "stale": 1,
}
KINDS = tuple(kind for kind, weight in MIX.items() for _ in range(weight))
NO_OWNER, TRIES, SHARED_LEASE, STREAMED, FORGETFUL = 0.2, 0.15, 0.4, 0.5, 0.12
"""Shares of the acquisitions; who is forgetful neither confirms nor releases."""


class Locking:
    """All that one client process does with locks, in one life of it."""

    def __init__(self, holder: LockHolder, fences: FenceWatch, life: int) -> None:
        """`life`: a number that no other process ever had."""
        self._holder = holder
        self._process = holder.process
        self._chance = holder.process.chance
        self._fences = fences
        self._life = life
        self._number = 0
        self._lease: int | None = None
        self._stopped = False
        self._doings: dict[str, Callable[[bytes], Awaitable[object]]] = {
            kind: getattr(self, f"_{kind}") for kind in MIX
        }

    def start(self) -> None:
        """Begin."""
        for command in self._holder.returns():
            self._process.begin(self._come_back(command))
        for number in range(TASKS):
            self._process.begin(self._work(f"{self._process.name}/{number}".encode()))

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopped = True

    def crash(self) -> None:
        """As by kill -9."""
        self._process.kill()
        self._holder.crash()

    async def _work(self, owner: bytes) -> None:
        chance = self._chance
        while not self._stopped and not await self._guard():
            await self._process.sleep(chance.between(*PAUSE))
        while not self._stopped:
            await self._process.sleep(chance.between(*PAUSE))
            await self._doings[chance.pick(KINDS)](owner)

    async def _guard(self) -> bool:
        """Nobody counts before the guard stands."""
        told = [await self._holder.write(each, ()) for each in GUARDS]
        return all(each is not None and isinstance(each.result, GuardResult) for each in told)

    async def _come_back(self, command: Acquire) -> None:
        """Another life asked for it: ask again with its key, then give it back."""
        held = await self._holder.acquire(command, self._patience(), streamed=self._draw(STREAMED))
        if held is not None:
            await self._hold(held)
        elif self._draw(0.5):
            await self._holder.release(command)

    # -- the mix

    async def _exclusive(self, owner: bytes) -> None:
        await self._use((self._chance.pick(LOCKS),), owner)

    async def _shared(self, owner: bytes) -> None:
        await self._use((self._chance.pick(LOCKS),), owner, LockMode.SHARED)

    async def _counted(self, owner: bytes) -> None:
        await self._use((COUNTED,), owner, LockMode.COUNTED, CAPACITY)

    async def _all(self, owner: bytes) -> None:
        names = tuple(sorted(self._chance.sample(LOCKS, 2 + self._chance.below(2))))
        await self._use(names, owner)

    async def _nested(self, owner: bytes) -> None:
        """Two locks one after the other, in any order: what a deadlock needs."""
        first, second = self._chance.sample(LOCKS, 2)
        held = await self._take((first,), owner)
        if held is not None:
            await self._use((second,), owner)
            await self._hold(held)

    async def _cancelled(self, owner: bytes) -> None:
        """The release may overtake what it cancels."""
        command = await self._command((self._chance.pick(LOCKS),), owner)
        self._process.begin(self._ignore(command))
        await self._process.sleep(self._chance.random() * 0.3)
        await self._holder.release(command)

    async def _ignore(self, command: Acquire) -> None:
        await self._holder.acquire(command, 0.5, streamed=self._draw(STREAMED))

    async def _per_key(self, owner: bytes) -> None:
        """A key that is a lock, written alone or in a transaction with one that is not."""
        key = self._chance.pick(GUARDED)
        held = await self._take((key,), owner)
        if held is None:
            return
        other = self._chance.pick(GUARDED)
        whole = Txn(None, (Put(key, b"1"), Put(other, b"1"))) if other != key else Delete(key)
        await self._holder.write(self._chance.pick((Put(key, b"0"), whole)), held.fences)
        await self._let_go(held)

    async def _unfenced(self, _owner: bytes) -> None:
        await self._holder.write(Put(self._chance.pick((COUNTER, *GUARDED)), b"-1"), ())

    async def _stale(self, owner: bytes) -> None:
        """Shared, or given back already: it entitles to nothing."""
        mode = self._chance.pick((LockMode.SHARED, LockMode.EXCLUSIVE))
        held = await self._take((COUNTER_LOCK,), owner, mode)
        if held is None:
            return
        is_over = mode is LockMode.SHARED or await self._holder.release(held.command)
        if is_over:  # a release that was not answered may leave it the holder
            await self._holder.write(Put(COUNTER, b"-1"), held.fences)
        await self._let_go(held)

    async def _count(self, owner: bytes) -> None:
        """Read, think, write what was read and one: nobody may write in between."""
        held = await self._take((COUNTER_LOCK,), owner)
        if held is None:
            return
        seen = await self._process.call(
            Effect.READ, view(lambda machine: machine.get(COUNTER)), 2.0
        )
        if isinstance(seen, Answered):
            entry = seen.reply.value
            if self._draw(0.12):
                self._holder.neglect(held.lease_id)
                await self._process.sleep(self._chance.between(1.0, 4.5))
            await self._process.sleep(self._chance.random() * 0.1)
            value = 1 if entry is None else int(entry.value) + 1
            self._fences.asked += 1
            sent = await self._holder.write(Put(COUNTER, str(value).encode()), held.fences)
            if sent is not None:
                self._fences.counted(sent.result)
        await self._let_go(held)

    # -- taking and letting go

    async def _use(
        self,
        names: tuple[bytes, ...],
        owner: bytes,
        mode: LockMode = LockMode.EXCLUSIVE,
        capacity: int = 1,
    ) -> None:
        held = await self._take(names, owner, mode, capacity)
        if held is not None:
            await self._hold(held)

    async def _take(
        self,
        names: tuple[bytes, ...],
        owner: bytes,
        mode: LockMode = LockMode.EXCLUSIVE,
        capacity: int = 1,
    ) -> Held | None:
        command = replace(await self._command(names, owner), mode=mode, capacity=capacity)
        held = await self._holder.acquire(command, self._patience(), streamed=self._draw(STREAMED))
        if held is None and self._draw(0.7):
            await self._holder.release(command)
        return held

    async def _hold(self, held: Held) -> None:
        if self._draw(FORGETFUL):
            if held.command.ttl_ms is not None:
                self._holder.neglect(held.lease_id)
            return
        await self._holder.confirm(held)
        await self._process.sleep(self._chance.between(*HOLD))
        await self._let_go(held)

    async def _let_go(self, held: Held) -> None:
        by = self._chance.pick(held.fences) if self._draw(0.1) else None
        await self._holder.release(held.command, by=by)
        if held.command.ttl_ms is not None:
            self._holder.neglect(held.lease_id)

    async def _command(self, names: tuple[bytes, ...], owner: bytes) -> Acquire:
        chance = self._chance
        self._number += 1
        key = f"{self._process.name}/{self._life}/{self._number}".encode()
        ttl_ms: int | None = chance.integer(*TTL_MS)
        lease_id: int | None = None
        if self._draw(SHARED_LEASE):
            if self._lease is None or not self._holder.keeps(self._lease) or self._draw(0.1):
                self._lease = await self._holder.grant(chance.integer(*TTL_MS))
            if self._lease is not None:
                lease_id, ttl_ms = self._lease, None
        wait_ms: int | None = chance.integer(*WAIT_MS) if self._draw(0.6) else None
        if self._draw(TRIES):
            wait_ms = 0
        owner = b"" if self._draw(NO_OWNER) else owner
        return Acquire(key, names, lease_id=lease_id, ttl_ms=ttl_ms, owner=owner, wait_ms=wait_ms)

    def _patience(self) -> float:
        return self._chance.between(*PATIENCE)

    def _draw(self, share: float) -> bool:
        return self._chance.happens(share)
