"""One client's way to a lock and back: asks, waits on a stream or by asking again, keeps, lets go.

What an answer means is the client's own policy. Acquisitions stand in a notebook, so that a client
that dies while it waits or holds can come back with the same key.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from kvraft.core.commands import (
    Acquire,
    Confirm,
    Fence,
    LeaseGrant,
    LeaseKeepAlive,
    Mutation,
    Release,
    Request,
)
from kvraft.core.results import AcquireResult, LeaseResult, Refused, Standing
from kvraft_chaos.simulation.client_process import Answered, ClientProcess, Reply
from kvraft_chaos.simulation.lease_watch import Holder, LeaseWatch
from kvraft_chaos.simulation.lock_stream import acquiring, following, hanging_up
from kvraft_chaos.simulation.lock_watch import LockWatch
from kvraft_chaos.simulation.sending import Sending, Sent
from kvraft_client.policy.failure import Effect
from kvraft_client.policy.lease_state import LeaseClock, LeaseState
from kvraft_client.policy.lock import Acquisition, Ending, Granted, Queued, Step
from kvraft_client.policy.lock import Standing as Word

ATTEMPT_S = 1.5
"""Seconds for one question."""
AGAIN = (0.1, 0.5)
"""Seconds between two, of a client that does not follow a stream."""
KEEP_LOOK_S = 0.3
"""Seconds after which a keeper notices at the latest that its lease is given up."""


@dataclass(slots=True)
class LockNotebook:
    """What a client keeps on its disk: acquisitions that it has not given back."""

    open: dict[bytes, Acquire] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """A lock, or several."""

    command: Acquire
    fences: tuple[Fence, ...]
    lease_id: int


class LockHolder:
    """The way to locks, in one life of a client."""

    def __init__(
        self,
        process: ClientProcess,
        sending: Sending,
        notebook: LockNotebook,
        watches: tuple[LockWatch, LeaseWatch],
    ) -> None:
        self.process = process
        self._sending = sending
        self._notebook = notebook
        self._locks, self._leases = watches
        self._kept: dict[int, None] = {}
        self._earlier = frozenset(notebook.open)
        """Keys of another life: nobody knows since when their leases run."""
        self._now: Callable[[], float] = process.now

    def crash(self) -> None:
        """Nobody keeps anything any more."""
        for lease_id in self._kept:
            self._leases.holders.pop(lease_id, None)
        self._kept.clear()

    # -- asking

    async def acquire(self, command: Acquire, patience: float, *, streamed: bool) -> Held | None:
        """Ask until it is held, refused, over, or `patience` seconds have passed."""
        self._notebook.open[command.key] = command
        begun = self._now()
        wait_s = None if command.wait_ms is None else command.wait_ms / 1000.0
        ttl_s = None if command.ttl_ms is None else command.ttl_ms / 1000.0
        policy = Acquisition(begun, wait_s=wait_s, patience_s=patience, own_ttl_s=ttl_s)
        ask = self._ask_on_stream if streamed else self._ask
        while True:
            said = await ask(command, begun, begun + patience, policy)
            if isinstance(said, Refused):
                self._notebook.open.pop(command.key, None)
                return None
            if said is not None:
                self._keep_own(command, said, begun)
                step = policy.answered(_word(said), begun, self._now())
                if step is Step.HOLD:
                    self._locks.told(command.key, tuple(each.token for each in said.fences))
                    return Held(command, said.fences, said.lease_id)
                if step is not Step.FOLLOW:
                    self._notebook.open.pop(command.key, None)
                    return None
            if self._now() >= begun + patience:
                return None
            if said is None or not streamed:
                await self.process.sleep(self.process.chance.between(*AGAIN))

    async def _ask(
        self, command: Acquire, _begun: float, until: float, _policy: Acquisition
    ) -> AcquireResult | Refused | None:
        limit = max(0.1, min(ATTEMPT_S, until - self._now()))
        sent = await self._sending.plainly(command, Effect.REPEATABLE, limit)
        if sent is None:
            return None
        assert isinstance(sent.result, AcquireResult | Refused)
        return sent.result

    async def _ask_on_stream(
        self, command: Acquire, begun: float, until: float, policy: Acquisition
    ) -> AcquireResult | Refused | None:
        """Wait for the first news, then for the last; where the stream breaks, for none."""
        serve, limit = acquiring(command), max(0.1, min(ATTEMPT_S, until - self._now()))
        came = await self.process.call(Effect.REPEATABLE, serve, limit)
        if not isinstance(came, Answered):
            return None
        said, node = came.reply.value, came.reply.node
        while not isinstance(said, Refused) and (said is None or said.standing is Standing.QUEUED):
            if said is not None:
                policy.answered(_word(said), begun, self._now())
                self._keep_own(command, said, begun)
            if self._now() >= until:
                await self.process.ask(node, hanging_up(command), ATTEMPT_S)
                return None
            told = await self.process.ask(node, following(command), ATTEMPT_S)
            if not isinstance(told, Reply):
                return None
            said = told.value
        return said

    async def confirm(self, held: Held) -> bool:
        """Say that it is known; tell whether it still stands."""
        confirm = Confirm(held.command.key)
        sent = await self._sending.plainly(confirm, Effect.REPEATABLE, ATTEMPT_S)
        if sent is None:
            return True
        told = sent.result
        return isinstance(told, AcquireResult) and told.standing is Standing.GRANTED

    # -- letting go

    async def release(self, command: Acquire, *, by: Fence | None = None) -> bool:
        """Give it back, or cancel the wait for it; its own lease goes too. False: no answer."""
        end_lease = command.ttl_ms is not None
        release = Release(None if by else command.key, by, end_lease)
        sent = await self._sending.plainly(release, Effect.REPEATABLE, ATTEMPT_S)
        if sent is not None and by is None:
            self._notebook.open.pop(command.key, None)
        return sent is not None

    def keeps(self, lease_id: int) -> bool:
        """Whether a lease is kept alive, as far as this client knows."""
        return lease_id in self._kept

    def counts_on(self, lease_id: int) -> bool:
        """Whether this client may still act on a lease that it keeps, by its own clock."""
        holder = self._leases.holders.get(lease_id)
        return holder is not None and holder.clock.state(self._now()) is not LeaseState.LOST

    def neglect(self, lease_id: int) -> None:
        """Keep a lease no more."""
        self._kept.pop(lease_id, None)
        self._leases.holders.pop(lease_id, None)

    # -- leases

    async def grant(self, ttl_ms: int) -> int | None:
        """Grant a lease for any number of locks, and keep it."""
        sent = await self._sending.plainly(LeaseGrant(ttl_ms), Effect.MUTATION, ATTEMPT_S)
        if sent is None or not isinstance(sent.result, LeaseResult):
            return None
        lease_id = sent.result.lease_id
        self._leases.told(lease_id, ttl_ms, sent.sent_true, sent.index)
        self._begin_keeping(lease_id, ttl_ms, sent.sent_at)
        return lease_id

    def _keep_own(self, command: Acquire, said: AcquireResult, begun: float) -> None:
        ttl_ms, lease_id = command.ttl_ms, said.lease_id
        if ttl_ms is None or not lease_id or lease_id in self._kept:
            return
        if command.key in self._earlier:
            self.process.begin(self._revive(lease_id))
        else:
            self._begin_keeping(lease_id, ttl_ms, begun)

    async def _revive(self, lease_id: int) -> None:
        sent_at = self._now()
        came = await self._sending.plainly(LeaseKeepAlive(lease_id), Effect.REPEATABLE, ATTEMPT_S)
        if came is not None and isinstance(came.result, LeaseResult) and not self.keeps(lease_id):
            self._begin_keeping(lease_id, came.result.ttl_ms, sent_at)

    def _begin_keeping(self, lease_id: int, ttl_ms: int, sent_at: float) -> None:
        self._kept[lease_id] = None
        self.process.begin(self._keep(lease_id, ttl_ms, sent_at))

    async def _keep(self, lease_id: int, ttl_ms: int, sent_at: float) -> None:
        now = self._now
        clock = LeaseClock(ttl_ms / 1000.0, sent_at)
        self._leases.holders[lease_id] = Holder(clock, now)
        while lease_id in self._kept and clock.state(now()) is not LeaseState.LOST:
            wait = clock.next_renewal() - now()
            if wait > 0:
                await self.process.sleep(min(wait, KEEP_LOOK_S) + 1e-4)
            else:
                await self._renew(clock, lease_id)
        self.neglect(lease_id)

    async def _renew(self, clock: LeaseClock, lease_id: int) -> None:
        now, renewal = self._now, LeaseKeepAlive(lease_id)
        limit = max(0.01, min(clock.attempt_s, clock.remaining_s(now())))
        came = await self._sending.plainly(renewal, Effect.REPEATABLE, limit, limit)
        if came is None:
            clock.renewal_failed(now())
        elif isinstance(came.result, LeaseResult):
            ttl_ms = came.result.ttl_ms
            clock.renewed(came.sent_at, ttl_ms / 1000.0, now())
            self._leases.told(lease_id, ttl_ms, came.sent_true, came.index)
        else:
            clock.ended()

    # -- writing

    async def write(self, mutation: Mutation, fences: tuple[Fence, ...]) -> Sent | None:
        """Write under fences: in a session, under a key, or without identity."""
        chance = self.process.chance
        seconds = chance.between(0.5, 3.0)
        match chance.below(4):
            case 0 if fences:
                whole = Request(mutation, fences=fences)
                return await self._sending.plainly(whole, Effect.MUTATION, seconds)
            case 1:
                return await self._sending.under_key(mutation, None, seconds, fences)
            case _:
                return await self._sending.in_session(mutation, None, seconds, fences)

    def returns(self) -> list[Acquire]:
        """What an earlier life asked for."""
        return list(self._notebook.open.values())


def _word(said: AcquireResult) -> Word:
    """The store's word as the client's policy has it."""
    if said.standing is Standing.QUEUED:
        return Queued(said.place, said.position, said.holders, said.lease_id)
    if said.standing is Standing.GRANTED:
        fences = tuple((each.lock, each.token) for each in said.fences)
        return Granted(said.place, fences, said.lease_id)
    assert said.ending is not None, "ended for a reason"
    return Ending[said.ending.name]
