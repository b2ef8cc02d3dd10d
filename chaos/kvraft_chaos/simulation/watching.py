"""One watch of a simulated client, over any number of streams: the client's policy, and a user.

The order of its steps is that of `kvraft_client`'s `AsyncWatch`. The user keeps a bookmark: a
client that dies and comes back goes on from there.
"""

from dataclasses import dataclass, replace

from kvraft.core.errors import Reason
from kvraft.replica.watch_topics import Kind, WatchSpec
from kvraft.replica.watcher import Message, WatchEnd
from kvraft_chaos.simulation.changes import KEYS
from kvraft_chaos.simulation.client_process import ClientProcess, Reply
from kvraft_chaos.simulation.past import BANK, Past
from kvraft_chaos.simulation.store import Bounds
from kvraft_chaos.simulation.watch_check import Subscription
from kvraft_chaos.simulation.watch_stream import Asking, following, opening
from kvraft_client.policy.failure import Effect, Failure
from kvraft_client.policy.retry import Attempts
from kvraft_client.policy.watch import OUTAGE_S, WATCH_RETRY, WatchPosition

READ_S = 1.5
"""Seconds for one message or none; a stream that is silent for longer is broken."""
SLOW = 0.03
"""Share of the messages after which the user does something else for a while ..."""
SLOW_S = (0.3, 4.0)
"""... in seconds."""


@dataclass(slots=True)
class Bookmark:
    """What a user keeps over the deaths of its client."""

    spec: WatchSpec | None = None
    told: Subscription | None = None
    position: WatchPosition | None = None
    resumes: int = 0
    compacted: int = 0


class Watching:
    """The watch of one client, in one life of it."""

    def __init__(
        self, process: ClientProcess, past: Past, bookmark: Bookmark, bounds: Bounds
    ) -> None:
        self._process = process
        self._past = past
        self._bounds = bounds
        self._chance = process.chance
        self._bookmark = bookmark
        self._address = ""
        self._streams = 0
        self._attempts: Attempts | None = None
        if bookmark.position is not None:  # the client is new, and knows no part of a revision
            bookmark.position = WatchPosition(bookmark.position.next_revision)
        if bookmark.told is not None:
            bookmark.told.rewind()
        self.stopped = False

    async def run(self) -> None:
        """Watch until the client dies."""
        while True:
            failure = await self._receive()
            if failure is None:
                self._attempts = None
                if self._chance.happens(SLOW) and not self.stopped:
                    await self._process.sleep(self._chance.between(*SLOW_S))
                continue
            self._address = ""
            self._bookmark.resumes += 1
            if failure.reason == Reason.COMPACTED:
                self._compacted()
                continue
            assert self._attempts is not None
            wait = self._process.give_up(self._attempts, failure)
            assert wait is not None, f"a watch never gives up: {failure}"
            await self._process.sleep(wait + 1e-4)

    async def _receive(self) -> Failure | None:
        if self._attempts is None:
            self._attempts = Attempts(Effect.READ, self._process.now(), OUTAGE_S, WATCH_RETRY)
        if not self._address:
            return await self._open(self._attempts)
        serve = following(self._process.name, self._streams)
        came = await self._process.ask(self._address, serve, READ_S)
        if isinstance(came, Failure):
            return came
        if isinstance(came.value, Message):
            self._take(came.value)
        elif came.value is not None:
            return _ended(came.value, self._address)
        return None

    async def _open(self, attempts: Attempts) -> Failure | None:
        bookmark = self._bookmark
        if bookmark.position is None:
            bookmark.spec, bookmark.position = self._draw(), WatchPosition(self._draw_start())
        assert bookmark.spec is not None
        address = await self._process.reach(attempts)
        if isinstance(address, Failure):
            return address
        self._streams += 1
        bookmark.position.resume()
        start = bookmark.position.next_revision
        asking = Asking(self._process.name, self._streams, bookmark.spec, start)
        begun = self._past.chronicle.revision
        came = await self._process.ask(address, opening(asking), READ_S)
        if isinstance(came, Failure):
            return came
        assert isinstance(came, Reply)
        if came.value is not None:
            return _ended(came.value, address)
        if bookmark.told is None:
            self._begin(begun, start)
        self._address = address
        return None

    def _begin(self, begun: int, start: int | None) -> None:
        """What is owed is fixed with the first word of the store, where no start was given."""
        spec, size = self._bookmark.spec, self._bounds.replica.watch_message_bytes
        assert spec is not None
        name = f"the watch of {self._process.name}"
        if start is not None:
            self._bookmark.told = Subscription(self._past, name, spec, max(start - 1, 1), size)
        self._begun = begun

    def _take(self, message: Message) -> None:
        bookmark = self._bookmark
        position = bookmark.position
        assert position is not None
        if bookmark.told is None:
            self._greeted(message)
        repeated = position.take(message.revision, [each.revision for each in message.changes])
        assert bookmark.told is not None
        assert position.through is not None
        bookmark.told.received(message.changes[repeated:], position.through)

    def _greeted(self, message: Message) -> None:
        """A watch from now on begins behind all that was acknowledged before."""
        spec, size = self._bookmark.spec, self._bounds.replica.watch_message_bytes
        assert spec is not None
        if message.revision < self._begun:
            detail = f"begins at {message.revision}, {self._begun} stood before it was asked for"
            self._past.chronicle.report("watch-begins-late", detail)
        name = f"the watch of {self._process.name}"
        self._bookmark.told = Subscription(self._past, name, spec, message.revision, size)

    def _compacted(self) -> None:
        """The user starts anew; the refusal must have been right."""
        bookmark = self._bookmark
        assert bookmark.position is not None
        revision = bookmark.position.next_revision
        assert revision is not None, "what begins now is never compacted"
        self._past.check_gone(revision - 1, self._bounds.apply.history_revisions)
        bookmark.compacted += 1
        bookmark.position = bookmark.told = None
        self._attempts = None

    # -- drawing

    def _draw(self) -> WatchSpec:
        chance = self._chance
        match chance.below(5):
            case 0:
                spec = WatchSpec(Kind.PREFIX, BANK)
            case 1:
                spec = WatchSpec(Kind.KEY, chance.pick(KEYS))
            case 2:
                spec = WatchSpec(Kind.RANGE, KEYS[2], KEYS[9])
            case _:
                spec = WatchSpec(Kind.PREFIX, b"")
        return replace(
            spec,
            previous=chance.happens(0.5),
            no_puts=chance.happens(0.1),
            no_deletes=chance.happens(0.1),
        )

    def _draw_start(self) -> int | None:
        """From now, from the recent past, or from what is still to come."""
        if self._chance.happens(0.5):
            return None
        known = self._past.chronicle.revision
        return max(2, known - 30 + self._chance.below(40))


def _ended(end: WatchEnd, address: str) -> Failure:
    return Failure("UNAVAILABLE", end.message, address, sent=True, reason=end.reason.value)
