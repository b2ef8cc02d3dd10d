"""One watch: where it stands, and the next message for it, from its topic's buffer or the history.

Imports: core. It never skips: a watch that is too slow for the buffer reads the history, and one
that is too slow for that ends with the revision from which to resume.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kvraft.core.errors import Reason
from kvraft.core.history import Revision
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.watch_topics import Change, Chunk, Topic


class Past(Protocol):
    """What the state remembers."""

    revision: int

    @property
    def compacted_revision(self) -> int:
        """What happened up to here is forgotten."""
        ...

    def history_after(self, revision: int, limit: int, events: int | None) -> list[Revision]:
        """Return the first revisions above one that is not compacted, up to both bounds."""
        ...


class Message(NamedTuple):
    """What a watch is told at once."""

    changes: list[Change]
    """Of whole revisions up to `revision`, in order. What is above it is part of a revision that is
    larger than a message: the rest follows, and the whole again after an interruption."""
    revision: int
    """Everything up to here was handed out."""
    is_mark: bool
    """The first message, or a mark of progress: with a header."""


@dataclass(frozen=True, slots=True)
class WatchEnd:
    """Why a watch ended, and the first revision that was not handed out whole."""

    reason: Reason
    message: str
    resume_revision: int
    oldest_revision: int | None = None
    """Where history is gone: the oldest revision that a watch can start from."""


class Surroundings(Protocol):
    """The hub that a watch belongs to."""

    limits: ReplicaLimits
    past: Callable[[], Past]

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def on_closed(self, watcher: "Watcher") -> None:
        """The watch is over."""
        ...

    def on_fallen_behind(self, watcher: "Watcher") -> None:
        """The watch has to read the history, and should be told."""
        ...


class Watcher:
    """One watch. Its owner calls `take` until it gets nothing, then waits for `on_news`."""

    __slots__ = (
        "_greeted",
        "_hub",
        "_mark",
        "_on_news",
        "_part",
        "_waiting",
        "deadline",
        "ended",
        "is_due",
        "place",
        "position",
        "progress_s",
        "told",
        "told_at",
        "topic",
    )

    def __init__(
        self,
        hub: Surroundings,
        topic: Topic,
        position: int,
        progress_s: float,
        on_news: Callable[[], None],
    ) -> None:
        """`position`: the revision before the first one wanted; `on_news` may be called in a turn
        of the hub, and only after `take` gave nothing.
        """
        self._hub = hub
        self._on_news = on_news
        self.topic = topic
        self.position = position
        self.progress_s = progress_s
        self.deadline = hub.now() + progress_s
        """When to look whether a mark of progress is needed."""
        self.told = position
        self.told_at = hub.now()
        self.place = -1
        """Number of its next chunk in the topic's buffer; -1: it reads the history."""
        self.is_due = True
        self.ended: WatchEnd | None = None
        self._part = 0  # changes of the next revision that were handed out before the rest
        self._greeted = False
        self._mark = False
        self._waiting = False

    @property
    def is_behind(self) -> bool:
        """Whether it reads the history: `take` again in another turn, also after nothing."""
        return self.place < 0 and self.ended is None

    @property
    def is_idle(self) -> bool:
        """Whether it has been handed all there is."""
        return self.place == self.topic.end

    def take(self) -> Message | None:
        """Return the next message; None: nothing now, or it has `ended`. Bounded work."""
        if self.ended is not None:
            return None
        if not self._greeted:
            self._greeted = self._mark = True
            return self._message([])
        changes: list[Change] = []
        if self.is_due or self._mark:
            changes = self._from_history() if self.place < 0 else self._from_buffer()
        if changes or (self._mark and self.place >= 0):
            return self._message(changes)
        self._waiting = not self.is_behind
        return None

    def wake(self) -> None:
        """Tell the owner, if it waits."""
        if self._waiting:
            self._waiting = False
            self._on_news()

    def mark(self) -> None:
        """Say at the next chance how far it is."""
        self._mark = True

    def fall_behind(self, revision: int) -> None:
        """Go on in the history, above `revision`."""
        self.position = max(self.position, revision)
        self.place, self.is_due = -1, True
        self._hub.on_fallen_behind(self)

    def end(self, reason: Reason, text: str, oldest_revision: int | None = None) -> None:
        """Hand out nothing more, and say from where to resume."""
        if self.ended is None:
            if self.is_idle:
                self.position = max(self.position, self._hub.past().revision)
            self.ended = WatchEnd(reason, text, self.position + 1, oldest_revision)
            self._hub.on_closed(self)
            self.wake()

    def close(self) -> None:
        """Nobody takes any more."""
        self.end(Reason.SHUTTING_DOWN, "the watch was closed")

    def _message(self, changes: list[Change]) -> Message:
        is_mark, self._mark = self._mark, False
        self.told, self.told_at = self.position, self._hub.now()
        return Message(changes, self.position, is_mark)

    def _from_buffer(self) -> list[Change]:
        topic = self.topic
        changes, is_all = self._pack(topic.chunks_from(self.place))
        for chunk in topic.chunks_from(self.place):
            if chunk.revision > self.position:
                break
            self.place += 1
        if is_all:
            self.position = max(self.position, self._hub.past().revision)
            self.is_due = False
        return changes

    def _from_history(self) -> list[Change]:
        past, limits = self._hub.past(), self._hub.limits
        changes: list[Change] = []
        if self.position < past.compacted_revision:
            oldest = past.compacted_revision + 1
            text = f"history begins at revision {oldest}, the watch stands at {self.position}"
            self.end(Reason.COMPACTED, text, oldest)
            return changes
        if self.position < past.revision:
            bounds = limits.watch_slice_revisions, limits.watch_slice_events
            revisions = past.history_after(self.position, *bounds)
            changes, is_all = self._pack(self._chosen(revisions))
            if not is_all:
                return changes
            # There may be more behind them; nothing at all is above the last event.
            last = revisions[-1].revision if revisions else past.revision
            self.position = max(self.position, last)
        if self.position >= past.revision:
            self.place = self.topic.end
            self.topic.readers[self] = None
        return changes

    def _chosen(self, revisions: Iterable[Revision]) -> Iterator[Chunk]:
        spec = self.topic.spec
        for revision in revisions:
            number = revision.revision
            changes = [
                Change(number, event)
                for event in revision.events
                if spec.has(event.key) and spec.wants(event)
            ]
            if changes:
                yield Chunk(number, changes, previous=spec.previous)

    def _pack(self, chunks: Iterable[Chunk]) -> tuple[list[Change], bool]:
        """Return what fits into a message, and whether that is all; move behind it."""
        limit = self._hub.limits.watch_message_bytes
        picked: list[Change] = []
        size = 0
        for chunk in chunks:
            if chunk.revision <= self.position:
                continue  # before the start that was asked for
            size += chunk.size
            if size > limit:
                if picked:
                    return picked, False
                part = self._next_part(chunk, limit)
                if self._part:
                    return part, False
                picked = part
            else:
                picked += chunk.changes
            self.position = chunk.revision
        return picked, True

    def _next_part(self, chunk: Chunk, limit: int) -> list[Change]:
        """Return the next changes of a revision that is larger than a message, one at least."""
        begin = end = self._part
        size = 0
        for change in chunk.changes[begin:]:
            size += change.size(previous=self.topic.spec.previous)
            if end > begin and size > limit:
                break
            end += 1
        self._part = 0 if end == len(chunk.changes) else end
        return chunk.changes[begin:end]
