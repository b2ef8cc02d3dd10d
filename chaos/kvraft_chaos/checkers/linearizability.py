"""Linearizability of a history, key by key: the search of Wing and Gong with Lowe's memory.

J. Wing, C. Gong, "Testing and Verifying Concurrent Objects" (1993); G. Lowe, "Testing for
Linearizability" (2017). Operations stand in a doubly linked list of calls and returns. A call that
the model allows is lifted out, with its return; a return that is reached first means that its
operation should have taken effect before: undo. A set of (operations done, state) cuts repetition.
Keys are independent, so a history is linearizable exactly if that of each key is (Herlihy, Wing).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kvraft_chaos.checkers.register import INITIAL, Register, Step, placeable, step_of
from kvraft_chaos.checkers.verdict import Verdict, worst
from kvraft_chaos.history import Event, Operation, operations

CHECK_SECONDS = 10.0
"""For one key. An honest history takes milliseconds; a hopeless one would take for ever."""
TOTAL_SECONDS = 60.0
"""For one history; keys that it does not reach are unknown."""
CONFIGURATIONS = 500_000
"""Remembered for one key; some 300 bytes each."""
CLOCK_EVERY = 1_024
"""Steps between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """The verdict on one key, and for an invalid one how far the longest explanation gets."""

    key: str | None
    verdict: Verdict
    operations: int
    configurations: int
    prefix: tuple[Operation, ...] = ()
    """The longest legal order found, from the beginning."""
    stuck: Operation | None = None
    """The operation that had returned by then, and cannot have taken effect anywhere."""
    state: Register | None = None
    """The state after `prefix`."""

    def sentence(self) -> str:
        """One line for people."""
        words = f"{self.key}: {self.verdict.value} ({self.operations} operations)"
        if self.stuck is None:
            return words
        return (
            f"{words}: after {len(self.prefix)} of them the key holds {self.state}, and event "
            f"{self.stuck.invoked} ({self.stuck.f} {self.stuck.argument} -> {self.stuck.result} "
            f"by process {self.stuck.process}) fits nowhere"
        )


@dataclass(frozen=True, slots=True)
class Report:
    keys: tuple[KeyReport, ...]

    @property
    def verdict(self) -> Verdict:
        return worst(report.verdict for report in self.keys)

    def sentence(self) -> str:
        doubtful = [report.sentence() for report in self.keys if report.verdict != Verdict.VALID]
        count = sum(report.operations for report in self.keys)
        head = f"{self.verdict.value}: {count} operations on {len(self.keys)} keys"
        return "\n  ".join([head, *doubtful])


def check(
    events: Iterable[Event],
    *,
    seconds_per_key: float = CHECK_SECONDS,
    seconds: float = TOTAL_SECONDS,
    now: Callable[[], float] = time.monotonic,
) -> Report:
    """Judge a history of register operations; see `register` for what values look like."""
    by_key: dict[str | None, list[Operation]] = defaultdict(list)
    for operation in operations(events):
        by_key[operation.key].append(operation)
    deadline = now() + seconds
    reports = []
    for key in sorted(by_key, key=lambda key: key or ""):
        budget = min(seconds_per_key, deadline - now())
        reports.append(check_key(key, by_key[key], seconds=budget, now=now))
    return Report(tuple(reports))


def check_key(
    key: str | None,
    given: Sequence[Operation],
    *,
    seconds: float = CHECK_SECONDS,
    configurations: int = CONFIGURATIONS,
    now: Callable[[], float] = time.monotonic,
) -> KeyReport:
    search = _Search(placeable(given))
    deadline = now() + seconds
    verdict = search.run(lambda: len(search.seen) >= configurations or now() >= deadline)
    blame = verdict is Verdict.INVALID
    return KeyReport(
        key,
        verdict,
        len(given),
        len(search.seen),
        prefix=tuple(search.longest) if blame else (),
        stuck=search.stuck if blame else None,
        state=search.longest_state if blame else None,
    )


@dataclass(slots=True, eq=False)
class _Entry:
    """A call or a return in the list. `match` is a call's return (None: it never came)."""

    number: int
    step: Step | None = None
    match: "_Entry | None" = None
    before: "_Entry | None" = field(default=None, repr=False)
    after: "_Entry | None" = field(default=None, repr=False)

    def lift(self) -> None:
        """Take this call and its return out of the list; they remember where they stood."""
        self.unlink()
        if self.match is not None:
            self.match.unlink()

    def unlift(self) -> None:
        """Put back what was lifted last."""
        if self.match is not None:
            self.match.relink()
        self.relink()

    def unlink(self) -> None:
        if self.before is not None:
            self.before.after = self.after
        if self.after is not None:
            self.after.before = self.before

    def relink(self) -> None:
        if self.before is not None:
            self.before.after = self
        if self.after is not None:
            self.after.before = self


class _Search:
    """Depth first over the orders in which the operations may have taken effect."""

    def __init__(self, given: Sequence[Operation]) -> None:
        self.operations = given
        self.head = self._linked()
        self.open_returns = sum(op.completed is not None for op in given)
        self.seen: set[tuple[int, Register]] = set()
        self.longest: list[Operation] = []
        self.longest_state = INITIAL
        self.stuck: Operation | None = None
        self._done: list[tuple[_Entry, Register]] = []
        self._mask = 0
        self._state = INITIAL

    def _linked(self) -> _Entry:
        placed: list[tuple[int, _Entry]] = []
        for number, operation in enumerate(self.operations):
            returned = None if operation.completed is None else _Entry(number)
            placed.append((operation.invoked, _Entry(number, step_of(operation), returned)))
            if operation.completed is not None and returned is not None:
                placed.append((operation.completed, returned))
        head = last = _Entry(-1)
        for _, entry in sorted(placed, key=lambda item: item[0]):
            last.after, entry.before = entry, last
            last = entry
        return head

    def run(self, exhausted: Callable[[], bool]) -> Verdict:
        entry = self.head.after
        steps = 0
        while self.open_returns:
            steps += 1
            if steps % CLOCK_EVERY == 0 and exhausted():
                return Verdict.UNKNOWN
            assert entry is not None, "a return is open, so the list does not end before it"
            if entry.step is not None:
                entry = self.head.after if self._place(entry, entry.step) else entry.after
                continue
            self._note(entry)
            if not self._done:
                return Verdict.INVALID
            entry = self._undo().after
        return Verdict.VALID

    def _place(self, entry: _Entry, step: Step) -> bool:
        """Let the operation take effect now, unless the model or the memory says no."""
        state = step(self._state)
        if state is None:
            return False
        mask = self._mask | 1 << entry.number
        configuration = (mask, state)
        if configuration in self.seen:
            return False
        self.seen.add(configuration)
        self._done.append((entry, self._state))
        self._mask, self._state = mask, state
        self.open_returns -= entry.match is not None
        entry.lift()
        return True

    def _undo(self) -> _Entry:
        entry, self._state = self._done.pop()
        self._mask &= ~(1 << entry.number)
        self.open_returns += entry.match is not None
        entry.unlift()
        return entry

    def _note(self, blocked: _Entry) -> None:
        if self.stuck is None or len(self._done) > len(self.longest):
            self.longest = [self.operations[entry.number] for entry, _ in self._done]
            self.longest_state = self._state
            self.stuck = self.operations[blocked.number]
