"""Counters that clients read, add one to and write back: every increment counts exactly once.

Each write has a value of its own, `NUMBER NAME`, so the store's log tells what became of it.
"""

from collections.abc import Iterable, Sequence

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.store_log import Change, Write, final_log, not_as_told, writes
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

NAME = "counters"


def check_counters(events: Iterable[Event], prefix: str) -> Finding:
    """Judge the counters below `prefix` by their log; without it only what was acknowledged."""
    calls = [call for call in asked(events) if call.key.startswith(prefix)]
    increments = writes(calls)
    log = final_log(calls, prefix)
    if log is None:
        return _without_log(increments)
    wrong = not_as_told(increments, log)
    if wrong is not None:
        sentence, write = wrong
        return _invalid(sentence, write.key, write.call)
    by_value = {(each.key, each.value or ""): each.call for each in increments}
    return (
        _broken_chain(log, by_value)
        or _wrong_read(calls, log)
        or _stale_read(calls)
        or _counted(increments, log, by_value)
    )


def _counted(
    increments: Sequence[Write], log: Sequence[Change], by_value: dict[tuple[str, str], Asked]
) -> Finding:
    acknowledged = sum(each.call.is_ok for each in increments)
    unknown = sum(each.call.is_unknown for each in increments)
    settled = sum(by_value[each.key, each.value or ""].is_unknown for each in log)
    sentence = (
        f"{len(log)} increments: {acknowledged} acknowledged, and {settled} of {unknown} unknown "
        "ones, which the log settled; each counts once"
    )
    return Finding(NAME, Verdict.VALID, sentence)


def _broken_chain(log: Sequence[Change], by_value: dict[tuple[str, str], Asked]) -> Finding | None:
    """Each write of a counter adds one to the write before it, and stands in the log once."""
    last: dict[str, Change] = {}
    seen: dict[str, Change] = {}
    for change in log:
        before = last.get(change.key)
        call = by_value.get((change.key, change.value or ""))
        where = f"revision {change.revision} of {change.key}"
        if call is None or change.value is None:
            return _invalid(f"{where} is {change.value!r}, which nobody wrote", change.key)
        if change.value in seen:
            first = seen[change.value].revision
            sentence = f"{where} repeats {change.value!r} of revision {first}: one increment twice"
            return _invalid(sentence, change.key, call)
        expected = 1 if before is None else _number(before) + 1
        if _number(change) != expected:
            over = "nothing" if before is None else f"{before.value!r} of {before.revision}"
            sentence = f"{where} writes {change.value!r} over {over}: an increment is lost"
            pair = [call] if before is None else [by_value[before.key, before.value or ""], call]
            return _invalid(sentence, change.key, *pair)
        last[change.key] = seen[change.value] = change
    return None


def _wrong_read(calls: Iterable[Asked], log: Sequence[Change]) -> Finding | None:
    at = {(change.key, change.revision): change.value for change in log}
    for call in calls:
        if call.f != "get" or not call.is_ok or call.result["value"] is None:
            continue
        value, revision = call.result["value"], call.result["mod_revision"]
        if at.get((call.key, revision)) != value:
            sentence = f"{value!r} was read at revision {revision} of {call.key}, the log differs"
            return _invalid(sentence, call.key, call)
    return None


def _stale_read(calls: Iterable[Asked]) -> Finding | None:
    """Whoever reads after a write was acknowledged, or shown to somebody, sees it."""
    ends: list[tuple[int, Asked]] = []
    for call in calls:
        if call.is_ok and call.f in ("get", "fenced_put"):
            ends += [(index, call) for index in call.indexes]
    newest: dict[str, Asked] = {}
    floor: dict[int, Asked] = {}
    for index, call in sorted(ends, key=lambda each: each[0]):
        known = newest.get(call.key)
        if index == call.invoke.index:
            if known is not None:
                floor[index] = known
            continue
        shown = _shown(call)
        before = floor.get(call.invoke.index)
        if before is not None and shown < _shown(before):
            sentence = (
                f"{call.key} was shown at revision {shown} after revision {_shown(before)} was: "
                "a stale read"
            )
            return _invalid(sentence, call.key, before, call)
        if known is None or shown > _shown(known):
            newest[call.key] = call
    return None


def _without_log(increments: Iterable[Write]) -> Finding:
    """No counter can have been given the same number twice, whatever the log would say."""
    given: dict[tuple[str, str], Asked] = {}
    for call, number in ((each.call, (each.value or "0").split()[0]) for each in increments):
        if not call.is_ok:
            continue
        first = given.setdefault((call.key, number), call)
        if first is not call:
            sentence = f"{call.key} was set to {number} twice: an increment is lost"
            return _invalid(sentence, call.key, first, call)
    return Finding(NAME, Verdict.UNKNOWN, "the store's log of the counters was not read")


def _number(change: Change) -> int:
    return int((change.value or "0").split()[0])


def _shown(call: Asked) -> int:
    return int(call.result.get("mod_revision") or 0)


def _invalid(sentence: str, key: str, *calls: Asked) -> Finding:
    indexes = tuple(index for call in calls for index in call.indexes)
    return Finding(NAME, Verdict.INVALID, sentence, key, indexes)
