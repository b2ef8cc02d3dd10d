"""One order for the whole store: revisions are given out once, and grow in real time.

Linearizability is judged key by key; revisions tie the keys together. Linear in the history.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event, Operation, operations


@dataclass(frozen=True, slots=True)
class RevisionReport:
    verdict: Verdict
    writes: int
    contradiction: str = ""
    """The first pair of events that no single order explains, in words."""
    events: tuple[int, ...] = ()
    """Their indexes."""

    def sentence(self) -> str:
        """One line for people."""
        words = f"{self.verdict.value}: {self.writes} writes in one order of revisions"
        return f"{words}: {self.contradiction}" if self.contradiction else words


def written_revision(operation: Operation) -> int | None:
    """The revision at which the operation is known to have changed something."""
    result = operation.result or {}
    if operation.f == "delete":
        revision = result.get("revision") if result.get("deleted") else None
    elif operation.f == "put" or (operation.f == "cas" and result.get("succeeded")):
        revision = result.get("mod_revision")
    else:
        revision = None
    return revision


def seen_revision(operation: Operation) -> int:
    """The highest revision that the answer shows, 0 where it shows none."""
    result = operation.result or {}
    current = result.get("current") or {}
    shown = (written_revision(operation), result.get("mod_revision"), current.get("mod_revision"))
    return max(revision or 0 for revision in shown)


def check_revisions(events: Iterable[Event]) -> RevisionReport:
    """Invalid where a revision was given out twice, or to a write that began after it was seen."""
    answered = [op for op in operations(events) if op.completed is not None]
    starts = {op.invoked: op for op in answered}
    ends = {op.completed: op for op in answered if op.completed is not None}
    newest, newest_event = 0, -1
    before: dict[int, tuple[int, int]] = {}
    owners: dict[int, Operation] = {}
    for index in sorted([*starts, *ends]):
        if index in starts:
            before[index] = newest, newest_event
            continue
        operation = ends[index]
        revision = written_revision(operation)
        if revision is not None:
            floor, witness = before[operation.invoked]
            if revision <= floor:
                why = (
                    f"event {index} wrote {revision}, but event {witness} had shown {floor} before"
                )
                return RevisionReport(Verdict.INVALID, len(owners), why, (witness, index))
            other = owners.setdefault(revision, operation)
            if other.completed is not None and other is not operation:
                why = f"events {other.completed} and {index} both wrote revision {revision}"
                pair = other.completed, index
                return RevisionReport(Verdict.INVALID, len(owners), why, pair)
        if seen_revision(operation) > newest:
            newest, newest_event = seen_revision(operation), index
    return RevisionReport(Verdict.VALID, len(owners))
