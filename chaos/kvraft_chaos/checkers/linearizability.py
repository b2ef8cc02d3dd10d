"""Linearizability of a history, key by key, in bounded time and memory, on all cores.

Keys are independent, so a history is linearizable exactly if that of each key is (Herlihy, Wing,
"Linearizability", 1990, theorem 1). `search` looks for the order; `words` tells what it found.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kvraft_chaos.checkers.model import Model
from kvraft_chaos.checkers.parallel import spread
from kvraft_chaos.checkers.register import MODEL as REGISTER
from kvraft_chaos.checkers.search import Search
from kvraft_chaos.checkers.verdict import Verdict, worst
from kvraft_chaos.history import Event, Operation, operations

CHECK_SECONDS = 10.0
"""For one key. An honest history takes milliseconds; a hopeless one would take for ever."""
TOTAL_SECONDS = 60.0
"""For one history; keys that it does not reach are unknown."""
SAID_CHARACTERS = 200
"""Of an argument or an answer, in words: a value can be a megabyte."""
CONFIGURATIONS = 500_000
"""Remembered for one key."""
EXPLAINING_CONFIGURATIONS = 50_000
"""Of the second search of an invalid key, which goes on where the first one knew from answers still
to come that it was in vain: a reader wants to see how far any order gets.
"""
PARALLEL_OPERATIONS = 20_000
"""Below, the start of the processes takes as long as they save."""
MEMORY_BYTES = 256 << 20
"""Taken by them, as accounted: reached first where a key has thousands of operations."""


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
    state: str = ""
    """What the key holds after `prefix`, in words."""

    def sentence(self) -> str:
        """One line for people."""
        name = "" if self.key is None else f"{self.key}: "
        words = f"{name}{self.verdict.value} ({self.operations} operations)"
        if self.stuck is None:
            return words
        last = f" (last: {told(self.prefix[-1])})" if self.prefix else ""
        return (
            f"{words}: after {len(self.prefix)} of them at most{last} it "
            f"holds {self.state}; then {told(self.stuck)} fits nowhere"
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
    model: Model = REGISTER,
    seconds_per_key: float = CHECK_SECONDS,
    seconds: float = TOTAL_SECONDS,
    jobs: int | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Report:
    """Judge a history; see `register` for what arguments and results look like there.

    `jobs`: processes at once; unset, one a core where the history is large enough for it.
    """
    by_key: dict[str | None, list[Operation]] = defaultdict(list)
    total = 0
    for operation in operations(events):
        by_key[operation.key].append(operation)
        total += 1
    if jobs is None:
        jobs = (os.cpu_count() or 1) if total >= PARALLEL_OPERATIONS else 1
    if not model.step_of.__module__.startswith(__package__):
        jobs = 1  # another process may not be able to import it
    deadline = now() + seconds

    def tasks() -> Iterator[_Task]:
        """The largest first, so that none is left over in the end for one process alone."""
        for key in sorted(by_key, key=lambda key: len(by_key[key]), reverse=True):
            yield _Task(model, key, by_key[key], min(seconds_per_key, deadline - now()))

    jobs = min(jobs, len(by_key))
    if jobs > 1:
        done = [report or _unjudged(task) for task, report in spread(_judge, tasks(), jobs)]
    else:
        done = [_judge(task, now) for task in tasks()]
    return Report(tuple(sorted(done, key=lambda report: report.key or "")))


@dataclass(frozen=True, slots=True)
class _Task:
    """One key, and for how long."""

    model: Model
    key: str | None
    operations: Sequence[Operation]
    seconds: float


def _judge(task: _Task, now: Callable[[], float] = time.monotonic) -> KeyReport:
    return check_key(task.key, task.operations, model=task.model, seconds=task.seconds, now=now)


def _unjudged(task: _Task) -> KeyReport:
    return KeyReport(task.key, Verdict.UNKNOWN, len(task.operations), 0)


def check_key(
    key: str | None,
    given: Sequence[Operation],
    *,
    model: Model = REGISTER,
    seconds: float = CHECK_SECONDS,
    configurations: int = CONFIGURATIONS,
    memory_bytes: int = MEMORY_BYTES,
    now: Callable[[], float] = time.monotonic,
) -> KeyReport:
    """Judge the operations on one key, in the order of their invokes."""
    deadline = now() + seconds

    def bounded(search: Search, configurations: int) -> Verdict:
        return search.run(
            lambda: (
                len(search.seen) >= configurations
                or search.bytes >= memory_bytes
                or now() >= deadline
            )
        )

    needed = model.placeable(given)
    search = Search(needed, model)
    verdict = bounded(search, configurations)
    report = KeyReport(key, verdict, len(given), len(search.seen))
    if verdict is not Verdict.INVALID:
        return report
    best = search
    if search.ranked:
        plain = Search(needed, model, by_rank=False)
        bounded(plain, EXPLAINING_CONFIGURATIONS)
        best = max(search, plain, key=lambda each: len(each.longest))
    return replace(
        report,
        prefix=tuple(best.longest),
        stuck=best.stuck,
        state=model.shown(best.longest_state),
    )


def told(operation: Operation) -> str:
    """An operation in words."""
    argument = "" if operation.argument in (None, {}) else f" {said(operation.argument)}"
    ended = "" if operation.completed is None else f" to {operation.completed}"
    answer = "unknown" if operation.completed is None else said(operation.result)
    return (
        f"{operation.f}{argument} -> {answer} (process {operation.process}, "
        f"events {operation.invoked}{ended})"
    )


def said(value: Any) -> str:
    """An argument or an answer, cut short."""
    text = json.dumps(value)
    return text if len(text) <= SAID_CHARACTERS else f"{text[:SAID_CHARACTERS]}..."
