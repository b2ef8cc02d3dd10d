"""What one simulated client process does: a mix of everything that the state machine offers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from kvraft.core.commands import (
    Command,
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Mutation,
    Put,
    Request,
)
from kvraft.core.conditions import Condition
from kvraft.core.results import KeyValue, LeaseResult, Refused, Result
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.changes import KEYS, Changes
from kvraft_chaos.simulation.client_process import Answered, ClientProcess
from kvraft_chaos.simulation.effects import effects
from kvraft_chaos.simulation.lease_watch import Holder, LeaseWatch, granted_by
from kvraft_chaos.simulation.past import Past
from kvraft_chaos.simulation.reads import ANY_NODE, TIMEOUT, Reads
from kvraft_chaos.simulation.sending import Sending, Sent
from kvraft_chaos.simulation.store import Bounds
from kvraft_chaos.simulation.tasks import Promise
from kvraft_client.policy.failure import Effect
from kvraft_client.policy.lease_state import LeaseClock, LeaseState

PAUSE = (0.01, 0.16)
"""Seconds between two bursts of one client."""
TTL_MS = (1_000, 4_000)
LEASES = 3
"""Kept at a time by one process."""
HELD = (0.5, 8.0)
"""Seconds that a lease is kept alive."""

MIX: dict[str, int] = {
    "get": 18,
    "get_past": 5,
    "put": 10,
    "put_ttl": 5,
    "put_lease": 6,
    "put_keep": 2,
    "put_if": 5,
    "cas": 14,
    "delete": 3,
    "delete_if": 2,
    "delete_range": 1,
    "list_page": 4,
    "list_past": 1,
    "count": 4,
    "append": 1,
    "edit_json": 2,
    "be_first": 1,
    "highest": 1,
    "transfer": 7,
    "write_two": 3,
    "invariant": 1,
    "clear_up": 4,
    "close_sessions": 1,
    "grant": 4,
    "keep_alive": 2,
    "describe": 2,
    "state_hash": 1,
}
"""Weights. Revokes, and nearly all keepalives, are the lease keepers' own."""
IN_SESSION, UNDER_KEY = 0.5, 0.15
"""Shares of the mutations that carry an identity; the others are sent as they are."""
KINDS = tuple(kind for kind, weight in MIX.items() for _ in range(weight))


class Identities:
    """Every written value is a number that nobody wrote before."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> bytes:
        """Return the next value."""
        self.last += 1
        return str(self.last).encode()


@dataclass(frozen=True, slots=True)
class Books:
    """What all clients of a run write into."""

    account: Account
    watch: LeaseWatch
    past: Past
    identities: Identities
    bounds: Bounds


class _Burst:
    """Operations that one client has in flight together."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.over: Promise[None] = Promise()


