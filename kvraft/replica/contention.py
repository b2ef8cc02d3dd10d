"""Where callers collide, as this node saw it in the log since it started (or took a snapshot over).

Imports: core. Keys by conflicts (conditions that were false), locks by the time that was waited for
them. A command that meets nobody costs a look at its type, and of a key or lock that is not
contended nothing is kept. All times are cluster time.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice

from kvraft.core.commands import Acquire, Command, CompareAndSet, Request, Txn
from kvraft.core.conditions import Condition, Target
from kvraft.core.places import LockChange
from kvraft.core.results import (
    AcquireResult,
    CasResult,
    Ending,
    Refused,
    Replayed,
    Result,
    Standing,
    TxnResult,
    Unmet,
)
from kvraft.replica.costs import clauses_of
from kvraft.replica.space_saving import SpaceSaving

TRACKED = 1_000
"""Keys, and locks, of which figures are kept: about 1 MB together."""
BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000)
"""Upper ends of the buckets of a histogram: from one hand-over to more than any request waits."""


class Histogram:
    """How many values fell into each bucket; the last one has no upper end."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.sum = 0

    def add(self, value: int) -> None:
        """Count one value."""
        self.counts[bisect_left(BOUNDS_MS, value)] += 1
        self.sum += value


class KeyRow:
    """One key: how often a condition on it was decided since it is kept, and was false."""

    __slots__ = ("attempts", "error", "weight")

    def __init__(self) -> None:
        self.weight = self.error = self.attempts = 0


class LockRow:
    """One lock; weighs the milliseconds that were waited for it."""

    __slots__ = (
        "abandoned",
        "error",
        "grants",
        "hold_ms",
        "overheld",
        "wait_ms",
        "waits",
        "weight",
    )

    def __init__(self) -> None:
        self.weight = self.error = 0
        self.grants = self.waits = self.abandoned = self.overheld = 0
        self.wait_ms = Histogram()
        self.hold_ms = Histogram()


class Contention:
    """All figures of one node."""

    def __init__(self, tracked: int = TRACKED) -> None:
        self.keys: SpaceSaving[KeyRow] = SpaceSaving(tracked, KeyRow)
        self.locks: SpaceSaving[LockRow] = SpaceSaving(tracked, LockRow)
        self._queued: set[int] = set()
        """Places that wait: one that is granted within the millisecond waited all the same."""
        self._holds: dict[int, tuple[int, tuple[bytes, ...]]] = {}
        """Of places that are held and have a `max_hold_ms`: until when, and which locks."""
        self.decided = 0
        self.conflicts = 0
        self.grants = 0
        self.waits = 0
        self.waited_ms = 0
        self.abandoned = 0

    def observe(
        self, commands: Sequence[Command], results: Sequence[Result], changes: Sequence[LockChange]
    ) -> None:
        """Take what one entry did."""
        for command, result in zip(commands, results, strict=True):
            asked: Command = command
            if isinstance(command, Request) and command.condition is None:
                asked = command.mutation
            if type(asked) in _DECIDING and type(result) not in _UNDECIDED:
                self._observe(asked, result)
        for change in changes:
            match change.kind:
                case Standing.QUEUED:
                    self._observe_queued(change)
                case Standing.GRANTED:
                    self._observe_granted(change)
                case Standing.ENDED:
                    self._observe_ended(change)

    def replaced(self) -> None:
        """The state was replaced: of what it came with, only how it ends will be known."""
        self._queued.clear()
        self._holds.clear()

    def overheld(self, now_ms: int) -> dict[bytes, int]:
        """Return how many places hold each lock for longer than they wanted, where any does."""
        found: dict[bytes, int] = {}
        for until_ms, names in self._holds.values():
            if now_ms > until_ms:
                for name in names:
                    found[name] = found.get(name, 0) + 1
        return found

    # -- conditions

    def _observe(self, command: Command, result: Result) -> None:
        if isinstance(command, CompareAndSet):
            self._observe_condition(None, command.key, result)
        elif isinstance(command, Acquire):
            self._observe_try(command, result)
        elif isinstance(command, Request):
            mutation = command.mutation
            own = mutation.key if isinstance(mutation, CompareAndSet) else None
            self._observe_condition(command.condition, own, result)
        elif isinstance(command, Txn) and command.condition is not None:
            self._observe_condition(command.condition, None, result)

    def _observe_condition(
        self, condition: Condition | None, own: bytes | None, result: Result
    ) -> None:
        """`own`: the key that is compared and set. What made it false is the conflict's key."""
        self.decided += 1
        unmet = result.unmet if isinstance(result, TxnResult) else result
        culprit: bytes | None = None
        if isinstance(unmet, Unmet):
            self.conflicts += 1
            assert condition is not None, "who has no condition meets it"
            culprit = next(islice(clauses_of(condition), unmet.clause, None)).key
        elif isinstance(unmet, CasResult) and not unmet.succeeded:
            self.conflicts += 1
            culprit = own
        elif not self.keys:
            return
        looked_at = {each.key for each in clauses_of(condition) if each.target is not Target.FENCE}
        if own is not None:
            looked_at.add(own)
        for key in looked_at:
            row = self.keys.add(key, 1) if key == culprit else self.keys.get(key)
            if row is not None:
                row.attempts += 1

    # -- locks

    def _observe_try(self, command: Acquire, result: Result) -> None:
        """One that did not queue left no trace in the state but its ending."""
        if command.wait_ms != 0 or not isinstance(result, AcquireResult):
            return
        if result.ending is Ending.TIMED_OUT:
            self.abandoned += 1
            for name in command.names:
                row = self.locks.add(name, 0)
                if row is not None:
                    row.abandoned += 1

    def _observe_queued(self, change: LockChange) -> None:
        self._queued.add(change.place_id)
        for name in change.names:
            self.locks.add(name, 0)

    def _observe_granted(self, change: LockChange) -> None:
        waited_ms = change.now_ms - change.since_ms
        has_waited = change.place_id in self._queued or waited_ms > 0
        self.grants += 1
        if change.max_hold_ms is not None:
            until_ms = change.now_ms + change.max_hold_ms
            self._holds[change.place_id] = (until_ms, change.names)
        if has_waited:
            self._queued.discard(change.place_id)
            self.waits += 1
            self.waited_ms += waited_ms
        elif not self.locks:
            return
        for name in change.names:
            row = self.locks.add(name, waited_ms) if has_waited else self.locks.get(name)
            if row is not None:
                row.grants += 1
                if has_waited:
                    row.waits += 1
                    row.wait_ms.add(waited_ms)

    def _observe_ended(self, change: LockChange) -> None:
        passed_ms = change.now_ms - change.since_ms
        if not change.tokens:
            self._queued.discard(change.place_id)
            self.abandoned += 1
            self.waited_ms += passed_ms
            for name in change.names:
                row = self.locks.add(name, passed_ms)
                if row is not None:
                    row.abandoned += 1
            return
        self._holds.pop(change.place_id, None)
        is_overheld = change.max_hold_ms is not None and passed_ms > change.max_hold_ms
        for name in change.names:
            row = self.locks.add(name, 0) if is_overheld else self.locks.get(name)
            if row is not None:
                row.hold_ms.add(passed_ms)
                row.overheld += is_overheld


_DECIDING = frozenset((Request, CompareAndSet, Txn, Acquire))
"""Types of commands that can meet a conflict, locks that wait apart; a Request by its condition."""
_UNDECIDED = frozenset((Refused, Replayed))
