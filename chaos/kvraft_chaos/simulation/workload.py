"""What one simulated client process does: a mix of everything that the state machine offers."""

from collections.abc import Callable
from typing import TypeVar

from kvraft.core.commands import (
    Command,
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
)
from kvraft.core.machine import StateMachine
from kvraft.core.results import KeyValue, LeaseResult, Page, Refused, Result
from kvraft_chaos.simulation.account import Account, Asked
from kvraft_chaos.simulation.client_process import (
    Answered,
    ClientProcess,
    Failed,
    hash_state,
    mutate,
    view,
)
from kvraft_chaos.simulation.lease_watch import Holder, LeaseWatch, granted_by
from kvraft_chaos.simulation.tasks import Promise
from kvraft_client.policy.failure import Effect, Outcome
from kvraft_client.policy.lease_state import LeaseClock, LeaseState

T = TypeVar("T")

KEYS = tuple(f"k{number:02}".encode() for number in range(12))
PAGE_ENTRIES = 5
"""So that lists of this key space have several pages."""
PAGE_BYTES = 1 << 20
TIMEOUT = (0.5, 4.0)
"""Seconds a client gives a call."""
PAUSE = (0.01, 0.16)
"""Seconds between two bursts of one client."""
TTL_MS = (1_000, 4_000)
LEASES = 3
"""Kept at a time by one process."""
HELD = (0.5, 8.0)
"""Seconds that a lease is kept alive."""

MIX: dict[str, int] = {
    "get": 24,
    "put": 15,
    "put_ttl": 6,
    "put_lease": 7,
    "put_keep": 3,
    "cas": 22,
    "delete": 5,
    "delete_range": 1,
    "list_page": 6,
    "grant": 4,
    "keep_alive": 2,
    "describe": 2,
    "state_hash": 1,
}
"""Weights. Revokes, and nearly all keepalives, are the lease keepers' own."""
ANY_NODE = 0.25
"""Share of the requests that go to any node, once: followers forward, and answer reads."""
KINDS = tuple(kind for kind, weight in MIX.items() for _ in range(weight))


class Identities:
    """Every written value is a number that nobody wrote before."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> bytes:
        """Return the next value."""
        self.last += 1
        return str(self.last).encode()


class _Burst:
    """Operations that one client has in flight together."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.over: Promise[None] = Promise()


