"""The network between clients and nodes: requests and answers that are late, lost or held.

What gRPC over TCP does, as far as a client's policy can tell: an answer arrives at most once; a
connection that breaks takes every open call with it, and nobody knows what became of those; a
machine without power is silent; what a cut holds goes on its way when it heals, also after the
client has given up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.node import SimulatedNode
from kvraft_chaos.simulation.process import Process
from kvraft_chaos.simulation.scheduler import Scheduler
from kvraft_chaos.simulation.station import Reach
from kvraft_chaos.simulation.tasks import Promise

T = TypeVar("T")

DELAY = (0.0002, 0.002)
"""Of a healthy link, in seconds."""
RESEND = 0.05
"""Seconds between two tries to get through a cut."""
GIVE_UP = 10.0
"""Seconds after which what is held is dropped."""
ANSWER_EARLY = (0.05, 0.1)
"""Seconds, and part of the time left, that the service keeps for the way back."""
LATE = 1.0
"""Seconds behind its deadline at which a node that is awake owes every answer."""
LOOKS = 4
"""... in so many looks, at all of which it was awake."""
SLOWEST = 1.02
"""A node's clock may run this much slower than the client's."""


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer will come; `code` is the gRPC status that the client sees."""

    code: str


TOO_LATE, BROKEN = Lost("DEADLINE_EXCEEDED"), Lost("UNAVAILABLE")

Answering = Callable[[T], None]
Serve = Callable[[SimulatedNode, float, Answering[T]], None]
"""(node, deadline in its clock, what to call with the answer)."""


@dataclass(slots=True)
class ClientLink:
    """From one client to one node, both ways."""

    client: str
    node: str
    delay: tuple[float, float] = DELAY
    cut: bool = False
    loss: float = 0.0
    """Share of the answers in whose place the connection breaks."""
    process: Process | None = None
    """The one that the client's connection stands to; None: it has none."""
    calls: "list[Call[object]]" = field(default_factory=list)


class Call(Generic[T]):
    """One request under way."""

    __slots__ = ("answers", "deadline", "limit", "link", "process", "promise", "sent_at", "serve")

    def __init__(self, link: ClientLink, serve: Serve[T], sent_at: float, limit: float) -> None:
        self.link = link
        self.serve = serve
        self.process = link.process
        self.promise: Promise[T | Lost] = Promise()
        self.sent_at = sent_at
        self.limit = limit
        self.answers = 0
        self.deadline: float | None = None
        """True time by which the node owes an answer; None before it is asked."""


class ClientNetwork:
    """All links between clients and nodes."""

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        nodes: Mapping[str, SimulatedNode],
        report: Callable[[str, str], None],
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._random = chance.random
        self._nodes = nodes
        self._report = report
        self.links: dict[tuple[str, str], ClientLink] = {}
        self.crash_client: Callable[[str, float], None] = lambda _client, _seconds: None
        """Kill a client; it returns after some seconds."""

    def add_client(self, name: str) -> None:
        """Give a client a link to every node."""
        for node in self._nodes:
            self.links[name, node] = ClientLink(name, node)

    def connected(self, client: str, node: str) -> bool:
        """Whether the client believes in a connection."""
        return self.links[client, node].process is not None

    def ask(self, client: str, node: str, serve: Serve[T], limit: float) -> Promise[T | Lost]:
        """Send a request; the promise is kept within `limit` seconds."""
        link = self.links[client, node]
        call = Call(link, serve, self._scheduler.now, limit)
        link.calls.append(call)  # type: ignore[arg-type]  # a link carries calls of every kind
        self._later(link, partial(self._arrive, call))
        self._scheduler.after(limit, partial(self._end, call, TOO_LATE))
        return call.promise

    # -- faults

    def reset(self, client: str, node: str) -> None:
        """Break the connection."""
        link = self.links[client, node]
        link.process = None
        for call in list(link.calls):
            self._end(call, BROKEN)

    def on_process_end(self, node: str, silent: bool) -> None:  # noqa: FBT001 - a callback
        """A node's process is gone: its kernel resets its connections, unless the power went."""
        if silent:
            return
        for (client, target), link in self.links.items():
            if target == node:
                self._later(link, partial(self._reset_by_peer, client, node, link.process))

    def heal(self) -> None:
        """End every fault."""
        for link in self.links.values():
            link.cut, link.loss, link.delay = False, 0.0, DELAY

    # -- on the way

    def _later(self, link: ClientLink, action: Callable[[], object]) -> None:
        low, high = link.delay
        self._scheduler.after(low + (high - low) * self._random(), action)

    def _reset_by_peer(self, client: str, node: str, process: Process | None) -> None:
        link = self.links[client, node]
        if process is not None and link.process is process and not link.cut:
            self.reset(client, node)

    def _hold(self, call: Call[T], again: Callable[[], object]) -> None:
        """The link is cut."""
        if self._scheduler.now - call.sent_at < GIVE_UP:
            self._scheduler.after(RESEND, again)

    def _arrive(self, call: Call[T]) -> None:
        link = call.link
        if link.cut:
            self._hold(call, partial(self._arrive, call))
            return
        node = self._nodes[link.node]
        reach = node.reach()
        if reach is Reach.SILENT:
            return
        if reach is Reach.REFUSING or call.process not in (None, node.process):
            self._later(link, partial(self._broken, call))
            return
        link.process = call.process = node.process
        node.post(partial(self._serve, node, call))

    def _broken(self, call: Call[T]) -> None:
        if call.link.process is call.process:
            call.link.process = None
        self._end(call, BROKEN)

    def _serve(self, node: SimulatedNode, call: Call[T]) -> None:
        """On the node's loop: gRPC counts the time left from the arrival."""
        left = call.limit - min(ANSWER_EARLY[0], call.limit * ANSWER_EARLY[1])
        call.deadline = self._scheduler.now + left
        call.serve(node, node.clock.read() + left, partial(self._answer, call))

    def _answer(self, call: Call[T], answer: T) -> None:
        call.answers += 1
        if call.answers > 1:
            self._report("answered-twice", f"{call.link.node} to {call.link.client}: {answer}")
        elif call.link.loss and self._chance.happens(call.link.loss):
            self.reset(call.link.client, call.link.node)
        else:
            self._later(call.link, partial(self._return, call, answer))

    def _return(self, call: Call[T], answer: T) -> None:
        if call.link.cut:
            self._hold(call, partial(self._return, call, answer))
        else:
            self._end(call, answer)

    def _end(self, call: Call[T], outcome: T | Lost) -> None:
        if call.promise.done:
            return
        answered = call.answers or call.deadline is None
        if answered or isinstance(outcome, Lost):
            call.link.calls.remove(call)  # type: ignore[arg-type]  # see `ask`
        if not answered and isinstance(outcome, Lost):
            self._expect_answer(call)
        call.promise.keep(outcome)

    def _expect_answer(self, call: Call[T]) -> None:
        """The client is gone; the node owes its callback all the same, if it lives on."""
        assert call.deadline is not None
        node, process = self._nodes[call.link.node], call.process
        awake = 0

        def look() -> None:
            nonlocal awake
            if call.answers or node.process is not process:
                return
            awake = 0 if node.paused else awake + 1
            if awake <= LOOKS:
                self._scheduler.after(LATE / LOOKS, look)
            else:
                detail = f"{node.name} never answered a call that was due {LATE} s ago"
                self._report("never-answered", detail)

        wait = max(0.0, call.deadline - self._scheduler.now)
        self._scheduler.after(wait * SLOWEST, look)
