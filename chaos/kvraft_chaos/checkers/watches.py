"""Watches in the words of etcd's guarantees, held against the store's log.

An answer says: these are all changes `from` a revision `through` another. That is true or not,
whatever happened to the streams below; so every answer is judged by itself.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.store_log import Change, Write, contradicted, final_log, writes
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

NAME = "watches"


def check_watches(events: Iterable[Event], prefix: str) -> Finding:
    """In order, unique, without gap, with the log's values; `from` nothing means now."""
    calls = asked(events)
    watches = [call for call in calls if call.f == "watch" and call.is_ok]
    log = final_log(calls, prefix)
    wrong = None if log is None else contradicted(NAME, writes(calls), log)
    if wrong is not None:
        return wrong
    for watch in watches:
        fault = _out_of_itself(watch) or _behind(watch)
        if fault is None and log is not None:
            fault = _not_the_log(watch, log)
        if fault is not None:
            return _invalid(fault, watch)
    late = _late_start(calls)
    if late is not None:
        return late
    if log is None:
        return Finding(NAME, Verdict.UNKNOWN, "the store's log of the watched keys was not read")
    if not watches:
        return Finding(NAME, Verdict.UNKNOWN, "no watch gave an answer")
    seen = sum(len(_changes(watch)) for watch in watches)
    sentence = f"{seen} events in {len(watches)} answers, all as the log has them, none missing"
    return Finding(NAME, Verdict.VALID, sentence)


def _out_of_itself(watch: Asked) -> str | None:
    """What no log is needed for: order, repeats, and the bounds that the answer itself names."""
    begins, through = watch.result["from"], watch.result["through"]
    wanted = watch.argument.get("from")
    if wanted is not None and begins > wanted:
        return f"begins at {begins}, and {wanted} was asked for"
    before: Change | None = None
    seen: set[tuple[int, str]] = set()
    for change in _changes(watch):
        place = change.revision, change.key
        if place in seen:
            return f"{_words(change)} came twice"
        if before is not None and change.revision < before.revision:
            return f"{_words(change)} came after {_words(before)}: out of order"
        if change.revision < begins:
            return f"{_words(change)} came again: it is from before {begins}"
        if change.revision > through:
            return f"{_words(change)} came, and says itself that it stands at {through} only"
        seen.add(place)
        before = change
    return None


def _behind(watch: Asked) -> str | None:
    """A watch that was waited for, when all faults were over, has come to the end."""
    until = watch.argument.get("until")
    if until is None or watch.result["through"] >= until:
        return None
    waited = watch.argument["ms"]
    return f"stands at {watch.result['through']} after {waited} ms, and {until} is the last"


def _not_the_log(watch: Asked, log: Sequence[Change]) -> str | None:
    begins, through = watch.result["from"], watch.result["through"]
    within = slice(
        bisect_left(log, begins, key=lambda change: change.revision),
        bisect_right(log, through, key=lambda change: change.revision),
    )
    owed = [change for change in log[within] if change.key.startswith(watch.key)]
    had = _changes(watch)
    if had == owed:
        return None
    values = {(change.revision, change.key): change.value for change in owed}
    for change in had:
        place = change.revision, change.key
        if place not in values:
            return f"{_words(change)} came, and is not in the log"
        if values[place] != change.value:
            return f"{_words(change)} came with {change.value!r}, the log has {values[place]!r}"
    missing = next((change for change in owed if change not in had), None)
    if missing is not None:
        return f"{_words(missing)} is missing: the answer is of {begins} to {through}"
    return "the events of one revision came in another order"


def _late_start(calls: Sequence[Asked]) -> Finding | None:
    """A watch from now on begins behind all that was acknowledged before it was asked for."""
    acknowledged = sorted(
        (write for write in writes(calls) if write.call.is_ok),
        key=lambda write: write.call.ended_index,
    )
    rest = iter(acknowledged)
    write = next(rest, None)
    newest: Write | None = None
    for watch in calls:  # by their invokes
        while write is not None and watch.follows(write.call):
            if newest is None or (write.revision or 0) > (newest.revision or 0):
                newest = write
            write = next(rest, None)
        if watch.f != "watch" or not watch.is_ok or watch.argument["from"] is not None:
            continue
        begins = watch.result["from"]
        if newest is not None and (newest.revision or 0) >= begins:
            fault = f"begins at {begins}: revision {newest.revision} was acknowledged before it"
            return _invalid(fault, watch, newest.call)
    return None


def _changes(watch: Asked) -> list[Change]:
    return [Change(revision, key, value) for revision, key, value in watch.result["events"]]


def _words(change: Change) -> str:
    return f"revision {change.revision} of {change.key}"


def _invalid(fault: str, watch: Asked, *others: Asked) -> Finding:
    sentence = f"a watch of {watch.key} (event {watch.ended_index}): {fault}"
    indexes = tuple(index for call in (*others, watch) for index in call.indexes)
    return Finding(NAME, Verdict.INVALID, sentence, watch.key, indexes)
