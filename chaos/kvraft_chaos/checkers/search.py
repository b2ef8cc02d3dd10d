"""The search for one legal order of the operations on one object: Wing and Gong, Lowe's memory.

J. Wing, C. Gong, "Testing and Verifying Concurrent Objects" (1993); G. Lowe, "Testing for
Linearizability" (2017). Operations stand in a doubly linked list of calls and returns. A call that
the model allows is lifted out, with its return; a return that is reached first means that its
operation should have taken effect before: undo. A set of (operations done, state) cuts repetition.
Unknown operations, which never return, stand in a list of their own and are tried last.

Four rules spare most of it, and lose no legal order:
- What only observes, and fits, takes effect now: in any order in which it comes later it can be
  moved here, for nothing else depends on it. It is no choice, so it is never undone by itself.
- Of unknown operations that ask for the same, the one invoked first takes effect first: any order
  in which another goes before it stays legal with the two exchanged.
- Where answers show revisions, which only grow, the lowest that is left comes next.
- An unknown operation takes effect only where the next one comes out differently for it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kvraft_chaos.checkers.model import Model, State, Step
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Operation

LOOK_EVERY = 1_024
"""Steps between two looks at what bounds the search."""
CONFIGURATION_BYTES = 250
"""Of one remembered configuration, apart from a bit for each operation: measured on CPython."""


@dataclass(slots=True, eq=False)
class _Entry:
    """A call or a return in a list. `match` is a call's return (None: it never came)."""

    number: int
    at: int
    """Index of its event."""
    step: Step | None = None
    match: "_Entry | None" = None
    observes: bool = False
    twin: int = 0
    """The bit of the unknown operation that must take effect before this one, or 0."""
    before: "_Entry | None" = field(default=None, repr=False)
    after: "_Entry | None" = field(default=None, repr=False)

    def lift(self) -> None:
        """Take this call and its return out of the list; they remember where they stood."""
        self.unlink()
        if self.match is not None:
            self.match.unlink()

    def unlift(self) -> None:
        """Put back what was lifted last."""
        if self.match is not None:
            self.match.relink()
        self.relink()

    def unlink(self) -> None:
        if self.before is not None:
            self.before.after = self.after
        if self.after is not None:
            self.after.before = self.before

    def relink(self) -> None:
        if self.before is not None:
            self.before.after = self
        if self.after is not None:
            self.after.before = self


class _Done(NamedTuple):
    """An operation that took effect, the state before it, and whether another might instead."""

    entry: _Entry
    before: State
    chosen: bool


