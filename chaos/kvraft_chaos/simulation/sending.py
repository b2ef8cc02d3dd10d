"""How one simulated client sends its mutations: plainly, in its session, or under a key of its own.

The order of the steps is that of `kvraft_client`'s `Mutations`; which identity, when to open
another session and what may be sent again is its own policy. What stays unknown is asked for later.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from kvraft.core.commands import (
    Command,
    Fence,
    KeyIdentity,
    LeaseGrant,
    Mutation,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
)
from kvraft.core.conditions import Condition
from kvraft.core.results import Replayed, Resolved, Result, SessionResult
from kvraft_chaos.simulation.account import Account, Asked
from kvraft_chaos.simulation.client_process import (
    RESEND_S,
    Answered,
    ClientProcess,
    Failed,
    Told,
    identified,
    mutate,
)
from kvraft_chaos.simulation.effects import first_told
from kvraft_client.policy.failure import Effect, Outcome
from kvraft_client.policy.identity import SessionIdentity as Named
from kvraft_client.policy.session import REOPENINGS, Sessions, Ticket

STRAY = 0.08
"""Share of the identified mutations of which another copy goes to some node by itself."""
STRAY_LATE_S = 1.5
"""Seconds by which some of them come later."""
OPENING_S = 0.01
"""Seconds between two looks of those who wait for a session that another opens."""
CONTROL_S = 2.0
"""Seconds for opening or closing a session, and for asking what became of a mutation."""


@dataclass(slots=True, eq=False)
class Doubt:
    """An identified mutation whose outcome nobody knows yet."""

    request: Request
    asked: Asked
    sent_true: float
    in_flight: bool = True
    doubtful: bool = False
    """A copy may have been applied, whatever the next one is refused for."""


@dataclass(slots=True)
class Notebook:
    """What a client keeps on its disk: keys under which it asked, and what it asked."""

    open: dict[bytes, Doubt] = field(default_factory=dict)


@dataclass(slots=True)
class Sent:
    """What a mutation came to, and when the first copy that may have done it was sent."""

    result: Result
    sent_at: float
    sent_true: float
    index: int
    is_replay: bool


class Sending:
    """The way out for mutations, in one life of a client."""

    def __init__(
        self,
        process: ClientProcess,
        account: Account,
        notebook: Notebook,
        *,
        now: Callable[[], float],
        window: int,
        task: str = "",
    ) -> None:
        """`now`: true seconds; `window`: sequences that a session may have open; `task`: what tells
        the keys of one process from those of another of this client, at the same moment.
        """
        self._process = process
        self._account = account
        self._now = now
        self._window = window
        self._task = task
        self._sessions = Sessions()
        self._is_opening = False
        self._keys = 0
        self.notebook = notebook
        self.doubts: list[Doubt] = []
        """Of this life's sessions: they end with it."""
        self._asked: list[Asked] = []
        for doubt in notebook.open.values():
            doubt.in_flight, doubt.doubtful = False, True

    def crash(self) -> list[Asked]:
        """Return what nobody will ever know; what stands in the notebook is not lost."""
        kept = {id(doubt.asked) for doubt in self.notebook.open.values()}
        return [each for each in self._asked if not each.settled and id(each) not in kept]

    def _ask(self, command: Command, moment: int | None = None) -> Asked:
        asked = self._account.ask(command, moment)
        self._asked = [each for each in self._asked if not each.settled]
        self._asked.append(asked)
        return asked

    # -- without identity

    async def plainly(
        self, command: Command, effect: Effect, seconds: float, attempt: float | None = None
    ) -> Sent | None:
        """Send it as the client does what carries no identity."""
        asked = self._ask(command)
        return self._settle(
            asked, await self._process.call(effect, mutate(command), seconds, attempt)
        )

    async def once(self, command: Command, seconds: float) -> Sent | None:
        """Send it to any node, once."""
        asked = self._ask(command)
        return self._settle(asked, await self._process.once(mutate(command), seconds))

    def _settle(self, asked: Asked, came: Answered[Told] | Failed) -> Sent | None:
        if isinstance(came, Failed):
            self._account.deny(asked, unknown=came.outcome is Outcome.UNKNOWN)
            return None
        return self._tell(asked, came)

    def _tell(self, asked: Asked, came: Answered[Told]) -> Sent | None:
        told = came.reply.value
        self._account.tell(asked, told.result, came.reply.index, told.revision)
        return _sent(came)

    # -- in a session

    async def in_session(
        self,
        mutation: Mutation,
        condition: Condition | None,
        seconds: float,
        fences: tuple[Fence, ...] = (),
    ) -> Sent | None:
        """Send as the next of the session; what stays unknown is asked for later."""
        came = await self.next_in_session(mutation, condition, seconds, fences)
        if isinstance(came, Doubt):
            self.doubts.append(came)
        return _sent(came) if isinstance(came, Answered) else None

    async def next_in_session(
        self,
        mutation: Mutation,
        condition: Condition | None,
        seconds: float,
        fences: tuple[Fence, ...] = (),
    ) -> Answered[Told] | Failed | Doubt | None:
        """Send as the next of the session; where that has ended before it came, of a new one.

        Failed: certainly without effect; None: there was no session in time.
        """
        deadline = self._process.now() + seconds
        moment: int | None = None
        came: Answered[Told] | Failed | None = None
        for _ in range(REOPENINGS + 1):
            ticket = await self._ticket(deadline)
            if ticket is None:
                return None
            name = ticket.identity
            identity = SessionIdentity(name.session_id, name.sequence, ticket.first_unacked)
            request = Request(mutation, condition, identity, fences)
            doubt = Doubt(request, self._ask(request, moment), self._now())
            moment = doubt.asked.moment
            came = await self._identified(doubt, deadline - self._process.now())
            if isinstance(came, Answered):
                self._sessions.settled(name)
                self._tell(doubt.asked, came)
                return came
            if doubt.doubtful:
                self._sessions.unresolved(name)
                doubt.in_flight = False
                return doubt
            self._account.deny(doubt.asked, unknown=False)
            if came.failure.reason != "SESSION_EXPIRED":
                self._sessions.settled(name)
                return came
            self._sessions.expired(name.session_id)
        return came

    async def _identified(self, doubt: Doubt, seconds: float) -> Answered[Told] | Failed:
        process = self._process
        serve = identified(doubt.request)
        if process.chance.happens(STRAY):
            doubt.doubtful = True
            late = process.chance.pick((0.0, 0.0, STRAY_LATE_S))
            process.begin(self._stray(doubt.request, late, max(0.1, seconds)))
        came = await process.call(Effect.IDENTIFIED, serve, seconds)
        doubt.doubtful |= isinstance(came, Failed) and came.outcome is Outcome.UNKNOWN
        return came

    async def _stray(self, request: Request, late: float, seconds: float) -> None:
        if late:
            await self._process.sleep(late)
        self._process.stray(identified(request), seconds)

    async def _ticket(self, deadline: float) -> Ticket | None:
        """Return an identity; one opens a session for all that wait for it."""
        while True:
            ticket = self._sessions.take()
            left = deadline - self._process.now()
            if ticket is not None or left <= 0.0:
                return ticket
            if not self._is_opening:
                await self._open(left)
            else:
                await self._process.sleep(OPENING_S)

    async def _open(self, seconds: float) -> None:
        self._is_opening = True
        sent = await self.plainly(SessionOpen(), Effect.MUTATION, min(seconds, CONTROL_S))
        self._is_opening = False
        if sent is not None and isinstance(sent.result, SessionResult):
            self._sessions.opened(sent.result.session_id, self._window)

    async def close_sessions(self) -> None:
        """End those in which nothing is open."""
        for session_id in self._sessions.finished():
            self._sessions.expired(session_id)
            await self.plainly(SessionClose(session_id), Effect.MUTATION, CONTROL_S)

    # -- under a key

    async def under_key(
        self,
        mutation: Mutation,
        condition: Condition | None,
        seconds: float,
        fences: tuple[Fence, ...] = (),
    ) -> Sent | None:
        """Send it under a new key, which is written down first."""
        assert not isinstance(mutation, LeaseGrant), "whoever holds a lease dies with its client"
        self._keys += 1
        key = f"{self._process.name}{self._task}/{self._now():.6f}/{self._keys}".encode()
        request = Request(mutation, condition, KeyIdentity(key), fences)
        doubt = Doubt(request, self._ask(request), self._now())
        self.notebook.open[key] = doubt
        return await self._send_again(key, doubt, seconds)

    async def _send_again(self, key: bytes, doubt: Doubt, seconds: float) -> Sent | None:
        doubt.in_flight = True
        came = await self._identified(doubt, seconds)
        doubt.in_flight = False
        if isinstance(came, Failed):
            if not doubt.doubtful:
                del self.notebook.open[key]
                self._account.deny(doubt.asked, unknown=False)
            return None
        del self.notebook.open[key]
        return self._tell(doubt.asked, came)

    # -- what is in doubt

    async def clear_up(self, seconds: float) -> None:
        """Take one mutation whose outcome is unknown: send it again, or ask for good."""
        for key, doubt in self.notebook.open.items():
            if not doubt.in_flight:
                in_time = self._now() - doubt.sent_true + seconds < RESEND_S
                if in_time and self._process.chance.happens(0.5):
                    await self._send_again(key, doubt, seconds)
                    return
                await self._resolve(doubt, KeyIdentity(key))
                if doubt.asked.settled:
                    self.notebook.open.pop(key, None)
                return
        if self.doubts:
            await self.resolve(self.doubts.pop(0))

    async def resolve(self, doubt: Doubt) -> Resolved | None:
        """Ask for good what became of a mutation of a session; None: nobody can say."""
        identity = doubt.request.identity
        assert isinstance(identity, SessionIdentity)
        resolved = await self._resolve(doubt, identity)
        if doubt.asked.settled:
            self._sessions.settled(Named(identity.session_id, identity.sequence))
        return resolved

    async def _resolve(
        self, doubt: Doubt, identity: SessionIdentity | KeyIdentity
    ) -> Resolved | None:
        doubt.in_flight = True
        sent = await self.plainly(Resolve(identity), Effect.REPEATABLE, CONTROL_S)
        doubt.in_flight = False
        if sent is None or not isinstance(sent.result, Resolved):
            return None
        applied = sent.result.result is not None or sent.result.omitted
        # Too late, the store has forgotten the key: what it says then is about the future alone.
        is_late = self._now() - doubt.sent_true > RESEND_S
        self._account.deny(doubt.asked, unknown=applied or is_late)
        return None if is_late else sent.result


def _sent(came: Answered[Told]) -> Sent | None:
    """What was answered; None where it was too large to be given again."""
    told = came.reply.value
    result = first_told(told.result)
    if result is None:
        return None
    is_replay = isinstance(told.result, Replayed)
    return Sent(result, came.sent_at, came.sent_true, came.reply.index, is_replay)
