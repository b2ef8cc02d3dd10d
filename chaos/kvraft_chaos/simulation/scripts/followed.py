"""A watch of a script: read in the background over any number of streams, taken a piece at a time.

The order of its steps is that of `kvraft_client`'s `AsyncWatch`; what comes next, and when to try
again, is the client's own policy.
"""

from kvraft.core.errors import Reason
from kvraft.replica.watch_topics import Change, Kind, WatchSpec
from kvraft.replica.watcher import Message, WatchEnd
from kvraft_chaos.simulation.client_process import ClientProcess, Reply
from kvraft_chaos.simulation.tasks import Promise
from kvraft_chaos.simulation.watch_stream import Asking, following, opening
from kvraft_client.policy.failure import Effect, Failure
from kvraft_client.policy.retry import Attempts
from kvraft_client.policy.watch import OUTAGE_S, WATCH_RETRY, WatchPosition

READ_S = 1.5
"""Seconds for one message or none; a stream that is silent for longer is broken."""
TURN_S = 1e-4
"""Added to a wait, so that the time is surely over after it."""

Seen = list[int | str | None]
"""Of one event: revision, key, and value (None: deleted)."""


class FollowedWatch:
    """Of one prefix, from one revision on (None: from now on)."""

    def __init__(self, process: ClientProcess, name: str, prefix: str, begins: int | None) -> None:
        """`name`: the stream of this name that stood before ends, on the node that served it."""
        self.from_revision = begins
        """Where it began; None: not begun yet."""
        self.ended: Failure | None = None
        self._process = process
        self._name = name
        self._spec = WatchSpec(Kind.PREFIX, prefix.encode())
        self._position = WatchPosition(begins)
        self._events: list[Seen] = []
        self._address = ""
        self._streams = 0
        self._closed = False
        self._news: Promise[None] = Promise()
        process.begin(self._read())

    @property
    def through(self) -> int | None:
        """Nothing up to it is missing."""
        return self._position.through

    @property
    def next_revision(self) -> int | None:
        """What the next call has to ask for to go on with this one."""
        return self._position.next_revision

    def close(self) -> None:
        """Read no more."""
        self._closed = True

    async def wait(self, events: int, until: int | None, seconds: float) -> None:
        """Until so many events came, and all up to `until`; or until time is over."""
        process = self._process
        deadline = process.now() + seconds
        process.begin(self._tell_after(seconds))
        while not self._has(events, until) and process.now() < deadline:
            self._news = Promise()
            await self._news

    def take(self) -> list[Seen]:
        """Hand out what came."""
        taken, self._events = self._events, []
        return taken

    def _has(self, events: int, until: int | None) -> bool:
        through = self._position.through
        behind = through is None or (until is not None and through < until)
        return self.ended is not None or (len(self._events) >= events and not behind)

    async def _tell_after(self, seconds: float) -> None:
        await self._process.sleep(seconds + TURN_S)
        self._news.keep(None)

    # -- reading

    async def _read(self) -> None:
        attempts: Attempts | None = None
        while not self._closed and self.ended is None:
            if attempts is None:
                attempts = Attempts(Effect.READ, self._process.now(), OUTAGE_S, WATCH_RETRY)
            failure = await (self._receive() if self._address else self._open(attempts))
            if failure is None:
                attempts = None
            elif failure.reason == Reason.COMPACTED:
                self.ended = failure
            else:
                self._address = ""
                wait = self._process.give_up(attempts, failure)
                assert wait is not None, f"a watch never gives up: {failure}"
                await self._process.sleep(wait + TURN_S)
            self._news.keep(None)

    async def _open(self, attempts: Attempts) -> Failure | None:
        address = await self._process.reach(attempts)
        if isinstance(address, Failure):
            return address
        self._streams += 1
        self._position.resume()
        asking = Asking(self._name, self._streams, self._spec, self._position.next_revision)
        came = await self._process.ask(address, opening(asking), READ_S)
        if isinstance(came, Failure):
            return came
        assert isinstance(came, Reply)
        if came.value is not None:
            return _ended(came.value, address)
        self._address = address
        return None

    async def _receive(self) -> Failure | None:
        serve = following(self._name, self._streams)
        came = await self._process.ask(self._address, serve, READ_S)
        if isinstance(came, Failure):
            return came
        if isinstance(came.value, Message):
            self._take(came.value)
        elif came.value is not None:
            return _ended(came.value, self._address)
        return None

    def _take(self, message: Message) -> None:
        revisions = [each.revision for each in message.changes]
        repeated = self._position.take(message.revision, revisions)
        if self.from_revision is None:
            self.from_revision = self._position.next_revision
        self._events += map(_seen, message.changes[repeated:])


def _seen(change: Change) -> Seen:
    record = change.event.record
    value = None if record is None else record[0].decode()
    return [change.revision, change.event.key.decode(), value]


def _ended(end: WatchEnd, address: str) -> Failure:
    return Failure("UNAVAILABLE", end.message, address, sent=True, reason=end.reason.value)
