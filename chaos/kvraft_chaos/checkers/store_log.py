"""The store's own log of some keys, read when all is over: it settles what clients do not know."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kvraft_chaos.checkers.asked import Asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import HistoryError


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one key; `value` None: deleted."""

    revision: int
    key: str
    value: str | None


def final_log(calls: Iterable[Asked], prefix: str) -> list[Change] | None:
    """The last log of the prefix that was read; None: none was."""
    found: list[Change] | None = None
    for call in calls:
        if call.f == "log" and call.key == prefix and call.is_ok and call.end is not None:
            found = _changes(call.end.value, call.end.index)
    return found


def revisions_of_values(calls: Iterable[Asked]) -> dict[tuple[str, str], int]:
    """Where each value of each key stands in the logs that were read; values are unique."""
    logs = [call.end for call in calls if call.f == "log" and call.is_ok]
    changes = [each for end in logs if end is not None for each in _changes(end.value, end.index)]
    return {(each.key, each.value): each.revision for each in changes if each.value is not None}


@dataclass(frozen=True, slots=True)
class Write:
    """One value that a call writes to one key (None: it deleted it), and the revision it was told,
    if any.
    """

    call: Asked
    key: str
    value: str | None
    revision: int | None


def writes(calls: Iterable[Asked]) -> list[Write]:
    """What calls write; a transaction that took its other branch is none."""
    found: list[Write] = []
    for call in calls:
        if call.f in ("put", "put_leased", "fenced_put"):
            revision = call.result.get("mod_revision")
            found.append(Write(call, call.key, call.argument["value"], revision))
        elif call.f == "txn" and call.result.get("succeeded", True):
            puts = [step for step in call.argument["then"] if step[0] == "put"]
            revision = call.result.get("revision")
            found += [Write(call, key, value, revision) for _, key, value in puts]
        elif call.f == "delete" and call.result.get("deleted"):
            found.append(Write(call, call.key, None, call.result["revision"]))
    return found


def not_as_told(given: Iterable[Write], log: Iterable[Change]) -> tuple[str, Write] | None:
    """The first write that the log has otherwise than its client was told; values are unique."""
    changes = list(log)
    at = {(change.key, change.value): change.revision for change in changes}
    deleted = {(change.key, change.revision) for change in changes if change.value is None}
    for write in given:
        call, revision = write.call, at.get((write.key, write.value))
        if write.value is None:  # seldom the last one of its key
            revision = write.revision if (write.key, write.revision) in deleted else None
        if call.is_ok and (revision is None or write.revision not in (None, revision)):
            stands = "nowhere" if revision is None else f"at revision {revision}"
            said = f"{write.value!r} of {write.key} was acknowledged at revision {write.revision}"
            return f"{said}, and stands in the log {stands}", write
        if not call.is_ok and not call.is_unknown and revision is not None:
            said = f"{write.value!r} of {write.key} was refused"
            return f"{said}, and stands in the log at revision {revision}", write
    return None


def contradicted(checker: str, given: Iterable[Write], log: Iterable[Change]) -> Finding | None:
    """Where the log has a write otherwise than its client was told, or one that nobody sent."""
    every, changes = list(given), list(log)
    wrong = not_as_told(every, changes)
    if wrong is not None:
        return Finding(checker, Verdict.INVALID, wrong[0], wrong[1].key, wrong[1].call.indexes)
    ghost = _nobodys(every, changes)
    return None if ghost is None else Finding(checker, Verdict.INVALID, ghost)


def _nobodys(given: Iterable[Write], log: Iterable[Change]) -> str | None:
    """The first value of the log that nobody wrote, or that stands there twice."""
    written = {(write.key, write.value) for write in given}
    seen: dict[tuple[str, str], int] = {}
    for change in log:
        if change.value is None:
            continue
        where = f"revision {change.revision} of {change.key}"
        if (change.key, change.value) not in written:
            return f"{where} is {change.value!r}, which nobody wrote"
        first = seen.setdefault((change.key, change.value), change.revision)
        if first != change.revision:
            return f"{where} repeats {change.value!r} of revision {first}"
    return None


def _changes(given: Any, index: int) -> list[Change]:
    try:
        changes = [Change(revision, key, value) for revision, key, value in given]
        in_order = all(a.revision <= b.revision for a, b in pairwise(changes))
    except (TypeError, ValueError) as error:
        raise HistoryError(f"event {index}: malformed log: {error}") from error
    if not in_order:
        raise HistoryError(f"event {index}: malformed log: its revisions go back")
    return changes
