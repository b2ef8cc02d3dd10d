"""Whether the cycle that a refusal names is there: each step of it, in the words of the message."""

import re
from ast import literal_eval

from kvraft.core.commands import Acquire
from kvraft_chaos.simulation.lock_book import Book, Place, Queue, goes_with

_NAME = r"((?:acquisition )?b(?:'[^']*'|\"[^\"]*\"))"
_STEP = re.compile(rf"{_NAME} waits for lock {_NAME} (held by|behind) {_NAME}")
NEW = 1 << 62
"""Of the place that is refused: it would stand behind all others."""


def false_step(book: Book, asked: Acquire, message: str) -> str | None:
    """Return the first step that is not so; None: it is a cycle."""
    steps = [_STEP.fullmatch(each) for each in message.split("; ")]
    new = _refused(asked)
    owner = repr(asked.owner)
    before = owner
    for number, step in enumerate(steps):
        if step is None:
            return f"step {number} is not understood"
        waiting, lock, how, other = step.groups()
        if waiting != before:
            return f"{step[0]} does not follow {before}"
        places = [new] if number == 0 else _waiting(book, waiting)
        queue = book.locks.get(literal_eval(lock), Queue())
        if not any(_is_so(queue, place, lock, how, other) for place in places):
            return f"{step[0]} is not so"
        before = other
    return None if before == owner else f"it ends with {before}"


def _refused(asked: Acquire) -> Place:
    return Place(
        place_id=NEW,
        key=asked.key,
        names=asked.names,
        mode=asked.mode,
        capacity=asked.capacity,
        lease_id=0,
        is_own=False,
        owner=asked.owner,
        wait_until_ms=None,
        attach_until_ms=None,
        since=0.0,
        wait_s=None,
    )


def _waiting(book: Book, who: str) -> list[Place]:
    return [each for each in book.places.values() if not each.tokens and _called(each) == who]


def _called(place: Place) -> str:
    return repr(place.owner) if place.owner else f"acquisition {place.key!r}"


def _is_so(queue: Queue, place: Place, lock: str, how: str, other: str) -> bool:
    if literal_eval(lock) not in place.names:
        return False
    ahead = queue.holders.values() if how == "held by" else queue.waiting
    return any(
        _called(each) == other and each.place_id < place.place_id and not goes_with(each, place)
        for each in ahead
    )
