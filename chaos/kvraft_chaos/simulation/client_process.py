"""One process that uses the store: the real client's policy over the simulated client network.

The order of its steps is that of `kvraft_client`'s `Caller` and `Lease`; every decision (whom to
ask, whether to ask first, what may be repeated, when a lease is lost) is made by the policy itself.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from kvraft.core.commands import Command, Request
from kvraft.core.errors import Outcome as StoreOutcome
from kvraft.core.errors import Reason
from kvraft.core.machine import StateMachine
from kvraft.core.results import Refused, Result
from kvraft.replica.outcomes import Answer, Denied
from kvraft.replica.port import StateHash
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.client_network import Answering, ClientNetwork, Lost, Serve
from kvraft_chaos.simulation.clock import NodeClock
from kvraft_chaos.simulation.node import SimulatedNode
from kvraft_chaos.simulation.scheduler import Scheduler
from kvraft_chaos.simulation.store import Store
from kvraft_chaos.simulation.tasks import Promise, Task
from kvraft_client.policy.endpoints import Endpoints
from kvraft_client.policy.failure import Effect, Failure, Outcome
from kvraft_client.policy.retry import Attempts, RetrySettings

T = TypeVar("T")

QUIET = 2.0
"""As the real client's: an endpoint silent for longer is probed before a mutation."""
RESEND_S = 8.0
"""Seconds for which an identity may be sent again: half of what the store keeps a key for."""
RETRY = RetrySettings(resend_s=RESEND_S)


# (Not frozen, what there is one of for every call: that would take five times as long to make.)


@dataclass(slots=True)
class Reply(Generic[T]):
    """An answer with what stands in every answer's header."""

    value: T
    node: str
    term: int
    index: int
    """Of the entry that carried the command, or of the state that was read."""


@dataclass(slots=True)
class Status:
    """What a probe asks for."""

    leader: str | None
    term: int


@dataclass(slots=True)
class Answered(Generic[T]):
    """A reply, and when the attempt that got it was sent."""

    reply: Reply[T]
    sent_at: float
    """By the client's clock."""
    sent_true: float
    """In true seconds."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The call failed; `outcome` speaks for all its attempts."""

    failure: Failure
    outcome: Outcome


Heard = Reply[T] | Denied


@dataclass(slots=True)
class Told:
    """What a mutation came to, and the store's revision behind it."""

    result: Result
    revision: int


