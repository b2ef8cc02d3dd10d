"""A work queue: every item is done once, with its effect, in the order of its key."""

from collections.abc import Iterable, Sequence

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.store_log import Change, final_log
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

NAME = "work queue"


def check_queue(events: Iterable[Event], prefix: str) -> Finding:
    """Hold `PREFIX/KEY/ITEM`, which work removes, against its effect `PREFIX-done/ITEM`."""
    calls = asked(events)
    queue, done = final_log(calls, f"{prefix}/"), final_log(calls, f"{prefix}-done/")
    if queue is None or done is None:
        return Finding(NAME, Verdict.UNKNOWN, "the store's log of the work queue was not read")
    adds = [call for call in calls if call.f == "queue_add" and call.key == prefix]
    fault = (
        _twice(queue, "was added")
        or _twice(done, "was done")
        or _added_otherwise(adds, queue, prefix)
        or _done_otherwise(queue, done, prefix)
        or _overtaken(queue)
    )
    if fault is not None:
        return Finding(NAME, Verdict.INVALID, fault, prefix)
    added = sum(change.value is not None for change in queue)
    if len(done) < added:
        sentence = f"{added - len(done)} of {added} items were left when all was over"
        return Finding(NAME, Verdict.UNKNOWN, sentence, prefix)
    sentence = f"{len(done)} items, each done once and in order; {len(adds)} were asked for"
    return Finding(NAME, Verdict.VALID, sentence)


def _twice(log: Sequence[Change], what: str) -> str | None:
    seen: dict[str, int] = {}
    for change in log:
        if change.value is None:
            continue
        if change.key in seen:
            first = seen[change.key]
            return f"{change.key} {what} twice: at revisions {first} and {change.revision}"
        seen[change.key] = change.revision
    return None


def _added_otherwise(adds: Iterable[Asked], queue: Sequence[Change], prefix: str) -> str | None:
    there = {change.key for change in queue}
    for call in adds:
        key = f"{prefix}/{call.argument['of']}/{call.argument['item']}"
        if call.is_ok and key not in there:
            return f"{key} was added as told (event {call.ended_index}), and never stood there"
        if not call.is_ok and not call.is_unknown and key in there:
            return f"{key} was refused (event {call.ended_index}), and stands there"
    return None


def _done_otherwise(queue: Sequence[Change], done: Sequence[Change], prefix: str) -> str | None:
    """The effect and the removal are one step."""
    removed = {change.key.split("/")[-1]: change for change in queue if change.value is None}
    effects = {change.key.removeprefix(f"{prefix}-done/"): change.revision for change in done}
    for item, change in removed.items():
        if effects.get(item) != change.revision:
            stands = effects.get(item, "no revision")
            return f"{change.key} was removed at {change.revision}, its effect is of {stands}"
    for item, revision in effects.items():
        if item not in removed:
            return f"{item} had its effect at {revision}, and was not removed"
    return None


def _overtaken(queue: Sequence[Change]) -> str | None:
    """Items of one key are done in the order in which they were added."""
    waiting: dict[str, list[str]] = {}
    for change in queue:
        line = waiting.setdefault(change.key.rsplit("/", 1)[0], [])
        if change.value is not None:
            line.append(change.key)
        elif line[0] != change.key:
            return f"{change.key} was done at {change.revision}, before {line[0]}"
        else:
            line.pop(0)
    return None
