"""The checker of linearizability: a thousand operations on a key by ten clients, of every sort."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

from benchmarks.report import Progress, Row, spread
from benchmarks.sizes import Sizes
from kvraft_chaos.checkers.linearizability import check
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event, Recorder

CLIENTS = 10
GOAL = {"high": 1.0}


@dataclass(frozen=True, slots=True)
class Sort:
    """What a history is like."""

    name: str
    revisions: bool = True
    values: int = 10**9
    """Different values that are written: the fewer, the more orders there are to try."""
    unknown: float = 0.0
    """Share of operations."""
    stale: bool = False
    """One answer is wrong: the checker must find it."""


SORTS = (
    Sort("with revisions"),
    Sort("2 % unknown", unknown=0.02),
    Sort("10 % unknown", unknown=0.1),
    Sort("one stale read", stale=True),
    Sort("no revisions, 5 values", revisions=False, values=5),
    Sort("no revisions, 5 values, 2 % unknown", revisions=False, values=5, unknown=0.02),
    Sort("no revisions, one wrong read", revisions=False, stale=True),
)


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure each sort, and many keys at once."""
    rounds, operations = sizes.checks, sizes.checked_operations
    step = progress("checks of histories", len(SORTS) * rounds)
    rows = []
    for sort in SORTS:
        took = []
        for seed in range(rounds):
            given = list(history(sort, operations, seed))
            took.append(_checked(given, stale=sort.stale, clock=time.process_time))
            step()
        rows.append(Row(f"{operations} operations, {sort.name}", "s CPU", spread(took), GOAL))
    keys = [list(history(SORTS[1], operations, seed)) for seed in range(sizes.checked_keys)]
    took = [_checked(_merged(keys), stale=False, clock=time.monotonic)]
    rows.append(Row(f"{len(keys)} keys of {operations} operations each", "s", spread(took)))
    return rows


def _checked(events: list[Event], *, stale: bool, clock: Callable[[], float]) -> float:
    """One key is judged by this process alone, so its CPU is the time on a core of its own."""
    begun = clock()
    verdict = check(events).verdict
    took = clock() - begun
    if verdict is not (Verdict.INVALID if stale else Verdict.VALID):
        raise RuntimeError(f"the checker is wrong: {verdict}")
    return took


def history(sort: Sort, operations: int, seed: int) -> Iterator[Event]:
    """Answers of a correct register to clients that all have a call open at any time."""
    chance, recorder, words = random.Random(seed), Recorder(), count()
    open_calls: dict[int, tuple[str, dict[str, object] | None]] = {}
    value: str | None = None
    revision = 1
    for _ in range(operations):
        while len(open_calls) < CLIENTS:
            word, f = str(next(words) % sort.values), chance.choice(("get", "put", "cas"))
            expect = {"expect": {"value": value or "0"}} if f == "cas" else {}
            argument = None if f == "get" else {"value": word, **expect}
            process = recorder.process()
            recorder.record(process, "invoke", f, key="k", value=argument)
            open_calls[process] = f, argument
        process = chance.choice(list(open_calls))
        f, argument = open_calls.pop(process)
        wanted = (argument or {}).get("expect")
        swaps = f == "cas" and wanted == {"value": value}
        if argument is not None and (f == "put" or swaps):
            value, revision = str(argument["value"]), revision + 1
        shown = {"mod_revision": revision} if sort.revisions and value is not None else {}
        seen = {"value": value, **shown}
        told = seen if f == "get" else shown
        if f == "cas":
            told = {"succeeded": True, **shown} if swaps else {"succeeded": False, "current": seen}
        lost = chance.random() < sort.unknown
        recorder.record(process, "info" if lost else "ok", f, key="k", value=None if lost else told)
    return _falsified(recorder.events) if sort.stale else iter(recorder.events)


def _falsified(events: list[Event]) -> Iterator[Event]:
    """Let a read in the middle answer what one at the beginning did."""
    reads = [e for e in events if e.type == "ok" and e.f == "get" and e.value["value"] is not None]
    late = reads[len(reads) // 2]
    return (replace(e, value=reads[0].value) if e is late else e for e in events)


def _merged(keys: list[list[Event]]) -> list[Event]:
    """One history of many keys, whose processes are different ones."""
    events: list[Event] = []
    for number, given in enumerate(keys):
        for event in given:
            process = event.process * len(keys) + number
            merged = replace(event, index=len(events), process=process, key=f"k{number}")
            events.append(merged)
    return events
