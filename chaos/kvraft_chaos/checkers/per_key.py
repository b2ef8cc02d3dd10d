"""Findings on keys: each is linearizable by itself, and revisions tie them together."""

from collections.abc import Sequence

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.linearizability import KeyReport, Report, check
from kvraft_chaos.checkers.register import STEPS
from kvraft_chaos.checkers.revisions import check_revisions
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

LINEARIZABILITY = "linearizability"
REVISIONS = "revisions"


def on_keys(events: Sequence[Event]) -> list[Event]:
    """The events of get, put, cas and delete: a history may hold others beside them."""
    return [event for event in events if event.f in STEPS]


def linearizable(events: Sequence[Event]) -> list[Finding]:
    """As registers; see `linearizability_findings`."""
    return linearizability_findings(check(on_keys(events)))


def linearizability_findings(report: Report) -> list[Finding]:
    """One finding if all keys are; else one for each key that is not, or may not be."""
    doubtful = [key for key in report.keys if key.verdict is not Verdict.VALID]
    if doubtful:
        return [_finding(key) for key in doubtful]
    return [Finding(LINEARIZABILITY, report.verdict, report.sentence())]


def ordered(events: Sequence[Event]) -> Finding:
    """Revisions are given out once, and grow in real time over all keys."""
    report = check_revisions(on_keys(events))
    return Finding(REVISIONS, report.verdict, report.sentence(), contradiction=report.events)


def _finding(report: KeyReport) -> Finding:
    stuck = report.stuck
    contradiction: tuple[int, ...] = ()
    if stuck is not None:
        contradiction = tuple(at for at in (stuck.invoked, stuck.completed) if at is not None)
    return Finding(
        LINEARIZABILITY,
        report.verdict,
        report.sentence(),
        key=report.key,
        contradiction=contradiction,
        prefix=tuple(operation.invoked for operation in report.prefix),
    )