class ClientProcess:
    """What one process knows: its endpoints, its clock, its tasks."""

    def __init__(
        self, name: str, scheduler: Scheduler, network: ClientNetwork, chance: Chance
    ) -> None:
        self.name = name
        self.chance = chance
        self.clock = NodeClock(scheduler, chance.between(0.0, 50.0), chance.between(0.99, 1.01))
        self.now = self.clock.read
        """Monotonic seconds of this process."""
        self._scheduler = scheduler
        self._network = network
        addresses = sorted({node for client, node in network.links if client == name})
        self._endpoints = Endpoints(chance.sample(addresses, len(addresses)), QUIET)
        self._tasks: list[Task] = []
        self.attempts = 0

    def begin(self, work: Coroutine[Promise[Any], None, None]) -> None:
        """Run a coroutine until it ends or the process does."""
        begun = Task(work)  # it may begin others at once
        self._tasks = [task for task in self._tasks if not task.over]
        self._tasks.append(begun)

    def kill(self) -> None:
        """As by kill -9: every task ends where it waits; its connections break."""
        for task in self._tasks:
            task.kill()
        for client, node in self._network.links:
            if client == self.name:
                self._network.reset(client, node)

    def sleep(self, seconds: float) -> Promise[None]:
        """Wait, by this process's clock."""
        promise: Promise[None] = Promise()
        self._scheduler.after(seconds / self.clock.rate, lambda: promise.keep(None))
        return promise

    # -- calls

    async def call(
        self, effect: Effect, serve: Serve[Heard[T]], seconds: float, attempt: float | None = None
    ) -> Answered[T] | Failed:
        """Send a request until it is answered, may not be repeated, or time is up."""
        settings = RETRY if attempt is None else replace(RETRY, attempt_s=attempt)
        attempts = Attempts(effect, self.now(), seconds, settings)
        while True:
            came = await self._try(attempts, serve)
            if isinstance(came, Answered):
                return came
            wait = self.give_up(attempts, came)
            if wait is None:
                return Failed(attempts.last or came, attempts.outcome)
            if wait > 0:
                await self.sleep(wait)

    async def once(self, serve: Serve[Heard[T]], seconds: float) -> Answered[T] | Failed:
        """Ask any node, once and without policy, as a client in another language may."""
        address = self.chance.pick(self._endpoints.addresses)
        sent_at, sent_true = self.now(), self._scheduler.now
        told = await self._network.ask(self.name, address, serve, seconds)
        if isinstance(told, Reply):
            return Answered(told, sent_at, sent_true)
        failure = failure_of(told, address)
        return Failed(failure, failure.outcome_of(Effect.MUTATION))

    async def _try(self, attempts: Attempts, serve: Serve[Heard[T]]) -> Answered[T] | Failure:
        address = await self.reach(attempts)
        if isinstance(address, Failure):
            return address
        sent_at, sent_true = self.now(), self._scheduler.now
        limit = attempts.limit(sent_at)
        if limit <= 0:
            late = Failure("DEADLINE_EXCEEDED", "late", address, sent=False, reason="DEADLINE")
            return attempts.last or late
        self.attempts += 1
        told = await self._network.ask(self.name, address, serve, limit)
        if isinstance(told, Reply):
            self._endpoints.answered(address, told.node, told.term, self.now())
            first = attempts.maybe_applied_at
            if attempts.effect is Effect.IDENTIFIED and first is not None:
                sent_true -= (sent_at - first) / self.clock.rate  # it may answer that copy
                sent_at = first
            return Answered(told, sent_at, sent_true)
        return failure_of(told, address)

    def stray(self, serve: Serve[Heard[T]], seconds: float) -> None:
        """Let a copy of a request reach some node; nobody waits for its answer."""
        self._network.ask(self.name, self.chance.pick(self._endpoints.addresses), serve, seconds)

    async def ask(self, address: str, serve: Serve[Heard[T]], seconds: float) -> Reply[T] | Failure:
        """Ask one endpoint, once."""
        told = await self._network.ask(self.name, address, serve, seconds)
        if isinstance(told, Reply):
            self._endpoints.answered(address, told.node, told.term, self.now())
            return told
        return failure_of(told, address)

    def give_up(self, attempts: Attempts, failure: Failure) -> float | None:
        """Take a failed attempt; return the seconds until the next, None where there is none."""
        return attempts.failed(failure, self._endpoints, self.now(), self.chance.random)

    async def reach(self, attempts: Attempts) -> str | Failure:
        """Choose an endpoint; where it is not known to be there and to lead, ask it first."""
        asked: set[str] = set()
        mutation = attempts.effect is not Effect.READ
        while True:
            now = self.now()
            address = attempts.endpoint(self._endpoints, now)
            ready = self._network.connected(self.name, address)
            if address in asked or not self._endpoints.wants_probe(
                address, now, ready=ready, mutation=mutation
            ):
                return address
            self._endpoints.probing(address, now)
            asked.add(address)
            limit = attempts.probe_limit(now)
            told = await self._network.ask(self.name, address, _tell_status, limit)
            if isinstance(told, Lost):
                return Failure(told.code, "not heard", address, sent=False)
            self._endpoints.answered(address, told.node, told.term, self.now())
            self._endpoints.leader_is(told.value.leader, told.value.term)


# -- what a node does with a request, as the service does it


def application(node: SimulatedNode) -> Store:
    """Return the real replica of a node."""
    store = node.ledger
    assert isinstance(store, Store)
    return store


