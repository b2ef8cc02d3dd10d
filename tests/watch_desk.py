"""A watch hub with a history that a test writes, and a clock that it moves."""

from kvraft.core.history import Cause, Event, Revision
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.watch_hub import WatchHub
from kvraft.replica.watch_topics import Kind, WatchSpec
from kvraft.replica.watcher import Message, Watcher

SMALL = ReplicaLimits(
    watches=5,
    watch_message_bytes=1_000,
    watch_buffer_revisions=8,
    watch_slice_revisions=3,
    watch_slice_events=4,
    watch_wakes=2,
)
ALL = WatchSpec(Kind.PREFIX, b"")


def put(key: bytes, value: bytes = b"v", before=None) -> Event:
    return Event(key, (value, 1, 1, 1, 0), before, Cause.REQUEST)


def delete(key: bytes, cause: Cause = Cause.REQUEST) -> Event:
    return Event(key, None, (b"old", 1, 1, 1, 0), cause)


class FakePast:
    """A history of what the test wrote."""

    def __init__(self) -> None:
        self.revision = 1
        self.compacted_revision = 1
        self.kept: list[Revision] = []
        self.everything: list[Revision] = []
        self.asked: list[tuple[int, int]] = []

    def write(self, *events: Event) -> list[Revision]:
        self.revision += 1
        self.kept.append(Revision(self.revision, 0, events))
        self.everything.append(self.kept[-1])
        return self.kept[-1:] if events else []

    def compact(self, revision: int) -> None:
        self.compacted_revision = revision
        self.kept = [each for each in self.kept if each.revision > revision]

    def successor(self) -> "FakePast":
        """What a snapshot brings: the same, before it goes on."""
        newer = FakePast()
        newer.revision, newer.compacted_revision = self.revision, self.compacted_revision
        newer.kept, newer.everything = list(self.kept), list(self.everything)
        return newer

    def history_after(self, revision: int, limit: int, events: int | None) -> list[Revision]:
        assert revision >= self.compacted_revision, "the caller checks the bound"
        self.asked.append((revision, limit))
        found: list[Revision] = []
        for each in self.kept:
            is_full = events is not None and sum(len(one.events) for one in found) >= events
            if len(found) == limit or is_full:
                break
            if each.revision > revision and each.events:
                found.append(each)
        return found


class Desk:
    """A hub, its past and its doors; `seen` is what an owner who takes at each call has got."""

    def __init__(self, limits: ReplicaLimits = SMALL) -> None:
        self.time = 50.0
        self.past = FakePast()
        self.woken = 0
        self.alarms: list[float] = []
        self.called: dict[Watcher, int] = {}
        self.hub = WatchHub(self, limits, lambda: self.past)

    def now(self) -> float:
        return self.time

    def wake(self) -> None:
        self.woken += 1

    def wake_in(self, seconds: float) -> None:
        self.alarms.append(self.time + seconds)

    def open(self, spec: WatchSpec = ALL, start: int | None = None, progress_ms=10_000) -> Watcher:
        calls: list[Watcher] = []

        def on_news() -> None:
            self.called[calls[0]] = self.called.get(calls[0], 0) + 1

        opened = self.hub.open(spec, start, progress_ms, on_news)
        assert isinstance(opened, Watcher), opened
        calls.append(opened)
        return opened

    def write(self, *events: Event) -> None:
        self.hub.feed(self.past.write(*events))

    def tick(self, seconds: float = 0.0, *, is_led: bool = True) -> None:
        self.time += seconds
        self.hub.tick(self.now(), is_led=is_led)

    def settle(self) -> None:
        """Let every watch be told what there is."""
        for _ in range(20):
            self.tick(0.2)


def drain(watcher: Watcher) -> list[Message]:
    found = []
    for _ in range(1_000):
        message = watcher.take()
        if message is not None:
            found.append(message)
        elif not watcher.is_behind:
            return found
    raise AssertionError("it never ends")


def keys(messages: list[Message]) -> list[bytes]:
    return [change.event.key for message in messages for change in message.changes]
