"""The one history of a run: what stood at each log index, what came of it, and when first.

Whichever node comes to an index first writes it; every other node must then agree, result for
result. A client's answer must be in it, at a time between question and answer; a read must have
seen everything that was applied anywhere before it was asked. That is stronger than
linearizability, costs one look-up an answer, and convicts at the first wrong answer.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kvraft.core.codec import decode_entry
from kvraft.core.commands import Command, CompareAndSet, Entry, Put, Request
from kvraft.core.errors import Reason
from kvraft.core.frozen import state_hash
from kvraft.core.history import Revision
from kvraft.core.machine import StateMachine
from kvraft.core.places import LockChange
from kvraft.core.results import KeyValue, Refused, Replayed, Result
from kvraft.replica.batcher import AppliedBatch

HASH_EVERY = 32
"""Indexes between two hashes of the whole state, at the same ones on every node."""
ALL_KEYS = 10_000
ALL_BYTES = 1 << 30

Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One log index."""

    index: int
    moment: int
    """Of the first application anywhere, in the order of everything that happened."""
    time: float
    """... and in true seconds."""
    payload: bytes
    commands: tuple[Command, ...]
    results: Sequence[Result]
    revisions: Sequence[int]
    changes: Sequence[Revision]
    """What the entry changed."""
    lock_changes: Sequence[LockChange]
    """What it did to places."""
    cluster_time_ms: int
    identities: int
    """Identified writes up to here, this one included."""


@dataclass(frozen=True, slots=True)
class Before:
    """The state that an entry met."""

    machine: StateMachine
    entry: Entry
    entries: Sequence[KeyValue]
    """All keys, where something other than a plain write may remove some; else nothing."""
    revision: int


class Chronicle:
    """Written by the replicas, read by the checks."""

    def __init__(self, report: Report, now: Callable[[], float], order: list[int]) -> None:
        """`order`: identities of writes as the invariants know them."""
        self.report = report
        self.now = now
        self.order = order
        self.at: dict[int, Chapter] = {}
        self.indexes: list[int] = []
        self.applied: Counter[Command] = Counter()
        """How often each command was applied; copies answered from memory do not count."""
        self.hash_at: dict[int, str] = {}
        self.hashes = 0
        """Digests compared with one of another node."""
        self.looks_back: Callable[[Entry, int], bool] = lambda _entry, _now_ms: False
        """Whether the state before this entry must be kept for `listeners`."""
        self.listeners: list[Callable[[Chapter, Before], None]] = []
        self.revision = 1
        """The newest anywhere."""
        self._decoded: dict[bytes, Entry] = {}
        self._moment = 0
        self._identities = 0

    def moment(self) -> int:
        """Return the number of the next event; events of one instant are in order too."""
        self._moment += 2
        return self._moment

    # -- what replicas do

    def entry(self, payload: bytes) -> Entry:
        """Decode an entry, once for all nodes: equal bytes say the same."""
        entry = self._decoded.get(payload)
        if entry is None:
            entry = self._decoded[payload] = decode_entry(payload)
        return entry

    def before(self, machine: StateMachine, entry: Entry) -> Before:
        """Look at what an entry meets, where no node has applied it yet."""
        now_ms = max(machine.cluster_time_ms, entry.stamp_ms or 0)
        entries: Sequence[KeyValue] = ()
        if self.looks_back(entry, now_ms):
            entries = machine.page(b"", None, limit=ALL_KEYS, max_bytes=ALL_BYTES).entries
        return Before(machine, entry, entries, machine.revision)

    def write(self, index: int, payload: bytes, batch: AppliedBatch, before: Before) -> list[int]:
        """Note the first application of an index; return the identities of its writes."""
        entry = before.entry
        identities = identities_of(entry)
        self._identities += len(identities)
        chapter = Chapter(
            index,
            self.moment(),
            self.now(),
            payload,
            entry.commands,
            tuple(batch.results),
            tuple(batch.revisions),
            tuple(before.machine.changes),
            tuple(before.machine.lock_changes),
            before.machine.cluster_time_ms,
            self._identities,
        )
        if self.indexes and index < self.indexes[-1]:
            self.report("state-divergence", f"entry {index} is first applied after a later one")
        self.at[index] = chapter
        self.revision = before.machine.revision
        self.indexes.append(index)
        self.applied.update(
            each
            for each, result in zip(entry.commands, batch.results, strict=True)
            if not _is_repeated(each, result)
        )
        for listener in self.listeners:
            listener(chapter, before)
        return identities

    def compare(
        self, name: str, index: int, payload: bytes, batch: AppliedBatch, machine: StateMachine
    ) -> None:
        """Another node has applied the same index: the same entry, with the same results."""
        chapter = self.at[index]
        if payload != chapter.payload:
            self.report("state-divergence", f"{name} applied another entry {index} than others")
        if (
            tuple(batch.results) != chapter.results
            or tuple(batch.revisions) != chapter.revisions
            or machine.cluster_time_ms != chapter.cluster_time_ms
            or tuple(machine.changes) != chapter.changes
            or tuple(machine.lock_changes) != chapter.lock_changes
        ):
            detail = f"{name} has other results at entry {index}"
            self.report("state-divergence", detail)

    def compare_state(self, name: str, machine: StateMachine) -> None:
        """Hash the whole state; it must equal that of every node that was at this index."""
        frozen = machine.freeze()
        digest = next(step for step in state_hash(frozen) if step is not None)
        frozen.release()
        self.compare_hash(name, machine.index, digest)

    def compare_hash(self, name: str, index: int, digest: str) -> None:
        """Take a digest of the state at an index."""
        known = self.hash_at.setdefault(index, digest)
        self.hashes += 1
        if known != digest:
            self.report("state-hash", f"{name} has another state at entry {index} than others")

    # -- what clients were told

    def check_answer(self, command: Command, index: int, result: Result, asked: int) -> None:
        """A mutation was answered: the log must say the same, at a time after the question."""
        chapter = self.at.get(index)
        found = chapter is not None and any(
            done == command and came == result
            for done, came in zip(chapter.commands, chapter.results, strict=True)
        )
        if chapter is None or not found:
            self.report("wrong-answer", f"entry {index} does not answer {command} by {result}")
        elif chapter.moment < asked:
            self.report("wrong-answer", f"{command} was applied at {index} before it was asked")

    def check_read(self, what: str, index: int, asked: int) -> None:
        """A read saw the state at `index`: nothing newer may have stood when it was asked."""
        at = bisect_right(self.indexes, index)
        if at < len(self.indexes) and self.at[self.indexes[at]].moment < asked:
            newer = self.indexes[at]
            self.report("stale-read", f"{what} saw entry {index}, {newer} was applied before")


def _is_repeated(command: Command, result: Result) -> bool:
    """Whether an identified mutation was answered without being looked at again."""
    if not isinstance(command, Request):
        return False
    if isinstance(result, Replayed):
        return True
    return isinstance(result, Refused) and result.reason in (
        Reason.KEY_REUSED,
        Reason.SESSION_EXPIRED,
        Reason.ABANDONED,
    )


def identities_of(entry: Entry) -> list[int]:
    """Return the numbers that the writes of an entry carry as values."""
    return [int(each.value) for each in entry.commands if isinstance(each, Put | CompareAndSet)]