def _tell_status(node: SimulatedNode, deadline: float, done: Answering[Reply[Status]]) -> None:
    del deadline
    store = application(node)
    status = Status(store.leader, store.term)
    done(Reply(status, node.name, status.term, store.machine.index))


# (Functions of the module, not closures: a closure's annotations are evaluated each time.)


def mutate(command: Command) -> Serve[Heard[Told]]:
    """Ask a node to order and apply a command."""
    return partial(_mutate, command)


def _mutate(
    command: Command, node: SimulatedNode, deadline: float, done: Answering[Heard[Told]]
) -> None:
    store = application(node)
    store.submit(command, deadline, partial(_mutated, node, store, done))


def _mutated(
    node: SimulatedNode, store: Store, done: Answering[Heard[Told]], outcome: Answer | Denied
) -> None:
    if isinstance(outcome, Denied):
        done(outcome)
    else:
        told = Told(outcome.result, outcome.revision)
        done(Reply(told, node.name, store.term, outcome.index))


def identified(command: Request) -> Serve[Heard[Told]]:
    """... that says who it is: refusals of the identity are failures, as the service has them."""
    return partial(_identify, command)


def _identify(
    command: Request, node: SimulatedNode, deadline: float, done: Answering[Heard[Told]]
) -> None:
    store = application(node)
    store.submit(command, deadline, partial(_identity_told, node, store, done))


def _identity_told(
    node: SimulatedNode, store: Store, done: Answering[Heard[Told]], outcome: Answer | Denied
) -> None:
    refused = outcome.result if isinstance(outcome, Answer) else None
    if isinstance(refused, Refused) and refused.reason in _OF_THE_COPY:
        done(Denied(refused.reason, _OF_THE_COPY[refused.reason], refused.message))
    else:
        _mutated(node, store, done, outcome)


def view(look: Callable[[StateMachine], T]) -> Serve[Heard[T]]:
    """Read linearizably: `look` runs in the turn in which the barrier was met."""
    return partial(_view, look)


def _view(
    look: Callable[[StateMachine], T],
    node: SimulatedNode,
    deadline: float,
    done: Answering[Heard[T]],
) -> None:
    store = application(node)
    store.read_barrier(deadline, partial(_viewed, look, node, store, done))


def _viewed(
    look: Callable[[StateMachine], T],
    node: SimulatedNode,
    store: Store,
    done: Answering[Heard[T]],
    denied: Denied | None,
) -> None:
    if denied is not None:
        done(denied)
        return
    machine = store.machine
    done(Reply(look(machine), node.name, store.term, machine.index))


def hash_state(
    node: SimulatedNode, deadline: float, done: Answering[Heard[list[StateHash]]]
) -> None:
    """Ask a node for every node's hash at a marker."""
    store = application(node)

    def settled(told: list[StateHash] | Denied) -> None:
        if isinstance(told, Denied):
            done(told)
        else:
            done(Reply(told, node.name, store.term, store.machine.index))

    store.state_hash(deadline, settled)


_OF_THE_COPY: Mapping[Reason, StoreOutcome] = {
    Reason.SESSION_EXPIRED: StoreOutcome.UNKNOWN,
    Reason.OVERLOAD: StoreOutcome.NOT_APPLIED,
}
"""Refusals that say nothing of the copies before this one (`service.errors.refused_error`)."""

_LOST_IN_TIME: Mapping[tuple[Reason, StoreOutcome], str] = {
    (Reason.DEADLINE, StoreOutcome.UNKNOWN): "UNKNOWN_RESULT",
}
"""Time lost after proposing has a reason of its own on the wire (`service.errors`)."""


def failure_of(told: Denied | Lost, address: str) -> Failure:
    if isinstance(told, Lost):
        return Failure(told.code, "no answer", address, sent=True)
    reason = _LOST_IN_TIME.get((told.reason, told.outcome), told.reason.value)
    return Failure(
        "UNAVAILABLE",
        told.message,
        address,
        sent=True,
        reason=reason,
        outcome=Outcome(told.outcome.value),
        leader=told.leader,
        retry_after_ms=told.retry_after_ms,
    )
