"""One stream that follows an acquisition: what it was told, and what it is to be told next.

Imports: core. Its owner takes news when it can send; between two takes only the newest is kept,
because a stream says how the acquisition stands now, not how it came to that (RULES I6).
"""

from collections.abc import Callable
from typing import Protocol

from kvraft.core.commands import Acquire
from kvraft.core.results import AcquireResult, Standing
from kvraft.replica.outcomes import Answer, Denied


class Surroundings(Protocol):
    """The hub that a stream belongs to."""

    def on_closed(self, waiter: "Waiter") -> None:
        """Nobody takes any more."""
        ...


class Waiter:
    """One stream. Its owner calls `take` until it gets nothing, then waits for `on_news`."""

    __slots__ = (
        "_hub",
        "_news",
        "_on_news",
        "asked_again",
        "command",
        "deadline",
        "ended",
        "has_entered",
        "index",
        "is_answered",
        "is_closed",
        "is_due",
        "is_finished",
        "revision",
        "standing",
    )

    def __init__(self, hub: Surroundings, command: Acquire, on_news: Callable[[], None]) -> None:
        self._hub = hub
        self._on_news = on_news
        self._news: AcquireResult | None = None
        self.command = command
        self.standing: AcquireResult | None = None
        """How the acquisition stands as far as this node knows; None: not answered yet."""
        self.ended: Answer | Denied | None = None
        """Why there will be no more news: the state refused it, or this node cannot go on."""
        self.is_answered = False
        self.index = 0
        """Of the entry that carried the stream's own Acquire; 0: unknown."""
        self.revision = 0
        """The store's right after it."""
        self.asked_again = 0
        """Index of the last Acquire with the same key, from anywhere."""
        self.has_entered = False
        """The place was taken, or granted, while this stream was open: nobody else confirmed it."""
        self.deadline = 0.0
        """When to look where it is in its queue."""
        self.is_due = False
        """The hub will wake it."""
        self.is_finished = False
        self.is_closed = False

    @property
    def key(self) -> bytes:
        """What the acquisition is known by."""
        return self.command.key

    @property
    def is_queued(self) -> bool:
        """Whether the place waits, as far as this node knows."""
        return self.standing is not None and self.standing.standing is Standing.QUEUED

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell: how it stands, or that it has `ended`."""
        return self._news is not None or (self.ended is not None and not self.is_closed)

    def take(self) -> AcquireResult | None:
        """Return how it stands, if that is news; None: nothing now, or it has `ended`."""
        news, self._news = self._news, None
        return news

    def learn(self, standing: AcquireResult) -> bool:
        """Keep how it stands for the next `take`; tells whether that is news."""
        if standing == self.standing or self.ended is not None:
            return False
        self.standing = self._news = standing
        return True

    def wake(self) -> None:
        """Tell the owner that there is something."""
        self.is_due = False
        if not self.is_closed:
            self._on_news()

    def end(self, why: Answer | Denied) -> None:
        """Tell nothing more than why."""
        if self.ended is None:
            self.ended, self._news = why, None
            self.wake()

    def finish(self) -> None:
        """Note that the last word goes to the client: from now on it may know."""
        self.is_finished = True

    def close(self) -> None:
        """Give the stream up: whoever was not sent the last word does not want it any more."""
        if not self.is_closed:
            self.is_closed = True
            self._hub.on_closed(self)
