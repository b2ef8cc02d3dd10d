"""Whether a healed cluster served again in time: by what was measured, and what clients heard."""

import re
from collections.abc import Iterable, Mapping, Sequence

from kvraft.consensus.timing import Timing
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event
from kvraft_chaos.run.directory import Mark

LEADER_MS = 2 * Timing().election_max_ms
"""Two election timeouts: one until somebody stands, one for a vote that was split."""
OPERATIONS_MS = 5_000
"""From then on every new operation succeeds: somebody leads, and clients have found it."""
UNSERVED = re.compile(r"(Unavailable|NoQuorum|Unreachable|DeadlineExceeded|OutcomeUnknown|Timeout)")
"""How an error begins where no node did what it was asked, whatever the question was."""

Recovery = Mapping[str, int | None]
"""`leader_ms`, `operations_ms`; None: not seen."""


def recovery(events: Iterable[Event], marks: Sequence[Mark]) -> Recovery:
    """After the last heal: until somebody led, and until the last operation that was not served
    came back, of those that were asked after the heal.
    """
    measured = next((mark.value for mark in marks if mark.type == "recovered"), None)
    healed_ns = phase_ns(marks, "healed")
    if measured is None or healed_ns is None:
        return {"leader_ms": None, "operations_ms": None}
    served_ms = measured["operations_ms"]
    unserved = _last_unserved(events, healed_ns, phase_ns(marks, "finals"))
    if served_ms is not None and unserved is not None:
        served_ms = max(served_ms, (unserved.time_ns - healed_ns) // 1_000_000)
    return {"leader_ms": measured["leader_ms"], "operations_ms": served_ms}


def phase_ns(marks: Iterable[Mark], name: str) -> int | None:
    return next((mark.time_ns for mark in marks if (mark.type, mark.name) == ("phase", name)), None)


def recovered(found: Recovery, marks: Iterable[Mark]) -> Finding:
    """In time, or what was not."""
    mark = next((each for each in marks if each.type == "recovered"), None)
    if mark is None:
        return Finding("recovery", Verdict.UNKNOWN, "the run broke off before it was measured")
    if mark.nodes:
        silent = f"after the last heal no answer from {', '.join(mark.nodes)}"
        return Finding("recovery", Verdict.INVALID, silent)
    leader = _told(found["leader_ms"], LEADER_MS, "a leader")
    served = _told(found["operations_ms"], OPERATIONS_MS, "all new operations succeed")
    late = [words for words, in_time in (leader, served) if not in_time]
    if late:
        return Finding("recovery", Verdict.INVALID, "; ".join(late))
    return Finding("recovery", Verdict.VALID, f"{leader[0]}; {served[0]}")


def _told(took_ms: int | None, limit_ms: int, what: str) -> tuple[str, bool]:
    if took_ms is None:
        return f"{what}: not seen after the last heal, {limit_ms} ms are allowed", False
    return f"{what} {took_ms} ms after the last heal ({limit_ms} allowed)", took_ms <= limit_ms


def _last_unserved(events: Iterable[Event], healed_ns: int, end_ns: int | None) -> Event | None:
    """The last answer without a service to a question of that time."""
    asked: set[int] = set()
    last: Event | None = None
    for event in events:
        if event.type == "invoke":
            if healed_ns <= event.time_ns and (end_ns is None or event.time_ns < end_ns):
                asked.add(event.process)
        elif event.process in asked:
            asked.discard(event.process)
            if event.type != "ok" and UNSERVED.match(event.error or ""):
                last = event
    return last