class Workload:
    """The tasks of one client process, for one life of it."""

    def __init__(self, process: ClientProcess, books: Books, sending: Sending) -> None:
        self.process = process
        self._books = books
        self._account = books.account
        self._watch = books.watch
        self._identities = books.identities
        self._sending = sending
        self._chance = process.chance
        self._seen: dict[bytes, KeyValue | None] = {}
        """The newest entry that this process knows of a key."""
        self._changes = Changes(self._chance, self._identities, self._seen, self._change)
        kept = books.bounds.apply.history_revisions
        self._reads = Reads(process, books.account, books.past, self._seen, kept=kept)
        self._operations = {kind: self._operation(kind) for kind in MIX}
        self._leases: dict[int, None] = {}
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
        self._account.crash(self._sending.crash())

    async def _work(self) -> None:
        chance = self._chance
        await self.process.sleep(chance.random() * PAUSE[1])
        await self._changes.open_bank()
        while not self._stopped:
            burst = _Burst(chance.pick((1, 1, 2, 6)))
            for _ in range(burst.left):
                self.process.begin(self._operate(burst))
            await burst.over
            await self.process.sleep(chance.between(*PAUSE))

    def _operation(self, kind: str) -> Callable[[], Awaitable[object]]:
        """Find what a word of the mix stands for: here, or where the others are drawn."""
        for owner, name in ((self, f"_{kind}"), (self._changes, kind), (self._reads, kind)):
            found = getattr(owner, name, None)
            if found is not None:
                return cast("Callable[[], Awaitable[object]]", found)
        raise AssertionError(kind)

    async def _operate(self, burst: "_Burst") -> None:
        kind = self._chance.pick(KINDS)
        await self._operations[kind]()
        burst.left -= 1
        if burst.left == 0:
            burst.over.keep(None)

    # -- mutations

    async def _mutate(
        self,
        command: Mutation | LeaseKeepAlive,
        condition: Condition | None = None,
        *,
        effect: Effect = Effect.MUTATION,
        limit: float | None = None,
    ) -> Sent | None:
        """Return what it came to; None where it failed."""
        sent = await self._send(command, condition, effect, limit)
        if sent is None:
            return None
        granted = granted_by(command, sent.result)
        if granted is not None and not sent.is_replay:
            self._watch.told(*granted, sent.sent_true, sent.index)
        for _, told in effects(command, sent.result):
            entry = getattr(told, "entry", None)
            if entry is not None:
                self._seen[entry.key] = entry
        return sent

    async def _send(
        self,
        command: Mutation | LeaseKeepAlive,
        condition: Condition | None,
        effect: Effect,
        limit: float | None,
    ) -> Sent | None:
        """In a session, under a key, or without any identity."""
        chance, sending = self._chance, self._sending
        timeout = chance.between(*TIMEOUT) if limit is None else limit
        drawn = chance.random()
        if not isinstance(command, LeaseKeepAlive) and drawn < IN_SESSION:
            return await sending.in_session(command, condition, timeout)
        of_lease = (LeaseKeepAlive, LeaseGrant, LeaseRevoke)
        if not isinstance(command, of_lease) and drawn < IN_SESSION + UNDER_KEY:
            return await sending.under_key(command, condition, timeout)
        whole: Command = command
        if condition is not None:
            assert not isinstance(command, LeaseKeepAlive)
            whole = Request(command, condition)
        if limit is None and chance.happens(ANY_NODE):
            return await sending.once(whole, timeout)
        return await sending.plainly(whole, effect, timeout, limit)

    async def _change(self, mutation: Mutation, condition: Condition | None) -> Result | None:
        sent = await self._mutate(mutation, condition)
        return None if sent is None else sent.result

    async def _clear_up(self) -> None:
        await self._sending.clear_up(self._chance.between(*TIMEOUT))

    async def _close_sessions(self) -> None:
        if self._chance.happens(0.3):
            await self._sending.close_sessions()

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
            if result is not None and isinstance(result.result, Refused):
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
        if result is not None and getattr(result.result, "entry", self) is None:
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

    # -- leases

    async def _grant(self) -> None:
        if len(self._leases) >= LEASES:
            return
        chance = self._chance
        number = int(self._identities.next())
        lease_id = 1_000_000 + number if chance.happens(0.5) else None
        granted = await self._mutate(LeaseGrant(self._ttl(), lease_id))
        if granted is not None and isinstance(granted.result, LeaseResult):
            lease = granted.result
            self._leases[lease.lease_id] = None
            self.process.begin(self._keep(lease, granted.sent_at))

    async def _describe(self) -> None:
        if not self._leases:
            return
        lease_id = self._chance.pick(tuple(self._leases))
        asked = self._account.chronicle.moment()
        came = await self._reads.ask(lambda machine: machine.describe_lease(lease_id))
        if isinstance(came, Answered):
            self._account.read(f"describe of lease {lease_id}", came.reply.index, asked)

    async def _keep_alive(self) -> None:
        if self._leases:
            lease_id = self._chance.pick(tuple(self._leases))
            await self._mutate(LeaseKeepAlive(lease_id), effect=Effect.REPEATABLE)

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
        came = await self._mutate(LeaseKeepAlive(lease_id), effect=Effect.REPEATABLE, limit=limit)
        if came is None:
            clock.renewal_failed(now())
        elif isinstance(came.result, LeaseResult):
            clock.renewed(came.sent_at, came.result.ttl_ms / 1000.0, now())
        else:
            clock.ended()

    # -- drawing

    def _key(self) -> bytes:
        return self._chance.pick(KEYS)

    def _ttl(self) -> int:
        return TTL_MS[0] + self._chance.below(TTL_MS[1] - TTL_MS[0])
