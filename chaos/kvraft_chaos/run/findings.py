"""What is asked of every run, whatever its workload: each answer from the directory alone."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.leaders import LeaderFact, check_leaders, facts_in_log
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event
from kvraft_chaos.run.directory import Mark

UNKNOWN_SHARE_MAX = 0.1
"""Of all operations: what is unknown may have been done at any time, so a history with more of it
allows a checker to agree to nearly anything."""
STATE_HASH = "state_hash"
"""`f` of the events in which nodes say, at the end, what they hold."""
SURPRISED = re.compile(r"Traceback \(most recent call last\)")
STOPPED = re.compile(r" CRITICAL ")
"""In the log of a node that ended by itself; one that is killed says nothing."""
STOPS_A_NODE = frozenset({"full-disk"})
"""Faults at which a node has to end by itself."""
SHOWN = 3
"""Lines of logs in one sentence."""

Logs = Mapping[str, Sequence[str]]
"""Lines by node."""


def leaders(logs: Logs, marks: Iterable[Mark]) -> Finding:
    """At most one a term: by the nodes' own logs, and by what was seen from outside."""
    facts = [fact for name, lines in logs.items() for fact in facts_in_log(name, lines)]
    seen = [mark for mark in marks if mark.type == "leader"]
    facts += [LeaderFact(mark.name, mark.value, "its own status") for mark in seen]
    report = check_leaders(facts)
    return Finding("leaders", report.verdict, report.sentence())


def crashes(logs: Logs, marks: Iterable[Mark]) -> Finding:
    """No node stopped by itself, and none was surprised."""
    may_stop = {
        node
        for mark in marks
        if mark.type == "strike" and mark.name in STOPS_A_NODE
        for node in mark.nodes
    }
    found = [
        f"{name}, line {number} of its log: {line.strip()}"
        for name, lines in logs.items()
        for number, line in enumerate(lines, 1)
        if SURPRISED.search(line) or (STOPPED.search(line) and name not in may_stop)
    ]
    if found:
        return Finding("crashes", Verdict.INVALID, "; ".join(found[:SHOWN]))
    return Finding("crashes", Verdict.VALID, f"the logs of {len(logs)} nodes show none")


def states(events: Iterable[Event], nodes: Sequence[str]) -> Finding:
    """Every node holds the same at the end."""
    told = {
        str(event.node): (event.value["digest"], event.index)
        for event in events
        if event.f == STATE_HASH and event.type == "ok"
    }
    missing = [name for name in nodes if name not in told]
    by_digest: dict[str, list[str]] = defaultdict(list)
    for name, (digest, _) in told.items():
        by_digest[digest].append(name)
    if len(by_digest) > 1:
        words = ", ".join(f"{'+'.join(names)} {digest}" for digest, names in by_digest.items())
        at = [index for _, index in told.values()]
        sentence = f"the nodes hold different states: {words}"
        return Finding("states", Verdict.INVALID, sentence, contradiction=at)
    if missing:
        return Finding("states", Verdict.UNKNOWN, f"no state hash of {', '.join(missing)}")
    return Finding(
        "states", Verdict.VALID, f"{len(told)} nodes hold the same: {next(iter(by_digest))}"
    )


def complete(marks: Iterable[Mark]) -> Finding:
    """It went all its way: a run that was broken off says less than it was made for."""
    phases = [mark.name for mark in marks if mark.type == "phase"]
    if "end" in phases:
        return Finding("complete", Verdict.VALID, "clients ran, faults healed, finals were read")
    last = phases[-1] if phases else "nothing"
    return Finding("complete", Verdict.UNKNOWN, f"the run broke off during {last}")


def share(operations: int, unknown: int) -> Finding:
    """Enough is known for a verdict to mean something."""
    sentence = f"{unknown} of {operations} operations are unknown"
    if not operations:
        return Finding("unknown-share", Verdict.UNKNOWN, "nothing was asked")
    if unknown > UNKNOWN_SHARE_MAX * operations:
        return Finding("unknown-share", Verdict.UNKNOWN, f"{sentence}: more than a tenth")
    return Finding("unknown-share", Verdict.VALID, sentence)