class Workload:
    """The tasks of one client process, for one life of it."""

    def __init__(
        self, process: ClientProcess, account: Account, watch: LeaseWatch, identities: Identities
    ) -> None:
        self.process = process
        self._account = account
        self._watch = watch
        self._identities = identities
        self._chance = process.chance
        self._seen: dict[bytes, KeyValue | None] = {}
        """The newest entry that this process knows of a key."""
        self._leases: dict[int, None] = {}
        self._asked: list[Asked] = []
        self._stopped = False

    def start(self) -> None:
        """Begin."""
        self.process.begin(self._work())

    def stop(self) -> None:
        """Begin nothing new; what is under way may finish."""
        self._stopped = True

    def crash(self) -> None:
        """As by kill -9."""
        self.process.kill()
        for lease_id in self._leases:
            self._watch.holders.pop(lease_id, None)
        self._account.crash(self._asked)

    async def _work(self) -> None:
        chance = self._chance
        await self.process.sleep(chance.random() * PAUSE[1])
        while not self._stopped:
            burst = _Burst(chance.pick((1, 1, 2, 6)))
            for _ in range(burst.left):
                self.process.begin(self._operate(burst))
            await burst.over
            await self.process.sleep(chance.between(*PAUSE))

    async def _operate(self, burst: "_Burst") -> None:
        kind = self._chance.pick(KINDS)
        await getattr(self, f"_{kind}")()
        burst.left -= 1
        if burst.left == 0:
            burst.over.keep(None)

    # -- mutations

    async def _mutate(
        self, command: Command, effect: Effect = Effect.MUTATION, limit: float | None = None
    ) -> tuple[Result, float] | None:
        """Return the result and when it was sent (the client's clock); None where it failed."""
        timeout = self._chance.between(*TIMEOUT) if limit is None else limit
        asked = self._account.ask(command)
        self._asked = [each for each in self._asked if not each.settled]
        self._asked.append(asked)
        if limit is None and self._chance.happens(ANY_NODE):
            came = await self.process.once(mutate(command), timeout)
        else:
            came = await self.process.call(effect, mutate(command), timeout, limit)
        if isinstance(came, Failed):
            self._account.deny(asked, unknown=came.outcome is Outcome.UNKNOWN)
            return None
        told, index = came.reply.value, came.reply.index
        self._account.tell(asked, told.result, index, told.revision)
        granted = granted_by(command, told.result)
        if granted is not None:
            self._watch.told(*granted, came.sent_true, index)
        if isinstance(told.result, Refused):
            return told.result, came.sent_at
        entry = getattr(told.result, "entry", None)
        if entry is not None:
            self._seen[entry.key] = entry
        return told.result, came.sent_at

    async def _put(self) -> None:
        previous = self._chance.happens(0.3)
        await self._mutate(Put(self._key(), self._identities.next(), return_previous=previous))

    async def _put_ttl(self) -> None:
        await self._mutate(Put(self._key(), self._identities.next(), ttl_ms=self._ttl()))

    async def _put_lease(self) -> None:
        """Under a lease that is alive, or that was: an old id must be refused."""
        if self._leases:
            lease_id = self._chance.pick(tuple(self._leases))
            key, value = self._key(), self._identities.next()
            result = await self._mutate(Put(key, value, lease_id=lease_id))
            if result is not None and isinstance(result[0], Refused):
                self._leases.pop(lease_id, None)
        else:
            await self._grant()

    async def _put_keep(self) -> None:
        await self._mutate(Put(self._key(), self._identities.next(), keep_lease=True))

    async def _cas(self) -> None:
        key, value = self._key(), self._identities.next()
        expect = self._expect(self._seen.get(key))
        ttl_ms = self._ttl() if self._chance.happens(0.1) else None
        result = await self._mutate(CompareAndSet(key, value, expect, ttl_ms=ttl_ms))
        if result is not None and getattr(result[0], "entry", self) is None:
            self._seen[key] = None

    def _expect(self, seen: KeyValue | None) -> Expect:
        if seen is None:
            return Expect(absent=True)
        match self._chance.below(5):
            case 0:
                return Expect(value=seen.value)
            case 1:
                return Expect(version=seen.version)
            case 2:
                return Expect(create_revision=seen.create_revision)
            case 3:
                return Expect(mod_revision=seen.mod_revision, version=seen.version)
            case _:
                return Expect(mod_revision=seen.mod_revision)

    async def _delete(self) -> None:
        await self._mutate(Delete(self._key(), return_previous=self._chance.happens(0.3)))

    async def _delete_range(self) -> None:
        start = self._chance.below(len(KEYS))
        last = start + 1 + self._chance.below(3)
        end = KEYS[last] if last < len(KEYS) else None
        await self._mutate(DeleteRange(KEYS[start], end))

    # -- reads

    async def _read(self, look: Callable[[StateMachine], T]) -> Answered[T] | Failed:
        seconds = self._chance.between(*TIMEOUT)
        if self._chance.happens(ANY_NODE):
            return await self.process.once(view(look), seconds)
        return await self.process.call(Effect.READ, view(look), seconds)

    async def _get(self) -> None:
        key = self._key()
        asked = self._account.chronicle.moment()
        came = await self._read(lambda machine: machine.get(key))
        if isinstance(came, Answered):
            self._seen[key] = came.reply.value
            self._account.read(f"get of {key.decode()}", came.reply.index, asked)
            self._account.saw(key, came.reply.value, asked)

    async def _list_page(self) -> None:
        start = KEYS[self._chance.below(len(KEYS))]
        asked = self._account.chronicle.moment()
        came = await self._read(
            lambda machine: machine.page(start, None, limit=PAGE_ENTRIES, max_bytes=PAGE_BYTES)
        )
        if isinstance(came, Answered):
            self._account.read(f"list from {start.decode()}", came.reply.index, asked)
            self._saw_page(start, came.reply.value, asked)

    def _saw_page(self, start: bytes, page: Page, asked: int) -> None:
        """Where a page has no entry for a key that it spans, the key was absent."""
        found = {entry.key: entry for entry in page.entries}
        last = page.entries[-1].key if page.more else KEYS[-1]
        for key in KEYS:
            if start <= key <= last:
                self._seen[key] = found.get(key)
                self._account.saw(key, found.get(key), asked)

    async def _describe(self) -> None:
        if not self._leases:
            return
        lease_id = self._chance.pick(tuple(self._leases))
        asked = self._account.chronicle.moment()
        came = await self._read(lambda machine: machine.describe_lease(lease_id))
        if isinstance(came, Answered):
            self._account.read(f"describe of lease {lease_id}", came.reply.index, asked)

    async def _state_hash(self) -> None:
        came = await self.process.call(Effect.READ, hash_state, self._chance.between(*TIMEOUT))
        if isinstance(came, Answered):
            self._account.done += 1
            for each in came.reply.value:
                self._account.chronicle.compare_hash(each.node, each.index, each.digest)

    # -- leases

    async def _grant(self) -> None:
        if len(self._leases) >= LEASES:
            return
        chance = self._chance
        number = int(self._identities.next())
        lease_id = 1_000_000 + number if chance.happens(0.5) else None
        granted = await self._mutate(LeaseGrant(self._ttl(), lease_id))
        if granted is not None and isinstance(granted[0], LeaseResult):
            lease = granted[0]
            self._leases[lease.lease_id] = None
            self.process.begin(self._keep(lease, granted[1]))

    async def _keep_alive(self) -> None:
        if self._leases:
            await self._mutate(
                LeaseKeepAlive(self._chance.pick(tuple(self._leases))), Effect.REPEATABLE
            )

    async def _keep(self, lease: LeaseResult, sent_at: float) -> None:
        """Renew a lease as the client does, for a while; then revoke it, or just stop."""
        now, lease_id = self.process.now, lease.lease_id
        clock = LeaseClock(lease.ttl_ms / 1000.0, sent_at)
        self._watch.holders[lease_id] = Holder(clock, now)
        until = now() + self._chance.between(*HELD)
        while clock.state(now()) is not LeaseState.LOST:
            wait = clock.next_renewal() - now()
            if now() >= until:
                break
            if wait > 0:
                await self.process.sleep(min(wait, until - now()) + 1e-4)
            else:
                await self._renew(clock, lease_id)
        self._leases.pop(lease_id, None)
        if clock.state(now()) is not LeaseState.LOST and self._chance.happens(0.5):
            self._watch.holders.pop(lease_id, None)
            await self._mutate(LeaseRevoke(lease_id))

    async def _renew(self, clock: LeaseClock, lease_id: int) -> None:
        now = self.process.now
        limit = max(0.01, min(clock.attempt_s, clock.remaining_s(now())))
        came = await self._mutate(LeaseKeepAlive(lease_id), Effect.REPEATABLE, limit)
        if came is None:
            clock.renewal_failed(now())
        elif isinstance(came[0], LeaseResult):
            clock.renewed(came[1], came[0].ttl_ms / 1000.0, now())
        else:
            clock.ended()

    # -- drawing

    def _key(self) -> bytes:
        return self._chance.pick(KEYS)

    def _ttl(self) -> int:
        return TTL_MS[0] + self._chance.below(TTL_MS[1] - TTL_MS[0])
