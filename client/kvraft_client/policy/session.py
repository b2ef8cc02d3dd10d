"""Which identity a mutation gets: sessions, their windows, and when to open a new one.

Sans-I/O: the client opens sessions when `take` has none to give.
"""

from dataclasses import dataclass

from kvraft_client.policy.identity import Identity, KeyIdentity, SessionIdentity

REOPENINGS = 3
"""Sessions one call may find ended before it gives up: twice in a row is bad luck already."""
KEPT_MAX = 64
"""Former sessions remembered, with what is unresolved in them; older ones are forgotten here."""

ACKS_A_WINDOW = 32
"""Outcomes that the store may forget are told in so many steps a window while calls overlap: to
forget them is work on every node. With one call at a time each tells of the one before it."""


@dataclass(slots=True)
class Ticket:
    """The identity of one mutation, and what the client says it has had."""

    session_id: int
    sequence: int
    first_unacked: int

    @property
    def identity(self) -> SessionIdentity:
        """Who the mutation says it is."""
        return SessionIdentity(self.session_id, self.sequence)


class SessionWindow:
    """The sequences of one session: which are under way, and which nobody knows the outcome of."""

    def __init__(self, session_id: int, window: int) -> None:
        """Begin a session in which `window` sequences may be unacknowledged at one time."""
        self.session_id = session_id
        self._window = window
        self._next = 1
        self.first_unacked = 1
        """The lowest sequence that is not settled."""
        self._told = 1
        self._step = window // ACKS_A_WINDOW
        self._open: set[int] = set()
        self._unresolved: set[int] = set()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way or unresolved."""
        return not self._open

    @property
    def has_room(self) -> bool:
        """Whether to go on in this session: not once an unresolved one blocks half the window."""
        first = self.first_unacked
        limit = self._window // 2 if first in self._unresolved else self._window
        return self._next - first < limit - self._step

    def take(self) -> Ticket:
        """Return the next identity."""
        sequence, first = self._next, self.first_unacked
        if first - self._told >= self._step or not self._open:
            self._told = first
        self._next += 1
        self._open.add(sequence)
        return Ticket(self.session_id, sequence, self._told)

    def settled(self, sequence: int) -> None:
        """Note that the outcome is known, so that the store may forget it."""
        self._open.discard(sequence)
        self._unresolved.discard(sequence)
        while self.first_unacked < self._next and self.first_unacked not in self._open:
            self.first_unacked += 1

    def unresolved(self, sequence: int) -> None:
        """Note that nobody knows the outcome: it is kept until it is asked for."""
        if sequence in self._open:
            self._unresolved.add(sequence)


class Sessions:
    """The sessions of one client: the one in use, and former ones with open ends."""

    def __init__(self) -> None:
        """Start with none."""
        self._current: SessionWindow | None = None
        self._kept: dict[int, SessionWindow] = {}

    def take(self) -> Ticket | None:
        """Return the identity of the next mutation; None: open a session first."""
        if self._current is None or not self._current.has_room:
            return None
        return self._current.take()

    def opened(self, session_id: int, window: int) -> None:
        """Go on in a new session; the former one is kept while something in it is open."""
        if self._current is not None:
            self._kept[self._current.session_id] = self._current
        self._kept = {number: each for number, each in self._kept.items() if not each.is_settled}
        while len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._current = SessionWindow(session_id, window)

    def expired(self, session_id: int) -> None:
        """Take the store's word that a session is over."""
        if self._current is not None and self._current.session_id == session_id:
            self._current = None
        self._kept.pop(session_id, None)

    def settled(self, identity: Identity | Ticket) -> None:
        """Note that an outcome is known."""
        if not isinstance(identity, KeyIdentity):
            window = self._window(identity.session_id)
            if window is not None:
                window.settled(identity.sequence)

    def unresolved(self, identity: SessionIdentity | Ticket) -> None:
        """Note that an outcome stays unknown for now."""
        window = self._window(identity.session_id)
        if window is not None:
            window.unresolved(identity.sequence)

    def finished(self) -> list[int]:
        """Return the sessions that can be closed: nobody may want to ask about them any more."""
        every = [*self._kept.values(), *([] if self._current is None else [self._current])]
        return [each.session_id for each in every if each.is_settled]

    def _window(self, session_id: int) -> SessionWindow | None:
        current = self._current
        if current is not None and current.session_id == session_id:
            return current
        return self._kept.get(session_id)
