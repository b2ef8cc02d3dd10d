"""All watches of one node: fed with what each entry changed, woken when there is something to take.

Imports: core. Sans-I/O: it decides when a watch has news, its owner takes them when it can send.
Watches of the same keys share a buffer, so news cost by topic, not by watch; waking is spread over
the turns of the loop, and gathered the longer the more streams there are to serve.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from kvraft.core.errors import Outcome, Reason
from kvraft.core.history import Revision
from kvraft.replica.deadlines import Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import Denied
from kvraft.replica.watch_topics import Change, Chunk, Topic, Topics, WatchSpec
from kvraft.replica.watcher import Past, WatchEnd, Watcher


class Alarm(Protocol):
    """What the hub needs of the world."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def wake(self) -> None:
        """Call `tick` soon."""
        ...

    def wake_in(self, seconds: float) -> None:
        """Call `tick` about so much later, or sooner."""
        ...


class WatchHub:
    """The watches, and who of them is told what when."""

    def __init__(self, doors: Alarm, limits: ReplicaLimits, past: Callable[[], Past]) -> None:
        """`past` returns the present state, which a snapshot may replace."""
        self.limits = limits
        self.past = past
        self._doors = doors
        self._topics = Topics()
        self._watchers: dict[Watcher, None] = {}
        self._marks: Deadlines[Watcher] = Deadlines()
        self._news: dict[Topic, None] = {}
        self._to_wake: deque[Watcher] = deque()
        self._flush_at = 0.0
        self._alarm_at = 0.0
        self._led_at = doors.now()
        self._known = 1  # the revision up to which it was fed
        self._size_bytes = 0
        self._marked_behind = 1
        self._stopped: str | None = None
        self.fell_behind = 0

    def __len__(self) -> int:
        return len(self._watchers)

    def now(self) -> float:
        """Monotonic seconds."""
        return self._doors.now()

    def open(
        self, spec: WatchSpec, start: int | None, progress_ms: int, on_news: Callable[[], None]
    ) -> Watcher | WatchEnd | Denied:
        """Begin a watch at revision `start` (None: behind what is applied now).

        With None it must be called in the turn in which a read barrier was met.
        """
        past = self.past()
        # Revision 1 is the empty store: nothing ever happened at it.
        position = past.revision if start is None else max(start - 1, 1)
        denied = self._denied()
        if denied is not None:
            return denied
        if position < past.compacted_revision:
            oldest = past.compacted_revision + 1
            text = f"start_revision: the oldest that is kept is {oldest}, asked for {start}"
            return WatchEnd(Reason.COMPACTED, text, position + 1, oldest)
        topic = self._topics.join(spec)
        watcher = Watcher(self, topic, position, progress_ms / 1000, on_news)
        self._watchers[watcher] = None
        self._marks.add(watcher)
        return watcher

    def feed(self, revisions: Sequence[Revision]) -> None:
        """Take what the last entry changed; after each apply, in the same turn."""
        past = self.past()
        self._known = past.revision
        if not self._watchers:
            return
        for revision in revisions:
            self._buffer(revision)
        if past.compacted_revision > self._marked_behind:
            self._mark_before_compaction(past)
        if self._news:
            self._doors.wake()

    def replaced(self) -> None:
        """The state was replaced by a newer one: what lies between is in its history, or gone."""
        known, self._known = self._known, self.past().revision
        for topic in self._topics:
            topic.clear(known)
        self._size_bytes = 0
        self._news.clear()
        self._doors.wake()

    def tick(self, now: float, *, is_led: bool) -> None:
        """Let time pass; `is_led`: this node knows a leader."""
        if is_led:
            self._led_at = now
        if not self._watchers:
            return
        if self._is_leaderless(now):
            text = f"this node has known no leader for {self.limits.watch_leaderless_ms} ms"
            self._end_all(Reason.NO_QUORUM, text)
            return
        for watcher in self._marks.take_due(now):
            self._look_at(watcher, now, is_led=is_led)
        if self._news and now >= self._flush_at and not self._to_wake:
            self._flush(now)
        self._wake_some(now)

    def stop(self, message: str) -> None:
        """End all watches, for good: the node is stopping."""
        self._stopped = message
        self._end_all(Reason.SHUTTING_DOWN, message)

    # -- for the watches

    def on_closed(self, watcher: Watcher) -> None:
        """Forget a watch."""
        del self._watchers[watcher]
        self._marks.discard(watcher)
        watcher.topic.readers.pop(watcher, None)
        self._topics.leave(watcher.topic)
        if not watcher.topic.members:
            self._news.pop(watcher.topic, None)
            self._size_bytes -= watcher.topic.size_bytes

    def on_fallen_behind(self, watcher: Watcher) -> None:
        """Wake a watch that must read the history."""
        self.fell_behind += 1
        self._to_wake.append(watcher)

    # -- inside

    def _denied(self) -> Denied | None:
        if self._stopped is not None:
            return Denied(Reason.SHUTTING_DOWN, Outcome.NOT_APPLIED, self._stopped)
        limit = self.limits.watches
        if len(self._watchers) >= limit:
            text = f"{limit} watches are open on this node, its limit"
            return Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, retry_after_ms=1000)
        if self._is_leaderless(self._doors.now()):
            text, retry_ms = "this node knows no leader", self.limits.retry_ms
            return Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, text, retry_after_ms=retry_ms)
        return None

    def _is_leaderless(self, now: float) -> bool:
        return (now - self._led_at) * 1000 >= self.limits.watch_leaderless_ms

    def _end_all(self, reason: Reason, text: str) -> None:
        for watcher in list(self._watchers):
            watcher.end(reason, text)

    def _buffer(self, revision: Revision) -> None:
        found: dict[Topic, list[Change]] = {}
        for event in revision.events:
            topics = self._topics.matching(event)
            if topics:
                change = Change(revision.revision, event)  # one for all of them
                for topic in topics:
                    found.setdefault(topic, []).append(change)
        for topic, changes in found.items():
            chunk = Chunk(revision.revision, changes, previous=topic.spec.previous)
            topic.add(chunk)
            self._size_bytes += chunk.size
            self._news[topic] = None
            self._bound(topic)

    def _bound(self, topic: Topic) -> None:
        limits = self.limits
        if (
            len(topic) > limits.watch_buffer_revisions
            or topic.size_bytes > limits.watch_buffer_bytes
        ):
            self._shrink([topic], len(topic) // 2)
        if self._size_bytes > limits.watch_total_bytes:
            self._shrink(list(self._topics), None)
        if self._size_bytes > limits.watch_total_bytes:
            self._shrink(list(self._topics), 0)

    def _shrink(self, topics: list[Topic], keep: int | None) -> None:
        for topic in topics:
            before = topic.size_bytes
            topic.trim()
            if keep is not None:
                topic.cut(keep)
            self._size_bytes -= before - topic.size_bytes

    def _mark_before_compaction(self, past: Past) -> None:
        """Whoever was last told of the older half of history is told again, before that goes."""
        self._marked_behind = (past.compacted_revision + past.revision) // 2
        for watcher in self._watchers:
            if watcher.told < self._marked_behind and watcher.is_idle:
                self._mark(watcher)
        self._doors.wake()

    def _look_at(self, watcher: Watcher, now: float, *, is_led: bool) -> None:
        """A mark of progress says that the node is led: without a leader there is none."""
        if is_led and watcher.is_idle and now >= watcher.told_at + watcher.progress_s:
            self._mark(watcher)
        next_at = watcher.told_at + watcher.progress_s
        watcher.deadline = next_at if next_at > now else now + watcher.progress_s
        self._marks.add(watcher)

    def _mark(self, watcher: Watcher) -> None:
        watcher.mark()
        self._to_wake.append(watcher)

    def _flush(self, now: float) -> None:
        """Tell the watches of all topics with news; pause the longer the more they are."""
        limits = self.limits
        woken = 0
        for topic in self._news:
            woken += len(topic.readers)
            for reader in topic.readers:
                assert isinstance(reader, Watcher), "the hub has no other readers"
                reader.is_due = True
                self._to_wake.append(reader)
        self._shrink(list(self._news), None)
        self._news.clear()
        pause_ms = min(limits.watch_gather_ms, woken * limits.watch_pause_ms)
        self._flush_at = now + pause_ms / 1000

    def _wake_some(self, now: float) -> None:
        for _ in range(min(len(self._to_wake), self.limits.watch_wakes)):
            self._to_wake.popleft().wake()
        if self._to_wake:
            self._doors.wake()
        elif self._news and self._alarm_at <= now:
            self._alarm_at = self._flush_at
            self._doors.wake_in(max(0.0, self._flush_at - now))
