"""Effects once: what was added is found once, what failed is not, and nothing else is there.

Judged by what clients read, without the store's log: `replay` does it with the log. An element is a
word of a list that grows by appends, or a key of a set.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event, HistoryError

NAME = "effects"
SEPARATOR = ";"
"""Ends every word of a list."""


@dataclass(frozen=True, slots=True)
class Look:
    """What an answer shows of one group of elements: all that were in it."""

    call: Asked
    found: Sequence[str]


Wrong = tuple[str, Sequence[Asked]]
"""What is wrong, in words, and whose answers show it."""


@dataclass(slots=True)
class Group:
    """A list, or a part of a set: elements that are always read together."""

    added: dict[str, Asked] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)


def check_set(events: Iterable[Event]) -> Finding:
    """Elements are keys, put or added by a cas; lists of a prefix look at them."""
    calls = asked(events)
    groups: dict[str, Group] = defaultdict(Group)
    for call in calls:
        if call.f in {"put", "cas"}:
            _add(groups[_part(call.key)], call.key, call)
    for call in calls:
        if call.f == "list" and call.is_ok:
            keys: dict[str, list[str]] = defaultdict(list)
            for row in call.result["entries"]:
                keys[_part(row[0])].append(row[0])
            _look(groups, call, keys)
    return _judged(groups, lambda _group: None)


def check_appends(events: Iterable[Event]) -> Finding:
    """Elements are words appended to a key; whatever shows its value looks at them."""
    calls = asked(events)
    groups: dict[str, Group] = defaultdict(Group)
    for call in calls:
        if call.f == "update":
            _add(groups[call.key], call.argument["append"].removesuffix(SEPARATOR), call)
    for call in calls:
        if not call.is_ok:
            continue
        if call.f == "list":
            _look(groups, call, {key: _words(value) for key, value, _ in call.result["entries"]})
        elif call.f == "get" or (call.f == "update" and "value" in call.result):
            groups[call.key].looks.append(Look(call, _words(call.result["value"])))
    return _judged(groups, _out_of_order)


def _add(group: Group, element: str, call: Asked) -> None:
    other = group.added.setdefault(element, call)
    if other is not call:
        words = f"events {other.invoke.index} and {call.invoke.index} add the same element"
        raise HistoryError(f"{words}: nobody could tell one effect from two")


def _look(groups: dict[str, Group], call: Asked, found: Mapping[str, Sequence[str]]) -> None:
    """A list sees every group below its prefix, those without elements too."""
    names = [call.key] if call.key in groups else list({*groups, *found})
    for name in names:
        if name.startswith(call.key):
            groups[name].looks.append(Look(call, found.get(name, ())))


def _part(key: str) -> str:
    return key[: key.rfind("/") + 1]


def _words(value: str | None) -> list[str]:
    return (value or "").split(SEPARATOR)[:-1]


def _is_done(call: Asked) -> bool:
    """Whether it was acknowledged as added: a cas may also be answered that it was not."""
    return call.is_ok and bool(call.result.get("succeeded", True))


def _judged(groups: Mapping[str, Group], order: Callable[[Group], Wrong | None]) -> Finding:
    done = looks = unread = 0
    for name, group in groups.items():
        wrong = _wrong_look(group) or order(group)
        if wrong is not None:
            words, calls = wrong
            at = sorted({index for call in calls for index in call.indexes})
            sentence = f"invalid: {name}: {words}"
            return Finding(NAME, Verdict.INVALID, sentence, key=name, contradiction=at)
        last = max((look.call.invoke.index for look in group.looks), default=-1)
        acknowledged = [call for call in group.added.values() if _is_done(call)]
        done, looks = done + len(acknowledged), looks + len(group.looks)
        unread += sum(call.indexes[-1] > last for call in acknowledged)
    if unread:
        words = f"{unread} of {done} additions that were acknowledged were not read afterwards"
        return Finding(NAME, Verdict.UNKNOWN, f"unknown: {words}")
    sentence = f"valid: {done} additions acknowledged, each there once in {looks} reads"
    return Finding(NAME, Verdict.VALID, sentence)


def _wrong_look(group: Group) -> Wrong | None:
    """Something there that must not be, or not there that must be: acknowledged, or seen before."""
    known = {element: call for element, call in group.added.items() if _is_done(call)}
    judged: set[str] = set()
    for look in sorted(group.looks, key=lambda look: look.call.indexes[-1]):
        for element in set(look.found) - judged:  # whoever looks later may see it too
            wrong = _wrongly_there(group, element, look)
            if wrong is not None:
                return wrong
            judged.add(element)
            if look.call.indexes[-1] < known.setdefault(element, look.call).indexes[-1]:
                known[element] = look.call
        if len(set(look.found)) < len(look.found):
            element, times = Counter(look.found).most_common(1)[0]
            words = f"event {look.call.indexes[-1]} shows {element} {times} times, added once"
            return words, [group.added[element], look.call]
    return _lost(known, group.looks)


def _wrongly_there(group: Group, element: str, look: Look) -> Wrong | None:
    call = group.added.get(element)
    there = f"event {look.call.indexes[-1]} shows {element}"
    if call is None:
        return f"{there}, which nobody added", [look.call]
    if not call.is_unknown and not _is_done(call):
        return f"{there}, which was not added by event {call.indexes[-1]}", [call, look.call]
    if call.invoke.index > look.call.indexes[-1]:
        return f"{there}, asked for later by event {call.invoke.index}", [call, look.call]
    return None


def _lost(known: Mapping[str, Asked], looks: Iterable[Look]) -> Wrong | None:
    """`known` says by whose answer each element is first known to have been there."""
    waiting = sorted(known, key=lambda element: known[element].indexes[-1], reverse=True)
    due: set[str] = set()
    for look in sorted(looks, key=lambda look: look.call.invoke.index):
        while waiting and known[waiting[-1]].indexes[-1] < look.call.invoke.index:
            due.add(waiting.pop())
        lost = due.difference(look.found)
        if lost:
            element = min(lost, key=lambda element: known[element].indexes[-1])
            missing = f"event {look.call.indexes[-1]} does not show {element}"
            call = known[element]
            return f"{missing}, which was there by event {call.indexes[-1]}", [call, look.call]
    return None


def _out_of_order(group: Group) -> Wrong | None:
    """Every read is a beginning of the longest, whose words stand in an order of real time."""
    if not group.looks:
        return None
    longest = max(group.looks, key=lambda look: len(look.found))
    for look in group.looks:
        if look.found != longest.found[: len(look.found)]:
            words = f"event {look.call.indexes[-1]} shows another order than"
            return f"{words} event {longest.call.indexes[-1]}", [look.call, longest.call]
    earliest: Asked | None = None
    for word in reversed(longest.found):
        call = group.added[word]
        if earliest is not None and earliest.indexes[-1] < call.invoke.index:
            words = f"event {earliest.indexes[-1]} was acknowledged before event"
            return f"{words} {call.invoke.index} began, and comes after it", [earliest, call]
        if _is_done(call) and (earliest is None or call.indexes[-1] < earliest.indexes[-1]):
            earliest = call
    return None