class Search:
    """Depth first over the orders in which the operations may have taken effect."""

    def __init__(self, given: Sequence[Operation], model: Model, *, by_rank: bool = True) -> None:
        """`given` in the order of their invokes. Ranks only spare work; without them an order is
        followed until it meets an answer that contradicts it.
        """
        self.operations = given
        self.seen: set[tuple[int, State]] = set()
        self.longest: list[Operation] = []
        """The longest legal order found, from the beginning."""
        self.longest_state = model.initial
        self.stuck: Operation | None = None
        """The operation that had returned by then, and did not fit."""
        self._answered, self._unknown = _linked(given, model)
        self._open_returns = sum(operation.completed is not None for operation in given)
        self._done: list[_Done] = []
        self._ranks = _Ranks([model.rank(each) if by_rank else None for each in given])
        self._mask = 0
        self._state = model.initial

    @property
    def ranked(self) -> bool:
        """Whether there were ranks to go by."""
        return self._ranks.any

    @property
    def bytes(self) -> int:
        """What the memory of configurations takes, about."""
        return len(self.seen) * (CONFIGURATION_BYTES + len(self.operations) // 8)

    def run(self, exhausted: Callable[[], bool]) -> Verdict:
        """UNKNOWN once `exhausted`."""
        self._settle()
        levels = [self._candidates()]
        steps = 0
        while self._open_returns:
            steps += 1
            if steps % LOOK_EVERY == 0 and exhausted():
                return Verdict.UNKNOWN
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop()
                if not levels:
                    return Verdict.INVALID
                self._undo()
            elif self._choose(entry):
                self._settle()
                levels.append(self._candidates())
        return Verdict.VALID

    def _candidates(self) -> Iterator[_Entry]:
        """What may take effect next: called before anything that is left returned."""
        entry = self._answered.after
        while entry is not None and entry.step is not None:
            yield entry
            entry = entry.after
        assert entry is not None, "a return is open, so the list does not end before it"
        self._note(entry)
        unknown = self._unknown.after
        while unknown is not None and unknown.at < entry.at:
            yield unknown
            unknown = unknown.after

    def _settle(self) -> None:
        """Let everything take effect that only observes, and fits."""
        entry = self._answered.after
        while entry is not None and entry.step is not None:
            if entry.observes and entry.step(self._state) == self._state:
                self._place(entry, self._state, chosen=False)
            entry = entry.after

    def _choose(self, entry: _Entry) -> bool:
        """Let it take effect now, unless the model, its twin or the memory says no."""
        assert entry.step is not None, "a return is no candidate"
        if self._ranks.forbid(entry.number):
            return False
        state = entry.step(self._state)
        if state is None or self._mask & entry.twin != entry.twin:
            return False
        last = self._done[-1] if self._done else None
        if last is not None and last.entry.match is None and entry.step(last.before) == state:
            return False
        configuration = (self._mask | 1 << entry.number, state)
        if configuration in self.seen:
            return False
        self.seen.add(configuration)
        self._place(entry, state, chosen=True)
        return True

    def _place(self, entry: _Entry, state: State, *, chosen: bool) -> None:
        self._done.append(_Done(entry, self._state, chosen))
        self._state = state
        self._mask |= 1 << entry.number
        self._open_returns -= entry.match is not None
        self._ranks.done(entry.number)
        entry.lift()

    def _undo(self) -> None:
        """Take the last choice back, and all that followed from it."""
        chosen = False
        while not chosen:
            done = self._done.pop()
            chosen = done.chosen
            self._state = done.before
            self._mask &= ~(1 << done.entry.number)
            self._open_returns += done.entry.match is not None
            self._ranks.undone(done.entry.number)
            done.entry.unlift()

    def _note(self, blocked: _Entry) -> None:
        if self.stuck is None or len(self._done) > len(self.longest):
            self.longest = [self.operations[done.entry.number] for done in self._done]
            self.longest_state = self._state
            self.stuck = self.operations[blocked.number]


class _Ranks:
    """Which operation of those that are left has the lowest rank."""

    def __init__(self, ranks: Sequence[int | None]) -> None:
        self._ranks = ranks
        ranked = [(rank, number) for number, rank in enumerate(ranks) if rank is not None]
        self._order = [number for _, number in sorted(ranked)]
        self._places = {number: place for place, number in enumerate(self._order)}
        self._is_done = [False] * len(ranks)
        self._lowest = 0
        """Place of the first one in the order that is left."""

    @property
    def any(self) -> bool:
        return bool(self._order)

    def forbid(self, number: int) -> bool:
        """Whether one of a lower rank is left."""
        rank = self._ranks[number]
        if rank is None or self._lowest == len(self._order):
            return False
        lowest = self._ranks[self._order[self._lowest]]
        return lowest is not None and lowest < rank

    def done(self, number: int) -> None:
        self._is_done[number] = True
        while self._lowest < len(self._order) and self._is_done[self._order[self._lowest]]:
            self._lowest += 1

    def undone(self, number: int) -> None:
        self._is_done[number] = False
        self._lowest = min(self._lowest, self._places.get(number, self._lowest))


def _linked(given: Sequence[Operation], model: Model) -> tuple[_Entry, _Entry]:
    """The heads of two lists: calls with their returns, and unknown calls."""
    answered: list[_Entry] = []
    unknown: list[_Entry] = []
    last_alike: dict[str, int] = {}
    for number, operation in enumerate(given):
        call = _Entry(number, operation.invoked, model.step_of(operation))
        if operation.completed is None:
            call.twin = last_alike.get(_request(operation), 0)
            last_alike[_request(operation)] = 1 << number
            unknown.append(call)
        else:
            call.observes = model.observes(operation)
            call.match = _Entry(number, operation.completed)
            answered += call, call.match
    return _chain(answered), _chain(unknown)


def _chain(entries: Sequence[_Entry]) -> _Entry:
    head = last = _Entry(-1, -1)
    for entry in sorted(entries, key=lambda each: each.at):
        last.after, entry.before = entry, last
        last = entry
    return head


def _request(operation: Operation) -> str:
    request: tuple[str, Any] = (operation.f, operation.argument)
    return json.dumps(request, sort_keys=True)
